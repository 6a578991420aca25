"""Backbones from other projects' checkpoints, as backbones of mmpretrain.

Sources: torchvision and timm models (ResNet, ViT, ConvNeXt, Swin, EfficientNet-Lite0),
SeCo (Lightning ``.ckpt``), CACo (``.ckpt`` and ``.pth``) and
SACo (training files and releases). The last three number the layers of a torchvision ResNet:
``Sequential(conv1, bn1, relu, maxpool, layer1, ..., layer4, avgpool)``.
"""

from __future__ import annotations

import pickle
import re
from collections import Counter, OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path

import torch

from rsmm.checkpoints.files import load_checkpoint_file
from rsmm.checkpoints.layouts import LAYOUTS
from rsmm.checkpoints.safe_pickle import foreign_names
from rsmm.checkpoints.torch_archive import load_with_stubs
from rsmm.checkpoints.weights import RESNET_DEPTHS, state_dict_of
from rsmm.errors import CheckpointError, ConfigError, did_you_mean
from rsmm.registry import MODELS
from rsmm.utils import sha256_file
from rsmm.version import __version__

#: Position in ``Sequential(children)`` to name; ReLU, pooling and flatten hold no weights.
_NUMBERED = {'0': 'conv1', '1': 'bn1', '4': 'layer1', '5': 'layer2', '6': 'layer3', '7': 'layer4'}
_HEADS = (
    'fc.',
    'head.',
    'fc_norm.',
    'classifier.',
    'pre_logits.',
    'projection_head.',
    'prototypes.',
)
#: Heads of the ViTs of timm by width; 1536 stands for two (24 in DINOv2's giant, 16 elsewhere).
VIT_HEADS = {
    192: 3, 256: 4, 320: 5, 384: 6, 512: 8, 640: 10, 768: 12, 832: 13, 896: 14,
    1024: 16, 1152: 16, 1280: 16, 1408: 16, 1664: 16,
}  # fmt: skip
_TIMM_VIT = (
    (r'^patch_embed\.proj\.', 'patch_embed.projection.'),
    (r'^blocks\.(\d+)\.norm([12])\.', r'layers.\1.ln\2.'),
    (r'^blocks\.(\d+)\.attn\.', r'layers.\1.attn.'),
    (r'^blocks\.(\d+)\.mlp\.fc1\.', r'layers.\1.ffn.layers.0.0.'),
    (r'^blocks\.(\d+)\.mlp\.fc2\.', r'layers.\1.ffn.layers.1.'),
    (r'^norm\.', 'ln1.'),
)


@dataclass
class Conversion:
    """A converted backbone and how it came about.

    Attributes:
        state_dict: Weights under the names of the mmpretrain backbone.
        backbone: Config that builds that backbone.
        source: Kind of file it was taken from.
        prefix: Prefix under which the backbone's weights were found.
        matched: New key to old key.
        missing: Keys of the backbone that the file lacks.
        unexpected: Keys under the prefix that no weight of the backbone corresponds to.
        dropped: Number of keys outside the backbone, by their first name.
        companions: What ``SeCo``, ``CACo`` and ``SACo`` have besides the query backbone, under
            their names: projectors, key encoder, queue.
    """

    state_dict: OrderedDict[str, torch.Tensor]
    backbone: dict
    source: str
    prefix: str
    matched: dict[str, str] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    dropped: dict[str, int] = field(default_factory=dict)
    companions: dict[str, torch.Tensor] = field(default_factory=dict)

    def report(self) -> str:
        """Describe the conversion in a few lines."""
        settings = ', '.join(f'{key}={value!r}' for key, value in self.backbone.items())
        lines = [
            f'source      {self.source}, weights under {self.prefix or "(no prefix)"}',
            f'backbone    {settings}',
            f'matched     {len(self.matched)}',
            f'missing     {len(self.missing)} {" ".join(self.missing[:8])}',
            f'unexpected  {len(self.unexpected)} {" ".join(self.unexpected[:8])}',
        ]
        lines += [f'dropped     {count} of {part}' for part, count in self.dropped.items()]
        return '\n'.join(line.rstrip() for line in lines)


