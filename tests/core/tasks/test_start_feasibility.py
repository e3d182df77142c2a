"""The widest starts of the curriculum are possible: nothing touches the robot there."""

import mujoco
import torch

from core.backends.mujoco_scene import compile_scene
from core.t1 import model as t1
from core.tasks.box_pickup import BoxPickup
from core.tasks.box_pickup_scene import BOX, PEDESTAL, TABLE
from core.tasks.starts import Widening


def touching(starts: int, shift_m: float) -> int:
    """Random starts at the widest in which the robot, moved towards the table, touches table, pedestal or box."""
    task = BoxPickup(1)
    Widening(task).set(1.0)
    initial, physics, _ = task.sample_initial(starts, torch.Generator().manual_seed(5))
    model = compile_scene(task.scene())
    data = mujoco.MjData(model)
    joints = [int(model.joint(name).qposadr[0]) for name in t1.JOINT_NAMES]
    base, box = (int(model.joint(f"{name}_free").qposadr[0]) for name in ("base", BOX))
    count = 0
    for k in range(starts):
        for name in (TABLE, PEDESTAL):
            model.body(name).pos[:] = physics.fixed_object_pos[name][k]
        model.geom_size[model.body(BOX).geomadr[0]] = 0.5 * physics.object_size[BOX][k]
        place = initial.base_pos_w[k] + torch.tensor([shift_m, 0.0, 0.0])
        for address, pos, quat in (
            (base, place, initial.base_quat_w[k]),
            (box, initial.objects[BOX].pos_w[k], initial.objects[BOX].quat_w[k]),
        ):
            data.qpos[address : address + 7] = torch.cat((pos, quat))
        data.qpos[joints] = initial.joint_pos[k]
        mujoco.mj_fwdPosition(model, data)
        count += any(_is_hit(model, contact) for contact in data.contact[: data.ncon])
    return count


def _is_hit(model: mujoco.MjModel, contact: mujoco.MjContact) -> bool:
    names = {model.body(model.geom_bodyid[geom]).name for geom in (contact.geom1, contact.geom2)}
    around = {TABLE, PEDESTAL, BOX}
    return bool(names & around) and not names <= around | {"world"}


def test_that_the_robot_stands_free_in_the_widest_starts():
    assert touching(400, shift_m=0.0) == 0
    assert touching(100, shift_m=0.3) > 0
