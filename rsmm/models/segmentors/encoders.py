"""Encoders of dense models: built from any registry, asked for their channels, frozen."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from rsmm.registry import MODELS, SCOPE

_PROBE = 64  # pixels; a multiple of every encoder's stride


def qualified(config: dict) -> dict:
    """Name rsmm's scope, because mmseg builds backbones from its own registry."""
    name = config['type']
    plain = isinstance(name, str) and '.' not in name
    return {**config, 'type': f'{SCOPE}.{name}'} if plain else config


def feature_channels(backbone: dict, bands: int) -> tuple[int, ...]:
    """Ask a backbone for the channels of its features."""
    # Built apart, without weights, so that the probe touches no statistics of the real one.
    with torch.random.fork_rng(devices=()):
        probe = MODELS.build({**backbone, 'init_cfg': None})
    probe.eval()
    with torch.no_grad():
        features = probe(torch.zeros(1, bands, _PROBE, _PROBE))
    return tuple(feature.shape[1] for feature in features)


def pad_to_multiple(images: torch.Tensor, multiple: int) -> torch.Tensor:
    """Repeat the lower and right border until both sides are multiples."""
    height, width = images.shape[-2:]
    pad = (0, -width % multiple, 0, -height % multiple)
    return F.pad(images, pad, mode='replicate') if any(pad) else images


def freeze(module: nn.Module) -> None:
    """Stop gradients and keep batch statistics as they are."""
    module.eval()
    module.requires_grad_(False)
