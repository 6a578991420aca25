"""A dense model over whole scenes: class or change maps on the source's grid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from torch import nn

from rsmm.datasets.transforms.gaps import IGNORE
from rsmm.errors import ConfigError
from rsmm.geo.streaming import Stack, write_stream
from rsmm.inference.chip_maps import as_map_model
from rsmm.inference.mapping import Tiling, map_rows
from rsmm.inference.tasks import reading_of
from rsmm.inference.thumbnails import scene_limits
from rsmm.sensors import resolve_bands
from rsmm.utils.outputs import keep_inputs


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
    ignored: Sequence[int] = (),
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
        ignored: Classes that the map never has.

    Raises:
        DataError: The files lie on different grids, or lack a band.
        ConfigError: Another number of images than the model takes, or ``out`` is one of them.
    """
    model = as_map_model(model)
    images = [images] if isinstance(images, str | Path) else list(images)
    keep_inputs(out, images)
    if getattr(model, 'num_dates', 1) is None:
        raise ConfigError(
            f'{type(model).__name__} takes a series of dates, which is not mapped by scene',
            fix='Map it with tools/predict.py, which knows the dates of files',
        )
    check_dates(model, len(images))
    order, wanted = bands_to_read(model, bands)
    options = {'nodata': nodata, 'scaled': scaled_values, 'trusted': True}
    with Stack(images, wanted, order, **options) as stack:
        limits = None if scale is None else scene_limits(stack, scale)
        tiling = Tiling(tile, stride, batch_size, merge)
        rows = map_rows(model, stack, tiling, limits=limits, ignored=ignored)
        labels = ((row.start, row.labels) for row in rows)
        write_stream(out, labels, stack.shape, dtype='uint8', nodata=IGNORE, **stack.place)


def check_dates(model: nn.Module, found: int) -> None:
    """Refuse another number of images than a model takes.

    Raises:
        ConfigError: Names both numbers.
    """
    expected = getattr(model, 'num_dates', 1)
    if expected is not None and found != expected:
        raise ConfigError(
            f'{found} images, but {type(model).__name__} takes {expected}',
            fix='Give the earlier and the later image' if expected == 2 else 'Give one image',
        )


def bands_to_read(model: nn.Module, order: str | Sequence[str] | None) -> tuple:
    """Return the declared order of the files and the bands to ask for; None leaves either open.

    Args:
        model: Its preprocessor may name the bands that it takes.
        order: Bands of the files as the caller declares them.
    """
    wanted = getattr(model.data_preprocessor, 'bands', None)
    order = None if order is None else resolve_bands(order)
    return order, wanted or order


def scene_scale(config: str, options: Mapping[str, object] | None = None) -> dict | None:
    """Return the ``scale`` of the ``LoadPair`` that a config tests with, None without one."""
    return _reading(config, options).scale


def scene_nodata(config: str, options: Mapping[str, object] | None = None) -> float | None:
    """Return the value that a config's dataset takes for missing in files without a tag."""
    return _reading(config, options).nodata


def _reading(config: str, options: Mapping[str, object] | None):
    from rsmm.apis.config import load_config

    return reading_of(load_config(config, options))
