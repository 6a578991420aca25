"""Which dates of a place a contrastive method compares, and under which augmentation it sees them.

One entry per rule. A rule from another package works like these once its module is imported, e.g.
by ``custom_imports``: datasets, transforms and samplers ask the entry and know no names.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rsmm.errors import ConfigError
from rsmm.registry import DATE_RULES

#: Steps that a view can go through, in the order of the name.
RECIPES: dict[str, tuple[str, ...]] = {
    'plain': (),
    'crop': ('crop',),
    'aug': ('aug',),
    'crop_aug': ('crop', 'aug'),
    'aug_crop': ('aug', 'crop'),
}


class DateRule:
    """What a method draws from the dates of a place.

    Attributes:
        per_image: A sample stands for one image (its anchor), not for a place.
        by_period: A place gives two samples, one of its old and one of its new dates, which stay
            neighbours in a batch.
        num_dates: Dates that a place, or each of its periods, must have.
        views: The views as (role of the date among those drawn, recipe of :data:`RECIPES`); the
            query first.
        shared_geometry: ``aug`` moves all bands alike instead of changing colours.
    """

    per_image = False
    by_period = False
    num_dates = 1
    views: tuple[tuple[int, str], ...] = ()
    shared_geometry = False

    def draw(self, dates: Sequence[str], anchor: int | None = None) -> tuple[int, ...]:
        """Draw dates with NumPy's global generator.

        Args:
            dates: ISO days to choose from, oldest first.
            anchor: Position of the sample's own image; None unless ``per_image``.

        Returns:
            Positions among the dates, one per role.
        """
        raise NotImplementedError

    def check(self, name: str) -> None:
        """Raise :class:`ConfigError` where the rule contradicts itself."""
        unknown = [recipe for _, recipe in self.views if recipe not in RECIPES]
        problem = None
        if len(self.views) < 2:
            problem = f'a query and at least one key are compared, views has {len(self.views)}'
        elif unknown:
            problem = f'{unknown[0]!r} is no recipe of a view, known: {", ".join(RECIPES)}'
        elif self.per_image and self.by_period:
            problem = 'per_image and by_period exclude each other'
        if problem:
            raise ConfigError(problem, where=f'date rule {name!r}')


def date_rule(mode: str, where: str | None = None) -> DateRule:
    """Return the rule of a name.

    Args:
        mode: Name of an entry of ``DATE_RULES``.
        where: Who asks, for the message.

    Raises:
        ConfigError: There is no such rule, or it contradicts itself.
    """
    if not isinstance(mode, str):
        raise ConfigError(f'mode={mode!r} is not the name of a date rule', where=where)
    rule = DATE_RULES.get(mode)()
    rule.check(mode)
    return rule


@DATE_RULES.register_module('moco')
class OneDate(DateRule):
    """Two augmentations of one image (MoCo v2)."""

    per_image = True
    views = ((0, 'crop_aug'), (0, 'crop_aug'))

    def draw(self, dates: Sequence[str], anchor: int | None = None) -> tuple[int, ...]:
        """The anchor."""
        return (_given(anchor),)


@DATE_RULES.register_module('moco_tp')
class TwoDates(DateRule):
    """Two different dates (MoCo-TP)."""

    num_dates = 2
    views = ((0, 'crop_aug'), (1, 'crop_aug'))

    def draw(self, dates: Sequence[str], anchor: int | None = None) -> tuple[int, ...]:
        """Two dates without replacement."""
        return tuple(np.random.choice(len(dates), 2, replace=False).tolist())


@DATE_RULES.register_module('seco')
class ThreeDates(DateRule):
    """Three dates with replacement, one key per sub-space (SeCo).

    Sub-space 0: another date, augmented; 1: another date; 2: the same date, augmented.
    """

    num_dates = 3
    views = ((0, 'crop'), (1, 'aug_crop'), (2, 'crop'), (0, 'aug_crop'))

    def draw(self, dates: Sequence[str], anchor: int | None = None) -> tuple[int, ...]:
        """Three dates with replacement."""
        return tuple(np.random.randint(len(dates), size=3).tolist())


@DATE_RULES.register_module(['teco', 'caco'])
class ThreeOfAPeriod(ThreeDates):
    """Three different dates of one period, the views of SeCo (TeCo, CACo)."""

    by_period = True

    def draw(self, dates: Sequence[str], anchor: int | None = None) -> tuple[int, ...]:
        """Three dates without replacement."""
        return tuple(np.random.choice(len(dates), 3, replace=False).tolist())


@DATE_RULES.register_module('sa_moco')
class OneDateAllBands(OneDate):
    """Two augmentations of one image that move all bands alike (SA+MoCo)."""

    views = ((0, 'aug'), (0, 'aug'))
    shared_geometry = True


@DATE_RULES.register_module('saco')
class AnchorAndOther(DateRule):
    """An image as it is, augmented, and at another date (SACo)."""

    per_image = True
    num_dates = 2
    views = ((0, 'plain'), (0, 'aug'), (1, 'aug'))
    shared_geometry = True

    def draw(self, dates: Sequence[str], anchor: int | None = None) -> tuple[int, ...]:
        """The anchor and another date."""
        anchor = _given(anchor)
        other = int(np.random.randint(len(dates) - 1))
        return anchor, other + (other >= anchor)


def _given(anchor: int | None) -> int:
    if anchor is None:
        raise ConfigError(
            'the rule takes the date of an image, the sample stands for a place',
            where='SampleDates',
            fix='Give the dataset the same mode',
        )
    return anchor
