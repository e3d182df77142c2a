"""Training samples per second of planners against a reference transformer of equal size, and the time of a chunk.

Processor time of one thread, so that other work on the machine does not count; wall time beside it.
"""

import importlib.util
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from core.export.graph import write_graph
from core.export.session import OnnxSession
from core.policy.build import build_planner
from core.policy.checkpoint import load_planner
from core.policy.config import DitConfig, MlpConfig, PlannerConfig
from core.policy.diffusion import DiffusionPlanner
from core.policy.layout import PlannerLayout
from core.policy.learner import uses_bf16
from core.policy.normalizer import Normalizer
from core.policy.onnx_planner import INPUTS, PlannerGraph
from core.policy.planner import Planner
from core.policy.schedule import cosine_schedule
from core.tasks.catalogue import make_task
from tests.benchmarks.reference_transformer import ReferenceTransformer

GOAL_RATIO = 2.0
GOAL_LATENCY_MS = 20.0
SHIPPED = sorted((Path(__file__).parents[2] / "assets" / "planners" / "box_pickup").glob("*.safetensors"))


@dataclass(frozen=True)
class PolicyConfig:
    """What is measured."""

    batch_size: int = 256
    "windows in a training step"
    steps: int = 8
    "timed training steps of each side"
    chunks: int = 300
    "timed plans at batch 1"


PLANNERS: dict[str, tuple[PlannerConfig, str]] = {
    "DiT 256x4, 3 a token": (PlannerConfig(), "auto"),
    "DiT 256x4, 3 a token, fp32": (PlannerConfig(), "fp32"),
    "DiT 256x4, 1 a token": (PlannerConfig(dit=DitConfig(actions_per_token=1)), "auto"),
    "MLP 512x4": (PlannerConfig("mlp-diffusion", mlp=MlpConfig(512, 2)), "auto"),
}
"""Title -> config and precision; the first one is the default planner."""


@dataclass(frozen=True)
class Training:
    """Speed of one network."""

    title: str
    parameters: int
    samples_per_cpu_s: float
    samples_per_s: float


def layout() -> PlannerLayout:
    """Of the box pick-up: 8 observations of 50 values, 12 commands of 23."""
    return PlannerLayout.of_task(make_task("box_pickup", 1))


def make_planner(config: PlannerConfig) -> Planner:
    """With random weights: an untrained transformer would have nothing but zeros behind its gates."""
    torch.manual_seed(0)
    sizes = layout()
    planner = build_planner(
        sizes, config, Normalizer.identity(sizes.observation_size), Normalizer.identity(sizes.action_size)
    )
    with torch.no_grad():
        for parameter in planner.parameters():
            parameter.add_(0.02 * torch.randn_like(parameter))
    return planner


def batch(size: int) -> tuple[Tensor, Tensor]:
    """Observations and chunks."""
    generator = torch.Generator().manual_seed(0)
    s = layout()
    obs = torch.rand(size, s.observation_horizon, s.observation_size, generator=generator) * 2 - 1
    return obs, torch.rand(size, s.action_chunk, s.action_size, generator=generator) * 2 - 1


def time_steps(title: str, network: torch.nn.Module, loss: Callable[[], Tensor], config: PolicyConfig) -> Training:
    """Forward, backward and AdamW as the learner does them."""
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-4, fused=True)

    def step() -> None:
        optimizer.zero_grad()
        loss().backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()

    step()
    cpu_s, wall_s = [], []
    for _ in range(config.steps):
        cpu, wall = time.process_time(), time.perf_counter()
        step()
        cpu_s.append(time.process_time() - cpu)
        wall_s.append(time.perf_counter() - wall)
    size = sum(p.numel() for p in network.parameters())
    rates = (config.batch_size / float(np.median(times)) for times in (cpu_s, wall_s))
    return Training(title, size, *rates)


def time_planner(title: str, planner: Planner, precision: str, config: PolicyConfig) -> Training:
    """A planner in the learner's precision."""
    obs, chunk = batch(config.batch_size)
    generator = torch.Generator().manual_seed(0)
    bf16 = uses_bf16(precision, torch.device("cpu"))

    def loss() -> Tensor:
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            return planner.loss(obs, chunk, generator)

    return time_steps(f"{title} ({'bf16' if bf16 else 'fp32'})", planner, loss, config)


def time_reference(network: ReferenceTransformer, config: PolicyConfig) -> Training:
    """The reference in fp32, with the same noise and loss."""
    obs, chunk = batch(config.batch_size)
    schedule, generator = cosine_schedule(100), torch.Generator().manual_seed(0)

    def loss() -> Tensor:
        level = torch.randint(100, (config.batch_size,), generator=generator)
        noise = torch.randn(chunk.shape, generator=generator)
        predicted = network(schedule.add_noise(chunk, noise, level), level, obs)
        return (predicted - noise).square().mean()

    return time_steps("reference 256x4 (fp32)", network, loss, config)


