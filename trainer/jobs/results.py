"""Write the tables and plots of docs/results.md from the numbers in assets/results.

--add FILE puts a result there first: the JSON file of refine-dp evaluate or compare, or the run folder that holds it.
What stands between the marks of a section is replaced; all other text of the page is kept.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar


@dataclass(frozen=True)
class Config:
    """Where the numbers are, and where they are shown."""

    add: Path | None = None
    "a result to put into the folder: JSON file or run folder"
    name: str | None = None
    "name of the added result and of its section, as box_pickup_methods; none: task and kind"
    numbers: Path = Path("assets/results")
    "folder of the results"
    page: Path = Path("docs/results.md")
    "the page"
    images: Path = Path("docs/images/results")
    "folder of its plots"
    VERSION: ClassVar[int] = 1

    def __post_init__(self) -> None:
        if self.name is not None and not self.name.replace("_", "").replace("-", "").isalnum():
            raise ValueError(f"name may have letters, digits, '_' and '-', got {self.name!r}")
        if self.name is not None and self.add is None:
            raise ValueError(f"name {self.name!r} is that of an added result: give --add FILE, too")


def main(config: Config) -> int:
    """Write the page. Returns 0."""
    from trainer.results_page import add_result, write_results

    if config.add is not None:
        print(f"added {add_result(config.add, config.numbers, config.name)}")
    for path in write_results(config.numbers, config.page, config.images):
        print(path)
    return 0
