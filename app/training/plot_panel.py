"""Curves of the selected runs, live: overlay, axis, smoothing, more scalars, export."""

from pathlib import Path

from PyQt6.QtCore import Qt, QTimer, pyqtSignal, pyqtSlot
from PyQt6.QtGui import QStandardItem, QStandardItemModel
from PyQt6.QtWidgets import (
    QComboBox,
    QFileDialog,
    QGridLayout,
    QHBoxLayout,
    QScrollArea,
    QSlider,
    QVBoxLayout,
    QWidget,
)

from app.state import AppState
from app.theme import METRICS, Theme
from app.training.curve_card import CurveCard
from app.training.plot_data import Axis, Plot, PlotBuilder, RunSource, read_more, scalar_names, write_csv
from app.widgets.roles import button, label, yielding
from app.workers.background import Background
from trainer.run_curves import RunCurves
from trainer.run_rows import RunRow

READ_PERIOD_MS = 1000
MORE_PERIOD_MS = 20
MOST_RUNS = 12
AXES: tuple[tuple[str, Axis], ...] = (("iterations", "iterations"), ("steps learned", "steps"), ("minutes", "minutes"))
SMOOTHING_STEPS = 20
HIGHEST_SMOOTHING = 0.98
EMPTY = "Select one or more runs in the table to see their curves."
NOTHING_YET = "These runs have written no curves: they have just begun, or they only measure."


