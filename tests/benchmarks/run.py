"""Speed measurements: `make bench`, or `python -m tests.benchmarks.run [env-steps|time-step]`."""

import sys

import tyro

from tests.benchmarks import bench_env_steps, bench_time_step


def main() -> int:
    if len(sys.argv) == 1:
        return bench_env_steps.main(bench_env_steps.EnvStepsConfig())
    return tyro.extras.subcommand_cli_from_dict({"env-steps": env_steps, "time-step": time_step})


def env_steps(config: tyro.conf.OmitArgPrefixes[bench_env_steps.EnvStepsConfig]) -> int:
    """Environment steps per second against raw mujoco.rollout."""
    return bench_env_steps.main(config)


def time_step(config: tyro.conf.OmitArgPrefixes[bench_time_step.TimeStepConfig]) -> int:
    """Stability and cost of time steps and solvers."""
    return bench_time_step.main(config)


if __name__ == "__main__":
    sys.exit(main())
