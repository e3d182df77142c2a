"""Speed measurements: `make bench`, or one of them: `python -m tests.benchmarks.run NAME`.

Names: env-steps, time-step, recording, policy, dppo, curves, window, vr (needs Monado), stops (more than an hour: a
hundred trials of each fault; goes on where it was stopped).
"""

import shutil
import subprocess
import sys

import tyro

from app.main import has_display
from tests.benchmarks import (
    bench_curves,
    bench_dppo,
    bench_env_steps,
    bench_policy,
    bench_recording,
    bench_stops,
    bench_time_step,
    bench_vr,
    bench_window,
)


def main() -> int:
    if len(sys.argv) == 1:
        status = bench_env_steps.main(bench_env_steps.EnvStepsConfig())
        status = bench_time_step.main(bench_time_step.TimeStepConfig()) or status
        status = bench_recording.main(bench_recording.RecordingConfig()) or status
        status = bench_policy.main(bench_policy.PolicyConfig()) or status
        status = window_in_a_process() or status
        status = bench_curves.main(bench_curves.CurvesConfig()) or status
        return bench_dppo.main(bench_dppo.DppoBenchConfig()) or status
    return tyro.extras.subcommand_cli_from_dict(
        {
            "env-steps": env_steps,
            "time-step": time_step,
            "recording": recording,
            "policy": policy,
            "dppo": dppo,
            "curves": curves,
            "window": window,
            "stops": stops,
            "vr": vr,
        }
    )


def stops(config: tyro.conf.OmitArgPrefixes[bench_stops.StopsConfig]) -> int:
    """Times of the robot's stops after each fault, on the simulated robot over DDS."""
    return bench_stops.main(config)


def vr(config: tyro.conf.OmitArgPrefixes[bench_vr.VrConfig]) -> int:
    """Latency from a moving hand to joint targets, by stage; needs Monado (scripts/monado.sh)."""
    return bench_vr.main(config)


def env_steps(config: tyro.conf.OmitArgPrefixes[bench_env_steps.EnvStepsConfig]) -> int:
    """Environment steps per second against raw mujoco.rollout."""
    return bench_env_steps.main(config)


def time_step(config: tyro.conf.OmitArgPrefixes[bench_time_step.TimeStepConfig]) -> int:
    """Stability and cost of time steps and solvers."""
    return bench_time_step.main(config)


def recording(config: tyro.conf.OmitArgPrefixes[bench_recording.RecordingConfig]) -> int:
    """Episodes and samples per second that the recorder writes."""
    return bench_recording.main(config)


def policy(config: tyro.conf.OmitArgPrefixes[bench_policy.PolicyConfig]) -> int:
    """Training samples per second of planners against a reference, latency of a chunk."""
    return bench_policy.main(config)


def dppo(config: tyro.conf.OmitArgPrefixes[bench_dppo.DppoBenchConfig]) -> int:
    """Samples per second of DPPO's update, time of scoring and sampling."""
    return bench_dppo.main(config)


def curves(config: tyro.conf.OmitArgPrefixes[bench_curves.CurvesConfig]) -> int:
    """How long the window needs for the curves of many long runs, and whether it freezes meanwhile."""
    return bench_curves.main(config)


def window(config: tyro.conf.OmitArgPrefixes[bench_window.WindowConfig]) -> int:
    """Frames per second of the window during a live box pick-up; needs a display."""
    return bench_window.main(config)


def window_in_a_process() -> int:
    """The same, under Xvfb where there is no display; a process has one Qt application, which `curves` needs too."""
    xvfb = [] if has_display() or shutil.which("xvfb-run") is None else bench_window.XVFB
    return subprocess.call([*xvfb, sys.executable, "-m", "tests.benchmarks.run", "window"])


if __name__ == "__main__":
    sys.exit(main())
