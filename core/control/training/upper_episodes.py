"""Episodes that pi_upper trains in: hands in free space, a box squeezed and lifted, and hands of a walking robot.

The first two are on a fixed base under a gravity that moves as on a walking robot; the third stands and walks on a
trained pi_lower, so that what the arms do to the base comes back to them.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from core.backends.base import InitialState, Physics, SimulatedBackend
from core.backends.mujoco import default_initial_state
from core.control import lower
from core.control.arm_chain import join_arms
from core.control.footsteps import FootstepPlanner
from core.control.lower import LowerController
from core.control.training.arm_bank import ArmBank
from core.control.training.grasp_scripts import episode_time_s, grasp_scene, sample_scripts
from core.control.training.hand_commands import FreeCommands, uniform
from core.control.training.lower_training import MIN_UPRIGHT, fallen
from core.control.training.motion_configs import DisturbanceConfig
from core.control.training.upper_config import EpisodeConfig
from core.control.training.upper_disturbances import BaseMotion, HandForces
from core.control.training.walk_commands import WalkCommands
from core.control.whole_body import CONTROLLERS
from core.t1.model import ARMS
from core.tasks.scene import Scene
from core.types import CONTROL_PERIOD_S, WorldState

Parts = dict[str, tuple[Any, tuple[str, ...]]]
"""Objects and the names of their state tensors, by a prefix."""


def legs_path(config: EpisodeConfig) -> Path:
    """The pi_lower that carries the walking robots."""
    return config.legs or CONTROLLERS / "lower.safetensors"


@runtime_checkable
class Episodes(Protocol):
    """One kind of episode in N worlds: what happens to the arms beside what they do themselves."""

    name: str
    scene: Scene
    num_worlds: int
    episode_steps: int

    def reset(self, worlds: Tensor) -> tuple[InitialState, Physics]:
        """How new episodes begin in some worlds (M,)."""
        ...

    def begin(self, worlds: Tensor, state: WorldState) -> None:
        """The backend has reset these worlds to `state` (all worlds)."""
        ...

    def command(self) -> tuple[Tensor, Tensor]:
        """Command rows (2N, 3), (2N, 4) of the coming control period."""
        ...

    def force_b(self, scale: float) -> Float[Tensor, "N 2 3"]:
        """External force on each hand for the coming control period, N; `scale` (0 to 1) is the curriculum's."""
        ...

    def move_base(self, backend: SimulatedBackend) -> None:
        """What the base feels in the coming control period."""
        ...

    def leg_targets(self, state: WorldState) -> Float[Tensor, "N 12"]:
        """Joint targets of the legs for the coming control period."""
        ...

    def gravity_b(self, state: WorldState) -> Float[Tensor, "N 3"]:
        """Unit vector along gravity as the base's sensor shows it."""
        ...

    def fallen(self, state: WorldState) -> Bool[Tensor, "N"]:
        """Worlds whose robot has fallen."""
        ...

    def parts(self) -> Parts:
        """All state, for an exact resume."""
        ...

    def refresh(self) -> None:
        """State tensors were replaced: compute again what follows from them."""
        ...


def make_episodes(c: EpisodeConfig, bank: ArmBank, generator: torch.Generator) -> list[Episodes]:
    """Every kind that has worlds."""
    kinds: list[Episodes] = [FreeSpace(c, bank, generator)]
    if c.grasp_worlds:
        kinds.append(Grasping(c, generator))
    if c.walk_worlds:
        kinds.append(Walking(c, bank, generator))
    return kinds


def randomise_actuation(physics: Physics, c: DisturbanceConfig, generator: torch.Generator) -> None:
    """Payload and PD gains (B17), in place."""
    m = len(physics.kp_scale)
    loaded = torch.rand(m, 1, generator=generator) < c.payload_share
    physics.payload_kg = torch.where(loaded, uniform(c.payload_kg, 2 * m, generator).reshape(m, 2), 0.0)
    physics.kp_scale = uniform(c.kp_scale, 29 * m, generator).reshape(m, 29)
    physics.kd_scale = uniform(c.kd_scale, 29 * m, generator).reshape(m, 29)


