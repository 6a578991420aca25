"""``in_channels='auto'``: bands from the preprocessor, channels from the part before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from rsmm.errors import ConfigError
from rsmm.registry import MODELS
from rsmm.sensors import resolve_bands

AUTO = 'auto'
#: Names under which parts of models ask for their bands or channels.
NAMES = ('in_channels', 'in_chans')
_PROBE = 64  # pixels; a multiple of every encoder's stride


def fill_channels(model: Mapping, where: Any = None) -> dict:
    """Replace ``'auto'`` in the config of a model.

    In the backbone it is the number of bands that the preprocessor names, twice that for
    ``fusion='early'``. In neck and head it is what the part before puts out: one number, or a list
    for a backbone with several outputs. Decoders of dense models ask for themselves.

    Args:
        model: Config with ``data_preprocessor``, ``backbone`` and, perhaps, ``neck``, ``head``; an
            ensemble's ``members`` share its preprocessor.
        where: Config file to name in errors.

    Returns:
        A copy without ``'auto'`` in these parts.

    Raises:
        ConfigError: The preprocessor does not say how many bands there are.
    """
    model = dict(model)
    bands = _bands(model.get('data_preprocessor'))
    return _filled(model, bands, where)


def _filled(model: dict, bands: int | None, where: Any) -> dict:
    if 'members' in model:
        model['members'] = [_filled(dict(member), bands, where) for member in model['members']]
    if isinstance(model.get('module'), Mapping):  # of a test-time augmentation
        inner = dict(model['module'])
        own = _bands(inner.get('data_preprocessor'))
        model['module'] = _filled(inner, bands if own is None else own, where)
    backbone = model.get('backbone')
    if not isinstance(backbone, Mapping):
        return model
    if _asks(backbone):
        if bands is None:
            raise ConfigError(
                "in_channels='auto' of the backbone, but the data_preprocessor names no bands",
                where=where,
                fix='Set data_preprocessor.bands, or state in_channels',
            )
        stacked = 2 if model.get('fusion') == 'early' else 1
        model['backbone'] = _with(backbone, bands * stacked)
    features = None
    for part, follower in (('neck', model.get('neck')), ('head', model.get('head'))):
        if not isinstance(follower, Mapping):
            continue
        if _asks(follower):
            features = features or _outputs(model)
            channels = [_channels(feature) for feature in features]
            model[part] = _with(follower, channels[0] if len(channels) == 1 else channels)
    return model


def _bands(preprocessor: Mapping | nn.Module | None) -> int | None:
    """Number of bands that a preprocessor, or its config, stands for."""
    if isinstance(preprocessor, nn.Module):
        return getattr(preprocessor, 'num_bands', None)
    settings = preprocessor or {}
    if settings.get('bands') is not None:
        return len(resolve_bands(settings['bands']))
    mean = settings.get('mean')
    return len(mean) if isinstance(mean, Sequence) else None


def _asks(part: Mapping) -> bool:
    return any(part.get(name) == AUTO for name in NAMES)


def _with(part: Mapping, channels: int | list[int]) -> dict:
    return {
        key: channels if key in NAMES and value == AUTO else value for key, value in part.items()
    }


def _outputs(model: Mapping) -> list[Tensor]:
    """What backbone and neck, as far as their channels are known, put out for one small image."""
    parts = [build_probe(model['backbone'])]
    neck = model.get('neck')
    if isinstance(neck, Mapping) and not _asks(neck):
        parts.append(build_probe(neck))
    with torch.no_grad():
        features = torch.zeros(1, first_channels(parts[0]) or 3, _PROBE, _PROBE)
        for part in parts:
            features = part(features)
    return [features] if isinstance(features, Tensor) else list(features)


def build_probe(part: Mapping) -> nn.Module:
    """Build a part to be asked for its channels, touching neither weights nor random numbers."""
    settings = {key: value for key, value in part.items() if key != 'init_cfg'}
    with torch.random.fork_rng(devices=()):
        probe = MODELS.build(settings)
    probe.eval()  # those of mmpretrain return nothing here
    return probe


def _channels(feature: Tensor) -> int:
    """Channels of a map (N, C, H, W), of tokens (N, L, C) or a vector (N, C)."""
    return feature.shape[1 if feature.ndim == 4 else -1]


def feature_channels(backbone: Mapping) -> tuple[int, ...]:
    """Ask a backbone, ``in_channels`` stated, for the channels of its features."""
    return tuple(_channels(feature) for feature in _outputs({'backbone': backbone}))


def first_channels(module: nn.Module) -> int | None:
    """Channels that the first convolution of a module takes, None without one."""
    for part in module.modules():
        if isinstance(part, nn.Conv2d):
            return part.in_channels
    return None


def check_bands(model: Any, where: Any = None) -> None:
    """Refuse a model whose encoder takes other bands than its preprocessor brings.

    Raises:
        ConfigError: Names both numbers and the config.
    """
    bands = getattr(getattr(model, 'data_preprocessor', None), 'num_bands', None)
    # Encoders of band groups are smaller than what comes in; they check their groups themselves.
    if bands is None or hasattr(model, 'grouper') or not hasattr(model, 'backbone'):
        return
    expected = bands * (2 if getattr(model, 'fusion', None) == 'early' else 1)
    found = first_channels(model.backbone)
    if found is not None and found != expected:
        raise ConfigError(
            f'the backbone takes {found} bands, the data_preprocessor brings {expected}',
            where=where,
            fix="Set in_channels='auto' in the backbone, or make the two agree",
        )
