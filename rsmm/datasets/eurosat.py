"""EuroSAT: 27,000 Sentinel-2 chips of 64x64 pixels in ten land-use classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rsmm.datasets.classes import CLASSES
from rsmm.datasets.image_folder import ImageFolder
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


@DATASETS.register_module()
class EuroSAT(ImageFolder):
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
        packed: Folder written by ``tools/dataset_converters/pack_dataset.py`` to read instead of
            ``data_root``.
        **kwargs: ``split``, ``split_scheme``, ``fractions``, ``label_fraction``, ... of
            :class:`rsmm.datasets.image_folder.ImageFolder`.

    Raises:
        DataNotFoundError: Root, images, list or table are absent.
        DataError: An unknown class folder, a listed chip that is not there, ...
        ConfigError: A setting that does not exist.
    """

    METAINFO: dict[str, Any] = {
        'classes': CLASSES['eurosat'],
        'palette': None,
        'task_name': 'classification',
    }
    TOY_NAME = 'eurosat'
    SHAPE = (64, 64)

    def __init__(
        self,
        data_root: str = '',
        bands: str | Sequence[str] = 'rgb',
        packed: str | None = None,
        metainfo: Mapping | None = None,
        **kwargs,
    ) -> None:
        self.packed = packed
        self.suffix, order, wanted = resolve_source(bands)
        super().__init__(
            str(packed or data_root),
            wanted,
            order,
            CLASSES['eurosat'],
            size=self.SHAPE,
            metainfo={'classes': CLASSES['eurosat'], **(metainfo or {})},
            **kwargs,
        )

    def chips(self) -> dict[str, dict]:
        """Map the names of all chips to their records, from a pack or the class folders."""
        return self._packed_chips() if self.packed else self._chips()

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

    def get_data_info(self, idx: int) -> dict:
        """Return a sample's record with what is known of every file."""
        info = super().get_data_info(idx)
        if self.suffix == '.tif':
            info['darkest'] = 'B10'  # the files do not name their bands
            info['product'] = 'sentinel-2'
        if self.packed:
            info['pack'] = self.packed
        return info


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
