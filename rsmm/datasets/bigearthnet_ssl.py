"""BigEarthNet for semi-supervised learning: lists of patches with labels, places and dates."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

from mmengine.logging import print_log

from rsmm.datasets.bigearthnet import BigEarthNet, label_indices
from rsmm.datasets.place_time import parse_date, parse_place, to_place
from rsmm.datasets.splits import rank
from rsmm.errors import ConfigError, DataError, DataNotFoundError
from rsmm.registry import DATASETS
from rsmm.utils.foreign import parsing, read_json

#: Columns of the tables that ``tools/dataset_converters/bigearthnet_lists.py`` writes.
COLUMNS = ('patch', 'latitude', 'longitude', 'date', 'labels')
_SUBSETS = ('labelled', 'unlabelled', 'all')


@DATASETS.register_module()
class BigEarthNetSSL(BigEarthNet):
    """A list of BigEarthNet patches with multi-hot labels, place and date.

    The list is a CSV with the columns patch, latitude, longitude, date and labels (names of the 43,
    joined by ``|``), as ``tools/dataset_converters/bigearthnet_lists.py`` makes it from a published
    split or from the folder; nothing but the list is read to know the dataset. A list of names
    alone works as well: labels, place (centre of the patch) and date then come from each patch's
    ``_labels_metadata.json``.

    Results hold ``gt_score`` (multi-hot), ``latitude``, ``longitude`` (degrees) and
    ``day_of_year``. Patches that none of the classes describes are kept, with no label set.

    Args:
        data_root: Folder of the patches.
        split_file: The list; None takes every patch of the folder.
        subset: ``'all'``, or ``'labelled'``/``'unlabelled'`` for a draw of one's own.
        num_labels: Labelled patches of that draw; those of one seed are nested.
        label_seed: Seed of the draw.
        include_labelled: The unlabelled part holds the labelled patches, too.
        use_place: False sets latitude and longitude to 0, as the published ablation does.
        use_date: False sets the date to the first of January.
        **kwargs: Arguments of :class:`BigEarthNet` (``bands``, ``num_classes``, ``exclude_files``).

    Raises:
        ConfigError: A part of a draw without ``num_labels``, or a setting that does not exist.
        DataNotFoundError: Root, list or a patch's metadata are absent.
        DataError: A patch listed twice, an unknown label, an impossible place or date; names file
            and row.
    """

    def __init__(
        self,
        *args,
        subset: str = 'all',
        num_labels: int | None = None,
        label_seed: int = 0,
        include_labelled: bool = True,
        use_place: bool = True,
        use_date: bool = True,
        **kwargs,
    ) -> None:
        if subset not in _SUBSETS or (subset == 'all') != (num_labels is None):
            raise ConfigError(
                f'subset={subset!r} with num_labels={num_labels}',
                where='BigEarthNetSSL',
                fix="subset='labelled' and 'unlabelled' need num_labels, 'all' takes none",
            )
        self.subset, self.num_labels, self.label_seed = subset, num_labels, label_seed
        self.include_labelled = include_labelled
        self.use_place, self.use_date = use_place, use_date
        super().__init__(*args, **kwargs)

    def load_data_list(self) -> list[dict]:
        """List the patches with scores, place and date."""
        self._table = read_list(self.split_file) if self.split_file else {}
        names = self._part(self._drawn(self._names()))
        infos = []
        for name in names:
            row = self._table.get(name)
            where = f'{self.split_file}: {name}'
            if row is None or 'labels' not in row:
                row, where = self._from_json(name), str(self._json(name))
            try:
                infos.append(self._info(name, row))
            except DataError as error:
                raise DataError(error.what, where=where, fix=error.fix) from error
        if not infos:
            raise self.not_found('no patch is left', self.data_root)
        bare = sum(not any(info['gt_score']) for info in infos)
        if bare:
            print_log(f'{self.data_root}: {bare} patches have none of the classes', 'current')
        return infos

    def _listed(self) -> list[str]:
        return list(self._table)

    def _part(self, names: list[str]) -> list[str]:
        if self.subset == 'all':
            return names
        if self.num_labels > len(names):
            raise ConfigError(
                f'{self.num_labels} labelled of {len(names)} patches', where='num_labels'
            )
        drawn = set(rank(names, self.label_seed, 'labels')[: self.num_labels])
        if self.subset == 'labelled':
            return [name for name in names if name in drawn]
        return [name for name in names if self.include_labelled or name not in drawn]

    def _info(self, name: str, row: Mapping) -> dict:
        labels = label_indices([label for label in row['labels'] if label], self.num_classes)
        score = [0.0] * self.num_classes
        for label in labels:
            score[label] = 1.0
        latitude, longitude = parse_place(row.get('latitude'), row.get('longitude'))
        return {
            'patch': name,
            'gt_score': score,
            'latitude': latitude if self.use_place else 0.0,
            'longitude': longitude if self.use_place else 0.0,
            'day_of_year': parse_date(row.get('date')) if self.use_date else 1,
        }

    def _json(self, name: str) -> Path:
        return Path(self.data_root) / name / f'{name}_labels_metadata.json'

    def _from_json(self, name: str) -> dict:
        return read_metadata(self._json(name))


def read_metadata(path: str | Path) -> dict:
    """Labels, place (centre, degrees) and date of a patch's ``_labels_metadata.json``.

    Raises:
        DataNotFoundError: There is no such file.
        DataError: It lacks one of the five published keys.
    """
    try:
        found = read_json(path, what='no readable metadata', fix='Download it again')
    except DataNotFoundError as error:
        raise DataNotFoundError(
            'there is no such patch', where=path, fix='Complete the download or the list'
        ) from error
    with parsing(path, 'no readable metadata', 'Download it again'):
        box = found['coordinates']
        x, y = (box['ulx'] + box['lrx']) / 2, (box['uly'] + box['lry']) / 2
        latitude, longitude = to_place(found['projection'], x, y)
        return {
            'labels': list(found['labels']),
            'latitude': latitude,
            'longitude': longitude,
            'date': found['acquisition_date'],
        }


def read_list(path: str | Path) -> dict[str, dict]:
    """Read a list of patches with or without further columns.

    Returns:
        Cells by patch; ``labels`` as a list of names. Without a header the dicts are empty.

    Raises:
        DataNotFoundError: There is no such file.
        DataError: A patch stands in it twice; names the row.
    """
    try:
        with open(path, newline='', encoding='utf-8-sig') as file:
            rows = [row for row in csv.reader(file) if row and row[0].strip()]
    except FileNotFoundError as error:
        raise DataNotFoundError('there is no such list', where=path) from error
    header = rows.pop(0) if rows and rows[0][0] == 'patch' else ['patch']
    table: dict[str, dict] = {}
    for number, cells in enumerate(rows, 2 if header != ['patch'] else 1):
        row: dict = dict(zip(header, cells, strict=False))
        name = row.pop('patch').strip()
        if name in table:
            raise DataError(f'{name} stands in the list twice', where=f'{path} row {number}')
        if 'labels' in row:
            row['labels'] = row['labels'].split('|')
        table[name] = row
    return table
