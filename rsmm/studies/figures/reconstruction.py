"""Reconstruction figures of a masked autoencoder from a config and a checkpoint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from rsmm.apis.config import default_scope, load_config
from rsmm.apis.model import build_model
from rsmm.errors import ConfigError
from rsmm.models.selfsup.mae_pictures import reconstruct
from rsmm.registry import DATASETS
from rsmm.visualization.browse import bands_of, draw_samples, views_of
from rsmm.visualization.reconstruction import plot_reconstructions


def draw_reconstructions(
    config: str | Path,
    checkpoint: str | Path,
    out: str | Path,
    num: int = 6,
    show: Sequence[str] | None = None,
    seed: int = 0,
    options: Mapping[str, object] | None = None,
) -> np.ndarray:
    """Draw training images as masked, redrawn by the model, and as they are.

    Args:
        config: Config of an MAE.
        checkpoint: Its checkpoint, or ``'random'``.
        out: PNG to write.
        num: Images, spread evenly over the dataset.
        show: One or three bands to show.
        seed: Seed of crops and masks.
        options: Dotted config keys to override.

    Returns:
        Mean squared error of each image over its masked pixels ``(num,)``, in normalised units.

    Raises:
        ConfigError: The config's model is no MAE.
        CheckpointError: The checkpoint does not fit it.
    """
    cfg = load_config(config, options)
    if cfg.model.type.split('.')[-1] != 'MAE':
        raise ConfigError(
            f'its model is {cfg.model.type}', where=config, fix='Use a config of configs/mae'
        )
    torch.manual_seed(seed)
    model = build_model(cfg, checkpoint)
    with default_scope(cfg):
        data = DATASETS.build(cfg.train_dataloader.dataset)
    samples = draw_samples(data, num, seed=seed)
    images = torch.stack([views_of(sample)[0] for sample in samples])
    preprocessor: Any = model.data_preprocessor
    inputs = preprocessor({'inputs': images}, False)['inputs']
    torch.manual_seed(seed)
    result = reconstruct(model, inputs)
    stored = (result.images - preprocessor.shift) / preprocessor.factor
    redrawn = _as_dtype(stored.permute(0, 2, 3, 1).numpy(), images.numpy().dtype)
    plot_reconstructions(
        images.permute(0, 2, 3, 1).numpy(),
        redrawn,
        result.mask.numpy(),
        bands_of(samples[0], {}),
        result.error.tolist(),
        out,
        show,
    )
    return result.error.numpy()


def _as_dtype(values: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Round and cut to the range of a stored dtype."""
    if not np.issubdtype(dtype, np.integer):
        return values.astype(dtype)
    limits = np.iinfo(dtype)
    return np.clip(np.rint(values), limits.min, limits.max).astype(dtype)
