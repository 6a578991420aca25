"""One's own images for semi-supervised learning: a table, a folder without labels, or both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from rsmm.datasets.base import RSDataset
from rsmm.datasets.label_draws import stratified_draw
from rsmm.datasets.place_time import is_empty, parse_date, parse_place
from rsmm.datasets.table_rows import label_text, read_rows
from rsmm.errors import ConfigError, DataError, DataNotFoundError, did_you_mean
from rsmm.registry import DATASETS
from rsmm.sensors import resolve_bands
from rsmm.utils.listing import inside, list_files

_SUBSETS = ('labelled', 'unlabelled', 'all')


@DATASETS.register_module()
class ImageTable(RSDataset):
    """Images that a CSV, Parquet or GeoParquet table lists, or all images of a folder.

    Columns: ``path`` (relative to ``data_root``), and as far as there are any ``label`` (a class
    name; with ``multi_label`` names joined by ``|``; empty where unknown), ``latitude`` and
    ``longitude`` (degrees), ``date`` (2017-06-13), ``split``. The geometry of a GeoParquet table
    gives the place, in whatever CRS. Images without a place in the table may bring their own: see
    ``PlaceFromRaster``.

    Args:
        data_root: Folder of the images.
        table: Table, relative to ``data_root`` or absolute; None lists the images of ``folder``.
        folder: Folder of images without labels, subfolders included, relative to ``data_root``;
            with a table its images are added to the unlabelled ones.
        subset: ``'labelled'`` (rows that have a label), ``'unlabelled'`` or ``'all'`` rows.
        include_labelled: The unlabelled subset holds the labelled images, too.
        split: Value of the column ``split`` to keep, None for all rows.
        classes: Names in label order; by default those of the whole table, sorted.
        multi_label: An image may have several labels; results then hold ``gt_score``, multi-hot.
        num_labels: Keep that many of the labelled rows, drawn by class; None keeps all.
        label_seed: Seed of that draw.
        bands: Names of the bands in the files; None takes what the files declare.
        **kwargs: Arguments of :class:`RSDataset`.

    Raises:
        DataNotFoundError: Root, table or an image is absent; the error names the row.
        DataError: A row with an unknown label, an impossible place or date, or an image that stands
            in another row already.
        ConfigError: Neither table nor folder, a setting that does not exist.
    """

    def __init__(
        self,
        data_root: str = '',
        table: str | None = None,
        folder: str | None = None,
        subset: str = 'all',
        include_labelled: bool = True,
        split: str | None = None,
        classes: Sequence[str] | None = None,
        multi_label: bool = False,
        num_labels: int | None = None,
        label_seed: int = 0,
        bands: str | Sequence[str] | None = None,
        **kwargs,
    ) -> None:
        if table is None and folder is None:
            raise ConfigError('needs a table or a folder', where='ImageTable')
        if subset not in _SUBSETS or (subset == 'labelled' and table is None):
            raise ConfigError(
                f'subset={subset!r} of table={table!r}',
                where='ImageTable',
                fix=f'One of {", ".join(_SUBSETS)}; labels need a table',
            )
        if num_labels is not None and (multi_label or subset == 'all'):
            raise ConfigError(
                'num_labels draws one label per image for the two streams', where='ImageTable'
            )
        self.table = None if table is None else Path(data_root) / table
        self.folder = None if folder is None else Path(data_root) / folder
        self.subset, self.include_labelled = subset, include_labelled
        self.split = split
        self.classes = None if classes is None else tuple(classes)
        self.multi_label = multi_label
        self.num_labels, self.label_seed = num_labels, label_seed
        self.bands = None if bands is None else resolve_bands(bands)
        super().__init__(data_root=data_root, facts={'bands': self.bands}, **kwargs)
        if self.classes is not None:
            self.note(classes=self.classes)

    def load_data_list(self) -> list[dict]:
        """List the images of the subset in the order of the table, then those of the folder."""
        infos = self._from_table() if self.table else []
        if self.folder is not None and self.subset != 'labelled':
            infos += self._from_folder({info['img_path'] for info in infos})
        if not infos:
            kind = 'images' if self.subset == 'all' else f'{self.subset} images'
            raise DataError(
                f'no {kind}' + (f' of split {self.split!r}' if self.split else ''),
                where=self.table or self.folder,
                fix=self._what_is_missing(),
            )
        if self.bands is not None:
            for info in infos:
                info['file_bands'] = info['bands'] = self.bands
        return infos

    def _what_is_missing(self) -> str:
        """Say what would give a subset without images some: the splits that the table knows."""
        if self.split is None or self.table is None:
            return 'Check the labels of the table'
        cells = [row.get('split') for _, row in read_rows(self.table)]
        known = sorted({str(cell) for cell in cells if not is_empty(cell)})
        if not known:
            return 'The table has no column split (train, val); add it, or leave out split='
        return f'Check labels and splits of the table, which knows {", ".join(known)}'

    def _from_table(self) -> list[dict]:
        rows = list(read_rows(self.table))
        if self.classes is None:
            self.classes = tuple(sorted({name for _, row in rows for name in self._names(row)}))
        infos: list[dict] = []
        first: dict = {}
        for number, row in rows:
            try:
                info = self._info(row)
            except DataError as error:
                raise type(error)(
                    error.what, where=f'{self.table} row {number}', fix=error.fix
                ) from error
            twin = first.setdefault(info['img_path'], number)
            if twin != number:
                raise DataError(
                    f'{row["path"]} stands in row {twin} already',
                    where=f'{self.table} row {number}',
                    fix='Keep one of them',
                )
            if self.split is None or row.get('split') == self.split:
                infos.append(info)
        return self._chosen(infos)

    def _names(self, row: Mapping) -> list[str]:
        """Class names of a row, none where the label is unknown."""
        cell = row.get('label')
        if is_empty(cell):
            return []
        names = label_text(cell).split('|') if self.multi_label else [label_text(cell)]
        return [name.strip() for name in names]

    def _info(self, row: Mapping) -> dict:
        path = inside(self.data_root, str(row['path']), self.table)
        if not path.is_file():
            raise DataNotFoundError(f'no such image {path}', fix='Check path and data_root')
        info: dict = {'img_path': str(path)}
        info['latitude'], info['longitude'] = parse_place(row.get('latitude'), row.get('longitude'))
        info['day_of_year'] = parse_date(row.get('date'))
        names = self._names(row)
        for name in names:
            if name.startswith('-') and name[1:].isdigit():
                raise DataError(
                    f'label {name} is no class', fix='Leave the label empty where it is unknown'
                )
            if name not in self.classes:
                raise DataError(
                    f'unknown label {name!r}.{did_you_mean(name, self.classes)}',
                    fix='Leave the label empty where it is unknown; '
                    f'classes: {", ".join(self.classes[:10])}',
                )
        if names and self.multi_label:
            info['gt_score'] = [float(name in names) for name in self.classes]
        elif names:
            info['gt_label'] = self.classes.index(names[0])
        return info

    def _chosen(self, infos: list[dict]) -> list[dict]:
        """Return the rows of the subset."""
        if self.subset == 'all':
            return infos
        labelled = {info['img_path'] for info in infos if 'gt_label' in info or 'gt_score' in info}
        if self.num_labels is not None:
            labels = {i['img_path']: i['gt_label'] for i in infos if i['img_path'] in labelled}
            # Draws go by name, so that they are the same wherever the data lie.
            names = {str(Path(path).relative_to(self.data_root)): path for path in labels}
            drawn = stratified_draw(
                {name: labels[path] for name, path in names.items()},
                self.num_labels,
                self.label_seed,
            )
            labelled = {names[name] for name in drawn}
        if self.subset == 'labelled':
            return [info for info in infos if info['img_path'] in labelled]
        return [info for info in infos if self.include_labelled or info['img_path'] not in labelled]

    def _from_folder(self, known: set[str]) -> list[dict]:
        if not self.folder.is_dir():
            raise DataNotFoundError('there is no such folder', where=self.folder)
        place = {'latitude': None, 'longitude': None, 'day_of_year': None}
        return [
            {'img_path': str(path), **place}
            for path in list_files(self.folder, deep=True)
            if str(path) not in known
        ]
