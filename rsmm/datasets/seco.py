"""Seasonal Contrast's archive: places with five Sentinel-2 dates spread over a year."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from mmengine.dataset import force_full_init
from mmengine.logging import print_log

from rsmm.datasets.base import RSDataset
from rsmm.datasets.date_rules import date_rule
from rsmm.datasets.scenes import BadPlaces, Scene, band_files, scan_scenes
from rsmm.errors import ConfigError, DataError
from rsmm.geo.raster import opened
from rsmm.registry import DATASETS
from rsmm.sensors import RGB, resolve_bands


@DATASETS.register_module()
class SeCoDataset(RSDataset):
    """Dated Sentinel-2 L2A scenes of many places, in the published layout of SeCo.

    ``<root>/<place>/<product id>/{B1,...,B12}.tif``: uint8, bands of 264, 132 and 44 pixels. RGB
    previews and ``metadata.json`` are ignored. A sample lists the dates of one place; ``mode``
    decides whether it stands for the place or for one of its images, and transforms draw the dates
    and load them.

    Added keys: place, scenes (list of dicts with name, folder and date, oldest first), anchor
    (position of the sample's own image, or None), mode, bands, stored_dtype (of the archive's first
    scene), sample_idx.

    Source: Manas et al., Seasonal Contrast (ICCV 2021).

    Args:
        data_root: Folder of the places.
        mode: Name of a date rule (:mod:`rsmm.datasets.date_rules`), one that needs no periods:
            ``'moco'``, ``'moco_tp'``, ``'seco'``, ``'sa_moco'``, ``'saco'`` or one's own.
        bands: Bands to load: names or the name of an order (``'seco'`` for all 12).
        split: ``'train'``, ``'val'``, or None for all. Decided by place: no place is in both.
        val_fraction: Share of the places in ``'val'``.
        on_bad: ``'error'``, or ``'skip'`` to leave out what does not fit; the log counts why.
        packed: Folder written by ``tools/dataset_converters/pack_scenes.py`` to read instead.
        **kwargs: ``pipeline``, ``test_mode``... of mmengine's ``BaseDataset``.

    Raises:
        DataNotFoundError: There are no scenes.
        DataError: A scene lacks a band, a day has two products, a place has too few dates.
    """

    METAINFO = {'task_name': 'selfsup'}
    TOY_NAME = 'seco'
    HAS_PERIODS = False
    _draws: np.ndarray | None = None  # row of the place and anchor of each sample, once read

    def __init__(
        self,
        data_root: str = '',
        mode: str = 'seco',
        bands: str | Sequence[str] = RGB,
        split: str | None = None,
        val_fraction: float = 0.1,
        on_bad: str = 'error',
        packed: str | None = None,
        **kwargs,
    ) -> None:
        name = type(self).__name__
        self.rule = date_rule(mode, name)
        if self.rule.by_period and not self.HAS_PERIODS:
            raise ConfigError(
                f'mode={mode!r} compares an old and a new set of dates, which {name} has not',
                where=name,
                fix='Use CACoDataset',
            )
        if split not in (None, 'train', 'val') or on_bad not in ('error', 'skip'):
            raise ConfigError(f'split={split!r}, on_bad={on_bad!r} do not exist', where=name)
        if not 0 <= val_fraction <= 1:
            raise ConfigError(f'val_fraction={val_fraction} is not in [0, 1]', where=name)
        self.mode = mode
        self.bands = resolve_bands(bands)
        self.split = split
        self.val_fraction = val_fraction
        self.bad = BadPlaces(on_bad)
        self.packed = packed
        facts = {'bands': self.bands}
        super().__init__(data_root=str(packed or data_root), facts=facts, **kwargs)

    def load_data_list(self) -> list[dict]:
        """List the places of the split that have enough dates."""
        places = self.all_places()
        infos = []
        for place, scenes in places.items():
            if self.split and (place_fraction(place) < self.val_fraction) != (self.split == 'val'):
                continue
            if self.enough_dates(place, scenes):
                infos.append({'place': place, 'scenes': [(s.name, s.date) for s in scenes]})
        self._log_skipped(len(infos))
        if not infos:
            raise DataError(
                f'no place of split {self.split!r} is left of {len(places)}',
                where=self.data_root,
                fix='Change val_fraction, or use a mode that needs fewer dates',
            )
        return infos

    def all_places(self) -> dict[str, list[Scene]]:
        """Scenes of every place of the archive, oldest first."""
        if not self.packed:
            return scan_scenes(self.data_root, self.bands, self.bad)
        from rsmm.datasets.scene_shards import open_shards

        shards = open_shards(self.packed)
        shards.check_bands(self.bands)
        return shards.places()

    def enough_dates(self, place: str, scenes: list[Scene]) -> bool:
        """Whether a place has the dates that the mode draws; reports it if not."""
        if len(scenes) >= self.rule.num_dates:
            return True
        self.bad.report(
            'places with too few dates',
            f'mode {self.mode!r} draws {self.rule.num_dates} dates, the place has {len(scenes)}',
            f'{self.data_root}/{place}',
            'Remove the place',
        )
        return False

    def _log_skipped(self, kept: int) -> None:
        if self.bad.counts:
            reasons = ', '.join(f'{count} {kind}' for kind, count in self.bad.counts.items())
            print_log(f'{self.data_root}: kept {kept} places; skipped {reasons}', 'current')

    @property
    def skipped(self) -> dict[str, int]:
        """How many folders were left out, by reason."""
        return dict(self.bad.counts)

    def full_init(self) -> None:
        """Load the records and number the samples."""
        if self._draws is not None:
            return
        super().full_init()
        self._draws = self.number_samples()
        self.stored_dtype = self._stored_dtype()

    def _stored_dtype(self) -> str | None:
        """Dtype of the first scene, which all others must share; None where it cannot be read."""
        if self.packed:
            return None
        name, _ = RSDataset.get_data_info(self, 0)['scenes'][0]
        try:
            files = band_files(Path(self.data_root) / name)
            if self.bands[0] not in files:  # bands of another layout, read by its own transform
                return None
            with opened(files[self.bands[0]], sidecars=False) as file:
                return file.dtypes[0]
        except DataError:
            # Whoever loads this scene reports what is wrong with it.
            return None

    def num_places(self) -> int:
        """Places in the split."""
        return RSDataset.__len__(self)

    def number_samples(self) -> np.ndarray:
        """Row of the place and position of its image for every sample, ``(n, 2)``."""
        places = self.num_places()
        if not self.rule.per_image:
            return np.stack([np.arange(places), np.full(places, -1)], axis=1)
        counts = [len(RSDataset.get_data_info(self, i)['scenes']) for i in range(places)]
        rows = np.repeat(np.arange(places), counts)
        anchors = np.concatenate([np.arange(count) for count in counts])
        return np.stack([rows, anchors], axis=1)

    @force_full_init
    def __len__(self) -> int:
        return len(self._draws)

    @force_full_init
    def get_data_info(self, idx: int) -> dict:
        """Return the place of a sample, its scenes and, per image, which of them is the sample."""
        row, anchor = self._draws[idx].tolist()
        info = super().get_data_info(row)
        info['anchor'] = None if anchor < 0 else anchor
        return self.finish_info(info, idx)

    def finish_info(self, info: dict, idx: int) -> dict:
        """Complete a record with what is the same for all samples."""
        root = self.data_root
        info['scenes'] = [
            {'name': name, 'folder': f'{root}/{name}', 'date': date}
            for name, date in info['scenes']
        ]
        info['mode'] = self.mode
        info['bands'] = self.bands
        info['sample_idx'] = int(idx)
        info['stored_dtype'] = self.stored_dtype
        info['img_path'] = f'{root}/{info["place"]}'
        if self.packed:
            info['shards'] = self.packed
        return info


def place_fraction(place: str) -> float:
    """A number in [0, 1) that depends on nothing but the name of a place."""
    digest = hashlib.blake2b(place.encode(), digest_size=8).digest()
    return int.from_bytes(digest, 'big') / 2**64