#: Source to the prefixes its backbone may stand under, tried in turn.
PREFIXES: dict[str, tuple[str, ...]] = {
    'torchvision': ('', 'module.', 'backbone.'),
    'timm': ('', 'module.', 'model.'),
    'seco': ('encoder_q.', 'encoder.', ''),
    'caco': ('encoder_q.', 'encoder.', ''),
    'saco': ('resnet.model.model.', 'model.model.', 'encoder.', ''),
}


def convert(
    checkpoint: Mapping,
    source: str = 'auto',
    where: str | PathLike | None = None,
    num_heads: int | None = None,
) -> Conversion:
    """Convert a checkpoint's backbone.

    Args:
        checkpoint: What the file holds, see :func:`read_foreign_checkpoint`.
        source: One of ``torchvision``, ``timm``, ``seco``, ``caco``, ``saco``, or ``auto``.
        where: File to name in errors.
        num_heads: Attention heads of a ViT, which no file states; by default those that timm's
            ViTs of this width have.

    Returns:
        The conversion; its ``missing`` and ``unexpected`` are empty.

    Raises:
        CheckpointError: No backbone is found, or one with missing or unexpected weights.
        ConfigError: ``source`` is unknown.
    """
    state = tensors_of(checkpoint, where)
    if source == 'auto':
        source = recognise(state)
    if source not in PREFIXES:
        raise ConfigError(
            f"'{source}' is not one of auto, {', '.join(PREFIXES)}."
            f'{did_you_mean(source, PREFIXES)}',
            where='source',
        )
    result = _convert_layout(state, source) if source in ('torchvision', 'timm') else None
    if result is None and any('.attns.' in key for key in state):
        raise CheckpointError(
            'its blocks hold several attentions side by side (18x2), which mmpretrain has not',
            where=where,
            fix='Use it as it is: dict(type="mmpretrain.TIMMBackbone", model_name=..., '
            'checkpoint_path=FILE)',
        )
    if result is not None:
        pass
    elif source in ('torchvision', 'timm') and any('.attn.qkv.weight' in key for key in state):
        result = _convert_vit(state, source, where, num_heads)
    else:
        result = _convert_resnet(state, source, where)
    if result.missing or result.unexpected:
        raise CheckpointError(f'cannot be converted completely:\n{result.report()}\n', where=where)
    return result


def recognise(state: Mapping[str, torch.Tensor]) -> str:
    """Guess the source of a state dict from its keys."""
    keys = set(state)
    if any(key.startswith('encoder_q.') for key in keys):
        return 'seco'  # CACo shares the layout
    if any(key.startswith(('model.model.', 'resnet.model.model.', 'encoder.')) for key in keys):
        return 'saco'
    if '4.0.conv1.weight' in keys:
        return 'caco'
    return 'timm' if any(key.startswith('blocks.') for key in keys) else 'torchvision'


def read_foreign_checkpoint(path: str | PathLike) -> dict:
    """Read another project's checkpoint, keeping tensors only.

    Training files of SeCo and CACo pickle data modules and callbacks; nothing of that is imported
    or run, see :func:`rsmm.checkpoints.torch_archive.load_with_stubs`.

    Raises:
        CheckpointError: The file is absent or damaged.
    """
    try:
        return load_checkpoint_file(path)
    except CheckpointError:
        if not Path(path).is_file() or not foreign_names(path):
            raise
    try:
        return load_with_stubs(path)
    except pickle.UnpicklingError as error:
        raise CheckpointError(
            f'cannot be read as weights: {error}',
            where=path,
            fix='Ask for a file of plain weights',
        ) from error


def tensors_of(checkpoint: Mapping, where: str | PathLike | None = None) -> dict[str, torch.Tensor]:
    """Return the tensors of a foreign checkpoint by name."""
    state = state_dict_of(checkpoint, where)
    return {
        str(key): value.detach() for key, value in state.items() if isinstance(value, torch.Tensor)
    }