@torch.inference_mode()
def time_chunks(planner: Planner, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Processor and wall time of each of `count` plans at batch 1, ms."""
    obs, _ = batch(1)
    noise = torch.randn(planner.noise_shape(1))
    planner.eval()
    return time_calls(lambda: planner.plan(obs, noise), count)


def time_exported(planner: Planner, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The same for the planner as an ONNX graph with every denoising step inside, by ONNX Runtime."""
    obs, _ = batch(1)
    inputs = (obs, torch.randn(planner.noise_shape(1)))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "planner.onnx"
        write_graph(PlannerGraph(planner), inputs, INPUTS, path)
        session = OnnxSession(path)
    feed = {name: value.numpy() for name, value in zip(INPUTS, inputs)}
    return time_calls(lambda: session.run(feed), count)


def time_calls(call: Callable[[], object], count: int) -> tuple[np.ndarray, np.ndarray]:
    """Processor and wall time of each of `count` calls, ms, after ten that warm up."""
    for _ in range(10):
        call()
    cpu_ms, wall_ms = np.zeros(count), np.zeros(count)
    for i in range(count):
        cpu, wall = time.thread_time(), time.perf_counter()
        call()
        cpu_ms[i], wall_ms[i] = 1e3 * (time.thread_time() - cpu), 1e3 * (time.perf_counter() - wall)
    return cpu_ms, wall_ms


def print_chunk_times(count: int) -> float:
    """Of the shipped planners (torch, ONNX) and of each size: the slowest shipped p99, ms of processor time."""
    print(f"\n{'a chunk at batch 1, one thread, ms':48s} {'cpu p50':>8s} {'p99':>6s} {'wall p50':>9s} {'p99':>6s}")
    slowest_ms = 0.0
    for path in SHIPPED:
        planner = load_planner(path).planner
        assert isinstance(planner, DiffusionPlanner)
        title = f"shipped {path.stem}, {planner.steps.count} steps"
        slowest_ms = max(slowest_ms, print_times(f"{title}, torch", time_chunks(planner, count)))
        if importlib.util.find_spec("onnxscript"):
            slowest_ms = max(slowest_ms, print_times(f"{title}, ONNX Runtime", time_exported(planner, count)))
    for title, (config, _) in PLANNERS.items():
        planner = make_planner(config)
        assert isinstance(planner, DiffusionPlanner)
        print_times(f"{title}, {planner.steps.count} steps, torch", time_chunks(planner, count))
    return slowest_ms


def print_times(title: str, times_ms: tuple[np.ndarray, np.ndarray]) -> float:
    """One line of the table: the p99 of the processor's time."""
    numbers = [float(np.percentile(values, q)) for values in times_ms for q in (50, 99)]
    print(f"{title:48s} {numbers[0]:8.1f} {numbers[1]:6.1f} {numbers[2]:9.1f} {numbers[3]:6.1f}", flush=True)
    return numbers[1]


def main(config: PolicyConfig) -> int:
    """Print both tables. Returns 1 when a goal is missed."""
    torch.set_num_threads(1)
    reference = time_reference(ReferenceTransformer(layout()), config)  # in torch's default precision of products
    torch.set_float32_matmul_precision("medium")  # as the job does
    rows = [time_planner(title, make_planner(c), precision, config) for title, (c, precision) in PLANNERS.items()]
    print(f"{'training, batch ' + str(config.batch_size):34s} {'M par':>6s} {'/cpu s':>8s} {'/s':>8s} {'ratio':>6s}")
    for row in (reference, *rows):
        ratio = row.samples_per_cpu_s / reference.samples_per_cpu_s
        rates = f"{row.samples_per_cpu_s:8.0f} {row.samples_per_s:8.0f} {ratio:6.2f}"
        print(f"{row.title:34s} {row.parameters / 1e6:6.2f} {rates}")
    slowest_ms = print_chunk_times(config.chunks)
    fast = rows[0].samples_per_cpu_s >= GOAL_RATIO * reference.samples_per_cpu_s
    prompt = slowest_ms <= GOAL_LATENCY_MS
    print(f"\ngoals: {GOAL_RATIO} x the reference {'met' if fast else 'MISSED'}, "
          f"p99 of a shipped planner's chunk {GOAL_LATENCY_MS} ms {'met' if prompt else 'MISSED'}")  # fmt: skip
    return 0 if fast and prompt else 1
