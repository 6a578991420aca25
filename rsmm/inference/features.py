"""Feature vectors of a dataset, from the backbone of any checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from os import PathLike
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.device import get_device

from rsmm.apis.config import default_scope, load_config
from rsmm.apis.model import build_model
from rsmm.errors import ConfigError
from rsmm.models.layers.pooling import pool
from rsmm.utils import track


@dataclass(frozen=True)
class Features:
    """Features of N labelled images.

    Attributes:
        vectors: ``(N, D)`` float32.
        labels: Classes, ``(N,)`` int64.
        classes: Class names.
    """

    vectors: np.ndarray
    labels: np.ndarray
    classes: tuple[str, ...]


def extract_features(
    config: str | PathLike,
    checkpoint: str | PathLike,
    split: str = 'test',
    num: int | None = None,
    options: Mapping[str, object] | None = None,
) -> Features:
    """Run the backbone over a dataset.

    Args:
        config: Config of a model with a backbone and of a labelled dataset. A checkpoint of
            another method fits when its backbone does, so a classifier's config reads pretrained
            encoders.
        checkpoint: File or address; ``'random'`` keeps the weights of initialisation.
        split: Which dataloader: ``'train'``, ``'val'`` or ``'test'``.
        num: At most this many samples, spread evenly over the dataset.
        options: Dotted config keys to override.

    Returns:
        Averages of the last feature map.

    Raises:
        ConfigError: The config has no such dataloader or its model no backbone, or its samples
            have no class.
        CheckpointError: The checkpoint does not fit the backbone.
    """
    config = load_config(config, options)
    with default_scope(config):
        loader = _build_loader(config, split, num)
    model = build_model(config, checkpoint, part='backbone', device=get_device())
    vectors, labels = [], []
    for batch in track(loader, f'Features of {len(loader.dataset)} samples'):
        part, samples = _forward(model, batch)
        vectors.append(part.cpu())
        labels += [_label(sample, config) for sample in samples]
    classes = tuple(loader.dataset.metainfo['classes'])
    return Features(torch.cat(vectors).numpy(), np.array(labels, np.int64), classes)


def _build_loader(config: Config, split: str, num: int | None):
    from rsmm.engine.runner import Runner

    key = f'{split}_dataloader'
    if not config.get(key):
        raise ConfigError(
            f'it has no {key}', where=config.filename, fix='Use --split train, val or test'
        )
    settings = config[key]
    settings.sampler = dict(type='DefaultSampler', shuffle=False)
    settings.drop_last = False
    settings.persistent_workers = False  # read once
    # Augmented views would show the augmentation, not the images.
    if split == 'train' and config.get('test_dataloader'):
        settings.dataset.pipeline = config.test_dataloader.dataset.pipeline
    loader: Any = Runner.build_dataloader(settings, seed=0)
    if num is None or num >= len(loader.dataset):
        return loader
    rows = np.linspace(0, len(loader.dataset) - 1, num).round().astype(int).tolist()
    settings.dataset.indices = rows
    return Runner.build_dataloader(settings, seed=0)


@torch.no_grad()
def _forward(model: Any, batch: dict):
    data = model.data_preprocessor(batch, training=False)
    if isinstance(data['inputs'], list):
        data['inputs'] = data['inputs'][0]
    features = model.backbone(data['inputs'])
    return pool(features).float(), data['data_samples']


def _label(sample, config: Config) -> int:
    if 'gt_label' not in sample or sample.gt_label.numel() != 1:
        raise ConfigError(
            'samples without exactly one class cannot be mapped', where=config.filename
        )
    return int(sample.gt_label)
