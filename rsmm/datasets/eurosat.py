"""EuroSAT: 27,000 Sentinel-2 chips of 64x64 pixels in ten land-use classes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from rsmm.datasets.base import RSDataset
from rsmm.datasets.classes import CLASSES
from rsmm.datasets.metadata import read_places
from rsmm.datasets.splits import (
    SPLITS,
    label_fraction,
    listed_split,
    spatial_split,
    stratified_split,
)
from rsmm.datasets.transforms.loading import check_darkest
from rsmm.errors import ConfigError, DataError, did_you_mean
from rsmm.geo.raster import read_raster
from rsmm.registry import DATASETS
from rsmm.sensors import band_indices, band_order, resolve_bands
from rsmm.utils.listing import JPEG, TIFF, list_folders, of_one_kind

_ZIP_FOLDER = 'ds/images/remote_sensing/otherDatasets/sentinel_2'
#: Where the published archives, unpacked as they are, put the class folders.
FOLDERS = {
    '.jpg': ('2750', 'EuroSAT/2750', 'EuroSAT_RGB', f'{_ZIP_FOLDER}/2750', '.'),
    '.tif': ('tif', f'{_ZIP_FOLDER}/tif', 'EuroSAT_MS', '.'),
}
_KINDS = {'.jpg': JPEG, '.tif': TIFF}
_SCHEMES = ('stratified', 'spatial', 'list')


@DATASETS.register_module()
class EuroSAT(RSDataset):
    """EuroSAT in its published layout, as RGB JPEG or as 13-band GeoTIFF (L1C, uint16).

    ``<root>/2750/<Class>/<Class>_<n>.jpg`` and ``<root>/tif/<Class>/<Class>_<n>.tif``; the nesting
    of the archives and a root that holds the class folders itself are found too. The GeoTIFFs keep
    B8A last. There is no official split; RGB and 13-band chips of one name fall in the same one.

    Source: Helber et al., "EuroSAT: A Novel Dataset and Deep Learning Benchmark for Land Use and
    Land Cover Classification", JSTARS 2019.

    Args:
        data_root: Folder with the dataset.
        bands: ``'rgb'`` reads the JPEGs (0..255, bands B04, B03, B02); ``'ms'`` the GeoTIFFs, all
            13 bands; a list of names the GeoTIFFs, those bands.
        split: ``'train'``, ``'val'``, ``'test'``, or ``'all'`` for every chip.
        split_scheme: ``'stratified'`` by class, ``'spatial'`` by grid cell (needs ``metadata``) or
            ``'list'``; a ``split_file`` implies the last.
        split_file: List of file names, one a line; ``{split}`` in the path is replaced.
        fractions: Shares (train, val[, test]) of the schemes that draw.
        metadata: Table with latitude and longitude per chip (parquet, csv or yaml); adds ``lat``
            and ``lon`` to the results.
        cell_size: Edge of the grid cells of the spatial split in degrees.
        label_fraction: Share of the chips of each class to keep.
        seed: Seed of split and label fraction.
        packed: Folder written by ``tools/dataset_converters/pack_dataset.py`` to read instead of
            ``data_root``.
        **kwargs: ``pipeline``, ``test_mode``, ``indices``... of mmengine's ``BaseDataset``.

    Raises:
        DataNotFoundError: Root, images, list or table are absent.
        DataError: An unknown class folder, a listed chip that is not there, ...
        ConfigError: A setting that does not exist.
    """

    METAINFO = {'classes': CLASSES['eurosat'], 'palette': None, 'task_name': 'classification'}
    TOY_NAME = 'eurosat'
    SHAPE = (64, 64)

    def __init__(
        self,
        data_root: str = '',
        bands: str | Sequence[str] = 'rgb',
        split: str | None = 'train',
        split_scheme: str | None = None,
        split_file: str | None = None,
        fractions: Sequence[float] = (0.75, 0.25),
        metadata: str | None = None,
        cell_size: float = 0.25,
        label_fraction: float = 1.0,
        seed: int = 0,
        packed: str | None = None,
        **kwargs,
    ) -> None:
        self.suffix, self.file_bands, self.bands = resolve_source(bands)
        self.split = _one_of('split', split or 'all', (*SPLITS, 'all'))
        scheme = split_scheme or ('list' if split_file else 'stratified')
        self.split_scheme = _one_of('split_scheme', scheme, _SCHEMES)
        if (self.split_scheme == 'list') != (split_file is not None):
            raise ConfigError(
                f'split_scheme={self.split_scheme!r} with split_file={split_file!r}',
                where='EuroSAT',
                fix="split_scheme='list' and split_file belong together",
            )
        self.split_file = split_file
        self.fractions = tuple(fractions)
        self.metadata_file = metadata
        self.cell_size = cell_size
        self.label_fraction = label_fraction
        self.seed = seed
        self.packed = packed
        super().__init__(data_root=str(packed or data_root), **kwargs)
        self._metainfo['bands'] = self.bands

    def load_data_list(self) -> list[dict]:
        """List the chips of the split, ordered by class and name."""
        chips = self._packed_chips() if self.packed else self._chips()
        places = self._places(chips)
        chosen = self._choose({stem: chip['gt_label'] for stem, chip in chips.items()}, places)
        if not chosen:
            raise DataError(
                f'split {self.split!r} holds no chips of {len(chips)}',
                where=self.data_root,
                fix='Use other fractions, another cell_size or more chips',
            )
        for stem, (latitude, longitude) in places.items():
            chips[stem].update(lat=latitude, lon=longitude)
        return [chip for stem, chip in chips.items() if stem in chosen]

    def _chips(self) -> dict[str, dict]:
        """Map file stems to image path and label, as found on disk."""
        folder = self._image_folder()
        chips: dict[str, dict] = {}
        for label, name in enumerate(CLASSES['eurosat']):
            for stem, path in of_one_kind(folder / name, _KINDS[self.suffix]).items():
                check_name(stem, name, path)
                if stem in chips:
                    raise DataError(f'{chips[stem]["img_path"]} has the same name', where=path)
                chips[stem] = {'img_path': str(path), 'gt_label': label}
        if not chips:
            raise self.not_found(f'the class folders hold no {self.suffix} files', folder)
        if self.suffix == '.tif':
            first = {chip['gt_label']: chip['img_path'] for chip in reversed(chips.values())}
            check_order(sorted(first.values()), self.file_bands)
        return chips

    def _image_folder(self) -> Path:
        """Find the folder of the class folders, and refuse class folders that are not EuroSAT's."""
        root = Path(self.data_root)
        candidates = [root / name for name in FOLDERS[self.suffix]]
        for folder in candidates:
            if any((folder / name).is_dir() for name in CLASSES['eurosat']):
                check_class_folders(folder)
                return folder
        for folder in candidates[:-1]:
            if folder.is_dir():
                check_class_folders(folder)
        raise self.not_found(
            f'no class folders (AnnualCrop, ...) with {self.suffix} files here or under '
            f'{", ".join(FOLDERS[self.suffix][:-1])}',
            root,
        )

    def _packed_chips(self) -> dict[str, dict]:
        from rsmm.datasets.packed import open_pack

        pack = open_pack(self.packed)
        # Fail here, not at the first sample, when the pack lacks bands.
        band_indices(pack.bands, self.bands, where=self.packed)
        labels = {name: label for label, name in enumerate(CLASSES['eurosat'])}
        chips = {}
        for row, name in enumerate(pack.names):
            path = Path(name)
            if path.parent.name not in labels:
                raise _unknown_class(path.parent.name, f'{self.packed}: {name}')
            label = labels[path.parent.name]
            chips[path.stem] = {'img_path': name, 'gt_label': label, 'pack_row': row}
        return dict(sorted(chips.items(), key=lambda item: (item[1]['gt_label'], item[0])))

    def _places(self, chips: dict[str, dict]) -> dict[str, tuple[float, float]]:
        if self.metadata_file is None:
            if self.split_scheme == 'spatial':
                raise ConfigError(
                    "split_scheme='spatial' needs to know where the chips are",
                    where='EuroSAT',
                    fix='Set metadata to a table with image_id, lat and lon',
                )
            return {}
        table = read_places(self.metadata_file)
        missing = [stem for stem in chips if stem not in table]
        if missing:
            raise DataError(
                f'{len(missing)} of {len(chips)} chips have no place, e.g. {missing[0]}',
                where=self.metadata_file,
                fix='Use the table that belongs to this data root',
            )
        return {stem: table[stem] for stem in chips}

    def _choose(self, labels: dict[str, int], places: dict[str, tuple[float, float]]) -> set[str]:
        """Return the stems of the split after label fraction."""
        if self.split == 'all':
            chosen = set(labels)
        elif self.split_scheme == 'list':
            chosen = listed_split(self.split_file.replace('{split}', self.split), labels)
        elif self.split_scheme == 'spatial':
            chosen = spatial_split(
                places, labels, self.fractions, self.split, self.seed, self.cell_size
            )
        else:
            chosen = stratified_split(labels, self.fractions, self.split, self.seed)
        if self.label_fraction == 1:
            return chosen
        kept = {stem: labels[stem] for stem in labels if stem in chosen}
        return label_fraction(kept, self.label_fraction, self.seed)

    def get_data_info(self, idx: int) -> dict:
        """Return a sample's record with what is known of every file: bands and shape."""
        info = super().get_data_info(idx)
        info['file_bands'] = self.file_bands
        info['file_shape'] = self.SHAPE
        info['bands'] = self.bands
        if self.suffix == '.tif':
            info['darkest'] = 'B10'  # the files do not name their bands
            info['product'] = 'sentinel-2'
        if self.packed:
            info['pack'] = self.packed
        return info

    def get_cat_ids(self, idx: int) -> list[int]:
        """Return the label of a sample as a list, for class-balanced sampling."""
        return [int(self.get_data_info(idx)['gt_label'])]


