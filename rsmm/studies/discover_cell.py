"""One cell from images to labelled changes: features on disk, then distances, then groups."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from rsmm.datasets.cells import Cell
from rsmm.discovery import (
    change_distances,
    group_changes,
    label_means,
    noise_floor,
    otsu_threshold,
    persistent_change,
    pixel_features,
    series_gains,
    sharpen_change,
    spread_change,
    temporary_change,
    usable_frames,
)
from rsmm.discovery.normalise import thin
from rsmm.errors import DataError
from rsmm.studies.discover_options import AUTO, DiscoverOptions

#: Maps frames ``(T, C, H, W)`` in 0..1 to unit features ``(T, D, H / s, W / s)``.
Features = Callable[[np.ndarray], np.ndarray]
# Below this many frames there are too few to ask for a third later, or for one before.
_CONFIRMED = 6


@dataclass(frozen=True)
class Light:
    """How the frames of a cell are brought to one light.

    Attributes:
        shape: Height and width of the frames in pixels.
        gain, offset: ``(T, C)``.
        mean, deviation: ``(C,)`` of the frames after that.
        clip: Whether values are cut to 0..1 afterwards.
    """

    shape: tuple[int, int]
    gain: np.ndarray
    offset: np.ndarray
    mean: np.ndarray
    deviation: np.ndarray
    clip: bool

    def apply(self, index: int, values: np.ndarray, valid: np.ndarray) -> np.ndarray:
        """Return a frame ``(C, H, W)`` in the light of its series, the mean where data lack."""
        out = values * self.gain[index][:, None, None] + self.offset[index][:, None, None]
        out = np.clip(out, 0, 1) if self.clip else out
        return np.where(valid, out, self.mean[:, None, None]).astype(np.float32)


def readable_frames(cell: Cell, options: DiscoverOptions) -> Cell:
    """Read every frame once; return the cell with those that can be used.

    Raises:
        DataError: A frame that cannot be read or differs from the first in size or bands, unless
            ``options.bad_frames`` is ``'skip'``.
    """
    good, bad, shape = [], [], None
    for index, frame in enumerate(cell.frames):
        try:
            values, _ = cell.read(index, options.bands)
            if shape is not None and values.shape != shape:
                raise DataError(
                    f'{values.shape[0]} bands of {values.shape[1]}x{values.shape[2]} pixels, the '
                    f'series has {shape[0]} of {shape[1]}x{shape[2]}',
                    where=frame.image,
                    fix="Bring it to one grid with the others, or use bad_frames='skip'",
                )
        except DataError as error:
            if options.bad_frames == 'error':
                raise
            bad.append(error)
            continue
        shape = values.shape
        good.append(frame)
    if not bad:
        return cell
    note = f'{len(bad)} frames that cannot be used left out ({bad[0]})'
    return replace(cell, frames=tuple(good), notes=(*cell.notes, note))


def read_light(cell: Cell, options: DiscoverOptions) -> tuple[Cell, Light]:
    """Measure the light of every frame, one frame in memory at a time.

    Returns:
        The cell without frames that show next to no ground (``normalise='fit'`` only), and the
        light of the others.
    """
    thinned, present, moments = [], [], []
    for index in range(len(cell)):
        values, valid = cell.read(index, options.bands)
        thinned.append(thin(values))
        present.append(thin(valid))
        pixels = values[:, valid]
        blank = pixels.shape[1] < 2
        moments.append((0 * values[:, 0, 0], 0 * values[:, 0, 0]) if blank else
                       (pixels.mean(axis=1), pixels.std(axis=1, ddof=1)))  # fmt: skip
    shape = values.shape[1:]
    samples, seen = np.stack(thinned).astype(np.float64), np.stack(present)
    if options.normalise == 'fit':
        gain, offset = series_gains(samples, seen)
        kept = usable_frames(samples, gain, offset, seen)
        cell = without(cell, ~kept, 'frames that show next to no ground left out')
        samples, seen, gain, offset = (part[kept] for part in (samples, seen, gain, offset))
    elif options.normalise == 'mean':
        gain, offset = _mean_gains(np.array(moments, np.float64))
    else:
        gain, offset = np.ones(samples.shape[:2]), np.zeros(samples.shape[:2])
    lit = samples * gain[..., None] + offset[..., None]
    clip = options.normalise == 'mean'
    lit = np.clip(lit, 0, 1) if clip else lit
    pixels = lit.transpose(1, 0, 2)[:, seen]
    if pixels.shape[1] == 0:
        raise DataError('no frame has any data', where=cell.frames[0].image)
    return cell, Light(shape, gain, offset, *_typical(pixels), clip)


def without(cell: Cell, dropped: np.ndarray, why: str) -> Cell:
    """Return a cell without some frames, and with a note that says so."""
    if not dropped.any():
        return cell
    gone = [frame.month for frame, drop in zip(cell.frames, dropped, strict=True) if drop]
    frames = tuple(f for f, drop in zip(cell.frames, dropped, strict=True) if not drop)
    return replace(cell, frames=frames, notes=(*cell.notes, f'{len(gone)} {why} ({gone[0]})'))


def _typical(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and deviation ``(C,)`` of values ``(C, N)``, cut at percentiles 5 and 95.

    A few clouds, ten times as bright as the ground, would otherwise set the scale for all of it.
    """
    low, high = np.percentile(pixels, (5, 95), axis=1)
    cut = np.clip(pixels, low[:, None], high[:, None])
    return cut.mean(axis=1), cut.std(axis=1)


