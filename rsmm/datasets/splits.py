"""Splitting a dataset by list, by class or by place, the same on every machine.

All random choices rank items by a hash of seed and name. They depend on neither the order in which
the file system lists files nor the version of a random generator, and a smaller selection is
contained in a larger one of the same seed.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from rsmm.errors import ConfigError, DataError, DataNotFoundError
from rsmm.utils.foreign import read_text
from rsmm.utils.listing import has_suffix

SPLITS = ('train', 'val', 'test')


def rank(names: Iterable[str], seed: int, salt: str = '') -> list[str]:
    """Return the names in a random order that depends on seed, salt and each name only."""

    def key(name: str) -> tuple[bytes, str]:
        return hashlib.blake2b(f'{seed}/{salt}/{name}'.encode(), digest_size=8).digest(), name

    return sorted(names, key=key)


def check_fractions(fractions: Sequence[float], split: str) -> int:
    """Return the position of ``split`` among the fractions (train, val[, test]).

    Raises:
        ConfigError: The fractions do not sum to 1, or leave nothing for the split.
    """
    if len(fractions) not in (2, 3) or min(fractions) < 0 or abs(sum(fractions) - 1) > 1e-6:
        raise ConfigError(
            f'fractions={tuple(fractions)} must be 2 or 3 shares (train, val[, test]) of sum 1',
            where='fractions',
        )
    position = SPLITS.index(split)
    if position >= len(fractions) or fractions[position] == 0:
        raise ConfigError(
            f'fractions={tuple(fractions)} leave nothing for split={split!r}',
            where='split',
            fix="Give three shares, e.g. fractions=(0.6, 0.2, 0.2), or use split='val' or 'all'",
        )
    return position


def stratified_split(
    labels: Mapping[str, int], fractions: Sequence[float], split: str, seed: int = 0
) -> set[str]:
    """Select a split in which every class keeps its share.

    Args:
        labels: Class index per name.
        fractions: Shares (train, val[, test]) of sum 1. Per class the sizes of val and test are
            rounded and train takes the rest.
        split: ``'train'``, ``'val'`` or ``'test'``.
        seed: Another seed draws another split.

    Returns:
        Names in the split.
    """
    position = check_fractions(fractions, split)
    chosen: set[str] = set()
    for names in by_class(labels).values():
        ranked = rank(names, seed)
        sizes = [round(share * len(ranked)) for share in fractions[1:]]
        sizes = [len(ranked) - sum(sizes), *sizes]
        start = sum(sizes[:position])
        chosen.update(ranked[start : start + sizes[position]])
    return chosen


def random_split(
    names: Iterable[str], fractions: Sequence[float], split: str, seed: int = 0
) -> set[str]:
    """Select a split of names without classes; see :func:`stratified_split`."""
    return stratified_split(dict.fromkeys(names, 0), fractions, split, seed)


def label_fraction(labels: Mapping[str, int], fraction: float, seed: int = 0) -> set[str]:
    """Keep a share of every class, at least one name each.

    The selections of one seed are nested: 1 % is part of 10 %.

    Raises:
        ConfigError: The fraction is not in (0, 1].
    """
    if not 0 < fraction <= 1:
        raise ConfigError(f'label_fraction={fraction} is not in (0, 1]', where='label_fraction')
    chosen: set[str] = set()
    for names in by_class(labels).values():
        count = max(1, round(fraction * len(names)))
        chosen.update(rank(names, seed, 'labels')[:count])
    return chosen


def by_class(labels: Mapping[str, int]) -> dict[int, list[str]]:
    """Group names by class."""
    groups: dict[int, list[str]] = defaultdict(list)
    for name, label in labels.items():
        groups[label].append(name)
    return groups


def grid_cells(
    places: Mapping[str, tuple[float, float]], cell_size: float
) -> dict[tuple[int, int], list[str]]:
    """Group names by the cell of a latitude-longitude grid that they lie in.

    Args:
        places: (latitude, longitude) per name, in degrees.
        cell_size: Edge of a cell in degrees.
    """
    if not cell_size > 0:
        raise ConfigError(f'cell_size={cell_size} must be positive degrees', where='cell_size')
    cells: dict[tuple[int, int], list[str]] = defaultdict(list)
    for name, (latitude, longitude) in places.items():
        cells[int(latitude // cell_size), int(longitude // cell_size)].append(name)
    return cells


def spatial_split(
    places: Mapping[str, tuple[float, float]],
    labels: Mapping[str, int],
    fractions: Sequence[float],
    split: str,
    seed: int = 0,
    cell_size: float = 0.25,
) -> set[str]:
    """Select a split by place: no grid cell has names in two splits.

    Chips next to each other look alike, so a random split tests on near-copies of its training
    data. Cells are dealt out in random order, each to the split that lacks its classes most; sizes
    are therefore close to the fractions but not exact.

    Args:
        places: (latitude, longitude) per name, in degrees.
        labels: Class index per name; decides which names take part.
        fractions: Shares (train, val[, test]) of sum 1.
        split: ``'train'``, ``'val'`` or ``'test'``.
        seed: Another seed draws another split.
        cell_size: Edge of a cell in degrees (0.25 is about 28 km from south to north).

    Returns:
        Names in the split.
    """
    position = check_fractions(fractions, split)
    cells = grid_cells({name: places[name] for name in labels}, cell_size)
    num_classes = max(labels.values()) + 1
    totals = np.bincount(list(labels.values()), minlength=num_classes)
    lacking = np.outer(fractions, totals)
    weights = 1 / np.maximum(lacking, 1)
    chosen: set[str] = set()
    for key in rank((f'{row} {column}' for row, column in cells), seed, 'cells'):
        row, column = key.split()
        names = cells[int(row), int(column)]
        counts = np.bincount([labels[name] for name in names], minlength=num_classes)
        taker = int((lacking * weights * counts).sum(axis=1).argmax())
        lacking[taker] -= counts
        if taker == position:
            chosen.update(names)
    return chosen


def read_name_list(path: str | Path) -> list[str]:
    """Read a published list file and return the stems it names, in file order.

    A line is a file name with or without folders and suffix (``River_9.jpg``,
    ``River/River_9.tif``, ``River_9``); empty lines and lines that start with # are skipped.

    Raises:
        DataNotFoundError: There is no such file.
        DataError: It names nothing, or something twice.
    """
    try:
        lines = read_text(path, 'is no list of names').splitlines()
    except DataNotFoundError as error:
        raise DataNotFoundError(
            'there is no such split list', where=path, fix='Check split_file'
        ) from error
    entries = [line.strip().replace('\\', '/') for line in lines]
    stems = [stem_of(entry) for entry in entries if entry and not entry.startswith('#')]
    if not stems:
        raise DataError('the split list names nothing', where=path, fix='One file name per line')
    twice = [stem for stem, count in Counter(stems).items() if count > 1]
    if twice:
        raise DataError(
            f'{len(twice)} names stand in the list twice, e.g. {twice[0]}',
            where=path,
            fix='Remove the repetitions',
        )
    return stems


def stem_of(name: str) -> str:
    """Return a file name without folders and image suffix.

    >>> stem_of('2750/River/River_9.jpg'), stem_of('River_9')
    ('River_9', 'River_9')
    """
    name = name.rsplit('/', 1)[-1]
    plain = name.rpartition('.')[0]
    return unicodedata.normalize('NFC', plain if has_suffix(name) else name)


def listed_split(path: str | Path, present: Iterable[str]) -> set[str]:
    """Return the stems that a list file names, all of which must be present.

    Raises:
        DataError: The list names files that the dataset does not have.
    """
    stems = read_name_list(path)
    present = set(present)
    absent = [stem for stem in stems if stem not in present]
    if absent:
        raise DataError(
            f'{len(absent)} of {len(stems)} listed files are absent: {", ".join(absent[:3])}'
            + (', ...' if len(absent) > 3 else ''),
            where=path,
            fix='Use the list that belongs to this data root, or complete the download',
        )
    return set(stems)
