"""The command line: one subcommand a job; a job's module is imported only when it is asked for."""

import importlib
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from core.data.errors import DatasetError


class Job(NamedTuple):
    """A subcommand and one line of help: a module with `Config` and `main(config) -> int`, or `command(arguments)`."""

    module: str
    help: str


JOBS: dict[str, Job] = {
    "window": Job("trainer.jobs.window", "open the window (also what no subcommand does)"),
    "run": Job("trainer.jobs.run", "the live loop without a window: run episodes and print what happens"),
    "collect": Job("trainer.jobs.collect", "record demonstrations, many worlds at once"),
    "dataset": Job("trainer.jobs.dataset", "info, check, replay, merge, trim, delete, undo on recorded data"),
    "vr": Job("trainer.jobs.vr", "look for the headset and its controllers; run a recorded operator again"),
    "pretrain": Job("trainer.jobs.pretrain", "train a planner on recorded demonstrations"),
    "finetune": Job("trainer.jobs.finetune", "fine-tune a planner in simulation by reinforcement learning (DPPO)"),
    "evaluate": Job("trainer.jobs.evaluate", "measure a planner in simulation: success, time, tracking, failures"),
    "compare": Job("trainer.jobs.compare", "compare the methods: same data, budget and seeds; table and plot"),
    "results": Job("trainer.jobs.results", "write docs/results.md from the numbers in assets/results"),
    "stop": Job("trainer.jobs.stop", "stop the robot: softly, or --hard"),
    "safety-log": Job("trainer.jobs.safety_log", "what the guards of a robot session did: stops, limits, watchdogs"),
    "preflight": Job("trainer.jobs.preflight", "look at a robot before it moves: green and red, with what to do"),
    "t1-sim": Job("trainer.jobs.t1_sim", "a simulated robot that speaks the T1's network protocol, with faults"),
    "mocap": Job("trainer.jobs.mocap", "motion capture, live: every body with rate, noise and delay, and a check"),
    "sim-to-real": Job(
        "trainer.jobs.sim_to_real",
        "a task through the network robot and emulated motion capture: success as on hardware",
    ),
    "chain": Job(
        "trainer.jobs.chain", "the whole chain: collect, pretrain, evaluate, finetune, evaluate; with a table"
    ),
    "queue": Job("trainer.queue.command", "jobs one after another: add, list, stop, resume, move, remove, undo, log"),
    "readiness": Job("trainer.jobs.readiness", "whether a planner is ready to be fine-tuned, and what to do if not"),
    "pack": Job("trainer.jobs.pack", "store a planner in half precision, for sharing"),
    "export": Job(
        "trainer.jobs.export", "write planners and controllers as ONNX files, if they compute the same there"
    ),
    "train-controller": Job("trainer.jobs.train_controller", "train the lower or the upper body controller"),
    "evaluate-controller": Job("trainer.jobs.evaluate_controller", "measure the controllers, write the table"),
}


