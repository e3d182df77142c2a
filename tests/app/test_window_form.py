"""The form of a frozen dataclass: editors by type, tooltips from docstrings, errors beside the fields."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest
from PyQt6.QtWidgets import QCheckBox, QComboBox, QLineEdit, QSpinBox
from pytestqt.qtbot import QtBot

from app.editors import make_editor
from app.field_docs import field_docs
from app.form import ConfigForm


@dataclass(frozen=True)
class Base:
    """A base config."""

    seed: int = 3
    "first seed"


@dataclass(frozen=True)
class Example(Base):
    """A config with one field of each kind."""

    name: str = "run"
    "name of the run"
    rate_hz: float = 50.0
    "rate in Hz, positive"
    kind: Literal["fast", "exact"] = "exact"
    "how it is done"
    verbose: bool = False
    "say more"
    out: Path | None = None
    "where to write, empty for nowhere"
    size: tuple[float, float] = (1.0, 2.0)
    "width and height"

    def __post_init__(self) -> None:
        if self.rate_hz <= 0:
            raise ValueError(f"rate_hz must be positive, got {self.rate_hz}")
        if self.kind == "fast" and self.verbose:
            raise ValueError("a fast run says nothing; choose exact")


@pytest.fixture
def form(qtbot: QtBot) -> ConfigForm[Example]:
    form = ConfigForm(Example)
    qtbot.addWidget(form)
    form.show()
    return form


def test_that_docstrings_of_fields_are_found_through_inheritance() -> None:
    docs = field_docs(Example)
    assert docs["seed"] == "first seed"
    assert docs["rate_hz"] == "rate in Hz, positive"


def test_that_the_form_starts_with_the_defaults_and_gives_them_back(form: ConfigForm[Example]) -> None:
    assert form.value() == Example()


def test_that_each_type_has_its_editor_with_the_docstring_as_tooltip(form: ConfigForm[Example]) -> None:
    kinds = {"seed": QSpinBox, "name": QLineEdit, "kind": QComboBox, "verbose": QCheckBox, "out": QLineEdit}
    for name, kind in kinds.items():
        control = form.editor(name).control
        assert isinstance(control, kind)
        assert control.toolTip() == field_docs(Example)[name]


def test_that_what_is_typed_becomes_the_config(form: ConfigForm[Example]) -> None:
    form.editor("rate_hz").set_value(25.0)
    form.editor("kind").set_value("fast")
    form.editor("out").set_value(Path("/data/x"))
    form.editor("size").control.setText("3, 4.5")
    assert form.value() == Example(rate_hz=25.0, kind="fast", out=Path("/data/x"), size=(3.0, 4.5))


def test_that_an_error_of_the_config_is_shown_beside_the_field_it_names(form: ConfigForm[Example]) -> None:
    form.editor("rate_hz").set_value(-1.0)
    problem = form._problems["rate_hz"]
    assert problem.isVisible()
    assert problem.text() == "rate_hz must be positive, got -1.0"
    assert form.editor("rate_hz").control.property("invalid")
    assert form.validate() is None
    form.editor("rate_hz").set_value(1.0)
    assert not problem.isVisible()


def test_that_an_error_about_no_single_field_is_shown_below(form: ConfigForm[Example]) -> None:
    form.editor("verbose").set_value(True)
    form.editor("kind").set_value("fast")
    assert form._problem.text() == "a fast run says nothing; choose exact"


def test_that_text_that_is_no_number_is_refused_with_the_text(form: ConfigForm[Example]) -> None:
    form.editor("rate_hz").control.setText("quick")
    assert "'quick'" in form._problems["rate_hz"].text()
    with pytest.raises(ValueError, match="quick"):
        form.value()


def test_that_a_hidden_field_keeps_its_value(qtbot: QtBot) -> None:
    form = ConfigForm(Example, Example(seed=9), hidden=("seed",))
    qtbot.addWidget(form)
    assert form.value().seed == 9


def test_that_a_type_without_an_editor_is_refused_naming_the_known_ones() -> None:
    with pytest.raises(TypeError, match="known: bool, int, float"):
        make_editor(dict[str, int])