def _convert_resnet(state: Mapping, source: str, where: str | PathLike | None) -> Conversion:
    for prefix in PREFIXES[source]:
        names = _layer_names(state, prefix)
        if 'conv1.weight' in names and 'layer1.0.conv1.weight' in names:
            return _assemble(state, names, _resnet_config(state, names, where), source, prefix)
    raise CheckpointError(
        f'holds no ResNet in the layout of {source}; its keys begin {", ".join(list(state)[:4])}',
        where=where,
        fix=f'Name the source: {", ".join(PREFIXES)}',
    )


def _convert_layout(state: Mapping, source: str) -> Conversion | None:
    """Convert a network of :mod:`rsmm.checkpoints.layouts`; None if it is none of them."""
    for prefix in PREFIXES[source]:
        bare = {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
        for layout in LAYOUTS:
            if (found := layout(bare)) is not None:
                tensors, names, backbone = found
                return _assemble(tensors, names, backbone, source, prefix)
    return None


def _layer_names(state: Mapping, prefix: str) -> dict[str, str]:
    """Map torchvision names to the file's keys under ``prefix``."""
    names = {}
    for key in state:
        if key.startswith(prefix):
            first, _, rest = key.removeprefix(prefix).partition('.')
            names[f'{_NUMBERED.get(first, first)}.{rest}'] = key
    return names


def _resnet_config(state: Mapping, names: Mapping, where: str | PathLike | None) -> dict:
    blocks = {match[0] for name in names if (match := re.match(r'layer[1-4]\.\d+', name))}
    per_layer = Counter(block.split('.')[0] for block in blocks)
    counts = tuple(per_layer[layer] for layer in sorted(per_layer))
    depth = RESNET_DEPTHS.get((counts, 'layer1.0.conv3.weight' in names))
    if depth is None:
        raise CheckpointError(
            f'has {counts} residual blocks, which is no ResNet-18, 34, 50, 101 or 152', where=where
        )
    stem = state[names['conv1.weight']]
    return {'type': 'mmpretrain.ResNet', 'depth': depth, 'in_channels': stem.shape[1]}


def _convert_vit(
    state: Mapping, source: str, where: str | PathLike | None, num_heads: int | None
) -> Conversion:
    for prefix in PREFIXES[source]:
        names = {}
        for key in state:
            if key.startswith(prefix):
                name = key.removeprefix(prefix)
                for pattern, replacement in _TIMM_VIT:
                    name = re.sub(pattern, replacement, name)
                names[name] = key
        if 'patch_embed.projection.weight' in names and 'pos_embed' in names:
            config = _vit_config(state, names, num_heads, where)
            return _assemble(state, names, config, source, prefix)
    raise CheckpointError('holds no ViT in the layout of timm', where=where)


def _vit_config(
    state: Mapping, names: Mapping, num_heads: int | None, where: str | PathLike | None
) -> dict:
    patch = state[names['patch_embed.projection.weight']]
    tokens = state[names['pos_embed']].shape[1] - ('cls_token' in names)
    width, size = patch.shape[0], patch.shape[-1]
    layers = {match[1] for name in names if (match := re.match(r'layers\.(\d+)\.', name))}
    arch = {
        'embed_dims': width,
        'num_layers': len(layers),
        'num_heads': _heads(width, num_heads, where),
        'feedforward_channels': state[names['layers.0.ffn.layers.0.0.weight']].shape[0],
    }
    return {
        'type': 'mmpretrain.VisionTransformer',
        'arch': arch,
        'img_size': round(tokens**0.5) * size,
        'patch_size': size,
        'in_channels': patch.shape[1],
    }


def _heads(width: int, given: int | None, where: str | PathLike | None) -> int:
    """Heads of a ViT; with a wrong number it loads and computes nonsense, so none is guessed."""
    heads = VIT_HEADS.get(width) if given is None else given
    if heads is None or heads < 1 or width % heads:
        raise CheckpointError(
            f'a ViT of width {width} does not say how many attention heads it has'
            if given is None
            else f'{given} heads do not divide the width {width}',
            where=where,
            fix='Give the number: --num-heads N, or num_heads=N',
        )
    return heads


def _assemble(
    state: Mapping, names: Mapping[str, str], backbone: dict, source: str, prefix: str
) -> Conversion:
    """Compare the file's weights with those of the backbone, by name and shape."""
    own = built(backbone).state_dict()
    shapes = {key: value.shape for key, value in own.items()}
    # Index tables of Swin's windows follow from the settings; many files leave them out.
    tables = {key: value for key, value in own.items() if key.endswith('relative_position_index')}
    fitting = [key for key in shapes if key in names and state[names[key]].shape == shapes[key]]
    head = {name for name in names if name.startswith(_HEADS)}
    used = {names[key] for key in fitting}
    strange = {key for name, key in names.items() if name not in head} - used
    outside = Counter(key.split('.')[0] for key in state if key not in used | strange)
    return Conversion(
        state_dict=OrderedDict(
            [*((key, state[names[key]].clone()) for key in fitting), *tables.items()]
        ),
        backbone=backbone,
        source=source,
        prefix=prefix,
        matched={key: names[key] for key in fitting},
        # Files from before BatchNorm counted its batches are complete without the counters.
        missing=[
            key
            for key in shapes
            if key not in fitting
            and key not in tables
            and (key in names or not key.endswith('num_batches_tracked'))
        ],
        unexpected=sorted(strange),
        dropped=dict(outside),
        companions=_companions(state),
    )


def _companions(state: Mapping) -> dict[str, torch.Tensor]:
    """Projectors, key encoder and queue of a SeCo, CACo or SACo training file, renamed."""
    names = {f'backbone_k.{name}': key for name, key in _layer_names(state, 'encoder_k.').items()}
    for key in state:
        if match := re.match(r'heads_(q|k)\.(.+)', key):
            names[f'neck{"_k" if match[1] == "k" else ""}.heads.{match[2]}'] = key
        elif match := re.match(r'model\.fc\.fc([123])\.(.+)', key):
            names[f'neck.fc.{2 * int(match[1]) - 2}.{match[2]}'] = key
        elif key in ('queue', 'queue_ptr'):
            names[key] = key
    return {name: state[key].clone() for name, key in names.items()}


def backbone_shapes(backbone: dict) -> dict[str, torch.Size]:
    """Return the shape of every weight of a backbone."""
    return {key: value.shape for key, value in built(backbone).state_dict().items()}


def built(backbone: dict) -> torch.nn.Module:
    """Build a backbone without disturbing the random numbers of the caller."""
    with torch.random.fork_rng():
        return MODELS.build(dict(backbone))


def pack(conversion: Conversion, source_file: str | PathLike, whole: bool = False) -> dict:
    """Make the checkpoint to save: weights under ``backbone.`` and where they came from.

    Args:
        conversion: The converted backbone.
        source_file: File to name in the checkpoint.
        whole: Keep projectors, key encoder and queue too.

    Raises:
        CheckpointError: The whole is wanted and the file has no projector.
    """
    state = OrderedDict((f'backbone.{key}', value) for key, value in conversion.state_dict.items())
    if whole:
        if not any(key.startswith('neck.') for key in conversion.companions):
            raise CheckpointError(
                'holds no projector of SeCo, CACo or SACo, only an encoder',
                where=source_file,
                fix='Convert the backbone alone, without --whole',
            )
        state.update(conversion.companions)
    return {
        'state_dict': state,
        'meta': {
            'source': conversion.source,
            'source_file': Path(source_file).name,
            'source_sha256': sha256_file(source_file),
            'backbone': conversion.backbone,
            'rsmm_version': __version__,
        },
    }
