"""The eight symmetries of the square."""

from __future__ import annotations

from torch import Tensor

#: How many of them, from the first on, may be averaged.
VIEWS = (1, 2, 4, 8)


def symmetry(images: Tensor, code: int) -> Tensor:
    """Return images ``(..., H, W)`` under symmetry ``code`` 0..7 of the square.

    Bit 0 flips left-right, bit 1 flips top-bottom, bit 2 transposes (after the flips).
    """
    axes = [axis for bit, axis in ((1, -1), (2, -2)) if code & bit]
    images = images.flip(axes) if axes else images
    return images.transpose(-1, -2) if code & 4 else images


def undo_symmetry(images: Tensor, code: int) -> Tensor:
    """Turn what :func:`symmetry` turned by ``code`` back."""
    return symmetry(images.transpose(-1, -2), code & 3) if code & 4 else symmetry(images, code)
