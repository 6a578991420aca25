"""ConvNeXt, Swin and EfficientNet-Lite as others name their layers, renamed for mmpretrain.

Each function takes the tensors of a file, its prefix removed, and returns ``(state, names,
backbone)``: the tensors under their old names with the values that the backbone wants, the new name
of each old one, and the config of the backbone. None means that the file has another architecture.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from torch import Tensor

Layout = tuple[dict[str, Tensor], dict[str, str], dict]

_CONVNEXT = (  # of timm, of its authors, of torchvision
    (r'^stem\.', 'downsample_layers.0.'),
    (r'^stages\.(\d)\.downsample\.', r'downsample_layers.\1.'),
    (r'^stages\.(\d)\.blocks\.', r'stages.\1.'),
    (r'\.(conv_dw|dwconv)\.', '.depthwise_conv.'),
    (r'\.(mlp\.fc|pwconv)([12])\.', r'.pointwise_conv\2.'),
    (r'^(head\.norm|norm|classifier\.0)\.', 'norm3.'),
    (r'\.block\.0\.', '.depthwise_conv.'),
    (r'\.block\.2\.', '.norm.'),
    (r'\.block\.3\.', '.pointwise_conv1.'),
    (r'\.block\.5\.', '.pointwise_conv2.'),
    (r'\.layer_scale$', '.gamma'),
)
_SWIN = (  # of its authors and timm, of torchvision
    (r'^patch_embed\.proj\.', 'patch_embed.projection.'),
    (r'^features\.0\.0\.', 'patch_embed.projection.'),
    (r'^features\.0\.2\.', 'patch_embed.norm.'),
    (r'^layers\.(\d)\.blocks\.', r'stages.\1.blocks.'),
    (r'^layers\.(\d)\.downsample\.', r'stages.\1.downsample.'),
    (r'\.attn\.', '.attn.w_msa.'),
    (r'\.mlp\.(fc1|0)\.', '.ffn.layers.0.0.'),
    (r'\.mlp\.(fc2|3)\.', '.ffn.layers.1.'),
    (r'^norm\.', 'norm3.'),
)
_LITE_PARTS = {  # of EfficientNet-PyTorch; a block without expansion lacks the first two
    '_expand_conv': 'conv_pw',
    '_bn0': 'bn1',
    '_depthwise_conv': 'conv_dw',
    '_bn1': 'bn2',
    '_project_conv': 'conv_pwl',
    '_bn2': 'bn3',
}
_LITE_FIRST = {
    '_depthwise_conv': 'conv_dw',
    '_bn1': 'bn1',
    '_project_conv': 'conv_pw',
    '_bn2': 'bn2',
}
_LITE_ENDS = {'_conv_stem': 'conv_stem', '_bn0': 'bn1', '_conv_head': 'conv_head', '_bn1': 'bn2'}
_LITE_STAGES = (1, 2, 2, 3, 3, 4, 1)


def _renamed(name: str, rules: tuple[tuple[str, str], ...]) -> str:
    for pattern, replacement in rules:
        name = re.sub(pattern, replacement, name)
    return name


def _numbered(name: str) -> str:
    """Tell torchvision's ``features.1, 3, 5, 7`` (stages) from ``2, 4, 6`` (what lies between)."""
    match = re.match(r'features\.(\d)\.', name)
    if match is None or match[1] == '0':
        return name
    number = int(match[1])
    kind = f'stages.{number // 2}.' if number % 2 else f'between.{number // 2}.'
    return kind + name[match.end() :]


def _counts(names: Mapping[str, str], pattern: str) -> list[int]:
    found = {match.groups() for name in names if (match := re.match(pattern, name))}
    stages = sorted({int(stage) for stage, _ in found})
    return [sum(int(stage) == number for stage, _ in found) for number in stages]


def convnext(state: Mapping[str, Tensor]) -> Layout | None:
    """ConvNeXt of timm, of its authors or of torchvision, as ``mmpretrain.ConvNeXt``."""
    if not any(re.search(r'\.(conv_dw|dwconv|block\.0)\.weight$', key) for key in state):
        return None
    names = {}
    for old in state:
        name = _numbered(re.sub(r'^features\.0\.', 'downsample_layers.0.', old))
        name = re.sub(r'^between\.(\d)\.', r'downsample_layers.\1.', name)
        names[_renamed(name, _CONVNEXT)] = old
    if 'downsample_layers.0.0.weight' not in names or 'stages.0.0.gamma' not in names:
        return None
    fixed = dict(state)
    for new, old in names.items():
        if new.endswith('.gamma') or '.pointwise_conv' in new:
            fixed[old] = _squeezed(state[old])
    stem = state[names['downsample_layers.0.0.weight']]
    depths = _counts(names, r'stages\.(\d)\.(\d+)\.')
    widths = [state[names[f'stages.{number}.0.gamma']].shape[0] for number in range(len(depths))]
    backbone = {
        'type': 'mmpretrain.ConvNeXt',
        'arch': {'depths': depths, 'channels': widths},
        'in_channels': stem.shape[1],
        'stem_patch_size': stem.shape[-1],
        'gap_before_final_norm': True,
    }
    return fixed, names, backbone


