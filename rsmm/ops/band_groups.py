"""Semantic groups of three bands, and groups of texture bands, by name.

Source: Stival et al., SACo+ (ISPRS J. 2025); preset ``readme`` follows the table of its README,
``saco_code`` what its released code feeds from SeCo and CACo data, ``saco_code_eurosat`` what the
same indices mean in EuroSAT's band order.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from rsmm.errors import ConfigError, DataError, did_you_mean
from rsmm.ops.texture import lbp
from rsmm.sensors import canonical_band

Group = tuple[str, str, str]

#: In the order (red, green, blue): natural colours, agriculture, near infrared, urban, atmospheric
#: penetration, and two that complete the bands.
GROUP_PRESETS: dict[str, tuple[Group, ...]] = {
    'readme': (
        ('B04', 'B03', 'B02'),
        ('B11', 'B8A', 'B02'),
        ('B08', 'B04', 'B03'),
        ('B12', 'B11', 'B04'),
        ('B12', 'B11', 'B8A'),
        ('B01', 'B05', 'B06'),
        ('B07', 'B08', 'B10'),
    ),
    'saco_code': (
        ('B04', 'B03', 'B02'),
        ('B12', 'B08', 'B02'),
        ('B8A', 'B04', 'B03'),
        ('B12', 'B11', 'B04'),
        ('B12', 'B11', 'B09'),
        ('B01', 'B05', 'B06'),
        ('B07', 'B08', 'B09'),
    ),
    'saco_code_eurosat': (
        ('B04', 'B03', 'B02'),
        ('B12', 'B09', 'B02'),
        ('B08', 'B04', 'B03'),
        ('B12', 'B11', 'B04'),
        ('B12', 'B11', 'B01'),
        ('B01', 'B05', 'B06'),
        ('B07', 'B09', 'B10'),
    ),
}
TEXTURE_GROUPS: tuple[Group, ...] = (
    ('B01', 'B11', 'B12'),
    ('B02', 'B03', 'B04'),
    ('B05', 'B06', 'B07'),
    ('B08', 'B8A', 'B09'),
)
#: Used when a group asks for a band that the product does not have: L2A products lack B10.
SUBSTITUTES = {'B10': 'B09'}
TEXTURE_PREFIX = 'LBP_'


def resolve_groups(groups: str | Sequence[Sequence[str]], bands: Sequence[str]) -> list[Group]:
    """Return the groups with names that the image has.

    Args:
        groups: Name of a preset, or triples of band names.
        bands: Names of the bands of the image.

    Returns:
        Triples of canonical names; a missing B10 is replaced by B09.

    Raises:
        ConfigError: No such preset, or a group that is not a triple.
        DataError: A band is missing and has no substitute.
    """
    if isinstance(groups, str):
        if groups not in GROUP_PRESETS:
            raise ConfigError(
                f'no band groups called {groups!r}.{did_you_mean(groups, GROUP_PRESETS)}',
                where='groups',
                fix=f'Known presets: {", ".join(GROUP_PRESETS)}',
            )
        groups = GROUP_PRESETS[groups]
    have = {_canonical(band) for band in bands}
    return [_resolve_group(group, have) for group in groups]


def _canonical(band: str) -> str:
    prefix = TEXTURE_PREFIX if band.startswith(TEXTURE_PREFIX) else ''
    return prefix + canonical_band(band.removeprefix(TEXTURE_PREFIX))


def _resolve_group(group: Sequence[str], have: set[str]) -> Group:
    if len(group) != 3:
        raise ConfigError(f'a band group has three bands, found {tuple(group)}', where='groups')
    names = [_canonical(band) for band in group]
    first, second, third = (name if name in have else SUBSTITUTES.get(name, name) for name in names)
    found = (first, second, third)
    missing = [name for name in found if name not in have]
    if missing:
        rule = ', '.join(f'{old} by {new}' for old, new in SUBSTITUTES.items())
        raise DataError(
            f'group {"-".join(names)} needs {", ".join(missing)}, the image has '
            f'{", ".join(sorted(have))}',
            where='groups',
            fix=f'Only {rule} is substituted: load the band, or list groups of your own',
        )
    return found


def stack_groups(images: Tensor, bands: Sequence[str], groups: Sequence[Group]) -> Tensor:
    """Pick the bands of each group.

    Args:
        images: ``(N, C, H, W)``.
        bands: Names of the C bands.
        groups: Triples of names, from :func:`resolve_groups`.

    Returns:
        ``(G, N, 3, H, W)``.
    """
    position = {_canonical(band): i for i, band in enumerate(bands)}
    index = torch.tensor([[position[band] for band in group] for group in groups])
    picked = images[:, index.flatten().to(images.device)]
    shape = (len(images), len(groups), 3, *images.shape[2:])
    return picked.view(shape).transpose(0, 1).contiguous()


def texture_bands(
    images: Tensor, levels: float = 255.0, P: int = 16, R: float = 2.0, scale: str = 'fixed'
) -> Tensor:
    """Uniform LBP codes of bands in [0, 1], brought to [0, 1].

    Args:
        images: ``(N, C, H, W)`` float in units where ``1 / levels`` is one stored step.
        levels: The images are rounded to integers after multiplication with it. Rounded and not
            cut off: ``255 * (v / 255)`` falls below ``v`` for some ``v``.
        P: Neighbours.
        R: Radius in pixels.
        scale: ``'fixed'`` divides by ``P + 1``.  ``'batch'`` maps the least and largest code of the
            whole batch to 0 and 1 as the released SACo does, so that a code's value depends on the
            other images.

    Returns:
        ``(N, C, H, W)`` of the dtype of the input.
    """
    codes = lbp((images * levels).round().to(torch.int32), P, R, 'uniform').to(images.dtype)
    if scale == 'fixed':
        return codes / (P + 1)
    if scale == 'batch':
        low, high = codes.aminmax()
        return (codes - low) / (high - low).clamp(min=1)
    raise ConfigError(f"texture scale {scale!r} is neither 'fixed' nor 'batch'", where='texture')
