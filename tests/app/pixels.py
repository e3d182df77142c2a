"""Pictures as arrays."""

import numpy as np
from PyQt6.QtGui import QImage


def rgb(image: QImage) -> np.ndarray:
    """(H, W, 3) uint8 of a picture."""
    image = image.convertToFormat(QImage.Format.Format_RGB888)
    bits = image.constBits()
    assert bits is not None
    rows = np.frombuffer(bits.asstring(image.sizeInBytes()), np.uint8).reshape(image.height(), image.bytesPerLine())
    return rows[:, : 3 * image.width()].reshape(image.height(), image.width(), 3).astype(int)


def changed_pixels(a: QImage, b: QImage, threshold: int = 24) -> int:
    """How many pixels differ clearly."""
    return int((np.abs(rgb(a) - rgb(b)).max(axis=-1) > threshold).sum())
