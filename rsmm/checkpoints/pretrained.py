"""Initialising a module from a checkpoint, other band counts included."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Mapping, Sequence

import torch
from mmengine.logging import print_log
from mmengine.model.weight_init import update_init_info
from torch import nn

from rsmm.checkpoints.files import load_checkpoint_file
from rsmm.checkpoints.weights import load_weights, select_keys, state_dict_of
from rsmm.errors import CheckpointError, ConfigError
from rsmm.registry import WEIGHT_INITIALIZERS
from rsmm.sensors import RGB, canonical_band

FIRST_CONV = ('error', 'repeat', 'by_name')


@WEIGHT_INITIALIZERS.register_module()
class Pretrained:
    """``init_cfg=dict(type='Pretrained', checkpoint=...)``, safe and exact.

    Every weight of the module must be in the file; loading part of it, or nothing, is an error.

    Args:
        checkpoint: File or address, or ``torchvision://resnet18`` and the like.
        prefix: Use only the keys that begin so, without it (``'backbone.'``).
        map_location: As in :func:`torch.load`.
        first_conv: What to do when the file's first convolution takes another number of bands, see
            :func:`adapt_first_conv`.
        bands: Bands of the module, in order; for ``first_conv='by_name'``.
        source_bands: Bands of the checkpoint, in order.
        unused: Regular expressions of keys that the module has no place for, e.g. those of the last
            layers of a classifier whose features are wanted.
    """

    def __init__(
        self,
        checkpoint: str,
        prefix: str | None = None,
        map_location: str = 'cpu',
        first_conv: str = 'error',
        bands: Sequence[str] | None = None,
        source_bands: Sequence[str] = RGB,
        unused: Sequence[str] = (),
    ) -> None:
        self.unused = tuple(unused)
        self.checkpoint = checkpoint
        self.prefix = prefix
        self.map_location = map_location
        self.first_conv = first_conv
        self.bands = bands
        self.source_bands = source_bands

    def __call__(self, module: nn.Module) -> None:
        """Fill ``module``."""
        state = state_dict_of(self._read(), self.checkpoint)
        state = select_keys(state, self.prefix, where=self.checkpoint)
        for pattern in self.unused:
            state = OrderedDict((k, v) for k, v in state.items() if not re.search(pattern, k))
        state = adapt_first_conv(
            state, module, self.first_conv, self.bands, self.source_bands, where=self.checkpoint
        )
        report = load_weights(module, state, strict='model', where=self.checkpoint)
        print_log(f'{self.checkpoint}: {report.summary()}', logger='current')
        if hasattr(module, '_params_init_info'):
            update_init_info(module, f'loaded from {self.checkpoint}')

    def _read(self) -> dict:
        if '://' not in self.checkpoint:
            return load_checkpoint_file(self.checkpoint, self.map_location)
        from mmengine.runner.checkpoint import CheckpointLoader

        return CheckpointLoader.load_checkpoint(self.checkpoint, self.map_location)


def adapt_first_conv(
    state: Mapping[str, torch.Tensor],
    module: nn.Module,
    how: str = 'error',
    bands: Sequence[str] | None = None,
    source_bands: Sequence[str] = RGB,
    where: str | None = None,
) -> Mapping[str, torch.Tensor]:
    """Fit the first convolution of a state dict to a module that takes other bands.

    ``'by_name'`` moves the filters of each band to the band of the same name and sets those of
    bands the checkpoint never saw to zero: at first the network gives what it would give on the
    known bands alone, and training fills in the others. ``'repeat'`` deals the filters out in turn
    and scales them to keep the size of the output. A frozen probe on repeated RGB filters is
    reported to lose about 4 points of accuracy on average and up to 21 against the RGB network
    (torchgeo-bench, pull request 85), so use it for fine-tuning only.

    Args:
        state: Weights, named as in ``module``.
        module: Network whose first ``nn.Conv2d`` reads the image.
        how: ``'error'``, ``'repeat'`` or ``'by_name'``.
        bands: Bands of the module, in order; needed for ``'by_name'``.
        source_bands: Bands of the checkpoint, in order.
        where: File to name in errors.

    Returns:
        ``state``, or a copy with the first convolution replaced, shape ``(out, len(bands), k, k)``.

    Raises:
        CheckpointError: The numbers of bands differ and ``how`` is ``'error'``, or no band is
            shared.
        ConfigError: ``how`` or a list of bands does not fit.
    """
    if how not in FIRST_CONV:
        raise ConfigError(f'{how!r} is not one of {", ".join(FIRST_CONV)}', where='first_conv')
    key = _first_conv_key(module)
    if key is None or key not in state:
        return state
    old, count = state[key], module.get_parameter(key).shape[1]
    if how != 'by_name' and old.shape[1] == count:
        return state
    if how == 'error':
        raise CheckpointError(
            f"'{key}' takes {old.shape[1]} bands in the file and {count} in the model",
            where=where,
            fix="Say what to do: first_conv='by_name' with bands=[...], or first_conv='repeat'",
        )
    new = _repeated(old, count) if how == 'repeat' else _by_name(old, count, bands, source_bands)
    adapted = OrderedDict(state)
    adapted[key] = new
    return adapted


def _first_conv_key(module: nn.Module) -> str | None:
    for name, child in module.named_modules():
        if isinstance(child, nn.Conv2d):
            return f'{name}.weight' if name else 'weight'
    return None


def _repeated(old: torch.Tensor, count: int) -> torch.Tensor:
    order = torch.arange(count) % old.shape[1]
    return old[:, order] * (old.shape[1] / count)


def _by_name(
    old: torch.Tensor, count: int, bands: Sequence[str] | None, source_bands: Sequence[str]
) -> torch.Tensor:
    source = [canonical_band(band) for band in source_bands]
    target = [canonical_band(band) for band in bands or ()]
    for name, names, expected in (('bands', target, count), ('source_bands', source, old.shape[1])):
        if len(names) != expected:
            raise ConfigError(
                f'{len(names)} names for a convolution that takes {expected} bands', where=name
            )
    shared = [band for band in target if band in source]
    if not shared:
        raise CheckpointError(
            f'knows the bands {", ".join(source)}, none of which the model takes',
            where='first_conv',
        )
    new = old.new_zeros(old.shape[0], count, *old.shape[2:])
    for band in shared:
        new[:, target.index(band)] = old[:, source.index(band)]
    return new
