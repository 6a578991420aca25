"""A dense model over whole scenes: class or change maps on the source's grid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import nn

from rsmm.geo.streaming import read_stacked, stream_windows, write_stream


def load_model(
    config: str,
    checkpoint: str,
    device: str = 'cpu',
    options: Mapping[str, object] | None = None,
) -> nn.Module:
    """Build the model of a config with the weights of a checkpoint, in evaluation mode.

    Args:
        config: Config file.
        checkpoint: Weights, ``'random'`` for none.
        device: ``'cpu'`` or ``'cuda'``.
        options: Dotted config keys to override.

    Raises:
        CheckpointError: The checkpoint cannot be read or belongs to another model.
    """
    from mmengine.registry import init_default_scope

    from rsmm.apis.config import load_config, model_settings
    from rsmm.apis.run import RANDOM
    from rsmm.engine.checkpoint import load_checkpoint_file
    from rsmm.engine.weights import load_weights
    from rsmm.registry import MODELS

    settings = load_config(config, options)
    init_default_scope(settings.get('default_scope', 'rsmm'))
    model = MODELS.build(model_settings(settings))
    if checkpoint == RANDOM:
        model.init_weights()
    else:
        load_weights(model, load_checkpoint_file(checkpoint), 'model', where=checkpoint)
    return model.to(device).eval()


def tile_predictor(model: nn.Module):
    """Wrap a dense model so that it maps tiles (N, h, w[, 2], C) to logits (N, h, w, K).

    Rasters have their bands last, and so has the model from here on: tiles go in as they are read,
    and convolutions and pooling are faster in this layout.
    """
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
    images: Sequence[str | Path],
    out: str | Path,
    *,
    bands: Sequence[str] | None = None,
    tile: int = 512,
    step: int = 448,
    batch_size: int = 4,
    merge: str = 'linear',
    scale: Mapping | None = None,
) -> None:
    """Predict a scene, or the change between two, and write the map as GeoTIFF.

    The map is uint8 with the coordinate system and affine of the first image: classes, or 0 and 1
    for change. The scene is never in memory as a whole.

    Args:
        model: :class:`RasterSegmentor` or :class:`ChangeDetector`, on its device.
        images: One image, or the earlier and the later one on the same grid.
        out: GeoTIFF to write.
        bands: Bands of the files in order, where they do not name them.
        tile, step, batch_size, merge: See :func:`rsmm.geo.streaming.stream_windows`.
        scale: Transform of whole images that the model was trained with, see :func:`scene_scale`.
    """
    read, shape, place = read_stacked(images, bands)
    if scale is not None:
        read = scaled(read, images, scale, bands)
    tile, step = (min(side, max(shape)) for side in (tile, step))
    rows = stream_windows(
        read,
        shape,
        tile_predictor(model),
        tile=tile,
        step=step,
        batch_size=batch_size,
        merge=merge,
    )
    labels = ((row, _labels(model, logits)) for row, logits in rows)
    write_stream(out, labels, shape, dtype='uint8', **place)


def scene_scale(config: str, options: Mapping[str, object] | None = None) -> dict | None:
    """Return the ``scale`` of the ``LoadPair`` that a config tests with, None without one."""
    from rsmm.apis.config import load_config

    steps = load_config(config, options).test_dataloader.dataset.get('pipeline', ())
    found = [step.get('scale') for step in steps if step['type'] == 'LoadPair']
    return dict(found[0]) if found and found[0] else None


def scaled(read, images: Sequence[str | Path], scale: Mapping, bands: Sequence[str] | None):
    """Wrap a function that reads windows so that each image is scaled by limits of its own.

    Args:
        read: Maps a window to (h, w, C), or (h, w, 2, C) for two images.
        images: The files, of whose thumbnails the limits are taken.
        scale: Config of a scaling transform, e.g. ``dict(type='ScaleQuantile', out='uint8')``.
        bands: Names of the files' bands, for scalings that ask for them.
    """
    from rsmm.datasets.transforms.scaling import stretch
    from rsmm.registry import TRANSFORMS

    step = TRANSFORMS.build(dict(scale))
    limits = [step.limits({**thumbnail(path), 'bands': bands}) for path in images]

    def read_scaled(window) -> np.ndarray:
        values = read(window)
        if len(limits) == 1:
            return stretch(values, *limits[0], step.out)
        dates = [stretch(values[:, :, k], *limit, out=step.out) for k, limit in enumerate(limits)]
        return np.stack(dates, axis=2)

    return read_scaled


def thumbnail(path: str | Path, side: int = 1024) -> dict:
    """Read an image with at most ``side`` pixels a side: ``img`` (H, W, C) and ``nodata``.

    16-bit images without a declared nodata value have 0, as Sentinel-2 has.
    """
    from rsmm.datasets.transforms.loading import opened

    with opened(path, sidecars=False) as source:
        share = min(1.0, side / max(source.height, source.width))
        shape = [max(1, round(share * n)) for n in (source.height, source.width)]
        image = source.read(out_shape=(source.count, *shape))
        nodata = source.nodata
    if nodata is None and image.dtype == np.uint16:
        nodata = 0.0
    return {'img': image.transpose(1, 2, 0), 'nodata': nodata}


def _labels(model: nn.Module, logits: np.ndarray) -> np.ndarray:
    scores = torch.from_numpy(np.ascontiguousarray(logits.transpose(2, 0, 1)))[None]
    return model.decide(scores)[0].to(torch.uint8).numpy()
