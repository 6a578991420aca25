"""Change-aware contrast's archive: an old and a new set of dates per place, years apart."""

from __future__ import annotations

import datetime
from collections.abc import Sequence

import numpy as np

from rsmm.datasets.scenes import Scene
from rsmm.datasets.seco import SeCoDataset
from rsmm.registry import DATASETS
from rsmm.sensors import RGB

PERIODS = ('old', 'new')


@DATASETS.register_module()
class CACoDataset(SeCoDataset):
    """Ten dated scenes per place, five recent and five about four years older.

    Files as in :class:`SeCoDataset`. With ``mode='caco'``, ``'teco'`` or another rule by period the
    dataset has two samples per place, ``2 i`` from the old set and ``2 i + 1`` from the new one;
    ``PlaceSampler`` keeps them together. The other modes treat all dates of a place alike.

    Added keys in paired modes: period (``'old'`` or ``'new'``), scenes of that period only.

    Source: Mall et al., Change-Aware Sampling and Contrastive Learning (CVPR 2023).

    Args:
        data_root: Folder of the places.
        mode: Name of a date rule: ``'caco'``, ``'teco'`` or one of :class:`SeCoDataset`.
        bands: Bands to load.
        dates_per_set: Dates in each set; of more, the newest and the oldest are used. A place with
            fewer than two full sets is parted at the widest gap between its dates.
        split: ``'train'``, ``'val'`` or None; by place.
        val_fraction: Share of the places in ``'val'``.
        on_bad: ``'error'`` or ``'skip'``.
        packed: Folder written by ``tools/dataset_converters/pack_scenes.py`` to read instead.
        **kwargs: Arguments of mmengine's ``BaseDataset``.
    """

    TOY_NAME = 'caco'
    HAS_PERIODS = True

    def __init__(
        self,
        data_root: str = '',
        mode: str = 'caco',
        bands: str | Sequence[str] = RGB,
        dates_per_set: int = 5,
        split: str | None = None,
        val_fraction: float = 0.1,
        on_bad: str = 'error',
        packed: str | None = None,
        **kwargs,
    ) -> None:
        self.dates_per_set = dates_per_set
        super().__init__(
            data_root=data_root,
            mode=mode,
            bands=bands,
            split=split,
            val_fraction=val_fraction,
            on_bad=on_bad,
            packed=packed,
            **kwargs,
        )

    @property
    def paired(self) -> bool:
        """Two samples per place, which a sampler must keep together."""
        return self.rule.by_period

    def enough_dates(self, place: str, scenes: list[Scene]) -> bool:
        """In paired modes both sets must hold the dates that are drawn."""
        if not self.paired:
            return super().enough_dates(place, scenes)
        needed = self.rule.num_dates
        smaller = min(len(part) for part in self._periods(scenes, [s.date for s in scenes]))
        if smaller >= needed:
            return True
        self.bad.report(
            'places with too few dates',
            f'mode {self.mode!r} draws {needed} dates from each of two sets of '
            f'{self.dates_per_set}, the place has {len(scenes)} dates in all',
            f'{self.data_root}/{place}',
            'Remove the place, or set dates_per_set',
        )
        return False

    def _periods(self, scenes: Sequence, dates: Sequence[str]) -> tuple[Sequence, Sequence]:
        """Old and new set of scenes that are sorted oldest first.

        Where dates are lacking the sets part at the widest gap: counting would move an old date
        into the new set.
        """
        count, size = len(scenes), self.dates_per_set
        if count >= 2 * size:
            return scenes[:size], scenes[count - size :]
        cuts = range(max(1, count - size), min(size, count - 1) + 1)
        days = [datetime.date.fromisoformat(day).toordinal() for day in dates]
        cut = max(cuts, key=lambda at: days[at] - days[at - 1], default=count)
        return scenes[:cut], scenes[cut:]

    def number_samples(self) -> np.ndarray:
        """In paired modes: row of the place and period (0 old, 1 new), alternating."""
        if not self.paired:
            return super().number_samples()
        places = self.num_places()
        return np.stack([np.repeat(np.arange(places), 2), np.tile([0, 1], places)], axis=1)

    def finish_info(self, info: dict, idx: int) -> dict:
        """Keep the scenes of the sample's period."""
        if self.paired:
            period = info.pop('anchor')
            info['anchor'] = None
            info['period'] = PERIODS[period]
            dates = [date for _, date in info['scenes']]
            info['scenes'] = list(self._periods(info['scenes'], dates)[period])
        return super().finish_info(info, idx)
