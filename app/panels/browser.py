"""The data-set browser: episodes in a table, any field as a plot, replay in the 3-D view, trim and delete with undo."""

from PyQt6.QtCore import QModelIndex, Qt, pyqtSlot
from PyQt6.QtGui import QColor
from PyQt6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QHeaderView,
    QProgressBar,
    QSplitter,
    QTableView,
    QTabWidget,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from app.episodes import FieldSeries
from app.panels.session import results_text
from app.replay import RecordedStates, Replay
from app.state import AppState
from app.theme import METRICS, Theme
from app.widgets.episode_table import EpisodeTableModel, sorted_view
from app.widgets.field_plot import FieldPlot
from app.widgets.roles import button, yielding
from app.widgets.start_map import StartMap
from app.widgets.tables import dress_table
from core.data.schema import EpisodeInfo

COLUMNS_AT_FIRST = 8
"So many columns of a field are drawn until the person chooses"
FIRST_FIELD = "actions"


class BrowserPanel(QWidget):
    """Episodes of the data set."""

    def __init__(self, state: AppState) -> None:
        super().__init__()
        self.setObjectName("browser_panel")
        self._state = state
        self._series: FieldSeries | None = None
        self._field = FIRST_FIELD
        self._cursor_s: float | None = None
        self.model = EpisodeTableModel(state.theme)
        self.sorted = sorted_view(self.model)
        self.table = QTableView()
        self.fields = QTreeWidget()
        self.plot = FieldPlot()
        self.starts = StartMap()
        self.tabs = QTabWidget()
        self.summary = yielding("", "muted", "dataset_summary")
        self.progress = QProgressBar()
        self.replay = button("▶ Replay", "primary", "replay", "Replay the episode in the 3-D view (Enter)")
        self.beside = button(
            "Beside simulation", "", "replay_beside",
            "Replay with the same commands simulated again, translucent, in the same picture",
        )  # fmt: skip
        self.good = button("Success", "", "mark_success", "Judge the episode a success")
        self.bad = button("Failure", "", "mark_failure", "Judge the episode a failure")
        self.mark = button("Trim…", "", "trim_mark", "Mark the part to keep in the plot")
        self.trim = button("Keep marked part", "primary", "trim", "Cut away what is not marked (can be undone)")
        self.delete = button("Delete", "discard", "delete", "Move the episodes to the data set's trash (can be undone)")
        self.undo = button("Undo", "", "undo", "Take back the last change of the data set (Ctrl+Z)")
        self.redo = button("Redo", "", "redo", "Do it again (Ctrl+Shift+Z)")
        self._build()
        self._connect()
        self._on_theme_changed(state.theme)
        self._on_rows_changed()

    # ------------------------------------------------------------------ widgets

    def _build(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(METRICS.margin, METRICS.gap, METRICS.margin, METRICS.gap)
        layout.setSpacing(METRICS.gap)
        layout.addLayout(self._build_bar())
        self._build_table()
        self._build_fields()
        splitter = QSplitter(Qt.Orientation.Horizontal)
        self.tabs.setObjectName("browser_tabs")
        self.tabs.addTab(self.plot, "Field")
        self.tabs.addTab(self.starts, "Starts")
        for widget, stretch in ((self.table, 6), (self.fields, 2), (self.tabs, 4)):
            splitter.addWidget(widget)
            splitter.setStretchFactor(splitter.count() - 1, stretch)
        splitter.setSizes([100 * s for s in (6, 2, 4)])
        layout.addWidget(splitter, 1)

    def _build_bar(self) -> QHBoxLayout:
        bar = QHBoxLayout()
        self.mark.setCheckable(True)
        self.trim.hide()
        widgets = (
            self.replay,
            self.beside,
            self.good,
            self.bad,
            self.mark,
            self.trim,
            self.delete,
            self.undo,
            self.redo,
        )
        for widget in widgets:
            bar.addWidget(widget)
        self.progress.setRange(0, 0)
        self.progress.setObjectName("browser_progress")
        self.progress.setFixedWidth(METRICS.progress_width)
        self.progress.setFormat("working…")
        self.progress.hide()
        bar.addWidget(self.progress)
        bar.addWidget(self.summary, 1)
        return bar

    def _build_table(self) -> None:
        table = self.table
        table.setObjectName("episodes")
        table.setModel(self.sorted)
        table.setSortingEnabled(True)
        table.sortByColumn(0, Qt.SortOrder.AscendingOrder)
        dress_table(table).setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)

    def _build_fields(self) -> None:
        self.fields.setObjectName("fields")
        self.fields.setHeaderLabels(["Field"])
        self.fields.setUniformRowHeights(True)

    def _connect(self) -> None:
        state, library = self._state, self._state.library
        library.rows_changed.connect(self._on_rows_changed)
        library.busy_changed.connect(self.progress.setVisible)
        state.session_changed.connect(self._show_actions)
        state.replay_changed.connect(self._show_cursor)
        state.ticked.connect(self._show_cursor)
        state.theme_changed.connect(self._on_theme_changed)
        selection = self.table.selectionModel()
        assert selection is not None
        selection.selectionChanged.connect(self._on_selection_changed)
        self.table.doubleClicked.connect(self._on_replay_asked)
        self.table.activated.connect(self._on_replay_asked)
        self.fields.itemClicked.connect(self._on_field_clicked)
        self.fields.itemChanged.connect(self._on_column_checked)
        self.plot.time_clicked.connect(self._on_time_clicked)
        self.starts.episode_clicked.connect(lambda name: self.select({name}))
        self.tabs.currentChanged.connect(self._on_tab_changed)
        self.replay.clicked.connect(self._on_replay_asked)
        self.beside.clicked.connect(self._on_beside_asked)
        state.reruns.busy_changed.connect(self._on_simulating)
        self.good.clicked.connect(lambda: self._judge(True))
        self.bad.clicked.connect(lambda: self._judge(False))
        self.mark.toggled.connect(self._on_mark_toggled)
        self.trim.clicked.connect(self._on_trim_clicked)
        self.delete.clicked.connect(self._on_delete_clicked)
        self.undo.clicked.connect(library.undo)
        self.redo.clicked.connect(library.redo)

    # ------------------------------------------------------------------ what is selected

    @property
    def selected(self) -> tuple[EpisodeInfo, ...]:
        """Selected episodes in the order of the table."""
        selection = self.table.selectionModel()
        assert selection is not None
        rows = sorted(selection.selectedRows(), key=QModelIndex.row)
        return tuple(self.model.row(self.sorted.mapToSource(index).row()) for index in rows)

    def select(self, names: set[str]) -> None:
        """Select episodes by name."""
        self.table.clearSelection()
        selection = self.table.selectionModel()
        assert selection is not None
        flags = selection.SelectionFlag.Select | selection.SelectionFlag.Rows
        for row in range(self.model.rowCount()):
            if self.model.row(row).name in names:
                selection.select(self.sorted.mapFromSource(self.model.index(row, 0)), flags)

    @pyqtSlot()
    def _on_rows_changed(self) -> None:
        names = {episode.name for episode in self.selected}
        rows = self._state.library.rows
        self.model.set_rows(rows)
        self.select(names)
        succeeded, length = sum(row.success for row in rows), sum(row.duration_s for row in rows)
        count = f"{len(rows)} episode{'' if len(rows) == 1 else 's'}"
        text = f"{count} · {length / 60:.1f} min · {results_text(succeeded, len(rows))}"
        self.summary.setText(text if rows else "No episodes: choose a data set in the recording panel (Ctrl+O)")
        self._on_tab_changed()
        self._show_actions()

    @pyqtSlot()
    def _on_tab_changed(self) -> None:
        """The starts are read only while they are looked at."""
        if self.tabs.currentWidget() is self.starts and self._state.library.path is not None:
            self._state.library.load_starts(self.starts.show_starts)

    @pyqtSlot()
    def _on_selection_changed(self) -> None:
        self._show_actions()
        self.mark.setChecked(False)
        if len(self.selected) == 1:
            name = self.selected[0].name
            self._state.library.load_fields(name, self._show_fields)
            self._state.library.load_field(name, self._field, self._show_series)

    @pyqtSlot()
    def _show_actions(self) -> None:
        one, some = len(self.selected) == 1, len(self.selected) > 0
        editable = self._state.can_edit_dataset
        has_data = self._state.library.path is not None and self._state.library.path.exists()
        self.replay.setEnabled(one)
        self.beside.setEnabled(one and not self._state.reruns.busy)
        for widget in (self.good, self.bad, self.mark):
            widget.setEnabled(one and editable)
        self.delete.setEnabled(some and editable)
        for widget in (self.undo, self.redo):
            widget.setEnabled(has_data and editable)

    # ------------------------------------------------------------------ fields and their plot

    def _show_fields(self, fields: tuple[str, ...]) -> None:
        """Fill the tree: folders by '/', one leaf a field, its columns below it once it was read."""
        self.fields.blockSignals(True)
        self.fields.clear()
        folders: dict[str, QTreeWidgetItem] = {}
        for field in fields:
            parent, name = field.rpartition("/")[::2]
            item = QTreeWidgetItem([name])
            item.setData(0, Qt.ItemDataRole.UserRole, field)
            item.setToolTip(0, field)
            folder = _folder(self.fields, folders, parent)
            folder.addChild(item) if folder is not None else self.fields.addTopLevelItem(item)
        self.fields.expandAll()
        self.fields.blockSignals(False)
        self._show_columns()

    def _show_series(self, series: FieldSeries) -> None:
        self._series = series
        self._show_columns()
        self._draw()

    def _show_columns(self) -> None:
        """Put the columns of the field that is plotted below its leaf, with a tick each."""
        series, leaf = self._series, self._leaf(self._field)
        if series is None or leaf is None or leaf.childCount() or series.name != self._field:
            return
        self.fields.blockSignals(True)
        for order, name in enumerate(series.columns):
            item = QTreeWidgetItem([name])
            checked = Qt.CheckState.Checked if order < COLUMNS_AT_FIRST else Qt.CheckState.Unchecked
            item.setCheckState(0, checked)
            item.setForeground(0, QColor(self._state.theme.series[order % len(self._state.theme.series)]))
            leaf.addChild(item)
        leaf.setExpanded(True)
        self.fields.setCurrentItem(leaf)
        self.fields.scrollToItem(leaf, QAbstractItemView.ScrollHint.PositionAtTop)
        self.fields.blockSignals(False)

    def _leaf(self, field: str) -> QTreeWidgetItem | None:
        for item in self.fields.findItems("", Qt.MatchFlag.MatchContains | Qt.MatchFlag.MatchRecursive):
            if item.data(0, Qt.ItemDataRole.UserRole) == field:
                return item
        return None

    def _draw(self) -> None:
        leaf, series = self._leaf(self._field), self._series
        if series is None:
            return
        columns = tuple(range(min(len(series.columns), COLUMNS_AT_FIRST)))
        if leaf is not None and leaf.childCount() == len(series.columns):
            checked = Qt.CheckState.Checked
            columns = tuple(i for i in range(leaf.childCount()) if _child(leaf, i).checkState(0) == checked)
        self.plot.show_series(series, columns)
        self.plot.show_region(self.mark.isChecked())

    @pyqtSlot(QTreeWidgetItem, int)
    def _on_field_clicked(self, item: QTreeWidgetItem, _: int) -> None:
        field = item.data(0, Qt.ItemDataRole.UserRole)
        if field and field != self._field and self.selected:
            old = self._leaf(self._field)
            if old is not None:
                old.takeChildren()
            self._field = field
            self._state.library.load_field(self.selected[0].name, field, self._show_series)

    @pyqtSlot(QTreeWidgetItem, int)
    def _on_column_checked(self, _item: QTreeWidgetItem, _column: int) -> None:
        self._draw()

    # ------------------------------------------------------------------ actions

    @pyqtSlot()
    def _on_replay_asked(self) -> None:
        if len(self.selected) == 1:
            self._state.library.load_states(self.selected[0].name, self._on_states_loaded)

    @pyqtSlot()
    def _on_beside_asked(self) -> None:
        path = self._state.library.path
        if len(self.selected) == 1 and path is not None:
            self._state.reruns.start(path, self.selected[0].name, self._on_states_loaded)

    @pyqtSlot(bool)
    def _on_simulating(self, busy: bool) -> None:
        self.beside.setText("Simulating…" if busy else "Beside simulation")
        self._show_actions()

    def _on_states_loaded(self, states: RecordedStates) -> None:
        self._state.open_replay(Replay(states))

    @pyqtSlot()
    def _show_cursor(self) -> None:
        replay = self._state.replay
        shown = self._series is not None and replay is not None and replay.states.title.startswith(self._series.episode)
        time_s = replay.position_s if shown and replay is not None else None
        if time_s != self._cursor_s:
            self._cursor_s = time_s
            self.plot.show_cursor(time_s)

    @pyqtSlot(float)
    def _on_time_clicked(self, time_s: float) -> None:
        if self._state.replay is not None:
            self._state.replay.pause()
            self._state.replay.seek(time_s)

    def _judge(self, success: bool) -> None:
        self._state.library.set_success(self.selected[0].name, success)

    @pyqtSlot(bool)
    def _on_mark_toggled(self, on: bool) -> None:
        self.trim.setVisible(on)
        self.plot.show_region(on)

    @pyqtSlot()
    def _on_trim_clicked(self) -> None:
        marked = self.plot.marked_samples()
        if marked is not None and len(self.selected) == 1:
            self._state.leave_replay()
            self._state.library.trim(self.selected[0].name, *marked)
        self.mark.setChecked(False)

    @pyqtSlot()
    def _on_delete_clicked(self) -> None:
        self._state.leave_replay()
        self._state.library.delete(tuple(episode.name for episode in self.selected))

    @pyqtSlot(object)
    def _on_theme_changed(self, theme: Theme) -> None:
        self.model.set_theme(theme)
        self.plot.apply_theme(theme)
        self.starts.apply_theme(theme)
        leaf = self._leaf(self._field)
        if leaf is None:
            return
        for index in range(leaf.childCount()):
            _child(leaf, index).setForeground(0, QColor(theme.series[index % len(theme.series)]))


def _folder(tree: QTreeWidget, folders: dict[str, QTreeWidgetItem], path: str) -> QTreeWidgetItem | None:
    """The tree item of a path of groups, made with its parents where they are missing; None for the root."""
    if not path:
        return None
    if path not in folders:
        parent, name = path.rpartition("/")[::2]
        item = QTreeWidgetItem([name])
        above = _folder(tree, folders, parent)
        above.addChild(item) if above is not None else tree.addTopLevelItem(item)
        folders[path] = item
    return folders[path]


def _child(item: QTreeWidgetItem, index: int) -> QTreeWidgetItem:
    child = item.child(index)
    assert child is not None
    return child