def resolve_source(
    bands: str | Sequence[str],
) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
    """Return the file suffix, the bands in the file and the bands wanted for a ``bands`` setting.

    Raises:
        ConfigError: A string other than ``'rgb'`` or ``'ms'``.
        DataError: A band that Sentinel-2 L1C lacks.
    """
    if bands == 'rgb':
        order = band_order('eurosat-rgb')
        return '.jpg', order, order
    order = band_order('eurosat')
    if bands == 'ms':
        return '.tif', order, order
    if isinstance(bands, str) or not bands:
        raise ConfigError(
            f"bands={bands!r} is neither 'rgb' nor 'ms' nor a list of names", where='EuroSAT'
        )
    wanted = resolve_bands(bands)
    band_indices(order, wanted, where='EuroSAT bands')
    return '.tif', order, wanted


def check_class_folders(folder: Path) -> None:
    """Raise :class:`DataError` when a folder that is not a class of EuroSAT lies beside them.

    In a root that holds the class folders itself, the other published folders may stand beside.
    """
    own = {name.split('/')[0] for names in FOLDERS.values() for name in names}
    for entry in list_folders(folder):
        known = entry.name in CLASSES['eurosat'] or entry.name in own
        if not known and not entry.name.startswith('__'):
            raise _unknown_class(entry.name, entry)