class FixedBase:
    """What episodes on a fixed base share: gravity moves, legs do not, nobody falls."""

    def __init__(self, num_worlds: int, c: EpisodeConfig, generator: torch.Generator) -> None:
        self.num_worlds = num_worlds
        self._config, self._generator = c, generator
        self._motion = BaseMotion(num_worlds, c.disturbances, generator)
        self._down = torch.zeros(num_worlds, 3)
        self._legs = lower.LEGS_DEFAULT.repeat(num_worlds, 1)

    def begin(self, worlds: Tensor, state: WorldState) -> None:
        """Another motion of the base."""
        self._motion.reset(worlds)

    def move_base(self, backend: SimulatedBackend) -> None:
        """Tilt, sway and shake."""
        self._down, felt = self._motion.advance()
        backend.set_gravity(felt)

    def leg_targets(self, state: WorldState) -> Float[Tensor, "N 12"]:
        """The default stand: there is nothing to stand on."""
        return self._legs

    def gravity_b(self, state: WorldState) -> Float[Tensor, "N 3"]:
        """Of the base that is imitated."""
        return self._down

    def fallen(self, state: WorldState) -> Bool[Tensor, "N"]:
        """None."""
        return torch.zeros(self.num_worlds, dtype=torch.bool)

    def refresh(self) -> None:
        """Nothing follows from the state."""

    def _base_parts(self) -> Parts:
        return {"motion.": (self._motion, BaseMotion.STATE), "base.": (self, ("_down",))}


class FreeSpace(FixedBase):
    """Commands in free space, with forces on the hands."""

    name = "free"

    def __init__(self, c: EpisodeConfig, bank: ArmBank, generator: torch.Generator) -> None:
        super().__init__(c.free_worlds, c, generator)
        self.episode_steps = round(c.free_episode_s / CONTROL_PERIOD_S)
        self.scene = Scene("fixed_base_free", robot="fixed_base", contacts="locomotion")
        self.commands = FreeCommands(bank, c.free_worlds, c.commands, generator)
        self.forces = HandForces(c.free_worlds, c.disturbances, generator)

    def reset(self, worlds: Tensor) -> tuple[InitialState, Physics]:
        """Arms near the start of new commands."""
        initial = _at_command(self.scene, self.commands, worlds, self._generator)
        physics = Physics.nominal(len(worlds))
        randomise_actuation(physics, self._config.disturbances, self._generator)
        self.forces.reset(worlds)
        return initial, physics

    def command(self) -> tuple[Tensor, Tensor]:
        """The next of the motion."""
        return self.commands.advance()

    def force_b(self, scale: float) -> Float[Tensor, "N 2 3"]:
        """Squeezes and pushes."""
        return self.forces.advance(scale)

    def parts(self) -> Parts:
        """Base, commands, forces."""
        own = {"commands.": (self.commands, FreeCommands.STATE), "forces.": (self.forces, HandForces.STATE)}
        return self._base_parts() | own


class Grasping(FixedBase):
    """Squeezing and lifting a box; the box is the disturbance."""

    name = "grasp"

    def __init__(self, c: EpisodeConfig, generator: torch.Generator) -> None:
        super().__init__(c.grasp_worlds, c, generator)
        self.episode_steps = round(c.grasp_episode_s / CONTROL_PERIOD_S)
        self.scene = grasp_scene()
        self._library = sample_scripts(c.scripts, c.grasps, generator)
        self._episode = torch.zeros(c.grasp_worlds, dtype=torch.int64)
        self._steps = torch.zeros(c.grasp_worlds, dtype=torch.int64)
        self._running = self._library.select(self._episode)

    def reset(self, worlds: Tensor) -> tuple[InitialState, Physics]:
        """Arms beside another box."""
        self._episode[worlds] = torch.randint(0, len(self._library), (len(worlds),), generator=self._generator)
        self._steps[worlds] = 0
        self.refresh()
        initial, physics = self._library.select(self._episode[worlds]).initial()
        randomise_actuation(physics, self._config.disturbances, self._generator)
        physics.payload_kg *= 0.3  # the box is the load here
        return initial, physics

    def command(self) -> tuple[Tensor, Tensor]:
        """The next of the script."""
        self._steps += 1
        return self._running.hands(episode_time_s(self._steps))

    def force_b(self, scale: float) -> Float[Tensor, "N 2 3"]:
        """None but the box's."""
        return torch.zeros(self.num_worlds, 2, 3)

    def parts(self) -> Parts:
        """Base, and where each world is in which script."""
        return self._base_parts() | {"script.": (self, ("_episode", "_steps"))}

    def refresh(self) -> None:
        """The scripts that run."""
        self._running = self._library.select(self._episode)


