"""Figures of contrastive runs from a config or a checkpoint."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from mmengine.registry import init_default_scope
from torch import Tensor

from rsmm.apis.config import load_config
from rsmm.engine.checkpoint import load_checkpoint_file
from rsmm.errors import CheckpointError, ConfigError
from rsmm.registry import DATASETS, MODELS
from rsmm.sensors import RGB, band_indices
from rsmm.visualization.browse import bands_of, draw_samples, views_of


def draw_groups(config: str | Path, out: str | Path) -> None:
    """Draw the band groups of the first training sample of a SACo config."""
    from rsmm.models.selfsup.saco import BandGrouper
    from rsmm.visualization.contrastive import plot_groups

    cfg = load_config(config)
    init_default_scope('rsmm')
    model = cfg.model
    if 'groups' not in model:
        raise ConfigError('the model has no band groups', where=config, fix='Use a SACo config')
    sample = draw_samples(DATASETS.build(cfg.train_dataloader.dataset), 1)[0]
    image = views_of(sample)[0].float() / 255
    plot_groups(image, BandGrouper(model.bands, model.groups, model.texture), out)


def draw_ratios(checkpoint: str | Path, out: str | Path) -> None:
    """Draw the change ratios that a CACo checkpoint carries."""
    from rsmm.visualization.contrastive import plot_ratios

    state = load_checkpoint_file(checkpoint).get('state_dict', {})
    if 'change_flags.ratio' not in state:
        raise CheckpointError('holds no change ratios', where=checkpoint, fix='Use a CACo run')
    seen = state['change_flags.seen']
    plot_ratios(state['change_flags.ratio'][seen].numpy().astype(np.float64), out)


def draw_neighbours(config: str | Path, checkpoint: str | Path, out: str | Path) -> None:
    """Draw nearest neighbours among 200 training images, with random and with trained weights."""
    from rsmm.visualization.contrastive import plot_neighbours

    cfg = load_config(config)
    init_default_scope('rsmm')
    samples = draw_samples(DATASETS.build(cfg.train_dataloader.dataset), 200)
    images = [views_of(sample)[0] for sample in samples]
    torch.manual_seed(0)
    model = MODELS.build(cfg.model)
    model.init_weights()
    features = {'random': _features(model, images)}
    state = load_checkpoint_file(checkpoint)['state_dict']
    backbone = {
        key.removeprefix('backbone.'): value
        for key, value in state.items()
        if key.startswith('backbone.')
    }
    model.backbone.load_state_dict(backbone)
    features['pretrained'] = _features(model, images)
    colours = band_indices(bands_of(samples[0], {}), RGB)
    shown = [image[colours] for image in images]
    plot_neighbours(shown, features, out)


@torch.no_grad()
def _features(model, images: list[Tensor]) -> Tensor:
    from rsmm.models.selfsup.projectors import pool

    model.eval()
    parts = []
    for start in range(0, len(images), 50):
        data = model.data_preprocessor({'inputs': images[start : start + 50]}, False)
        parts.append(pool(model.extract_feat(data['inputs'])))
    return torch.cat(parts)


#: Per figure: what draws it and what it is drawn from.
FIGURES = {
    'groups': (draw_groups, ('config',)),
    'ratios': (draw_ratios, ('checkpoint',)),
    'neighbours': (draw_neighbours, ('config', 'checkpoint')),
}