def check_order(paths: Sequence[str], order: Sequence[str]) -> None:
    """Raise :class:`DataError` when the darkest band is not the one declared as B10.

    EuroSAT's files do not name their bands, and Sentinel-2's own order (B8A after B08) is a common
    mistake. The cirrus band B10 sees no ground: it is the darkest of every chip tried. Loading
    checks each file that it reads with B10; this finds the mistake for other bands, too.

    Args:
        paths: A few chips.
        order: Declared band names.
    """
    images = [read_raster(path, order)[0] for path in paths]
    means = np.mean([image.mean(axis=(0, 1)) for image in images], axis=0)
    check_darkest(means, order, 'B10', paths[0], factor=1.0)


def check_name(stem: str, folder: str, path: Path) -> None:
    """Raise :class:`DataError` when a file named after one class lies in another's folder."""
    prefix = stem.rpartition('_')[0]
    if prefix != folder and prefix in CLASSES['eurosat']:
        raise DataError(
            f'named {prefix} but lies in {folder}/', where=path, fix='Move it to its class folder'
        )


def _unknown_class(name: str, where: str | Path) -> DataError:
    return DataError(
        f'{name!r} is not a class of EuroSAT.{did_you_mean(name, CLASSES["eurosat"])}',
        where=where,
        fix=f'Rename or remove it; classes: {", ".join(CLASSES["eurosat"])}',
    )


def _one_of(setting: str, value: str, known: Sequence[str]) -> str:
    if value not in known:
        raise ConfigError(
            f'{setting}={value!r} does not exist.{did_you_mean(str(value), known)}',
            where='EuroSAT',
            fix=f'Known: {", ".join(known)}',
        )
    return value
