"""Features of any folder of images, by any backbone."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.device import get_device

from rsmm.apis.config import default_scope, load_config
from rsmm.apis.model import build_model
from rsmm.errors import DataError, DataNotFoundError
from rsmm.inference.features import Features
from rsmm.models.layers.pooling import pool
from rsmm.registry import TRANSFORMS
from rsmm.utils import atomic_write, track
from rsmm.utils.foreign import parsing
from rsmm.utils.listing import list_files


def folder_features(
    config: str | PathLike,
    checkpoint: str | PathLike,
    folder: str | PathLike,
    options: Mapping[str, object] | None = None,
    batch_size: int = 64,
    seed: int = 0,
) -> tuple[list[str], Features]:
    """Run a backbone over all images below a folder.

    Images are read as the config's test pipeline reads them, in the bands that its preprocessor
    names; a pretraining config without one reads whole images. The label of an image is the folder
    that it lies in.

    Args:
        config: Config of a model with a backbone; its data set does not matter.
        checkpoint: File or address of any method whose backbone fits, or ``'random'``.
        folder: Searched with its sub-folders.
        options: Dotted config keys to override.
        batch_size: Images of one size that go through the network together.
        seed: Of random weights.

    Returns:
        Paths relative to the folder, with ``/`` between their parts, in order; and the features.

    Raises:
        DataNotFoundError: There is no such folder, or it holds no images.
        DataError: An image cannot be read.
        ConfigError: The model has no backbone.
        CheckpointError: The checkpoint does not fit it.
    """
    config, root = load_config(config, options), Path(folder)
    if not root.is_dir():
        raise DataNotFoundError('there is no such folder', where=root)
    paths = list_files(root, deep=True)
    if not paths:
        raise DataNotFoundError('holds no images', where=root)
    torch.manual_seed(seed)
    model = build_model(config, checkpoint, part='backbone', device=get_device())
    with default_scope(config):
        pipeline = [TRANSFORMS.build(step) for step in reading_steps(config)]
    bands = getattr(model.data_preprocessor, 'bands', None)
    images = _images(paths, pipeline, bands)
    vectors = [_forward(model, batch) for batch in _batches(images, batch_size)]
    names = [path.relative_to(root).as_posix() for path in paths]
    labels = [path.parent.name for path in paths]
    classes, numbers = np.unique(labels, return_inverse=True)
    return names, Features(np.concatenate(vectors), numbers, tuple(classes.tolist()))


def reading_steps(config: Config) -> list[dict]:
    """Return the steps by which a config reads test images, else plain reading and packing."""
    pipeline = (config.get('test_dataloader') or {}).get('dataset', {}).get('pipeline')
    return list(pipeline or [dict(type='LoadRaster'), dict(type='PackRaster')])


def _images(paths: Sequence[Path], pipeline: Sequence, bands) -> Iterator[torch.Tensor]:
    for path in track(paths, f'Features of {len(paths)} images'):
        results: dict[str, Any] = {'img_path': str(path)}
        if bands is not None:
            results['bands'] = bands
        for step in pipeline:
            results = step(results)
            if results is None:
                raise DataError(f'{type(step).__name__} leaves it out', where=path)
        yield results['inputs']


def _batches(images: Iterator[torch.Tensor], size: int) -> Iterator[torch.Tensor]:
    """Stack neighbours of one shape, at most ``size`` of them."""
    batch: list[torch.Tensor] = []
    for image in images:
        if batch and (len(batch) == size or image.shape != batch[0].shape):
            yield torch.stack(batch)
            batch = []
        batch.append(image)
    yield torch.stack(batch)


@torch.inference_mode()
def _forward(model: Any, batch: torch.Tensor) -> np.ndarray:
    inputs = model.data_preprocessor({'inputs': batch}, training=False)['inputs']
    return pool(model.backbone(inputs)).float().cpu().numpy()


def save_features(out: str | PathLike, names: Sequence[str], features: Features) -> None:
    """Write ``fnames`` (N,), ``feats`` (N, D) float32 and ``labels`` (N,), class names, as npz.

    Texts are fixed-size unicode: the file opens with ``allow_pickle=False``. Folders are made.
    """
    classes = np.array(features.classes)
    Path(out).parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(out) as file:
        np.savez_compressed(
            file,
            fnames=np.array(names),
            feats=features.vectors.astype(np.float32),
            labels=classes[features.labels],
        )


def load_features(path: str | PathLike) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Read what :func:`save_features` wrote: names, features and labels.

    A file without ``labels`` takes them from the names' folders.

    Raises:
        DataNotFoundError: There is no such file.
        DataError: It holds something else.
    """
    if not Path(path).is_file():
        raise DataNotFoundError('there is no such file', where=path)
    how = 'Make it with tools/analysis_tools/extract_features.py'
    if not zipfile.is_zipfile(path):  # numpy would advise to unpickle it
        raise DataError('is no .npz file of features', where=path, fix=how)
    with parsing(path, 'holds no features', how), np.load(path, allow_pickle=False) as file:
        names, features = file['fnames'], file['feats']
        found = file.get('labels')
    labels = np.array([Path(str(name)).parent.name for name in names]) if found is None else found
    if features.ndim != 2 or not len(names) == len(features) == len(labels):
        shapes = f'{names.shape}, {features.shape}, {labels.shape}'
        raise DataError(f'names, features and labels are of shapes {shapes}', where=path)
    return names, features, labels