class PlotPanel(QWidget):
    """Reads on a thread of its own, a piece at a time; draws what is ready."""

    told = pyqtSignal(str)
    failed = pyqtSignal(object)

    def __init__(self, state: AppState) -> None:
        super().__init__()
        self.setObjectName("plot_panel")
        self._theme = state.theme
        self._sources: dict[str, RunSource] = {}
        self._builder = PlotBuilder()
        self._busy = False
        self._stale = False
        self.plots: tuple[Plot, ...] = ()
        self.cards: dict[str, CurveCard] = {}
        self.axis = QComboBox()
        self.smoothing = QSlider(Qt.Orientation.Horizontal)
        self.more = QComboBox()
        self.export = button(
            "Export…", "", "export_plots", "The plots as a picture (PNG), the numbers as a table (CSV)"
        )
        self.legend = yielding("", "", "plot_legend", left=True)
        self._hint = label(EMPTY, "muted", "plot_hint")
        self._board = QWidget()
        self._grid = QGridLayout(self._board)
        self._background = Background("curves")
        self._timer = QTimer(self)
        self._build()
        self._background.failed.connect(self.failed)
        self.axis.currentIndexChanged.connect(self.refresh)
        self.smoothing.valueChanged.connect(self.refresh)
        self.export.clicked.connect(self.ask_export)
        state.theme_changed.connect(self._on_theme_changed)
        self._timer.timeout.connect(self.refresh)
        self._timer.start(READ_PERIOD_MS)

    def _build(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(METRICS.margin, METRICS.gap, METRICS.margin, METRICS.gap)
        bar = QHBoxLayout()
        bar.setSpacing(METRICS.gap)
        self.axis.setObjectName("plot_axis")
        for text, axis in AXES:
            self.axis.addItem(f"over {text}", axis)
        self.smoothing.setObjectName("smoothing")
        self.smoothing.setRange(0, SMOOTHING_STEPS)
        self.smoothing.setFixedWidth(METRICS.progress_width)
        self.smoothing.setToolTip("Exponential average over the points so far; the points themselves stay faintly")
        self.more.setObjectName("more_scalars")
        self.more.setToolTip("Plot further numbers that these runs tell")
        self.more.setModel(QStandardItemModel(self.more))
        bar.addWidget(self.axis)
        bar.addWidget(label("Smoothing", "muted"))
        bar.addWidget(self.smoothing)
        bar.addWidget(self.more)
        self.legend.setTextFormat(Qt.TextFormat.RichText)
        bar.addWidget(self.legend, 1)
        bar.addWidget(self.export)
        layout.addLayout(bar)
        self._hint.setAlignment(Qt.AlignmentFlag.AlignCenter)
        layout.addWidget(self._hint, 1)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setSpacing(METRICS.gap)
        self._scroll = QScrollArea()
        self._scroll.setObjectName("plot_scroll")
        self._scroll.setWidgetResizable(True)
        self._scroll.setWidget(self._board)
        layout.addWidget(self._scroll, 1)
        self._model().itemChanged.connect(lambda _: self.refresh())
        self._show_plots(())

    def _model(self) -> QStandardItemModel:
        model = self.more.model()
        assert isinstance(model, QStandardItemModel)
        return model

    def close_worker(self) -> None:
        """Stop reading."""
        self._timer.stop()
        self._background.close()

    # ------------------------------------------------------------------ what is shown

    def show_runs(self, rows: list[RunRow]) -> None:
        """Plot these runs; a run keeps its colour while it is among them."""
        wanted = {row.key: row for row in rows if row.path is not None}
        kept = {key: source for key, source in self._sources.items() if key in wanted}
        for key, row in list(wanted.items())[:MOST_RUNS]:
            assert row.path is not None
            if key not in kept or kept[key].title != row.path.name:
                taken = {source.colour for source in kept.values()}
                colour = next(i for i in range(MOST_RUNS + 1) if i not in taken)
                kept[key] = RunSource(key, row.path.name, colour, RunCurves(row.path / "events.jsonl"))
        if set(kept) == set(self._sources) and all(kept[k] is self._sources[k] for k in kept):
            return
        self._sources = kept
        self._show_legend()
        self.refresh()

    @property
    def sources(self) -> tuple[RunSource, ...]:
        """Runs that are plotted."""
        return tuple(self._sources.values())

    @property
    def extra(self) -> tuple[str, ...]:
        """Further scalars that were chosen."""
        model = self._model()
        items = [model.item(row) for row in range(1, model.rowCount())]
        return tuple(item.text() for item in items if item and item.checkState() == Qt.CheckState.Checked)

    @pyqtSlot()
    def refresh(self) -> None:
        """Read and draw, unless that is under way; then once more when it is done."""
        if self._busy:
            self._stale = True
            return
        if not self.isVisible() and self._sources:
            return
        self._busy, self._stale = True, False
        sources, extra = self.sources, self.extra
        axis: Axis = self.axis.currentData()
        strength = HIGHEST_SMOOTHING * self.smoothing.value() / SMOOTHING_STEPS

        def work() -> tuple[bool, tuple[Plot, ...], tuple[str, ...]]:
            more = read_more(sources)
            return more, self._builder.build(sources, axis, strength, extra), scalar_names(sources)

        self._background.submit("Curves cannot be read", work, self._on_built, self._on_done)

    def _on_done(self) -> None:
        self._busy = False

    def _on_built(self, result: tuple[bool, tuple[Plot, ...], tuple[str, ...]]) -> None:
        more, plots, names = result
        self._show_plots(plots)
        self._show_names(names)
        if more or self._stale:
            QTimer.singleShot(MORE_PERIOD_MS, self.refresh)

    def _show_plots(self, plots: tuple[Plot, ...]) -> None:
        self.plots = plots
        keys = [plot.spec.key for plot in plots]
        if keys != list(self.cards):
            self._arrange(plots)
        for plot in plots:
            self.cards[plot.spec.key].show_plot(plot, self.axis.currentData())
        self._hint.setText(NOTHING_YET if self._sources else EMPTY)
        self._hint.setVisible(not plots)
        self._scroll.setVisible(bool(plots))
        self.export.setEnabled(bool(plots))

    def _arrange(self, plots: tuple[Plot, ...]) -> None:
        """Cards for these plots, two in a row; those that are there stay."""
        wanted = {plot.spec.key for plot in plots}
        for key in [key for key in self.cards if key not in wanted]:
            card = self.cards.pop(key)
            self._grid.removeWidget(card)
            card.deleteLater()
        before, self.cards = self.cards, {}
        for index, plot in enumerate(plots):
            card = before.get(plot.spec.key) or CurveCard(plot.spec, self._theme)
            self.cards[plot.spec.key] = card
            self._grid.addWidget(card, index // METRICS.curve_columns, index % METRICS.curve_columns)

    def _show_names(self, names: tuple[str, ...]) -> None:
        model, chosen = self._model(), set(self.extra)
        known = tuple(item.text() for row in range(1, model.rowCount()) if (item := model.item(row)))
        if known == names and model.rowCount():
            return
        model.blockSignals(True)
        model.clear()
        head = QStandardItem("more…")
        head.setFlags(Qt.ItemFlag.ItemIsEnabled)
        model.appendRow(head)
        for name in names:
            item = QStandardItem(name)
            item.setFlags(Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsUserCheckable)
            item.setCheckState(Qt.CheckState.Checked if name in chosen else Qt.CheckState.Unchecked)
            model.appendRow(item)
        model.blockSignals(False)
        model.layoutChanged.emit()
        self.more.setCurrentIndex(0)
        self.more.setEnabled(bool(names))

    def _show_legend(self) -> None:
        colours = self._theme.series
        chips = (
            f"<span style='color:{colours[s.colour % len(colours)]}'>━</span> {s.title}" for s in self._sources.values()
        )
        self.legend.setText("&nbsp;&nbsp; ".join(chips))

    @pyqtSlot(object)
    def _on_theme_changed(self, theme: Theme) -> None:
        self._theme = theme
        for card in self.cards.values():
            card.apply_theme(theme)
        self._show_legend()

    # ------------------------------------------------------------------ export

    @pyqtSlot()
    def ask_export(self) -> None:
        """Ask for a file."""
        name, _ = QFileDialog.getSaveFileName(
            self, "Export", "curves.png", "Picture of the plots (*.png);;Table of the numbers (*.csv)"
        )
        if name:
            self.export_to(Path(name))

    def export_to(self, path: Path) -> None:
        """Write a picture of all plots (.png) or a table of all numbers (.csv)."""
        if path.suffix.lower() == ".csv":
            sources = self.sources
            self._background.submit(
                "The table was not written",
                lambda: write_csv(path, sources),
                lambda count: self.told.emit(f"{count} rows are in {path}"),
            )
        elif self._board.grab().save(str(path)):
            self.told.emit(f"the picture is in {path}")
        else:
            self.told.emit(f"{path} cannot be written: a picture ends in .png, a table in .csv")
