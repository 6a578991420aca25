"""Pages of masked, redrawn and original images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from rsmm.utils import atomic_write
from rsmm.visualization.composite import composite
from rsmm.visualization.style import MUTED, new_figure

TITLES = ('masked', 'reconstruction', 'original')
#: Grey of a hidden patch.
HIDDEN = 225


def plot_reconstructions(
    originals: np.ndarray,
    redrawn: np.ndarray,
    masks: np.ndarray,
    bands: Sequence[str],
    errors: Sequence[float],
    out: str | Path,
    show: Sequence[str] | None = None,
) -> None:
    """Draw one row per image: masked, reconstruction, original.

    Args:
        originals: ``(N, H, W, C)`` in the stored dtype.
        redrawn: Same shape and dtype.
        masks: True where hidden, ``(N, H, W)``.
        bands: Names aligned with the last axis.
        errors: Error of each image, written beside it.
        out: PNG to write.
        show: One or three band names; None takes natural colour.
    """
    figure = new_figure(6.0, 2.05 * len(originals) + 0.2)
    axes = figure.subplots(len(originals), 3, squeeze=False)
    for row, image, drawing, mask, error in zip(
        axes, originals, redrawn, masks, errors, strict=True
    ):
        # One stretch for both pictures, or their tones could not be compared.
        pair = composite(np.concatenate([image, drawing], axis=1), bands, show)
        truth, drawn = np.split(pair, 2, axis=1)
        masked = np.where(mask[..., None], np.uint8(HIDDEN), truth)
        for axis, picture in zip(row, (masked, drawn, truth), strict=True):
            axis.imshow(picture, interpolation='nearest')
            axis.set(xticks=[], yticks=[])
            for spine in axis.spines.values():
                spine.set_visible(False)
        row[0].set_ylabel(f'masked MSE {error:.2f}', fontsize=7, color=MUTED)
    for axis, title in zip(axes[0], TITLES, strict=True):
        axis.set_title(title, fontsize=9)
    Path(out).parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(out) as file:
        figure.savefig(file, format='png')