def help_text() -> str:
    """What `refine-dp --help` prints."""
    width = max(map(len, JOBS))
    lines = [f"  {name:<{width}}  {job.help}" for name, job in JOBS.items()]
    return "\n".join(
        (
            "usage: refine-dp [SUBCOMMAND] [OPTIONS]",
            "",
            "REFINE-DP Studio. Without a subcommand it opens the window; without a display it runs the same",
            "loop headless, then the whole chain of learning in its quick preset.",
            "",
            "subcommands:",
            *lines,
            "",
            "refine-dp SUBCOMMAND --help shows the options.",
        )
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point of `refine-dp`. Returns the exit status: 0 done, 1 failed, 2 wrong usage, 130 interrupted."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    if not arguments:
        return open_window_or_run_headless()
    name, rest = arguments[0], arguments[1:]
    if name in ("-h", "--help"):
        print(help_text())
        return 0
    if name in ("-V", "--version"):
        from trainer.runs import code_version

        print(f"refine-dp {code_version().package}")
        return 0
    if name not in JOBS:
        print(f"refine-dp: unknown subcommand {name!r}; known: {', '.join(JOBS)}", file=sys.stderr)
        return 2
    if name == "stop" and set(rest) <= {"--hard"}:
        from trainer.jobs.stop import stop_robots

        return stop_robots("hard" if rest else "soft")  # without loading what parses options: a stop is in a hurry
    return run_job(name, rest)


def run_job(name: str, arguments: Sequence[str]) -> int:
    """Parse a job's options into its Config and run it. A mistake in the input prints cause and remedy, no trace."""
    module = importlib.import_module(JOBS[name].module)
    try:
        if hasattr(module, "command"):
            return int(module.command(arguments))
        presets = presets_of(module, arguments)
        default, rest = take_preset(arguments, presets)
        config: Any = parse(module.Config, name, describe(module), rest, default)
        return int(module.main(config))
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        return 130
    except (ValueError, OSError, DatasetError) as error:
        if os.environ.get("REFINE_DP_TRACE"):
            raise
        print(f"refine-dp {name}: {explain(error)}\n(set REFINE_DP_TRACE=1 for the trace)", file=sys.stderr)
        return 1


def presets_of(module: Any, arguments: Sequence[str] = ()) -> dict[str, Any]:
    """Named configs of a job; of one with parts (upper, lower) those of the part that the arguments begin with."""
    parts: dict[str, dict[str, Any]] = getattr(module, "PART_PRESETS", {})
    if parts:
        return parts.get(arguments[0], {}) if arguments else {}
    return getattr(module, "PRESETS", {})


def explain(error: BaseException) -> str:
    """The message of an error; an error of the system without its number."""
    if isinstance(error, OSError) and error.filename and error.strerror:
        return f"{error.filename}: {error.strerror}"
    return str(error)


def take_preset(arguments: Sequence[str], presets: dict[str, Any]) -> tuple[Any, list[str]]:
    """The config that `--preset NAME` names (None without one), whose values are the defaults of the other options.

    Raises ValueError for a name that is not a preset of the job.
    """
    rest = list(arguments)
    for i, argument in enumerate(rest):
        flag, _, name = argument.partition("=")
        if presets and flag == "--preset":
            name = name or "".join(rest[i + 1 : i + 2])
            if name not in presets:
                raise ValueError(f"preset {name!r} does not exist; known: {', '.join(presets)}")
            del rest[i : i + (1 if "=" in argument else 2)]
            return presets[name], rest
    return None, rest


def describe(module: Any) -> str:
    """A job's help text with its presets and what they mean."""
    text, meanings = (module.__doc__ or "").rstrip(), getattr(module, "PRESETS_HELP", {})
    if not meanings:
        return text
    lines = [f"  {name}: {meaning}" for name, meaning in meanings.items()]
    return "\n".join((text, "", "--preset NAME: start from these values; other options change them.", *lines))


def parse(config: Any, name: str, description: str | None, arguments: Sequence[str], default: Any = None) -> Any:
    """Options of one subcommand by tyro; exits with 2 and a message on wrong usage."""
    import tyro

    given = {} if default is None else {"default": default}
    return tyro.cli(config, prog=f"refine-dp {name}", description=description, args=list(arguments), **given)


def has_display(environment: dict[str, str] | None = None, platform: str = sys.platform) -> bool:
    """Whether a window can open: on Linux a display server (or a Qt platform chosen by hand), elsewhere always."""
    environment = dict(os.environ) if environment is None else environment
    if not platform.startswith("linux"):
        return True
    return any(environment.get(key) for key in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"))


def open_window_or_run_headless(
    display: Callable[[], bool] = has_display,
    window: Callable[[], int] | None = None,
    headless: Callable[[], int] | None = None,
) -> int:
    """The window where there is a display, else the same loop headless, and says which."""
    if display():
        return (window or open_window)()
    print(
        "no display (DISPLAY and WAYLAND_DISPLAY are not set): running the same loop headless (refine-dp run --help), "
        "then the quick preset of the whole chain (refine-dp chain --help)"
    )
    return (headless or run_headless)()


def run_headless() -> int:
    """Two live episodes, then the whole chain of learning."""
    return run_job("run", ("--episodes", "2")) or run_job("chain", ())


def open_window(arguments: Sequence[str] = ()) -> int:
    """Start the window as a program of its own: `python -m app`. Nothing below it imports it."""
    return subprocess.call([sys.executable, "-m", "app", *arguments])


if __name__ == "__main__":
    sys.exit(main())
