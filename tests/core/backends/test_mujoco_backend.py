"""What only the MuJoCo backend promises: physics of contacts, payload, scenes."""

import torch

from core.backends.mujoco import MujocoBackend
from core.t1.model import TOTAL_MASS_KG
from core.tasks.scene import BoxObject, Scene
from core.types import JointTarget

TABLE = BoxObject("table", (0.6, 0.8, 0.5), (0.8, 0.0, 0.25), fixed=True)
BOX = BoxObject("box", (0.3, 0.24, 0.25), (0.7, 0.0, 0.625), mass=0.8)
SCENE = Scene("lift", (TABLE, BOX))


def hold(backend: MujocoBackend, steps: int) -> None:
    state = backend.read_state().clone()
    still = torch.zeros(state.num_worlds, dtype=torch.bool)
    for _ in range(steps):
        backend.step(JointTarget(state.joint_pos, state.gripper_opening, still))


def test_that_standing_feet_carry_the_weight_of_the_robot() -> None:
    backend = MujocoBackend(SCENE, 2)
    hold(backend, 20)
    weight = backend.read_state().foot_force_w[:, :, 2].sum(dim=1)
    torch.testing.assert_close(weight, torch.full((2,), TOTAL_MASS_KG * 9.81), rtol=0.05, atol=0.0)


def test_that_a_box_rests_on_the_table() -> None:
    backend = MujocoBackend(SCENE, 1)
    hold(backend, 30)
    torch.testing.assert_close(backend.read_state().objects["box"].pos_w, torch.tensor([BOX.pos]), atol=1e-3, rtol=0.0)
