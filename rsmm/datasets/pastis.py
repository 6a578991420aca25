"""PASTIS: Sentinel-2 time series of farmland with crop labels."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from rsmm.datasets.base import RSDataset
from rsmm.datasets.classes import CLASSES, PALETTES
from rsmm.errors import ConfigError, DataError, DataNotFoundError
from rsmm.registry import DATASETS
from rsmm.sensors import band_indices, resolve_bands
from rsmm.utils.foreign import read_json

FOLDS = (1, 2, 3, 4, 5)
#: Day 0 of the series.
REFERENCE = dt.date(2018, 9, 1)
BACKGROUND, VOID = 0, 19


@DATASETS.register_module()
class PASTIS(RSDataset):
    """PASTIS in its published layout: series (T, 10, 128, 128) with 38 to 61 dates.

    ``metadata.geojson``, ``NORM_S2_patch.json``, ``DATA_S2/S2_<id>.npy`` and
    ``ANNOTATIONS/TARGET_<id>.npy``, whose channel 0 is the class map. Class 19 is void.

    Source: Garnot and Landrieu, "Panoptic Segmentation of Satellite Image Time Series with
    Convolutional Temporal Attention Networks", ICCV 2021.

    Args:
        data_root: Folder of ``metadata.geojson``.
        folds: Folds to take: 1, 2, 3 for training, 4 to validate, 5 to test.
        norm_folds: Folds whose statistics normalise, averaged: those of training, everywhere.
        bands: Bands wanted, None for all.
        file_bands: Bands of the files in order, for series of one's own; PASTIS has ten.
        ignore_void: Whether void pixels are ignored (255) instead of being class 19.
        ignore_background: The same for class 0.
        **kwargs: Arguments of mmengine's ``BaseDataset``.

    Raises:
        DataNotFoundError: No metadata, or a patch without its files.
        DataError: Metadata that cannot be understood: fold, dates.
        ConfigError: A fold that does not exist.
    """

    METAINFO = {'classes': CLASSES['pastis'], 'palette': PALETTES['pastis']}
    TOY_NAME = 'pastis'

    def __init__(
        self,
        data_root: str = '',
        folds: Sequence[int] = (1, 2, 3),
        norm_folds: Sequence[int] = (1, 2, 3),
        bands: str | Sequence[str] | None = None,
        file_bands: str | Sequence[str] = 'pastis',
        ignore_void: bool = True,
        ignore_background: bool = False,
        **kwargs,
    ) -> None:
        self.folds = _known_folds('folds', folds)
        self.norm_folds = _known_folds('norm_folds', norm_folds)
        self.file_bands = resolve_bands(file_bands)
        self.bands = self.file_bands if bands is None else resolve_bands(bands)
        band_indices(self.file_bands, self.bands, where='PASTIS bands')
        self.void = (VOID,) * ignore_void + (BACKGROUND,) * ignore_background
        self._norm: tuple | None = None
        super().__init__(data_root=data_root, facts={'bands': self.bands}, **kwargs)

    def load_data_list(self) -> list[dict]:
        """List the patches of the folds in order of their numbers."""
        root = Path(self.data_root)
        path = root / 'metadata.geojson'
        patches = read_metadata(path)
        self._norm = read_norm(root / 'NORM_S2_patch.json', self.norm_folds, len(self.file_bands))
        chosen = [patch for patch in patches if patch['fold'] in self.folds]
        if not chosen:
            have = sorted({patch['fold'] for patch in patches})
            raise DataError(
                f'holds no patch of folds {", ".join(map(str, self.folds))}',
                where=path,
                fix=f'Folds in the file: {", ".join(map(str, have))}',
            )
        records = []
        for patch in sorted(chosen, key=lambda patch: patch['id']):
            number = patch['id']
            record = {
                'name': str(number),
                'series_path': str(root / 'DATA_S2' / f'S2_{number}.npy'),
                'label_path': str(root / 'ANNOTATIONS' / f'TARGET_{number}.npy'),
                'days': patch['days'],
            }
            for key in ('series_path', 'label_path'):
                if not Path(record[key]).is_file():
                    raise DataNotFoundError(
                        f'patch {number} of the metadata has no such file',
                        where=record[key],
                        fix='Unpack the archive completely',
                    )
            records.append(record)
        return records

    def get_data_info(self, idx: int) -> dict:
        """Return a sample's record with bands and normalisation."""
        info = super().get_data_info(idx)
        info.update(
            classes=len(self.metainfo['classes']),
            palette=self.metainfo['palette'],
            label_void=self.void,
            file_bands=self.file_bands,
            bands=self.bands,
            norm=self._norm,
        )
        return info


def _known_folds(setting: str, folds: int | Sequence[int]) -> tuple[int, ...]:
    folds = (folds,) if isinstance(folds, int) else tuple(folds)
    wrong = [fold for fold in folds if fold not in FOLDS]
    if wrong or not folds:
        raise ConfigError(
            f'{setting}: there is no fold {", ".join(map(str, wrong)) or "named"}',
            where='PASTIS',
            fix='Folds are 1, 2, 3, 4 and 5',
        )
    return folds


