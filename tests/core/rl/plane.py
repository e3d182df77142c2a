"""A point in the plane that walks to a goal by chunks of velocities: planners, data and worlds of it."""

from dataclasses import dataclass

import torch

from core.policy.build import build_planner
from core.policy.config import DitConfig, MlpConfig, PlannerConfig, SamplerConfig
from core.policy.layout import PlannerLayout
from core.policy.normalizer import Normalizer
from core.rl.decisions import Decisions
from core.types import Command

LAYOUT = PlannerLayout("plane", (("to_goal", 2),), Command.component_names(), observation_horizon=2, action_chunk=4)
EXECUTED = 3
WIDTHS = {"mlp": MlpConfig(width=128, blocks=1), "dit": DitConfig(48, 1, 2, 2, 2, 32)}


def plane_planner(kind="mlp-diffusion", seed=0, denoising_steps=20, moving=2):
    """A fresh planner for which only the first `moving` of the 23 values of a command vary."""
    config = PlannerConfig(kind, WIDTHS["dit"], WIDTHS["mlp"], denoising_steps, SamplerConfig(steps=5))
    high = torch.zeros(LAYOUT.action_size)
    high[:moving] = 1.0
    torch.manual_seed(seed)
    planner = build_planner(LAYOUT, config, Normalizer.identity(2), Normalizer(-high, high))
    with torch.no_grad():
        for parameter in planner.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return planner, config


def imitate(planner, steps=200, seed=0):
    """Pre-train on demonstrations that walk towards the goal, not very exactly."""
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(planner.base.parameters(), lr=3e-3)
    for _ in range(steps):
        to_goal = 2 * torch.rand(128, 2, generator=generator) - 1
        velocity = (to_goal + 0.25 * torch.randn(128, 2, generator=generator)).clamp(-1, 1)
        chunk = torch.zeros(128, 4, LAYOUT.action_size)
        chunk[..., :2] = velocity[:, None]
        loss = planner.loss(to_goal[:, None].repeat(1, 2, 1), chunk, generator)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return planner


@dataclass
class Plane:
    """N points; a wind that the demonstrations did not know blows. Six decisions to come within 0.2 of the goal."""

    worlds: int = 128
    wind: float = 0.35
    reach: float = 0.2
    limit: int = 6
    start: float = 1.0
    "half the edge of the square in which the points start"

    def explore(self, chain, seed):
        """Decisions of one episode in every world, and how many of them succeeded."""
        generator = torch.Generator().manual_seed(seed)
        to_goal = self.start * (2 * torch.rand(self.worlds, 2, generator=generator) - 1)
        running = torch.ones(self.worlds, dtype=torch.bool)
        columns: dict[str, list] = {name: [] for name in ("obs", "chain", "world", "reward", "done", "cut", "final")}
        for t in range(self.limit):
            rows = running.nonzero()[:, 0]
            if len(rows) == 0:
                break
            obs = to_goal[rows, None].repeat(1, 2, 1)
            shape = (chain.noise_count, len(rows), 4, LAYOUT.action_size)
            values = chain.sample(obs, torch.randn(shape, generator=generator))
            velocity = values[:, -1, :EXECUTED, :2].mean(dim=1)
            to_goal[rows] -= velocity + torch.tensor([self.wind, 0.0])
            reached = to_goal[rows].norm(dim=-1) < self.reach
            cut = ~reached & (t == self.limit - 1)
            columns["final"].append(to_goal[rows][cut][:, None].repeat(1, 2, 1))
            for name, value in (("obs", obs), ("chain", values), ("world", rows), ("reward", reached.float()),
                                ("done", reached), ("cut", cut)):  # fmt: skip
                columns[name].append(value)
            running[rows[reached | cut]] = False
        obs, chains, world, reward, done, cut, final = (torch.cat(parts) for parts in columns.values())
        first = torch.arange(len(world)) < self.worlds
        return Decisions(obs, chains, world, reward, first, done, cut, final), int(reward.sum())
