"""What an iteration of fine-tuning has shown: as scalars of the run, and as a line for the terminal."""

import statistics
from collections.abc import Sequence

from core.rl.planner_env import Experience
from core.statistics import Proportion
from trainer.evaluation import EpisodeResult


def iteration_scalars(
    success: Proportion, experience: Experience, results: Sequence[EpisodeResult], update: dict[str, float]
) -> dict[str, float]:
    """By name. Of the episodes only the first of each world count; `update`: what the learner returned."""
    own = {end.seed for end in experience.first_ends}
    first = [result for result in results if result.seed in own]
    times = [result.duration_s for result in first if result.success]
    return {
        "explore__success_rate": success.rate,
        "explore__success_low": success.low,
        "explore__success_high": success.high,
        "explore__task_time_s": statistics.median(times) if times else float("nan"),
        "explore__hand_position_error_m": statistics.fmean(r.hand_position_error_m for r in first),
        "explore__hand_orientation_error_rad": statistics.fmean(r.hand_orientation_error_rad for r in first),
        "explore__decisions": len(experience.decisions),
        "time__simulation_s": experience.simulation_s,
        "time__sampling_s": experience.sampling_s,
        "time__log_prob_s": update["log_prob_s"],
        "time__update_s": update["update_s"],
        **{f"learn__{name}": value for name, value in update.items() if not name.endswith("_s")},
    }


def iteration_line(success: Proportion, experience: Experience, update: dict[str, float], share: float) -> str:
    """Success, how far the policy has moved, and the seconds of each part; where starts are wider, how wide."""
    starts = f"   starts {100 * share:.0f} %" if share > 0.0 else ""
    return (
        f"success {success}{starts}   kl {update['kl']:.3f}   clipped {100 * update['clip_fraction']:.0f} %   "
        f"simulation {experience.simulation_s:.1f} s, sampling {experience.sampling_s:.1f} s, "
        f"log-probs {update['log_prob_s']:.1f} s, update {update['update_s']:.1f} s"
    )
