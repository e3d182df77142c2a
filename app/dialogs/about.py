"""What this program is, and the versions of what it stands on."""

import platform
from importlib.metadata import PackageNotFoundError, version

from PyQt6.QtCore import QT_VERSION_STR
from PyQt6.QtWidgets import QDialog, QDialogButtonBox, QGridLayout, QVBoxLayout, QWidget

from app.theme import METRICS
from app.widgets.gl_renderer import renderer_name
from app.widgets.roles import label

PACKAGES = ("refine-dp", "mujoco", "torch", "PyQt6", "pyqtgraph", "h5py", "numpy")


def versions() -> dict[str, str]:
    """Name -> version of the program, its libraries, Python, Qt and the renderer."""
    result = {name: _version(name) for name in PACKAGES}
    result |= {"Qt": QT_VERSION_STR, "Python": platform.python_version(), "System": platform.platform()}
    result["OpenGL"] = renderer_name() or "none"
    return result


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


class AboutDialog(QDialog):
    """Name, purpose, licence, versions."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("about_dialog")
        self.setWindowTitle("About REFINE-DP Studio")
        layout = QVBoxLayout(self)
        layout.setSpacing(METRICS.gap)
        layout.addWidget(label("REFINE-DP Studio", "heading"))
        text = "Demonstrate, record, train and run whole-body tasks of the Booster T1."
        layout.addWidget(label(text, ""))
        layout.addWidget(label("Free software under the GNU General Public License, version 3 or later.", "muted"))
        grid = QGridLayout()
        grid.setHorizontalSpacing(2 * METRICS.gap)
        for row, (name, value) in enumerate(versions().items()):
            grid.addWidget(label(name, "muted"), row, 0)
            grid.addWidget(label(value, ""), row, 1)
        layout.addLayout(grid)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.reject)
        layout.addWidget(buttons)
