"""Figures of contrastive runs from a config or a checkpoint."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from mmengine.config import Config
from torch import Tensor

from rsmm.apis.config import default_scope, load_config
from rsmm.apis.model import RANDOM, build_model
from rsmm.checkpoints.files import load_checkpoint_file
from rsmm.errors import CheckpointError, ConfigError
from rsmm.registry import DATASETS
from rsmm.sensors import RGB, band_indices
from rsmm.visualization.browse import bands_of, draw_samples, views_of


def draw_views(
    config: str | Path, out: str | Path, options: Mapping[str, object] | None = None
) -> None:
    """Draw the views of four training samples as the model sees them, one column per view."""
    from rsmm.datasets.date_rules import date_rule
    from rsmm.visualization.contrastive import plot_views

    cfg = load_config(config, options)
    mode = cfg.train_dataloader.dataset.get('mode')
    if mode is None:
        raise ConfigError('compares no dated scenes', where=config)
    views = date_rule(mode, str(config)).views
    samples = draw_samples(_training_data(cfg), 4)
    colours = band_indices(bands_of(samples[0], {}), RGB)
    rows = [[view[colours] for view in views_of(sample)] for sample in samples]
    # What the keys of SeCo's family stand for is in the order of the sub-spaces.
    names = [
        f'{"query" if i == 0 else f"key {i - 1}"}: date {date}, {recipe.replace("_", " + ")}'
        for i, (date, recipe) in enumerate(views)
    ]
    plot_views(rows, names, out)


def draw_groups(
    config: str | Path, out: str | Path, options: Mapping[str, object] | None = None
) -> None:
    """Draw the band groups of the first training sample of a SACo config."""
    from rsmm.models.selfsup.saco import BandGrouper
    from rsmm.visualization.contrastive import plot_groups

    cfg = load_config(config, options)
    model = cfg.model
    if 'groups' not in model:
        raise ConfigError('the model has no band groups', where=config, fix='Use a SACo config')
    sample = draw_samples(_training_data(cfg), 1)[0]
    image = views_of(sample)[0].float() / 255
    plot_groups(image, BandGrouper(model.bands, model.groups, model.texture), out)


def draw_ratios(checkpoint: str | Path, out: str | Path, truth: str | Path | None = None) -> None:
    """Draw the change ratios that a CACo checkpoint carries.

    Args:
        checkpoint: Of a CACo run.
        out: PNG to write.
        truth: ``truth.csv`` of a toy archive whose places were all trained on: tells changed from
            unchanged places.
    """
    from rsmm.visualization.contrastive import plot_ratios

    state = load_checkpoint_file(checkpoint).get('state_dict', {})
    if 'change_flags.ratio' not in state:
        raise CheckpointError('holds no change ratios', where=checkpoint, fix='Use a CACo run')
    seen = state['change_flags.seen']
    changed = None
    if truth is not None:
        with open(truth, newline='', encoding='utf-8') as file:
            shares = [float(row['built_up_share']) for row in csv.DictReader(file)]
        changed = np.repeat(np.array(shares) > 0, 2)
        if len(changed) != len(seen):
            raise ConfigError(f'{len(shares)} places, the run had {len(seen) // 2}', where=truth)
        changed = changed[seen.numpy()]
    ratios = state['change_flags.ratio'][seen].numpy().astype(np.float64)
    plot_ratios(ratios, out, changed)


def draw_neighbours(
    config: str | Path,
    checkpoint: str | Path,
    out: str | Path,
    options: Mapping[str, object] | None = None,
) -> None:
    """Draw nearest neighbours among 200 training images, with random and with trained weights.

    Images of single dates are taken as they are, without the augmentation of their views; of dated
    scenes the query, which is cropped only.
    """
    from rsmm.visualization.contrastive import plot_neighbours

    cfg = load_config(config, options)
    data = cfg.train_dataloader.dataset
    data.pipeline = [step for step in data.pipeline if step.type != 'MultiView']
    samples = draw_samples(_training_data(cfg), 200)
    images = [views_of(sample)[0] for sample in samples]
    torch.manual_seed(0)
    models = {
        'random': build_model(cfg, RANDOM),
        'pretrained': build_model(cfg, checkpoint, part='backbone'),
    }
    features = {name: _features(model, images) for name, model in models.items()}
    colours = band_indices(bands_of(samples[0], {}), RGB)
    shown = [image[colours] for image in images]
    # Datasets are sorted by class: queries from all over.
    plot_neighbours(
        shown, features, out, queries=range(len(shown) // 8, len(shown), len(shown) // 4)
    )


def _training_data(cfg: Config):
    with default_scope(cfg):
        return DATASETS.build(cfg.train_dataloader.dataset)


@torch.no_grad()
def _features(model, images: list[Tensor]) -> Tensor:
    from rsmm.models.layers.pooling import pool

    parts = []
    for start in range(0, len(images), 50):
        data = model.data_preprocessor({'inputs': images[start : start + 50]}, False)
        parts.append(pool(model.extract_feat(data['inputs'])))
    return torch.cat(parts)
