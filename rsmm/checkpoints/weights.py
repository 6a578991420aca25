"""Putting the weights of a checkpoint into a model, with an exact account of what fitted."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from os import PathLike
from typing import cast

import torch
from mmengine.model import BaseTTAModel, is_model_wrapper
from torch import nn

from rsmm.errors import CheckpointError, ConfigError
from rsmm.utils.seams import converts_weights, set_versions, versions

STRICTNESS = ('exact', 'model', 'parts')
#: Parts of a model that belong to a task; another task replaces them.
HEADS = frozenset(
    ['head', 'decode_head', 'auxiliary_head', 'bbox_head', 'roi_head', 'fc', 'classifier']
)
#: What wrappers put before the keys of the model within: distribution, ``torch.compile``.
WRAPPERS = ('module.', '_orig_mod.')
_SHOWN = 4


@dataclass
class LoadReport:
    """What happened to each weight.

    Attributes:
        matched: Keys of the model that were filled.
        missing: Keys of the model that the checkpoint lacks.
        unexpected: Keys of the checkpoint that the model lacks.
        mismatched: Key to ``(shape in the checkpoint, shape in the model)``.
    """

    matched: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    mismatched: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = field(default_factory=dict)

    def summary(self) -> str:
        """Say in one line how many weights matched and name the first of the others."""
        text = f'{len(self.matched)} weights matched'
        for kind in ('missing', 'unexpected'):
            text += _some(kind, getattr(self, kind))
        shapes = [f'{key} {old} -> {new}' for key, (old, new) in self.mismatched.items()]
        return text + _some('of another shape', shapes)

    def broken_parts(self, allowed: frozenset[str] = frozenset()) -> list[str]:
        """Parts (first names in keys) that are in both, but differ."""
        in_model = {_part(key) for key in [*self.matched, *self.missing, *self.mismatched]}
        in_file = {_part(key) for key in [*self.matched, *self.unexpected, *self.mismatched]}
        faults = [*self.missing, *self.unexpected, *self.mismatched]
        return sorted({_part(key) for key in faults} & in_model & in_file - allowed)


def _some(kind: str, items: Sequence[str]) -> str:
    if not items:
        return ''
    more = f', ... ({len(items)} in all)' if len(items) > _SHOWN else ''
    return f'; {kind}: {", ".join(items[:_SHOWN])}{more}'


def _part(key: str) -> str:
    return key.split('.', 1)[0]


def load_weights(
    model: nn.Module,
    checkpoint: Mapping,
    strict: str = 'exact',
    prefix: str | None = None,
    rename: Sequence[tuple[str, str]] = (),
    where: str | PathLike | None = None,
) -> LoadReport:
    """Load a checkpoint into a model.

    Args:
        model: Any module; distributed and test-time wrappers are looked through.
        checkpoint: State dict, or a dict that holds one as ``state_dict``.
        strict: ``'exact'``: the same keys on both sides. ``'model'``: every weight of the model
            must be in the file, which may hold further parts. ``'parts'``: a part (``backbone``,
            ``neck``...) is either absent on one side or fits wholly; only heads may differ in
            shape. BatchNorm's counters may always be absent.
        prefix: Use only the keys that begin so, without it (``'backbone.'``).
        rename: ``(regular expression, replacement)`` pairs applied to each key.
        where: File to name in errors.

    Returns:
        The report.

    Raises:
        CheckpointError: Nothing fits, or what ``strict`` asks for does not hold. The model may
            then have been filled in part.
    """
    if strict not in STRICTNESS:
        raise ConfigError(f'{strict!r} is not one of {", ".join(STRICTNESS)}', where='strict')
    while is_model_wrapper(model) or isinstance(model, BaseTTAModel):
        model = cast(nn.Module, model.module)
    state = select_keys(state_dict_of(checkpoint, where), prefix, rename, where)
    report = _fill(model, state, where)
    fault = _fault(report, strict)
    if fault is not None:
        raise CheckpointError(
            f'does not fit the model, {fault}: {report.summary()}. The file looks like '
            f'{describe_state(state)}, the model like {describe_state(model.state_dict())}',
            where=where,
            fix='Use the config the checkpoint was made with, or take its backbone alone with '
            "init_cfg=dict(type='Pretrained', checkpoint=..., prefix='backbone.')",
        )
    return report


def state_dict_of(checkpoint: Mapping, where: str | PathLike | None = None) -> Mapping:
    """Return the state dict inside a checkpoint, or the checkpoint itself if it is one.

    Raises:
        CheckpointError: There are no tensors in it.
    """
    state = checkpoint
    for name in ('state_dict', 'model_state_dict', 'model'):
        if isinstance(checkpoint.get(name), Mapping):
            state = checkpoint[name]
            break
    if not any(isinstance(value, torch.Tensor) for value in state.values()):
        raise CheckpointError(
            f'holds no weights, only {", ".join(map(str, list(checkpoint)[:6])) or "nothing"}',
            where=where,
        )
    return state


def select_keys(
    state: Mapping,
    prefix: str | None = None,
    rename: Sequence[tuple[str, str]] = (),
    where: str | PathLike | None = None,
) -> OrderedDict:
    """Pick and rename the keys of a state dict, as in :func:`load_weights`.

    Raises:
        CheckpointError: No key begins with ``prefix``.
    """
    state = unwrapped(state)
    selected = OrderedDict()
    for key, value in state.items():
        for pattern, replacement in rename:
            key = re.sub(pattern, replacement, key)
        if prefix is None or key.startswith(_dotted(prefix)):
            selected[key.removeprefix(_dotted(prefix)) if prefix else key] = value
    if not selected:
        raise CheckpointError(
            f"no weight begins with '{prefix}'; the parts are "
            f'{", ".join(sorted({_part(key) for key in state}))}',
            where=where,
        )
    if prefix is None:
        set_versions(selected, versions(state, OrderedDict()))
    return selected


def unwrapped(state: Mapping) -> Mapping:
    """Return a state dict without the prefix that a wrapper put before every key.

    >>> list(unwrapped({'module._orig_mod.fc.weight': 0}))
    ['fc.weight']
    """
    for wrapper in WRAPPERS:
        if state and all(str(key).startswith(wrapper) for key in state):
            bare = OrderedDict((key.removeprefix(wrapper), value) for key, value in state.items())
            metadata = versions(state, {})
            renamed = (
                (f'{key}.'.removeprefix(wrapper).removesuffix('.'), value)
                for key, value in metadata.items()
            )
            set_versions(bare, OrderedDict(renamed))
            return unwrapped(bare)
    return state


def _dotted(prefix: str) -> str:
    return prefix if prefix.endswith('.') else f'{prefix}.'


def _fill(model: nn.Module, state: OrderedDict, where: str | PathLike | None) -> LoadReport:
    """Load what fits; tensors of another shape only into modules that know to convert them."""
    own = model.state_dict()
    converting = tuple(
        f'{name}.' if name else ''
        for name, module in model.named_modules()
        if converts_weights(module)
    )
    mismatched = {
        key: (tuple(state[key].shape), tuple(own[key].shape))
        for key in own
        if key in state
        and isinstance(own[key], torch.Tensor)
        and state[key].shape != own[key].shape
        and not key.startswith(converting)
    }
    fitting = OrderedDict((key, value) for key, value in state.items() if key not in mismatched)
    set_versions(fitting, versions(state, OrderedDict()))
    try:
        found = model.load_state_dict(fitting, strict=False)
    except RuntimeError as error:
        raise CheckpointError(str(error), where=where) from error
    # Files from before these counters existed load with the counters at zero.
    counters = {key for key in own if key.endswith('num_batches_tracked') and key not in state}
    missing = [key for key in found.missing_keys if key not in counters and key not in mismatched]
    unfilled = {*found.missing_keys, *mismatched, *counters}
    return LoadReport(
        matched=[key for key in own if key not in unfilled],
        missing=missing,
        unexpected=list(found.unexpected_keys),
        mismatched=mismatched,
    )


def _fault(report: LoadReport, strict: str) -> str | None:
    """Name what breaks the rule, or None."""
    if not report.matched:
        return 'nothing in it could be used'
    if strict == 'exact' and (report.missing or report.unexpected or report.mismatched):
        return 'its weights are not those of the model'
    if strict == 'model' and (report.missing or report.mismatched or report.broken_parts()):
        return 'weights of the model are absent or differ'
    broken = report.broken_parts(allowed=HEADS)
    if broken:
        return f'it differs within {", ".join(broken)}'
    return None


#: (residual blocks per layer, bottleneck blocks) to depth.
RESNET_DEPTHS: dict[tuple[tuple[int, ...], bool], int] = {
    ((2, 2, 2, 2), False): 18,
    ((3, 4, 6, 3), False): 34,
    ((3, 4, 6, 3), True): 50,
    ((3, 4, 23, 3), True): 101,
    ((3, 8, 36, 3), True): 152,
}
_BLOCK = re.compile(r'(?P<prefix>.*?)layer(?P<layer>[1-4])\.(?P<block>\d+)\.conv(?P<conv>\d)\.')


def describe_state(state: Mapping) -> str:
    """Say in a few words which architecture a state dict looks like.

    >>> describe_state({'fc.weight': torch.zeros(2, 3)})
    'parts fc'
    """
    if any(re.search(r'(^|\.)4\.0\.conv1\.weight$', key) for key in state):
        return (
            'a torchvision encoder with numbered layers, as SeCo, CACo and SACo release them '
            '(run tools/model_converters/convert.py first)'
        )
    known = _describe_resnet(state) or _describe_vit(state)
    parts = sorted({_part(key) for key in state})
    named = f'parts {", ".join(parts[:_SHOWN])}' + (', ...' if len(parts) > _SHOWN else '')
    return f'{known} ({named})' if known else named


def _describe_resnet(state: Mapping) -> str | None:
    blocks: dict[str, set[int]] = {}
    bottleneck, prefix = False, None
    for key in state:
        match = _BLOCK.match(key)
        if match is None or prefix not in (None, match['prefix']):
            continue
        prefix = match['prefix']
        blocks.setdefault(match['layer'], set()).add(int(match['block']))
        bottleneck |= match['conv'] == '3'
    depth = RESNET_DEPTHS.get((tuple(len(blocks[layer]) for layer in sorted(blocks)), bottleneck))
    if depth is None:
        return None
    stem = state.get(f'{prefix}conv1.weight')
    bands = f' for {stem.shape[1]} bands' if isinstance(stem, torch.Tensor) else ''
    return f'ResNet-{depth}{bands}'


def _describe_vit(state: Mapping) -> str | None:
    matches = [re.search(r'(?:layers|blocks)\.(\d+)\.attn\.qkv\.weight$', key) for key in state]
    depth = len({match[1] for match in matches if match})
    width = next((value.shape[1] for key, value in state.items() if 'attn.qkv.weight' in key), None)
    return f'a ViT of {depth} layers and width {width}' if depth else None