def _squeezed(value: Tensor) -> Tensor:
    """Drop the trailing axes of one element: a 1 x 1 convolution is a matrix."""
    while value.ndim > 1 and value.shape[-1] == 1:
        value = value[..., 0]
    return value


def swin(state: Mapping[str, Tensor]) -> Layout | None:
    """Swin Transformer of its authors, timm or torchvision, as ``mmpretrain.SwinTransformer``."""
    if not any(key.endswith('.relative_position_bias_table') for key in state):
        return None
    names = {}
    merging_first = 'layers.0.downsample.norm.weight' not in state  # so timm does since 0.9
    for old in state:
        if old.endswith(('relative_position_index', 'attn_mask')):
            continue  # made anew from the window
        name = _numbered(old)
        name = re.sub(r'^stages\.(\d)\.(\d)', r'stages.\1.blocks.\2', name)
        name = re.sub(r'^between\.(\d)\.', lambda m: f'stages.{int(m[1]) - 1}.downsample.', name)
        if merging_first:
            name = re.sub(
                r'^layers\.(\d)\.downsample\.',
                lambda m: f'layers.{int(m[1]) - 1}.downsample.',
                name,
            )
        names[_renamed(name, _SWIN)] = old
    if 'patch_embed.projection.weight' not in names:
        return None
    fixed = dict(state)
    for new, old in names.items():
        if re.search(r'\.downsample\.(norm|reduction)\.', new):
            fixed[old] = _unfolded(state[old])
    return fixed, names, _swin_config(state, names)


def _unfolded(value: Tensor) -> Tensor:
    """Reorder the input channels of a patch merging.

    The published networks put the four pixels of a patch after one another, columns first;
    ``nn.Unfold``, which mmpretrain uses, keeps the pixels of a channel together, rows first.
    """
    rest, width = value.shape[:-1], value.shape[-1]
    pixels = value.reshape(*rest, 4, width // 4)[..., [0, 2, 1, 3], :]
    return pixels.transpose(-1, -2).reshape(*rest, width)


def _swin_config(state: Mapping[str, Tensor], names: Mapping[str, str]) -> dict:
    stem = state[names['patch_embed.projection.weight']]
    depths = _counts(names, r'stages\.(\d)\.blocks\.(\d+)\.')
    tables = [
        state[names[f'stages.{number}.blocks.0.attn.w_msa.relative_position_bias_table']]
        for number in range(len(depths))
    ]
    arch = {
        'embed_dims': stem.shape[0],
        'depths': depths,
        'num_heads': [table.shape[1] for table in tables],
    }
    return {
        'type': 'mmpretrain.SwinTransformer',
        'arch': arch,
        'in_channels': stem.shape[1],
        'patch_size': stem.shape[-1],
        'window_size': (round(tables[0].shape[0] ** 0.5) + 1) // 2,
    }


def efficientnet_lite0(state: Mapping[str, Tensor]) -> Layout | None:
    """EfficientNet-Lite0 of EfficientNet-PyTorch or timm, as timm's network of that name."""
    if 'conv_stem.weight' in state and 'blocks.6.0.conv_dw.weight' in state:
        kept = [key for key in state if not key.startswith('classifier.')]
        names = {f'timm_model.{key}': key for key in kept}
        return dict(state), names, _lite0(state['conv_stem.weight'])
    if '_conv_stem.weight' not in state or '_blocks.15._depthwise_conv.weight' not in state:
        return None
    places = [(stage, block) for stage, n in enumerate(_LITE_STAGES) for block in range(n)]
    names = {}
    for old in state:
        first, _, rest = old.partition('.')
        if first == '_blocks':
            number, part, leaf = rest.split('.')
            parts = _LITE_PARTS if number != '0' else _LITE_FIRST
            stage, block = places[int(number)]
            names[f'timm_model.blocks.{stage}.{block}.{parts[part]}.{leaf}'] = old
        elif first in _LITE_ENDS:
            names[f'timm_model.{_LITE_ENDS[first]}.{rest}'] = old
    return dict(state), names, _lite0(state['_conv_stem.weight'])


def _lite0(stem: Tensor) -> dict:
    return {
        'type': 'mmpretrain.TIMMBackbone',
        'model_name': 'tf_efficientnet_lite0',
        'in_channels': stem.shape[1],
    }


LAYOUTS: tuple[Callable[[Mapping[str, Tensor]], Layout | None], ...] = (
    convnext,
    swin,
    efficientnet_lite0,
)
