"""Per-world physical parameters of a MuJoCo batch, written only where they differ from the scene's model."""
# pyright: reportAttributeAccessIssue=false

import mujoco
import numpy as np
from mujoco.batch import Batch
from torch import Tensor

from core.backends.base import Physics
from core.backends.mass import add_point_mass, box_inertia
from core.backends.mujoco_layout import Layout
from core.backends.mujoco_scene import FLOOR
from core.t1.model import NUM_JOINTS
from core.tasks.scene import Scene

_CONSTANT_INPUTS = frozenset(mujoco.MjModel._setconst_inputs)
"Fields that MuJoCo derives constants from, such as the inverse weights that scale contact softness."


class WorldPhysics:
    """Writes `Physics` rows and damping flags into the model fields of single worlds.

    A model field gets per-world values the first time that some world needs another value than the model's, because
    each such field is copied at every step. Parameters that shift masses also refresh MuJoCo's derived constants.
    """

    def __init__(self, batch: Batch, layout: Layout, scene: Scene) -> None:
        self._batch = batch
        self._layout = layout
        self._scene = scene
        self._fields: set[str] = set()
        n = batch.nsim
        model = batch.model
        self._gain_scale = np.ones((n, 2, NUM_JOINTS))  # kp, kd
        self._nominal_kp = model.actuator_gainprm[layout.joint_ctrl, 0].copy()
        self._nominal_kd = -model.actuator_biasprm[layout.joint_ctrl, 2]
        self._hand_frames = model.site_pos[layout.hand_sites].copy()
        self._needs_constants = np.zeros(n, dtype=bool)
        self.damping = np.zeros(n, dtype=bool)

    def apply(self, worlds: np.ndarray, physics: Physics) -> None:
        """Set the parameters of some worlds (M,). Raises ValueError on unknown objects or impossible values."""
        self._check(len(worlds), physics)
        self._gain_scale[worlds, 0] = _float64(physics.kp_scale)
        self._gain_scale[worlds, 1] = _float64(physics.kd_scale)
        self._write_gains(worlds)
        self._write_trunk(worlds, _float64(physics.trunk_mass_offset_kg), _float64(physics.trunk_com_offset_b))
        self._write_payload(worlds, _float64(physics.payload_kg))
        floor = self._batch.model.geom(FLOOR).id
        self._write("geom_friction", worlds, (floor, 0), _float64(physics.floor_friction))
        self._write("opt.gravity", worlds, (), _float64(physics.gravity_w))
        self._write_objects(worlds, physics)
        self._refresh_constants()

    def set_gravity(self, gravity_w: Tensor) -> None:
        """Set gravity (N, 3) of every world."""
        self._write("opt.gravity", np.arange(self._batch.nsim), (), _float64(gravity_w))

    def set_damping(self, damping: np.ndarray) -> None:
        """Choose the worlds (N,) bool whose joints only damp: kp 0."""
        changed = np.flatnonzero(damping != self.damping)
        if changed.size:
            self.damping[:] = damping
            self._write_gains(changed)

    def fields(self) -> dict[str, np.ndarray]:
        """Every per-world array, for a snapshot."""
        own = {"gain_scale": self._gain_scale, "damping": self.damping}
        return own | {name: self._batch.expand(name) for name in sorted(self._fields)}

    def restore(self, fields: dict[str, np.ndarray]) -> None:
        """Inverse of `fields`."""
        fields = dict(fields)
        self._gain_scale[:] = fields.pop("gain_scale")
        self.damping[:] = fields.pop("damping")
        for name in self._fields - fields.keys():
            self._batch.expand(name)[:] = _model_value(self._batch.model, name)
        for name, values in fields.items():
            self._fields.add(name)
            self._batch.expand(name)[:] = values
        if self._fields & _CONSTANT_INPUTS:
            self._batch.set_const()

    def _check(self, count: int, physics: Physics) -> None:
        shape = tuple(physics.kp_scale.shape)
        if shape != (count, NUM_JOINTS):
            raise ValueError(f"physics is for {shape[0]} worlds, but {count} are reset: give one row a world")
        names = {item.name for item in self._scene.objects}
        fixed = {item.name for item in self._scene.objects if item.fixed}
        for label, given, known in (
            ("object_mass", physics.object_mass, names - fixed),
            ("object_friction", physics.object_friction, names),
            ("object_size", physics.object_size, names),
            ("fixed_object_pos", physics.fixed_object_pos, fixed),
        ):
            if unknown := set(given) - known:
                raise ValueError(f"{label}: no such object {sorted(unknown)} in {self._scene.name!r}: {sorted(known)}")
        tensors = [value for value in vars(physics).values() if isinstance(value, Tensor)]
        tensors += [v for value in vars(physics).values() if isinstance(value, dict) for v in value.values()]
        if not all(bool(value.isfinite().all()) for value in tensors):
            raise ValueError("physical parameters must be finite")
        if bool((physics.payload_kg < 0).any()):
            raise ValueError(f"payload_kg must not be negative, got {float(physics.payload_kg.min()):.3f}")
        if any(bool((v <= 0).any()) for v in (*physics.object_mass.values(), *physics.object_size.values())):
            raise ValueError("masses and sizes of objects must be positive")
        trunk = self._batch.model.body_mass[self._layout.trunk] + float(physics.trunk_mass_offset_kg.min())
        if trunk <= 0:
            raise ValueError(f"trunk mass must stay positive, got {trunk:.3f} kg")

    def _write(self, name: str, worlds: np.ndarray, index: tuple, values: np.ndarray) -> None:
        """Set field[worlds, *index]; a field that keeps the model's values stays shared by all worlds."""
        model_value = _model_value(self._batch.model, name)[index]
        # parameters come as float32: what rounds to the model's float64 value is meant to be that value
        values = np.where(values.astype(np.float32) == np.float32(model_value), model_value, values)
        if name not in self._fields:
            if (values == model_value).all():
                return
            self._fields.add(name)
        field = self._batch.expand(name)
        rows = (_outer(worlds, index), *index)
        changed = (field[rows] != values).reshape(len(worlds), -1).any(axis=1)
        field[rows] = values
        if name in _CONSTANT_INPUTS:
            self._needs_constants[worlds[changed]] = True

    def _refresh_constants(self) -> None:
        if self._needs_constants.any():
            self._batch.set_const(self._needs_constants)
            self._needs_constants[:] = False

    def _write_gains(self, worlds: np.ndarray) -> None:
        kp_scale = self._gain_scale[worlds, 0] * ~self.damping[worlds, None]
        kp = self._nominal_kp * kp_scale
        kd = self._nominal_kd * self._gain_scale[worlds, 1]
        joints = self._layout.joint_ctrl
        self._write("actuator_gainprm", worlds, (joints, 0), kp)
        self._write("actuator_biasprm", worlds, (joints, 1), -kp)
        self._write("actuator_biasprm", worlds, (joints, 2), -kd)

    def _write_trunk(self, worlds: np.ndarray, mass_offset: np.ndarray, com_offset: np.ndarray) -> None:
        """Inertia grows with the mass: the same shape, denser."""
        model, trunk = self._batch.model, self._layout.trunk
        mass = model.body_mass[trunk] + mass_offset
        ratio = mass / model.body_mass[trunk]
        self._write("body_mass", worlds, (trunk,), mass)
        self._write("body_inertia", worlds, (trunk,), ratio[:, None] * model.body_inertia[trunk])
        self._write("body_ipos", worlds, (trunk,), model.body_ipos[trunk] + com_offset)

    def _write_payload(self, worlds: np.ndarray, payload: np.ndarray) -> None:
        model = self._batch.model
        for side, body in enumerate(self._layout.hand_bodies):
            values = add_point_mass(
                model.body_mass[body], model.body_ipos[body], model.body_inertia[body], model.body_iquat[body],
                self._hand_frames[side], payload[:, side],
            )  # fmt: skip
            empty = payload[:, side] == 0
            for name, value in zip(("body_mass", "body_ipos", "body_inertia", "body_iquat"), values, strict=True):
                value[empty] = getattr(model, name)[body]  # the model's own choice of principal axes
                self._write(name, worlds, (body,), value)

    def _write_objects(self, worlds: np.ndarray, physics: Physics) -> None:
        model, count = self._batch.model, len(worlds)
        for item in self._scene.objects:
            geom = self._layout.geoms[item.name]
            body = int(model.geom_bodyid[geom])
            size = _rows(physics.object_size.get(item.name), np.array(item.size), count)
            friction = _rows(physics.object_friction.get(item.name), np.array(item.friction), count)
            self._write("geom_friction", worlds, (geom, 0), friction)
            self._write_size(worlds, geom, size)
            if item.fixed:
                pos = _rows(physics.fixed_object_pos.get(item.name), np.array(item.pos), count)
                self._write("body_pos", worlds, (body,), pos)
            else:
                mass = _rows(physics.object_mass.get(item.name), np.array(item.mass), count)
                self._write("body_mass", worlds, (body,), mass)
                self._write("body_inertia", worlds, (body,), box_inertia(mass, size))

    def _write_size(self, worlds: np.ndarray, geom: int, size: np.ndarray) -> None:
        """Edge lengths and the bounds that collision detection derives from them."""
        model = self._batch.model
        half = 0.5 * size
        bounds = np.concatenate([np.zeros_like(half), half], axis=1)
        node = int(model.body_bvhadr[model.geom_bodyid[geom]])
        self._write("geom_size", worlds, (geom,), half)
        self._write("geom_rbound", worlds, (geom,), np.linalg.norm(half, axis=1))
        self._write("geom_aabb", worlds, (geom,), bounds)
        self._write("bvh_aabb", worlds, (node,), bounds)


def _model_value(model: mujoco.MjModel, name: str) -> np.ndarray:
    owner = model.opt if name.startswith("opt.") else model
    return np.asarray(getattr(owner, name.removeprefix("opt.")))


def _outer(worlds: np.ndarray, index: tuple) -> np.ndarray:
    """Worlds shaped to combine with index arrays as rows, or as they are where the index is made of numbers."""
    return worlds[:, None] if any(isinstance(i, np.ndarray) for i in index) else worlds


def _float64(tensor: Tensor) -> np.ndarray:
    return tensor.detach().cpu().numpy().astype(np.float64)


def _rows(values: Tensor | None, nominal: np.ndarray, count: int) -> np.ndarray:
    """(M, ...) given values, or the scene's for each world."""
    if values is None:
        return np.broadcast_to(nominal, (count, *nominal.shape)).astype(np.float64)
    return _float64(values)