def read_metadata(path: Path) -> list[dict]:
    """Read ``id``, ``fold`` and ``days`` (since 2018-09-01) of every patch.

    Raises:
        DataNotFoundError: There is no such file.
        DataError: It is no GeoJSON, a patch lacks a property or has dates that are none, or two
            patches have one number.
    """
    if not path.is_file():
        raise PASTIS.not_found('there is no such file', path)
    try:
        features = read_json(path, what='is no GeoJSON of patches')['features']
        properties = [feature['properties'] for feature in features]
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f'is no GeoJSON of patches ({error!r})', where=path) from error
    patches = []
    numbers = set()
    for number, patch in enumerate(properties):
        where = f'{path}: feature {number}'
        if not isinstance(patch, Mapping):
            raise DataError(
                f'properties is a {type(patch).__name__} ({str(patch)[:40]}), expected a dict',
                where=where,
            )
        missing = [key for key in ('ID_PATCH', 'Fold', 'dates-S2') if key not in patch]
        if missing:
            raise DataError(f'has no property {", ".join(missing)}', where=where)
        where = f'{path}: patch {patch["ID_PATCH"]}'
        if patch['Fold'] not in FOLDS:
            raise DataError(f'Fold is {patch["Fold"]!r}, expected 1 to 5', where=where)
        if not str(patch['ID_PATCH']).removesuffix('.0').isdecimal():
            raise DataError('ID_PATCH is no number', where=where)
        found = {
            'id': int(float(patch['ID_PATCH'])),
            'fold': int(patch['Fold']),
            'days': parse_dates(patch['dates-S2'], where),
        }
        # In two folds it would be trained on and tested.
        if found['id'] in numbers:
            raise DataError('occurs twice', where=where)
        numbers.add(found['id'])
        patches.append(found)
    return patches


def parse_dates(dates: Mapping | str, where: str) -> tuple[int, ...]:
    """Return days since 2018-09-01 from ``{"0": 20180924, ...}``, a dict or its JSON text.

    Raises:
        DataError: Neither, or a value that is no date.
    """
    if isinstance(dates, str):
        try:
            dates = json.loads(dates)
        except (ValueError, RecursionError) as error:
            raise DataError(
                f'dates-S2 is a text but no JSON: {dates[:40]!r}', where=where
            ) from error
    if not isinstance(dates, Mapping) or not dates:
        raise DataError(
            f'dates-S2 is a {type(dates).__name__} ({str(dates)[:40]}), '
            'expected a dict of position to date',
            where=where,
        )
    days = []
    for key in sorted(dates, key=lambda key: int(key) if str(key).isdecimal() else -1):
        try:
            day = dt.datetime.strptime(str(int(dates[key])), '%Y%m%d').date()
            int(key)
        except (ValueError, TypeError, OverflowError) as error:
            raise DataError(
                f'dates-S2 holds {key!r}: {dates[key]!r}, expected a position and YYYYMMDD',
                where=where,
            ) from error
        days.append((day - REFERENCE).days)
    return tuple(days)


def read_norm(
    path: Path, folds: Sequence[int], count: int
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return mean and standard deviation of ``count`` bands, averaged over folds.

    Raises:
        DataNotFoundError: There is no such file.
        DataError: A fold is missing, has other than ``count`` values, values that are no numbers,
            or a deviation that is not positive.
    """
    if not path.is_file():
        raise PASTIS.not_found('there is no such file', path)
    table = read_json(path, object)
    stats = []
    for fold in folds:
        entry = table.get(f'Fold_{fold}') if isinstance(table, Mapping) else None
        if entry is None:
            raise DataError(f'has no Fold_{fold}', where=path)
        if not isinstance(entry, Mapping) or not {'mean', 'std'} <= set(entry):
            raise DataError(
                f'Fold_{fold} is {str(entry)[:40]!r}, expected a dict of mean and std', where=path
            )
        stats.append(
            [_numbers(entry[key], count, f'{path}: Fold_{fold} {key}') for key in ('mean', 'std')]
        )
    values = np.array(stats)
    if (values[:, 1] <= 0).any():
        raise DataError(f'has a std of {values[:, 1].min():g}, expected more than 0', where=path)
    mean, std = values.mean(axis=0)
    return tuple(mean.tolist()), tuple(std.tolist())


def _numbers(values: Sequence[float], count: int, where: str) -> np.ndarray:
    try:
        found = np.array(values, np.float64)
    except (ValueError, TypeError) as error:
        raise DataError(f'is {str(values)[:40]}, expected numbers', where=where) from error
    if found.shape != (count,) or not np.isfinite(found).all():
        raise DataError(
            f'expected {count} numbers, found {found.size}: {str(values)[:40]}', where=where
        )
    return found
