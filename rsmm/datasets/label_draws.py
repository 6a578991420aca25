"""Choosing the few labelled samples of a semi-supervised experiment, and the published choice."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from rsmm.datasets.splits import by_class, rank
from rsmm.errors import ConfigError

#: Share of each class that the published EuroSAT runs train on.
TRAINVAL_SHARE = 0.8


def stratified_draw(labels: Mapping[str, int], num_labels: int, seed: int = 0) -> set[str]:
    """Draw names, as many of each class as of any other (one more of the first where uneven).

    The draws of one seed are nested: the 10 names of ten classes are among the 20.

    Args:
        labels: Class index per name.
        num_labels: Names to draw over all classes.
        seed: Another seed draws others.

    Raises:
        ConfigError: Fewer labels than classes, or more than a class has names.
    """
    groups = by_class(labels)
    if num_labels < len(groups):
        raise ConfigError(
            f'{num_labels} labels for {len(groups)} classes',
            where='num_labels',
            fix='At least one label of each class is needed',
        )
    chosen: set[str] = set()
    for position, label in enumerate(sorted(groups)):
        count = num_labels // len(groups) + (position < num_labels % len(groups))
        if count > len(groups[label]):
            raise ConfigError(
                f'{count} labels of class {label} asked for, it has {len(groups[label])} samples',
                where='num_labels',
                fix='Ask for fewer',
            )
        chosen.update(rank(groups[label], seed, 'labels')[:count])
    return chosen


def lexicographic_split(names: Iterable[str], labels: Mapping[str, int]) -> dict[str, list[str]]:
    """Split names as the published EuroSAT runs do: the first 80 % of each class by name train.

    Args:
        names: Stems of all 27,000 chips; those on disk alone would shift the split.
        labels: Class index per stem.

    Returns:
        ``{'train': [...], 'test': [...]}``, each ordered by class, then name.
    """
    split: dict[str, list[str]] = {'train': [], 'test': []}
    groups = by_class({name: labels[name] for name in names})
    for label in sorted(groups):
        ordered = sorted(groups[label])
        count = int(TRAINVAL_SHARE * len(ordered))
        split['train'] += ordered[:count]
        split['test'] += ordered[count:]
    return split


def reference_draw(
    train: list[str], labels: Mapping[str, int], num_labels: int, seed: int = 0
) -> list[str]:
    """Draw the labelled names of the published EuroSAT runs, number by number.

    NumPy's legacy generator shuffles the positions of the training list, then for each class in
    turn the positions that show it; the first ``num_labels / C`` of them are labelled.

    Args:
        train: Training names of :func:`lexicographic_split`, in its order.
        labels: Class index per name.
        num_labels: A multiple of the number of classes.
        seed: Seed of the published run.

    Returns:
        The names, class by class in the order drawn.

    Raises:
        ConfigError: ``num_labels`` is no multiple of the number of classes.
    """
    classes = sorted({labels[name] for name in train})
    if num_labels < len(classes) or num_labels % len(classes):
        raise ConfigError(
            f'{num_labels} labels cannot be shared out among {len(classes)} classes',
            where='num_labels',
            fix=f'The published draw takes multiples of {len(classes)}',
        )
    generator = np.random.RandomState(seed)
    order = list(range(len(train)))
    generator.shuffle(order)
    shuffled = np.array([labels[train[position]] for position in order])
    drawn = []
    for label in classes:
        positions = np.flatnonzero(shuffled == label)
        generator.shuffle(positions)
        drawn += [train[order[position]] for position in positions[: num_labels // len(classes)]]
    return drawn
