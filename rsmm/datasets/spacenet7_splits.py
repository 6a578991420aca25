"""Splits of SpaceNet 7 by place."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from rsmm.errors import ConfigError, DataError

#: Validation AOIs of the first-ranked solution among the 60 train AOIs.
LXASTRO0_VAL = tuple(
    f'L15-{name}'
    for name in (
        '0387E-1276N', '0566E-1185N', '0632E-0892N', '1015E-1062N', '1200E-0847N',
        '1276E-1107N', '1438E-1134N', '1615E-1206N', '1690E-1211N', '1848E-0793N',
    )
)  # fmt: skip
_TILE = re.compile(r'_(\d+)_(\d+)_13$')


def tile_position(aoi: str) -> tuple[int, int]:
    """Return column and row of an AOI in the zoom-13 web-mercator grid, from its name.

    Raises:
        DataError: The name has no such numbers.
    """
    match = _TILE.search(aoi)
    if match is None:
        raise DataError(f'{aoi!r} does not end in _<column>_<row>_13')
    return int(match[1]), int(match[2])


def neighbour_groups(aois: Sequence[str], distance: int = 2) -> list[list[str]]:
    """Group AOIs that show nearly the same place.

    Args:
        aois: Names.
        distance: AOIs at most this many tiles apart in column and row are neighbours, and so are
            neighbours of neighbours.

    Returns:
        Groups in order of their first member, members sorted.
    """
    names = sorted(aois)
    position = np.array([tile_position(name) for name in names]).reshape(-1, 2)
    near = (np.abs(position[:, None] - position[None]) <= distance).all(axis=-1)
    group = np.arange(len(names))
    while True:
        smaller = np.where(near, group[None], len(names)).min(axis=1, initial=len(names))
        if np.array_equal(smaller, group):
            break
        group = smaller
    return [
        [names[k] for k in np.flatnonzero(group == first)] for first in np.unique(group).tolist()
    ]


def select_aois(
    aois: Sequence[str],
    subset: str,
    val_aois: Sequence[str] | None = None,
    val_fraction: float = 0.1,
    seed: int = 0,
) -> list[str]:
    """Return the AOIs of ``'train'``, ``'val'`` or ``'all'``, neighbours never divided.

    Args:
        aois: All names.
        subset: Which part.
        val_aois: Names or beginnings of the validation AOIs; their neighbours come with them.
        val_fraction: Otherwise whole groups are drawn until so large a share is held out.
        seed: Of the draw.

    Raises:
        ConfigError: A validation AOI that does not exist, or a part left empty.
    """
    if subset == 'all':
        return sorted(aois)
    groups = neighbour_groups(aois)
    if val_aois is None:
        held = _draw(groups, val_fraction * len(aois), seed)
    else:
        for name in val_aois:
            if not any(aoi.startswith(name) for aoi in aois):
                raise ConfigError(f'val_aois: no AOI {name!r}', fix='Check the names on disk')
        held = {
            aoi
            for group in groups
            if any(aoi.startswith(name) for aoi in group for name in val_aois)
            for aoi in group
        }
    chosen = sorted(aoi for aoi in aois if (aoi in held) == (subset == 'val'))
    if not chosen:
        raise ConfigError(
            f'no AOI is left for {subset}: {len(aois)} in {len(groups)} groups of neighbours',
            fix='Set val_aois, or use subset="all"',
        )
    return chosen


def _draw(groups: list[list[str]], wanted: float, seed: int) -> set[str]:
    held: set[str] = set()
    for k in np.random.default_rng(seed).permutation(len(groups)):
        if len(held) >= max(wanted, 1):
            break
        held.update(groups[k])
    return held
