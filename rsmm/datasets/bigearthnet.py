"""BigEarthNet-S2 v1: 590,326 Sentinel-2 patches with several land-cover labels each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from mmengine.logging import print_log

from rsmm.datasets.base import RSDataset
from rsmm.datasets.classes import CLASSES
from rsmm.errors import ConfigError, DataError, DataNotFoundError, did_you_mean
from rsmm.registry import DATASETS
from rsmm.sensors import canonical_band, resolve_bands
from rsmm.utils.foreign import parsing, read_json, read_text
from rsmm.utils.listing import TIFF, by_stem, inside, list_files, list_folders

_LABELS_43 = CLASSES['bigearthnet-43']
_MERGED = {
    'Urban fabric': ('Continuous urban fabric', 'Discontinuous urban fabric'),
    'Arable land': ('Non-irrigated arable land', 'Permanently irrigated land', 'Rice fields'),
    'Permanent crops': (
        'Vineyards',
        'Fruit trees and berry plantations',
        'Olive groves',
        'Annual crops associated with permanent crops',
    ),
    'Natural grassland and sparsely vegetated areas': (
        'Natural grassland',
        'Sparsely vegetated areas',
    ),
    'Moors, heathland and sclerophyllous vegetation': (
        'Moors and heathland',
        'Sclerophyllous vegetation',
    ),
    'Transitional woodland, shrub': ('Transitional woodland/shrub',),
    'Inland wetlands': ('Inland marshes', 'Peatbogs'),
    'Coastal wetlands': ('Salt marshes', 'Salines'),
    'Inland waters': ('Water courses', 'Water bodies'),
    'Marine waters': ('Coastal lagoons', 'Estuaries', 'Sea and ocean'),
}
_SPELLINGS = {'Transitional woodland, shrub': 'Transitional woodland/shrub'}


def group_43_to_19() -> dict[str, int]:
    """Map each of the 43 labels that is kept to its index among the 19."""
    groups = {}
    for index, name in enumerate(CLASSES['bigearthnet-19']):
        for label in _MERGED.get(name, (name,)):
            groups[label] = index
    return groups


def label_indices(labels: Sequence[str], num_classes: int) -> list[int]:
    """Indices of a patch's labels, sorted; labels that the 19 classes leave out are dropped.

    Args:
        labels: Names among the 43 of CORINE; the class that the two nomenclatures write with a
            slash and with a comma is known under both.
        num_classes: 19 or 43.

    Raises:
        DataError: An unknown label.
    """
    labels = [_SPELLINGS.get(label, label) for label in labels]
    unknown = [label for label in labels if label not in _LABELS_43]
    if unknown:
        raise DataError(
            f'unknown label {unknown[0]!r}.{did_you_mean(unknown[0], _LABELS_43)}',
            fix='Download the metadata of BigEarthNet v1 again',
        )
    if num_classes == 43:
        return sorted(_LABELS_43.index(label) for label in labels)
    groups = group_43_to_19()
    return sorted({groups[label] for label in labels if label in groups})


@DATASETS.register_module()
class BigEarthNet(RSDataset):
    """BigEarthNet-S2 v1 in its published layout, multi-label.

    ``<root>/<patch>/<patch>_B01.tif`` ... (L2A, uint16, 120, 60 and 20 pixels) and
    ``<patch>_labels_metadata.json``. ``LoadBandFiles`` reads the bands. With 19 classes patches
    whose labels are all dropped are left out, and the log says how many.

    The radar patches of BigEarthNet-S1 have the same layout, ``<patch>_VV.tif`` and
    ``<patch>_VH.tif`` (float32, decibels, 120 pixels): ``bands='bigearthnet-s1'`` and the folder of
    those patches. The two sets are read apart, not yet as one image of two dtypes.

    Source: Sumbul et al., BigEarthNet (IGARSS 2019); 19 classes: IEEE GRSM 2021.

    Args:
        data_root: Folder of the patches.
        bands: Bands to load: names or the name of an order.
        num_classes: 19 or 43.
        split_file: List of patch names, one a line; all patches if left out.
        exclude_files: Lists of patches to leave out, e.g. those under snow or cloud.
        fraction: Share of the patches to keep, drawn with seed 42.
        replace: Draw the fraction with replacement as SeCo's release does: the sample then holds
            fewer different patches.
        **kwargs: Arguments of mmengine's ``BaseDataset``.

    Raises:
        DataNotFoundError: Root, lists or patches are absent.
        DataError: A patch without metadata, an unknown label.
    """

    def __init__(
        self,
        data_root: str = '',
        bands: str | Sequence[str] = 's2-rgb',
        num_classes: int = 19,
        split_file: str | None = None,
        exclude_files: Sequence[str] = (),
        fraction: float = 1.0,
        replace: bool = False,
        **kwargs,
    ) -> None:
        if num_classes not in (19, 43) or not 0 < fraction <= 1:
            raise ConfigError(
                f'num_classes={num_classes} must be 19 or 43, fraction={fraction} in (0, 1]',
                where='BigEarthNet',
            )
        self.bands = resolve_bands(bands)
        self.num_classes = num_classes
        self.split_file = split_file
        self.exclude_files = tuple(exclude_files)
        self.fraction = fraction
        self.replace = replace
        facts = {'classes': CLASSES[f'bigearthnet-{num_classes}'], 'bands': self.bands}
        super().__init__(data_root=data_root, facts=facts, **kwargs)

    def load_data_list(self) -> list[dict]:
        """List the patches of the split with their labels."""
        infos, without = [], 0
        for name in self._drawn(self._names()):
            labels = self._labels(name)
            without += not labels
            if labels:
                infos.append({'patch': name, 'gt_label': labels})
        if without:
            print_log(f'{self.data_root}: {without} patches have none of the classes', 'current')
        if not infos:
            raise self.not_found('no patch is left', self.data_root)
        return infos

    def _names(self) -> list[str]:
        excluded = {name for path in self.exclude_files for name in _read_list(path)}
        if self.split_file:
            names = self._listed()
        else:
            folders = list_folders(self.data_root)
            names = [path.name for path in folders if labels_file(path).is_file()]
            bare = [path for path in folders if path.name not in set(names)]
            for folder in (path for path in bare if list_files(path, TIFF)):
                raise DataError(
                    'the patch has bands and no labels',
                    where=labels_file(folder),
                    fix='Complete the download, or name the patches with split_file',
                )
        for name in names:
            inside(self.data_root, name, self.split_file or self.data_root)
        return [name for name in names if name not in excluded]

    def _listed(self) -> list[str]:
        names = _read_list(self.split_file)
        if len(set(names)) < len(names):
            twice = Counter(names).most_common(1)[0][0]
            raise DataError(
                f'{twice} stands in the list twice', where=self.split_file, fix='Keep one'
            )
        return names

    def _drawn(self, names: list[str]) -> list[str]:
        if self.fraction == 1:
            return names
        count = max(1, round(self.fraction * len(names)))
        chosen = np.random.default_rng(42).choice(len(names), count, replace=self.replace)
        return [names[i] for i in chosen]

    def _labels(self, name: str) -> list[int]:
        path = labels_file(Path(self.data_root) / name)
        try:
            labels = read_json(path, what='no readable labels')
        except DataNotFoundError as error:
            raise DataNotFoundError(
                'there is no such patch', where=path, fix='Complete the download or the list'
            ) from error
        with parsing(path, 'no readable labels'):
            labels = [str(label) for label in labels['labels']]
        try:
            return label_indices(labels, self.num_classes)
        except DataError as error:
            raise DataError(error.what, where=path, fix=error.fix) from error

    def get_data_info(self, idx: int) -> dict:
        """Return a patch with the files of its bands."""
        info = super().get_data_info(idx)
        folder = Path(self.data_root) / info['patch']
        info['img_path'] = str(folder)
        info['band_files'] = patch_files(folder, self.bands)
        info['bands'] = self.bands
        return info


def labels_file(folder: Path) -> Path:
    """The file of a patch's labels."""
    return folder / f'{folder.name}_labels_metadata.json'


def patch_files(folder: Path, bands: Sequence[str]) -> dict[str, Path]:
    """Map bands to the files of a patch; a band without a file gets the name it should have."""
    prefix = f'{folder.name}_'
    found = by_stem(path for path in list_files(folder, TIFF) if path.stem.startswith(prefix))
    named = {canonical_band(stem.removeprefix(prefix)): path for stem, path in found.items()}
    return {band: named.get(band, folder / f'{prefix}{band}.tif') for band in bands}


def _read_list(path: str) -> list[str]:
    lines = read_text(path, 'is no list of patches').splitlines()
    return [line.split(',')[0].strip() for line in lines if line.strip()]