class Walking:
    """Commands in free space while pi_lower stands or walks, with squeezes on the hands as of a box."""

    name = "walk"

    def __init__(self, c: EpisodeConfig, bank: ArmBank, generator: torch.Generator) -> None:
        n = c.walk_worlds
        self.num_worlds, self.episode_steps = n, round(c.walk_episode_s / CONTROL_PERIOD_S)
        self.scene = Scene("walking", contacts="locomotion")
        self._config, self._generator = c, generator
        self.commands = FreeCommands(bank, n, c.commands, generator)
        none, squeeze, push = c.disturbances.shares
        self.forces = HandForces(n, replace(c.disturbances, shares=(none + push, squeeze, 0.0)), generator)
        self.walks = WalkCommands(n, c.walks, generator)
        self.planner = FootstepPlanner(n)
        self.legs = LowerController.load(legs_path(c))

    def reset(self, worlds: Tensor) -> tuple[InitialState, Physics]:
        """Standing, arms near the start of new commands; only the arms' gains are randomised."""
        initial = _at_command(self.scene, self.commands, worlds, self._generator)
        physics = Physics.nominal(len(worlds))
        randomise_actuation(physics, self._config.disturbances, self._generator)
        for scale in (physics.kp_scale, physics.kd_scale):
            arms = scale[:, ARMS].clone()
            scale[:] = 1.0
            scale[:, ARMS] = arms
        self.forces.reset(worlds)
        return initial, physics

    def begin(self, worlds: Tensor, state: WorldState) -> None:
        """Stand from here for a moment."""
        self.planner.reset(worlds, state)
        self.walks.reset(worlds, stand_first_s=0.5)
        self.legs.reset(worlds)

    def command(self) -> tuple[Tensor, Tensor]:
        """The next of the motion."""
        return self.commands.advance()

    def force_b(self, scale: float) -> Float[Tensor, "N 2 3"]:
        """Squeezes."""
        return self.forces.advance(scale)

    def move_base(self, backend: SimulatedBackend) -> None:
        """The legs do."""

    def leg_targets(self, state: WorldState) -> Float[Tensor, "N 12"]:
        """Footsteps from a random base velocity, pi_lower from these."""
        return self.legs.act(state, self.planner.update(state, self.walks.update()))

    def gravity_b(self, state: WorldState) -> Float[Tensor, "N 3"]:
        """From the base's orientation."""
        return lower.projected_gravity(state)

    def fallen(self, state: WorldState) -> Bool[Tensor, "N"]:
        """As for pi_lower."""
        return fallen(state, MIN_UPRIGHT)

    def parts(self) -> Parts:
        """Commands, forces, and all of the legs."""
        return {
            "commands.": (self.commands, FreeCommands.STATE),
            "forces.": (self.forces, HandForces.STATE),
            "walks.": (self.walks, WalkCommands.WORLD_FIELDS),
            "planner.": (self.planner, FootstepPlanner.WORLD_FIELDS),
            "legs.": (self.legs, ("_last_action",)),
        }

    def refresh(self) -> None:
        """Nothing follows from the state."""


def _at_command(scene: Scene, commands: FreeCommands, worlds: Tensor, generator: torch.Generator) -> InitialState:
    """The default stand with the arms near where new commands begin."""
    initial = default_initial_state(scene, len(worlds))
    arms = commands.reset(worlds)
    arms = arms + 0.05 * torch.randn(arms.shape, generator=generator)
    initial.joint_pos[:, ARMS] = join_arms(arms.reshape(-1, 7))
    return initial
