"""Proof of a conversion: the network that the file was made for computes the same features."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from rsmm.checkpoints.converters import Conversion, built
from rsmm.errors import CheckpointError, ConfigError

#: Largest difference over the largest feature that rounding explains in single precision.
_TOLERANCE = 1e-3


@dataclass(frozen=True)
class Proof:
    """What was compared.

    Attributes:
        network: The source network, empty if none could be built.
        difference: Largest difference of a feature, over the largest feature.
        reason: Why nothing was compared.
    """

    network: str = ''
    difference: float = float('nan')
    reason: str = ''

    def report(self) -> str:
        """Say it in a line of the report."""
        if not self.network:
            return f'proof       none: {self.reason}'
        return (
            f'proof       features of {self.network} on a random image, '
            f'apart by {self.difference:.1e} of the largest'
        )


def prove(conversion: Conversion, state: Mapping[str, Tensor], network: str | None = None) -> Proof:
    """Compare a converted backbone with the network that its file was made for.

    Args:
        conversion: The result of :func:`rsmm.checkpoints.converters.convert`.
        state: The tensors of the file.
        network: Name of a model of timm; without it the plain network of the layout is taken, which
            cannot tell variants apart that have the same weights (number of heads, blurred pooling,
            activations).

    Raises:
        CheckpointError: The features differ.
        ConfigError: timm has no such model.
    """
    bare = {k.removeprefix(conversion.prefix): v for k, v in state.items()
            if k.startswith(conversion.prefix)}  # fmt: skip
    try:
        name, source = _source(conversion, bare, network)
    except _Unknown as error:
        return Proof(reason=str(error))
    own = built(conversion.backbone)
    own.load_state_dict(conversion.state_dict)
    own.eval()  # mmpretrain's returns nothing
    size = conversion.backbone.get('img_size', 64)
    channels = conversion.backbone.get('in_channels', 3)
    generator = torch.Generator().manual_seed(0)
    image = torch.randn(1, channels, size, size, generator=generator)
    with torch.no_grad():
        ours, theirs = _last(own(image)), source(image)
    if ours.shape != theirs.shape:
        difference = float('inf')
    else:
        difference = float((ours - theirs).abs().max() / theirs.abs().max().clamp(min=1e-12))
    if not difference < _TOLERANCE:
        raise CheckpointError(
            f'the converted backbone computes other features than {name} '
            f'(apart by {difference:.1e} of the largest)',
            fix='The file is of a variant; name the network it was made for (--network) or the '
            'number of heads (--num-heads)',
        )
    return Proof(name, difference)


class _Unknown(Exception):
    """There is no network to compare with."""


def _source(conversion: Conversion, bare: Mapping[str, Tensor], network: str | None):
    """Name and features, as a function of images, of the source network."""
    kind = conversion.backbone['type'].rpartition('.')[2]
    if network is not None:
        return network, _timm(network, conversion, bare, kind)
    if kind == 'ResNet':
        return _resnet(conversion)
    if kind == 'VisionTransformer':
        return _vit(conversion, bare)
    raise _Unknown(f'name the network that the file of a {kind} was made for (--network)')


def _resnet(conversion: Conversion):
    import torchvision

    name = f'resnet{conversion.backbone["depth"]}'
    net = getattr(torchvision.models, name)(weights=None)
    channels = conversion.backbone['in_channels']
    net.conv1 = nn.Conv2d(channels, net.conv1.out_channels, 7, 2, 3, bias=False)
    net.load_state_dict(conversion.state_dict, strict=False)
    features = nn.Sequential(*list(net.children())[:-2]).eval()
    return f"torchvision's {name}", features


def _vit(conversion: Conversion, bare: Mapping[str, Tensor]):
    try:
        from timm.models.vision_transformer import VisionTransformer
    except ImportError as error:
        raise _Unknown('timm is not installed') from error
    arch, settings = conversion.backbone['arch'], conversion.backbone
    net = VisionTransformer(
        img_size=settings['img_size'],
        patch_size=settings['patch_size'],
        in_chans=settings['in_channels'],
        embed_dim=arch['embed_dims'],
        depth=arch['num_layers'],
        num_heads=arch['num_heads'],
        mlp_ratio=arch['feedforward_channels'] / arch['embed_dims'],
        num_classes=0,
    )
    net.load_state_dict({k: v for k, v in bare.items() if k in net.state_dict()})
    net.eval()
    return "timm's VisionTransformer", lambda image: net.forward_features(image)[:, 0]


def _timm(name: str, conversion: Conversion, bare: Mapping[str, Tensor], kind: str):
    try:
        import timm
    except ImportError as error:
        raise _Unknown('timm is not installed') from error
    if not timm.is_model(name):
        raise ConfigError(f"timm has no model '{name}'", where='--network')
    options = {'in_chans': conversion.backbone.get('in_channels', 3), 'num_classes': 0}
    if 'img_size' in conversion.backbone:
        options['img_size'] = conversion.backbone['img_size']
    net: Any = timm.create_model(name, **options).eval()
    wanted = net.state_dict()
    given = {key: value for key, value in bare.items() if key in wanted}
    lacking = sorted(set(wanted) - set(given))
    if lacking or any(given[key].shape != wanted[key].shape for key in given):
        raise CheckpointError(
            f'the file holds no {name} of timm: {", ".join(lacking[:4]) or "sizes differ"}',
            fix='Name the network that it was made for',
        )
    net.load_state_dict(given)
    network: Any = net

    def features(image: Tensor) -> Tensor:
        found = network.forward_features(image)
        if kind == 'VisionTransformer':
            return found[:, 0]
        if kind == 'ConvNeXt':  # mmpretrain's averages before its last norm
            return network.forward_head(found, pre_logits=True)
        return found.movedim(-1, 1) if kind == 'SwinTransformer' else found

    return features


def _last(features) -> Tensor:
    return features[-1] if isinstance(features, list | tuple) else features
