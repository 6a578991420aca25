"""A dense model over whole scenes: class or change maps on the source's grid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import nn

from rsmm.datasets.transforms.labels import IGNORE
from rsmm.errors import ConfigError
from rsmm.geo.band_names import declared_bands, described_bands
from rsmm.geo.missing import fill_nan, missing_pixels
from rsmm.geo.raster import opened
from rsmm.geo.streaming import read_stacked, stream_windows, write_stream
from rsmm.geo.windows import Window
from rsmm.inference.chip_maps import as_map_model
from rsmm.models.base import MapModel
from rsmm.sensors import RGB, RGB_CAMERA, band_indices, resolve_bands
from rsmm.utils.outputs import keep_inputs


def tile_predictor(model: nn.Module):
    """Wrap a dense model so that it maps tiles (N, h, w[, 2], C) to logits (N, h, w, K).

    Rasters have their bands last, and so has the model from here on: tiles go in as they are read,
    and convolutions and pooling are faster in this layout.

    Raises:
        ConfigError: The model has no logits per pixel.
    """
    if not isinstance(model, MapModel):
        raise ConfigError(f'{type(model).__name__} makes no map', fix='Take a segmentation config')
    model = model.to(memory_format=torch.channels_last)

    def predict(tiles: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            if tiles.ndim == 5:
                inputs = [as_tensor(tiles[..., date, :]) for date in range(tiles.shape[3])]
            else:
                inputs = as_tensor(tiles)
            data = model.data_preprocessor({'inputs': inputs}, training=False)
            logits = model.logits(data['inputs'])
        return logits.permute(0, 2, 3, 1).float().cpu().numpy()

    return predict


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
) -> None:
    """Predict a scene, or the change between two, and write the map as GeoTIFF.

    The map is uint8 with the coordinate system and affine of the first image: classes, or 0 and 1
    for change, and 255 where an image has no data. The scene is never in memory as a whole.

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

    Raises:
        DataError: The files lie on different grids, or lack a band.
        ConfigError: Another number of images than the model takes.
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
    order, wanted = bands_to_read(model, images[0], bands)
    stored, shape, place = read_stacked(images, wanted, order)
    marks = [read_mark(path) for path in images]

    def read(window) -> np.ndarray:
        dates = [fill_nan(*pair)[0] for pair in zip(dates_of(stored(window)), marks, strict=True)]
        return dates[0] if len(dates) == 1 else np.stack(dates, axis=2)

    if scale is not None:
        read = scaled(read, images, scale, wanted, order)
    tile, stride = _steps(model, tile, stride)
    tile, stride = (min(side, max(shape)) for side in (tile, stride))
    rows = stream_windows(
        read,
        shape,
        tile_predictor(model),
        tile=tile,
        stride=stride,
        batch_size=batch_size,
        merge=merge,
    )
    labels = ((row, _labels(model, logits)) for row, logits in rows)
    if stored(Window(0, 0, 1, 1)).dtype.kind == 'f' or set(marks) != {None}:
        labels = blank_missing(labels, stored, marks)
    write_stream(out, labels, shape, dtype='uint8', nodata=IGNORE, **place)


def _steps(model: nn.Module, tile: int | None, stride: int | None) -> tuple[int, int]:
    if tile is None:
        tile, stride = getattr(model, 'tile', 512), stride or getattr(model, 'stride', None)
    return tile, tile - tile // 8 if stride is None else stride


def bands_to_read(model: nn.Module, path: str | Path, order: str | Sequence[str] | None) -> tuple:
    """Return the order to declare for a file and the bands to ask it for; None leaves either open.

    Red, green and blue of a camera and of a satellite stand for each other.
    """
    wanted = getattr(model.data_preprocessor, 'bands', None)
    order = None if order is None else resolve_bands(order)
    named = order
    if named is None:
        with opened(path, sidecars=False) as source:
            named = described_bands(source.descriptions)
    if wanted is None or named is None:
        return order or wanted, None
    camera = RGB_CAMERA.band_names
    other = {camera: RGB, RGB: camera}.get(wanted, wanted)
    return order, wanted if set(wanted) <= set(named) or not set(other) <= set(named) else other


