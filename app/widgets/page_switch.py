"""The pages of the window, and the buttons at the top that switch between them."""

from PyQt6.QtCore import QSize, pyqtSignal
from PyQt6.QtWidgets import QButtonGroup, QHBoxLayout, QStackedWidget, QWidget
from typing_extensions import override

from app.widgets.roles import button


class PageSwitch(QWidget):
    """One button a page, one of them down."""

    chosen = pyqtSignal(int)

    def __init__(self, titles: tuple[str, ...]) -> None:
        super().__init__()
        self.setObjectName("page_switch")
        self._group = QButtonGroup(self)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        for index, title in enumerate(titles):
            one = button(title, "page", f"page_{title.lower()}")
            one.setCheckable(True)
            one.setChecked(index == 0)
            self._group.addButton(one, index)
            layout.addWidget(one)
        self._group.idClicked.connect(self.chosen)

    def show_chosen(self, page: int) -> None:
        """Show which page is open."""
        one = self._group.button(page)
        assert one is not None
        one.setChecked(True)

    def set_text(self, page: int, text: str) -> None:
        """Change the words on a button."""
        one = self._group.button(page)
        assert one is not None
        if one.text() != text:
            one.setText(text)


class Pages(QStackedWidget):
    """As small as the page that is open allows, whatever the others need."""

    @override
    def minimumSizeHint(self) -> QSize:
        page = self.currentWidget()
        return page.minimumSizeHint() if page is not None else QSize()

    @override
    def sizeHint(self) -> QSize:
        page = self.currentWidget()
        return page.sizeHint() if page is not None else QSize()
