"""A dense model over whole scenes: class or change maps on the source's grid."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from rsmm.datasets.transforms.gaps import IGNORE, keep_missing
from rsmm.datasets.transforms.scaling import stretch
from rsmm.errors import ConfigError
from rsmm.geo.missing import fill_missing
from rsmm.geo.raster import Raster
from rsmm.geo.streaming import Stack, stream_windows, write_stream
from rsmm.geo.windows import Window
from rsmm.inference.chip_maps import as_map_model
from rsmm.models.base import MapModel
from rsmm.registry import DATASETS, TRANSFORMS
from rsmm.sensors import resolve_bands
from rsmm.utils.outputs import keep_inputs

_LOADERS = ('LoadPair', 'LoadRaster', 'LoadPicture')


def tile_predictor(model: Any):
    """Wrap a dense model so that it maps tiles (N, h, w[, 2], C) to logits (N, h, w, K).

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
        tiles, missing = _without_nan(tiles)
        with torch.inference_mode():
            if tiles.ndim == 5:
                inputs: Any = [as_tensor(tiles[..., date, :]) for date in range(tiles.shape[3])]
            else:
                inputs = as_tensor(tiles)
            data = network.data_preprocessor({'inputs': inputs}, training=False)
            logits = network.logits(_blind(data['inputs'], missing))
        return logits.permute(0, 2, 3, 1).float().cpu().numpy()

    return predict


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


def predict_scene(
    model: nn.Module,
    images: str | Path | Sequence[str | Path],
    out: str | Path,
    *,
    bands: Sequence[str] | None = None,
    tile: int | None = None,
    stride: int | None = None,
    batch_size: int = 4,
    merge: str = 'linear',
    scale: Mapping | None = None,
    nodata: float | None = None,
    scaled_values: bool = False,
) -> None:
    """Predict a scene, or the change between two, and write the map as GeoTIFF.

    The map is uint8 with the place of the first image, an affine, control points or rational
    polynomials: classes, or 0 and 1 for change, and 255 where an image has no data. The scene is
    never in memory as a whole. What the network sees is what it saw in training.

    Args:
        model: A segmentor, change detector or ensemble of them, or an image classifier, whose chips
            are the tiles, on its device. Bands that its
            preprocessor names are looked up by name in files that name theirs; other files must
            have just these, in this order.
        images: One image, or the earlier and the later one on the same grid.
        out: GeoTIFF to write.
        bands: Bands of the files in order, where they do not name them.
        tile, stride, batch_size, merge: See :func:`rsmm.geo.streaming.stream_windows`. None: tiles
            of 512 pixels, a stride of seven eighths; chips of 64 for a classifier, a stride of 32.
        scale: Transform of whole images that the model was trained with, see :func:`scene_scale`.
        nodata: Value of missing pixels in files without a tag, as in training, see
            :func:`scene_nodata`.
        scaled_values: Apply scale and offset tags, where training did.

    Raises:
        DataError: The files lie on different grids, or lack a band.
        ConfigError: Another number of images than the model takes, or ``out`` is one of them.
    """
    model = as_map_model(model)
    images = [images] if isinstance(images, str | Path) else list(images)
    keep_inputs(out, images)
    expected = getattr(model, 'num_dates', 1)
    if expected is None:
        raise ConfigError(
            f'{type(model).__name__} takes a series of dates, which is not mapped by scene',
            fix='Test it with tools/test.py --out, or take a model of one image or two',
        )
    if len(images) != expected:
        raise ConfigError(
            f'{len(images)} images, but {type(model).__name__} takes {expected}',
            fix='Give the earlier and the later image' if expected == 2 else 'Give one image',
        )
    order, wanted = bands_to_read(model, bands)
    options = {'nodata': nodata, 'scaled': scaled_values, 'trusted': True}
    with Stack(images, wanted, order, **options) as stack:
        limits = None if scale is None else scene_limits(stack, scale)
        tile, stride = _steps(model, tile, stride)
        tile, stride = (min(side, max(stack.shape)) for side in (tile, stride))
        rows = stream_windows(
            functools.partial(read_tile, stack, limits),
            stack.shape,
            tile_predictor(model),
            tile=tile,
            stride=stride,
            batch_size=batch_size,
            merge=merge,
        )
        labels = ((row, _labels(model, logits)) for row, logits in rows)
        labels = blank_missing(labels, stack)
        write_stream(out, labels, stack.shape, dtype='uint8', nodata=IGNORE, **stack.place)


def _steps(model: nn.Module, tile: int | None, stride: int | None) -> tuple[int, int]:
    if tile is None:
        tile, stride = getattr(model, 'tile', 512), stride or getattr(model, 'stride', None)
    return tile, tile - tile // 8 if stride is None else stride


