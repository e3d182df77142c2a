"""Every action of the menu bar: its text, its key, what it does; the list of shortcuts is made from it."""

from collections.abc import Callable
from dataclasses import dataclass

from PyQt6.QtGui import QAction, QKeySequence
from PyQt6.QtWidgets import QMainWindow, QMenu


@dataclass(frozen=True)
class Entry:
    """One menu entry."""

    menu: str
    name: str
    text: str
    run: Callable[[], object]
    keys: str = ""
    tip: str = ""
    shown_keys: str = ""
    "keys that are watched elsewhere (the stops) and only listed here"
    separated: bool = False
    "a line above it"


def build_menus(window: QMainWindow, entries: tuple[Entry, ...]) -> dict[str, QAction]:
    """Fill the menu bar; actions by name. Shortcuts work wherever the focus is in the window."""
    bar = window.menuBar()
    assert bar is not None
    menus: dict[str, QMenu] = {}
    actions: dict[str, QAction] = {}
    for entry in entries:
        if entry.menu not in menus:
            menu = bar.addMenu(entry.menu)
            assert menu is not None
            menus[entry.menu] = menu
        if entry.separated:
            menus[entry.menu].addSeparator()
        actions[entry.name] = _action(window, entry)
        menus[entry.menu].addAction(actions[entry.name])
    return actions


def _action(window: QMainWindow, entry: Entry) -> QAction:
    text = f"{entry.text}\t{entry.shown_keys}" if entry.shown_keys else entry.text
    action = QAction(text, window)
    action.setObjectName(f"action_{entry.name}")
    action.setStatusTip(entry.tip)
    if entry.keys:
        action.setShortcut(QKeySequence(entry.keys))
    action.triggered.connect(lambda: entry.run())
    window.addAction(action)
    return action


def shortcut_table(entries: tuple[Entry, ...]) -> list[tuple[str, str, str]]:
    """(menu, keys, text) of every entry with keys."""
    return [(e.menu.replace("&", ""), e.keys or e.shown_keys, e.text) for e in entries if e.keys or e.shown_keys]
