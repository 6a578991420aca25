"""From open files to finished rows of a map: tiles, network, blending, decision."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from mmengine.logging import print_log
from torch import nn

from rsmm.datasets.transforms.gaps import IGNORE
from rsmm.datasets.transforms.scaling import stretch
from rsmm.errors import ConfigError
from rsmm.geo.streaming import Stack, stream_windows
from rsmm.geo.windows import Window
from rsmm.models.base import MapModel, class_probabilities

#: Views of test-time averaging: the symmetries of the square.
VIEWS = 8


class Rows(NamedTuple):
    """Finished rows of a map.

    Attributes:
        start: First row.
        labels: (h, W) uint8, 255 where an image has no data.
        probabilities: (h, W, K) float32, or None where nobody asked.
    """

    start: int
    labels: np.ndarray
    probabilities: np.ndarray | None


@dataclass(frozen=True)
class Tiling:
    """How a scene is cut and joined.

    Attributes:
        tile, stride: Side and distance of tiles in pixels; None as the model has it.
        batch_size: Tiles per call; halved where the device has no memory for so many.
        merge: See :func:`rsmm.geo.windows.blend_weights`.
        tta: Average over the eight symmetries of the square.
    """

    tile: int | None = None
    stride: int | None = None
    batch_size: int = 4
    merge: str = 'linear'
    tta: bool = False


class Series(NamedTuple):
    """What a model of seasons needs beside the images.

    Attributes:
        days: Of each date, as in training.
        norm: Mean and deviation (C,) of the bands, None where the preprocessor normalises.
    """

    days: Sequence[int]
    norm: tuple[np.ndarray, np.ndarray] | None = None


def map_rows(
    model: Any,
    stack: Stack,
    tiling: Tiling,
    *,
    limits: tuple | None = None,
    series: Series | None = None,
    ignored: Sequence[int] = (),
    probabilities: bool = False,
    done: Callable[[], object] = lambda: None,
) -> Iterator[Rows]:
    """Map a scene from top to bottom.

    Args:
        model: Map model on its device.
        stack: The open files.
        tiling: How to cut.
        limits: Of :func:`rsmm.inference.thumbnails.scene_limits`.
        series: For a model of seasons.
        ignored: Classes that the map never has.
        probabilities: Whether to give those of each class, too.
        done: Called after each tile.
    """
    tile, stride = steps(model, tiling.tile, tiling.stride, stack.shape)
    read = functools.partial(read_tile, stack, limits, as_series=series is not None)

    def counted(window: Window) -> np.ndarray:
        done()
        return read(window)

    predict = tile_predictor(model, series)
    predict = halving(average_views(predict) if tiling.tta else predict)
    blended = stream_windows(
        counted, stack.shape, predict, tile=tile, stride=stride,
        batch_size=tiling.batch_size, merge=tiling.merge,
    )  # fmt: skip
    for start, logits in blended:
        scores = torch.from_numpy(np.ascontiguousarray(logits.transpose(2, 0, 1)))[None]
        scores[:, [label for label in ignored if label < scores.shape[1]]] = -torch.inf
        labels = model.decide(scores)[0].to(torch.uint8).numpy()
        missing = missing_rows(stack, start, labels.shape, every=series is not None)
        found = None
        if probabilities:
            found = class_probabilities(model, scores)[0].permute(1, 2, 0).numpy()
            found = np.maximum(found, 0)  # models whose logits are probabilities: of the ignored
        if missing is not None:
            labels[missing] = IGNORE
            if found is not None:
                found = np.where(missing[..., None], np.float32(np.nan), found)
        yield Rows(start, labels, found)


def steps(
    model: nn.Module, tile: int | None, stride: int | None, shape: tuple[int, int]
) -> tuple[int, int]:
    """Return side and distance of tiles, at most the longer side of the scene."""
    if tile is None:
        usual = 128 if model.num_dates is None else 512  # a series holds many images
        tile, stride = getattr(model, 'tile', usual), stride or getattr(model, 'stride', None)
    stride = tile - tile // 8 if stride is None else stride
    return min(tile, max(shape)), min(stride, max(shape))


def tile_predictor(model: Any, series: Series | None = None):
    """Wrap a dense model so that it maps tiles (N, h, w[, T], C) to logits (N, h, w, K).

    Pixels that are not finite are missing: the network sees the mean of each band there.

    Rasters have their bands last, and so has the model from here on: tiles go in as they are read,
    and convolutions and pooling are faster in this layout.

    Raises:
        ConfigError: The model has no logits per pixel.
    """
    if not isinstance(model, MapModel):
        raise ConfigError(f'{type(model).__name__} makes no map', fix='Take a segmentation config')
    network: Any = model
    network.to(memory_format=torch.channels_last)

    def predict(tiles: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            if series is not None:
                inputs: Any = _series_inputs(network, tiles, series)
            else:
                tiles, missing = _without_nan(tiles)
                if tiles.ndim == 5:
                    inputs = [as_tensor(tiles[..., date, :]) for date in range(tiles.shape[3])]
                else:
                    inputs = as_tensor(tiles)
                data = network.data_preprocessor({'inputs': inputs}, training=False)
                inputs = _blind(data['inputs'], missing)
            logits = network.logits(inputs)
        return logits.permute(0, 2, 3, 1).float().cpu().numpy()

    return predict


def _series_inputs(model: Any, tiles: np.ndarray, series: Series):
    """Normalise tiles (N, h, w, T, C) and pack them as a loader of series does."""
    from mmseg.structures import SegDataSample

    values = tiles.astype(np.float32)
    if series.norm is not None:
        mean, std = series.norm
        values = (values - np.float32(mean)) / np.float32(std)
    values = np.nan_to_num(values, posinf=0, neginf=0)
    images = torch.from_numpy(np.ascontiguousarray(values.transpose(0, 3, 4, 1, 2)))
    days = tuple(int(day) for day in series.days)
    samples = [SegDataSample(metainfo={'days': days}) for _ in images]
    batch = {'inputs': list(images), 'data_samples': samples}
    return model.data_preprocessor(batch, training=False)['inputs']


def _without_nan(tiles: np.ndarray) -> tuple[np.ndarray, torch.Tensor | None]:
    """Fill what is not a number, and say where that was: (N, 1, h, w), (N, T, h, w) for dates."""
    if tiles.dtype.kind != 'f' or np.isfinite(tiles).all():
        return tiles, None
    missing = ~np.isfinite(tiles).all(axis=-1)
    missing = missing[:, None] if missing.ndim == 3 else np.moveaxis(missing, 3, 1)
    return np.nan_to_num(tiles, posinf=0, neginf=0), torch.from_numpy(np.ascontiguousarray(missing))


def _blind(inputs, missing: torch.Tensor | None):
    """Put the mean, which is 0 after normalisation, where a date lacks the pixel."""
    if missing is not None:
        dates = inputs if isinstance(inputs, list) else [inputs]
        for number, date in enumerate(dates):
            date.masked_fill_(missing[:, [number]].to(date.device), 0)
    return inputs


def as_tensor(tiles: np.ndarray) -> torch.Tensor:
    """Turn (N, h, w, C) into (N, C, h, w) with the bands last in memory."""
    return torch.from_numpy(np.ascontiguousarray(tiles)).permute(0, 3, 1, 2)


def average_views(predict):
    """Wrap a predictor of tiles so that it averages the logits of eight symmetries."""

    def averaged(tiles: np.ndarray) -> np.ndarray:
        total = None
        for code in range(VIEWS):
            values = predict(_turned(tiles, code))
            values = _turned_back(values, code)
            total = values if total is None else total + values
        return total / np.float32(VIEWS)

    return averaged


def _turned(tiles: np.ndarray, code: int) -> np.ndarray:
    """Symmetry ``code`` of (N, h, w, ...), numbered as in :mod:`rsmm.models.layers.symmetry`.

    In numpy, because torch does not flip unsigned integers of 16 bits.
    """
    axes = [axis for bit, axis in ((1, 2), (2, 1)) if code & bit]
    tiles = np.flip(tiles, axes) if axes else tiles
    return tiles.swapaxes(1, 2) if code & 4 else tiles


def _turned_back(values: np.ndarray, code: int) -> np.ndarray:
    if code & 4:
        values = values.swapaxes(1, 2)
    axes = [axis for bit, axis in ((1, 2), (2, 1)) if code & bit]
    return np.flip(values, axes) if axes else values


def halving(predict):
    """Wrap a predictor: where the device lacks memory for a batch, halves go one by one.

    The size that fitted is kept for later batches.

    Raises:
        ConfigError: When called, a single tile does not fit.
    """
    most = [0]

    def parts(tiles: np.ndarray) -> np.ndarray:
        size = min(most[0] or len(tiles), len(tiles))
        while True:
            try:
                done = [predict(tiles[k : k + size]) for k in range(0, len(tiles), size)]
                return done[0] if len(done) == 1 else np.concatenate(done)
            except torch.OutOfMemoryError as error:
                if size == 1:
                    raise ConfigError(
                        f'the device has no memory for a tile of {max(tiles.shape[1:3])} pixels',
                        fix='Take a smaller tile: --tile',
                    ) from error
                size = most[0] = (size + 1) // 2
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
            print_log(f'Out of memory: going on with {size} tiles at a time', 'current')

    return parts


def read_tile(
    stack: Stack, limits: tuple | None, window: Window, as_series: bool = False
) -> np.ndarray:
    """Read a window for the network, (h, w, C) or (h, w, T, C), NaN where it is missing.

    Args:
        stack: The open files.
        limits: Of :func:`rsmm.inference.thumbnails.scene_limits`.
        window: In pixels.
        as_series: Give the axis of dates to a single one, too.
    """
    dates = []
    for number, (values, missing) in enumerate(stack.read(window)):
        if limits is not None:
            step, ends = limits
            low, high = ends[number]
            values = stretch(values, low, high, step.out)
        if missing is not None:
            values = values.astype(np.result_type(values.dtype, np.float32))
            values[missing] = np.nan
        dates.append(values)
    return dates[0] if len(dates) == 1 and not as_series else np.stack(dates, axis=2)


def missing_rows(stack: Stack, start: int, shape: tuple[int, int], every: bool = False):
    """Return where rows have no data, (h, W) bool, None where nothing is missing.

    Args:
        stack: The open files.
        start, shape: First row, and (h, W).
        every: A pixel is missing where every date lacks it, else where one does.
    """
    found = []
    for date in stack.dates:
        missing = date.read(Window(start, 0, *shape))[1] if date.can_lack else None
        if missing is None and every:
            return None
        found += [] if missing is None else [missing]
    join = np.logical_and if every else np.logical_or
    return functools.reduce(join, found) if found else None