def bands_to_read(model: nn.Module, order: str | Sequence[str] | None) -> tuple:
    """Return the declared order of the files and the bands to ask for; None leaves either open.

    Args:
        model: Its preprocessor may name the bands that it takes.
        order: Bands of the files as the caller declares them.
    """
    wanted = getattr(model.data_preprocessor, 'bands', None)
    order = None if order is None else resolve_bands(order)
    return order, wanted or order


def read_tile(stack: Stack, limits: tuple | None, window: Window) -> np.ndarray:
    """Read a window for the network, (h, w, C) or (h, w, T, C), NaN where it is missing.

    Args:
        stack: The open files.
        limits: Of :func:`scene_limits`.
        window: In pixels.
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
    return dates[0] if len(dates) == 1 else np.stack(dates, axis=2)


def blank_missing(rows, stack: Stack):
    """Set rows of a map, a few at a time, to 255 where an image has no data."""
    for start, labels in rows:
        for date in stack.dates:
            if date.can_lack:
                missing = date.read(Window(start, 0, *labels.shape))[1]
                if missing is not None:
                    labels[missing] = IGNORE
        yield start, labels


def scene_scale(config: str, options: Mapping[str, object] | None = None) -> dict | None:
    """Return the ``scale`` of the ``LoadPair`` that a config tests with, None without one."""
    from rsmm.apis.config import load_config

    steps = load_config(config, options).test_dataloader.dataset.get('pipeline', ())
    found = [step.get('scale') for step in steps if step['type'] == 'LoadPair']
    return dict(found[0]) if found and found[0] else None


def scene_nodata(config: str, options: Mapping[str, object] | None = None) -> float | None:
    """Return the value that a config's dataset takes for missing in files without a tag."""
    from rsmm.apis.config import load_config

    dataset = load_config(config, options).test_dataloader.dataset
    steps = [step for step in dataset.get('pipeline', ()) if step['type'] in _LOADERS]
    found = [step['nodata'] for step in steps if step.get('nodata') is not None]
    kind = DATASETS.get(dataset.type) if isinstance(dataset.type, str) else dataset.type
    return found[0] if found else getattr(kind, 'NODATA', None)


def scene_limits(stack: Stack, scale: Mapping, side: int = 1024) -> tuple:
    """Return a scaling step and its limits for each image, taken from thumbnails.

    Args:
        stack: The open files.
        scale: Config of a scaling transform, e.g. ``dict(type='ScaleQuantile', out='uint8')``.
        side: Of the thumbnails in pixels, at most.
    """
    step = TRANSFORMS.build(dict(scale))
    return step, [step.limits(thumbnail(date, side)) for date in stack.dates]


def scaled(
    read,
    images: Sequence[str | Path],
    scale: Mapping,
    bands: Sequence[str] | None = None,
    order: Sequence[str] | None = None,
    **options,
):
    """Wrap a function that reads windows so that each image is scaled by limits of its own.

    Args:
        read: Maps a window to (h, w, C), or (h, w, 2, C) for two images.
        images: The files, of whose thumbnails the limits are taken.
        scale: Config of a scaling transform, e.g. ``dict(type='ScaleQuantile', out='uint8')``.
        bands, order, **options: See :class:`rsmm.geo.streaming.Stack`.
    """
    with Stack(images, bands, order, **options) as stack:
        step, limits = scene_limits(stack, scale)

    def read_scaled(window) -> np.ndarray:
        values = read(window)
        dates = [values] if values.ndim == 3 else list(np.moveaxis(values, 2, 0))
        pairs = zip(dates, limits, strict=True)
        dates = [stretch(date, low, high, step.out) for date, (low, high) in pairs]
        return dates[0] if len(dates) == 1 else np.stack(dates, axis=2)

    return read_scaled


def thumbnail(date: Raster, side: int = 1024) -> dict:
    """Read an image with at most ``side`` pixels a side, as a loader would give it."""
    share = min(1.0, side / max(date.shape))
    height, width = (max(1, round(share * n)) for n in date.shape)
    image, missing = date.read(out_shape=None if share == 1 else (height, width))
    about = {'bands': date.bands, 'nodata': date.nodata, 'img': fill_missing(image, missing)}
    return keep_missing(about, missing)


def _labels(model: Any, logits: np.ndarray) -> np.ndarray:
    scores = torch.from_numpy(np.ascontiguousarray(logits.transpose(2, 0, 1)))[None]
    return model.decide(scores)[0].to(torch.uint8).numpy()