def dates_of(values: np.ndarray) -> list[np.ndarray]:
    """Split (h, w, T, C) into dates (h, w, C)."""
    return [values] if values.ndim == 3 else list(np.moveaxis(values, 2, 0))


def blank_missing(rows, stored, marks: Sequence[float | None]):
    """Set rows of a map, a few at a time, to 255 where an image has no data."""
    for start, labels in rows:
        dates = dates_of(stored(Window(start, 0, *labels.shape)))
        for date, mark in zip(dates, marks, strict=True):
            labels[missing_pixels(date, mark)] = IGNORE
        yield start, labels


def read_mark(path: str | Path) -> float | None:
    """Return the value of pixels without data; 0 for 16-bit images that declare none, as S2 has."""
    with opened(path, sidecars=False) as source:
        return mark_of(source)


def mark_of(source) -> float | None:
    """:func:`read_mark` of an open file."""
    if source.nodata is None and source.dtypes[0] == 'uint16':
        return 0.0
    return source.nodata


def scene_scale(config: str, options: Mapping[str, object] | None = None) -> dict | None:
    """Return the ``scale`` of the ``LoadPair`` that a config tests with, None without one."""
    from rsmm.apis.config import load_config

    steps = load_config(config, options).test_dataloader.dataset.get('pipeline', ())
    found = [step.get('scale') for step in steps if step['type'] == 'LoadPair']
    return dict(found[0]) if found and found[0] else None


def scaled(
    read,
    images: Sequence[str | Path],
    scale: Mapping,
    bands: Sequence[str] | None = None,
    order: Sequence[str] | None = None,
):
    """Wrap a function that reads windows so that each image is scaled by limits of its own.

    Args:
        read: Maps a window to (h, w, C), or (h, w, 2, C) for two images.
        images: The files, of whose thumbnails the limits are taken.
        scale: Config of a scaling transform, e.g. ``dict(type='ScaleQuantile', out='uint8')``.
        bands, order: See :func:`rsmm.geo.streaming.read_stacked`.
    """
    from rsmm.datasets.transforms.scaling import stretch
    from rsmm.registry import TRANSFORMS

    step = TRANSFORMS.build(dict(scale))
    limits = [step.limits(thumbnail(path, bands, order)) for path in images]

    def read_scaled(window) -> np.ndarray:
        dates = dates_of(read(window))
        dates = [stretch(date, *limit, step.out) for date, limit in zip(dates, limits, strict=True)]
        return dates[0] if len(dates) == 1 else np.stack(dates, axis=2)

    return read_scaled


def thumbnail(
    path: str | Path,
    bands: Sequence[str] | None = None,
    order: Sequence[str] | None = None,
    side: int = 1024,
) -> dict:
    """Read an image with at most ``side`` pixels a side: ``img`` (H, W, C), ``bands``, ``nodata``.

    Args:
        path: Raster file.
        bands, order: See :func:`rsmm.geo.streaming.read_stacked`.
        side: In pixels.
    """
    with opened(path, sidecars=False) as source:
        share = min(1.0, side / max(source.height, source.width))
        shape = [max(1, round(share * n)) for n in (source.height, source.width)]
        names = declared_bands(source.count, source.dtypes[0], source.descriptions, order, path)
        index = None if bands is None else band_indices(names, bands, where=path)
        planes = source.read(
            index and [i + 1 for i in index], out_shape=(len(index or names), *shape)
        )
        mark = mark_of(source)
    image, nodata = fill_nan(planes.transpose(1, 2, 0), mark)
    return {'img': image, 'bands': tuple(bands or names), 'nodata': nodata}


def _labels(model: nn.Module, logits: np.ndarray) -> np.ndarray:
    scores = torch.from_numpy(np.ascontiguousarray(logits.transpose(2, 0, 1)))[None]
    return model.decide(scores)[0].to(torch.uint8).numpy()
