"""docs/results.md: one section for each result in assets/results, between marks, rewritten from the numbers alone."""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Any

from trainer.comparison.outputs import NUMBERS_FILE
from trainer.comparison.tables import learning_plots, markdown_table, plot
from trainer.report import charts
from trainer.report.evaluation_page import bar, comparison_words, decision_words, planners, rate_text, time_text
from trainer.report.page import code_words
from trainer.runs import write_atomically

Numbers = dict[str, Any]
INTRODUCTION = """# Results

Tables and plots are written by `refine-dp results` from `assets/results/*.json`; do not edit between the marks.
"""


@dataclass(frozen=True)
class Section:
    """What a result looks like on the page."""

    title: str
    text: str
    picture: str
    "SVG"
    more: dict[str, str] = field(default_factory=dict)
    "further pictures by name, SVG"


def add_result(source: Path, folder: Path, name: str | None = None) -> Path:
    """Copy a result into the folder, small and without paths of this machine. Returns the file. Raises ValueError."""
    path = result_file(source)
    numbers = _load(path)
    kept = published(numbers)
    task = numbers.get("task") or numbers["config"]["task"]
    target = folder / f"{name or task + '_' + numbers['kind']}.json"
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(target, json.dumps(kept, indent=1, ensure_ascii=False, allow_nan=False) + "\n")
    return target


def result_file(source: Path) -> Path:
    """The JSON file, given it or a run folder of compare or evaluate. Raises ValueError."""
    if not source.is_dir():
        return source
    for name in (NUMBERS_FILE, "evaluation.json"):
        if (source / name).is_file():
            return source / name
    raise ValueError(f"{source} holds no result: give a finished run folder of refine-dp compare or evaluate")


def published(value: Any) -> Any:
    """Without single episodes (their outcomes are kept as digits), and with the last part of absolute paths only."""
    if isinstance(value, dict):
        kept = {key: published(item) for key, item in value.items() if key not in ("results", "failed_seeds")}
        if "results" in value:
            kept["outcomes"] = "".join("1" if result["success"] else "0" for result in value["results"])
        return kept
    if isinstance(value, list):
        return [published(item) for item in value]
    if isinstance(value, str):
        name, equals, path = value.rpartition("=")  # a planner is given as NAME=PATH
        return name + equals + PurePath(path).name if PurePath(path).is_absolute() else value
    return value


def write_results(folder: Path, page: Path, images: Path) -> list[Path]:
    """Rewrite the sections of the page and their plots. Returns what was written. Raises ValueError without results."""
    files = sorted(folder.glob("*.json"))
    if not files:
        raise ValueError(f"{folder} holds no results: add one with refine-dp results --add RUN")
    text = page.read_text() if page.is_file() else INTRODUCTION
    images.mkdir(parents=True, exist_ok=True)
    page.parent.mkdir(parents=True, exist_ok=True)
    written = []
    for path in files:
        section = make_section(_load(path))
        content = section.text
        for name, picture in {"": section.picture, **section.more}.items():
            file = images / f"{'_'.join(filter(None, (path.stem, name)))}.svg"
            write_atomically(file, picture + "\n")
            link = Path(os.path.relpath(file, page.parent)).as_posix()
            content += f"\n\n![{', '.join(filter(None, (section.title, name)))}]({link})"
            written.append(file)
        text = with_section(text, path.stem, content, section.title)
    write_atomically(page, text)
    return [*written, page]


def with_section(text: str, name: str, content: str, title: str) -> str:
    """The page with the content between the marks of a section; a new section comes to the end."""
    begin, end = f"<!-- result {name} -->", f"<!-- end of {name} -->"
    block = f"{begin}\n{content.strip()}\n{end}"
    before, found, rest = text.partition(begin)
    if not found:
        return f"{text.rstrip()}\n\n## {title}\n\n{block}\n"
    _, closed, after = rest.partition(end)
    if not closed:
        raise ValueError(f"the page has the mark {begin} without {end}: put it back where the section ends")
    return before + block + after


def make_section(numbers: Numbers) -> Section:
    """By the kind of the result. Raises ValueError naming the known ones."""
    makers: dict[str, Callable[[Numbers], Section]] = {
        "comparison": comparison_section,
        "demonstrations": comparison_section,
        "curriculum": comparison_section,
        "evaluation": evaluation_section,
    }
    kind = numbers["kind"]
    if kind not in makers:
        raise ValueError(f"a result of kind {kind!r} cannot be shown; known: {', '.join(makers)}")
    return makers[kind](numbers)


def comparison_section(numbers: Numbers) -> Section:
    """Table and plots of refine-dp compare."""
    what = {
        "comparison": "methods",
        "demonstrations": "success against demonstrations",
        "curriculum": "starts that no demonstration saw",
    }[numbers["kind"]]
    words = f"`refine-dp compare`, {numbers['created'][:10]}, {code_words(numbers['code'])}."
    text = f"{markdown_table(numbers)}\n{words}"
    return Section(f"{numbers['task']}: {what}", text, plot(numbers), learning_plots(numbers))


def evaluation_section(numbers: Numbers) -> Section:
    """Numbers of refine-dp evaluate, of one planner or two."""
    sides = planners(numbers)
    first, count = numbers["first_seed"], numbers["episodes"]
    lines = ["| planner | success [95 %] | task time s (quartiles) | hands off mm | fell / missed / dropped / time |"]
    lines.append("|---|---|---|---|---|")
    for label, side in sides.items():
        reasons = " / ".join(str(side["failures"].get(name, 0)) for name in ("fell", "missed", "dropped", "time"))
        hands = f"{1000 * side['hand_position_error_m']:.1f}"
        lines.append(f"| {label} | {rate_text(side)} | {time_text(side)} | {hands} | {reasons} |")
    words = [f"{count} episodes, seeds {first} to {first + count - 1}; interval: {numbers['interval']}."]
    words += [comparison_words(numbers["comparison"])] if "comparison" in numbers else []
    words += [decision_words(numbers["decision"])] if "decision" in numbers else []
    words.append(f"`refine-dp evaluate`, {code_words(numbers['code'])}.")
    task = numbers["config"]["task"]
    title = f"{task}: {' against '.join(sides)}"
    picture = charts.success_bars(f"Success, {task}", [bar(label, side) for label, side in sides.items()])
    return Section(title, "\n".join(lines) + "\n\n" + " ".join(words), picture)


def _load(path: Path) -> Numbers:
    try:
        numbers = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise ValueError(f"{path} cannot be read as a result: {error}") from error
    if not isinstance(numbers, dict) or "kind" not in numbers:
        raise ValueError(f"{path} is no result: give what refine-dp evaluate or refine-dp compare has written")
    return numbers
