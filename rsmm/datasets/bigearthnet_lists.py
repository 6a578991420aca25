"""Lists of BigEarthNet patches as CSV: from published split pickles, or from the folder itself."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from rsmm.checkpoints.frame_pickle import read_frame_pickle
from rsmm.datasets.bigearthnet import labels_file
from rsmm.datasets.bigearthnet_ssl import COLUMNS, read_metadata
from rsmm.datasets.classes import CLASSES
from rsmm.errors import DataError
from rsmm.utils import atomic_write, track
from rsmm.utils.listing import list_folders

#: Order of the 43 labels in the published multi-hot vectors; CLASSES has CORINE's own.
PUBLISHED_43 = (
    'Mixed forest', 'Coniferous forest', 'Non-irrigated arable land',
    'Transitional woodland/shrub', 'Broad-leaved forest',
    'Land principally occupied by agriculture, with significant areas of natural vegetation',
    'Complex cultivation patterns', 'Pastures', 'Water bodies', 'Sea and ocean',
    'Discontinuous urban fabric', 'Agro-forestry areas', 'Peatbogs', 'Permanently irrigated land',
    'Industrial or commercial units', 'Natural grassland', 'Olive groves',
    'Sclerophyllous vegetation', 'Continuous urban fabric', 'Water courses', 'Vineyards',
    'Annual crops associated with permanent crops', 'Inland marshes', 'Moors and heathland',
    'Sport and leisure facilities', 'Fruit trees and berry plantations',
    'Mineral extraction sites', 'Rice fields', 'Road and rail networks and associated land',
    'Bare rock', 'Green urban areas', 'Beaches, dunes, sands', 'Sparsely vegetated areas',
    'Salt marshes', 'Coastal lagoons', 'Construction sites', 'Estuaries', 'Intertidal flats',
    'Airports', 'Dump sites', 'Port areas', 'Salines', 'Burnt areas',
)  # fmt: skip
_NEEDED = ('patch', 'lat', 'lng', 'date', 'multi_hot_labels43')


def names_of(multi_hot: Sequence[int]) -> list[str]:
    """Label names of a published 43-label vector.

    Raises:
        DataError: Another length, or values other than 0 and 1.
    """
    vector = np.asarray(multi_hot)
    if vector.shape != (43,) or not np.isin(vector, (0, 1)).all():
        raise DataError(f'expected 43 zeros and ones, found {vector.tolist()}')
    return [PUBLISHED_43[position] for position in np.flatnonzero(vector)]


def convert_split(source: str | Path, out: str | Path) -> int:
    """Turn a published split pickle into a list, running no code of the file.

    Args:
        source: ``train0.01_lb_43.pkl`` or the like.
        out: CSV to write.

    Returns:
        Number of patches.

    Raises:
        DataError: The pickle is no table, lacks a column, or has an impossible row.
    """
    frame = read_frame_pickle(source)
    absent = [name for name in _NEEDED if name not in frame.columns]
    if absent:
        raise DataError(f'the table lacks {", ".join(absent)}', where=source)
    rows = []
    for number, row in enumerate(frame[list(_NEEDED)].itertuples(index=False)):
        try:
            labels = names_of(row.multi_hot_labels43)
        except DataError as error:
            raise DataError(error.what, where=f'{source} row {number}') from error
        date = row.date if isinstance(row.date, str) else ''
        rows.append(dict(zip(COLUMNS, (row.patch, row.lat, row.lng, date, labels), strict=True)))
    write_list(out, rows)
    return len(rows)


def list_folder(root: str | Path, out: str | Path, names: Iterable[str] | None = None) -> int:
    """Write a list of the patches of a folder from their metadata files.

    Args:
        root: Folder of the patches.
        out: CSV to write.
        names: Patches to list; None takes all.

    Returns:
        Number of patches.
    """
    if names is None:
        names = [path.name for path in list_folders(root) if labels_file(path).is_file()]
    rows = [
        {'patch': name, **read_metadata(Path(root) / name / f'{name}_labels_metadata.json')}
        for name in track(list(names), 'Reading metadata')
    ]
    if not rows:
        raise DataError('the folder holds no patches', where=root)
    write_list(out, rows)
    return len(rows)


def write_list(out: str | Path, rows: Iterable[Mapping]) -> None:
    """Write rows with the columns patch, latitude, longitude, date and labels."""
    known = set(CLASSES['bigearthnet-43'])
    with atomic_write(out, 'w', encoding='utf-8', newline='') as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for row in rows:
            strange = set(row['labels']) - known
            if strange:
                raise DataError(f'unknown label {strange.pop()!r}', where=row['patch'])
            cells = {**row, 'labels': '|'.join(row['labels'])}
            writer.writerow([cells[name] for name in COLUMNS])