def _mean_gains(moments: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return gains and offsets ``(T, C)`` from means and deviations of the frames ``(T, 2, C)``."""
    mean, deviation = moments[:, 0], moments[:, 1]
    total = mean.mean(axis=0)
    spread = np.sqrt((deviation**2 + (mean - total) ** 2).mean(axis=0))
    gain = np.where(deviation > 0, spread / np.where(deviation > 0, deviation, 1), 0)
    return gain, total - gain * mean


def write_features(
    cell: Cell, light: Light, options: DiscoverOptions, extract: Features | None, path: Path
) -> None:
    """Write the features of a cell as ``.npy`` ``(T, D, H / s, W / s)``, frame by frame.

    Voxels without data hold zeros; no unit vector is near them.

    Args:
        cell: Its frames.
        light: From :func:`read_light`.
        options: Switches.
        extract: A network; None: pixels.
        path: File to write.
    """
    out = None
    for index in range(len(cell)):
        values, valid = cell.read(index, options.bands)
        frame = light.apply(index, values, valid)[None]
        if extract is None:
            found = pixel_features(frame, light.mean, light.deviation)[0]
        else:
            found = extract(np.clip(frame, 0, 1))[0]
        stride = round(light.shape[0] / found.shape[1])
        height, width = (side // stride for side in light.shape)  # whole blocks of pixels only
        found = found[:, :height, :width] * _blocks(valid, stride, (height, width))
        if out is None:
            out = np.lib.format.open_memmap(path, 'w+', np.float32, (len(cell), *found.shape))
        out[index] = found
    out.flush()


def _blocks(valid: np.ndarray, stride: int, shape: tuple[int, int]) -> np.ndarray:
    """Return which blocks of pixels are valid throughout, ``shape`` bool."""
    height, width = shape
    cut = valid[: height * stride, : width * stride]
    return np.asarray(cut.reshape(height, stride, width, stride).all(axis=(1, 3)))


def find_changes(
    features: np.ndarray, options: DiscoverOptions, gaps: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray, dict]:
    """Find the lasting changes of a cell and group them.

    Args:
        features: ``(T, D, H, W)``, unit norm over D, zero where there is no data.
        options: Switches.
        gaps: Months from each frame to the next, ``(T - 1,)``.

    Returns:
        Labels ``(T, H, W)``, the mean distance by label, and what the thresholds were:
        ``otsu``, ``floor``, ``threshold`` and ``dropped_frames``.
    """
    d1, d2 = change_distances(features)
    d3 = _third(features) if options.third and len(features) >= _CONFIRMED else None
    seen = np.stack([np.abs(frame).sum(axis=0) > 0 for frame in features])
    for gap, distance in ((1, d1), (2, d2), (3, d3)):
        if distance is not None:
            distance[:-gap] *= seen[:-gap] & seen[gap:]
    floor = noise_floor(features) if options.min_change == AUTO else float(options.min_change)
    known = np.zeros(d1.shape, bool)
    known[:-1] = seen[:-1] & seen[1:]
    otsu = otsu_threshold(d1[known]) if known.any() else 0.0
    weak = floor if options.grow and floor > 0 else max(otsu, floor)
    changed = persistent_change(d1, d2, weak, d3)
    if options.max_gap and gaps is not None:
        changed[:-1][np.asarray(gaps) > options.max_gap] = False
    if options.lasting:
        changed &= ~temporary_change(
            features, changed, weak, options.returns, confirm=len(features) >= _CONFIRMED
        )
        if len(features) >= _CONFIRMED:
            changed[:2] = False  # of two frames with a cloud in one place none tells it is one
        # What came and went, clouds above all, does not say how strong a change has to be.
        known &= changed | (d1 <= weak)
        otsu = otsu_threshold(d1[known]) if known.any() else 0.0
    strong = max(otsu, floor)
    changed = spread_change(changed, d1 > strong)
    changed = sharpen_change(changed, d1) if options.sharpen else changed
    dropped = int((changed.mean(axis=(1, 2)) > options.max_share).sum())
    labels = group_changes(changed, features, **options.to_dict(*_GROUPING))
    facts = {'otsu': otsu, 'floor': floor, 'threshold': strong, 'dropped_frames': dropped}
    return labels, label_means(labels, d1), facts


_GROUPING = ('time_step', 'radius', 'factor', 'components', 'max_share', 'seed')


def _third(features: np.ndarray) -> np.ndarray:
    """Return the distance to the third frame, ``(T, H, W)``; 0 for the last three."""
    out = np.zeros((len(features), *features.shape[2:]), features.dtype)
    for t in range(len(features) - 3):
        out[t] = 1 - np.einsum('chw,chw->hw', features[t], features[t + 3])
    return out
