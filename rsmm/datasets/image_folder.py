"""Images in one folder per class: one's own, and the base of EuroSAT."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mmengine.logging import print_log

from rsmm.datasets.base import RSDataset
from rsmm.datasets.metadata import read_places
from rsmm.datasets.splits import (
    SPLITS,
    label_fraction,
    listed_split,
    spatial_split,
    stratified_split,
)
from rsmm.errors import ConfigError, DataError, did_you_mean
from rsmm.registry import DATASETS
from rsmm.sensors import resolve_bands
from rsmm.utils.listing import list_files, list_folders, plain_stem

SCHEMES = ('stratified', 'spatial', 'list')


@DATASETS.register_module()
class ImageFolder(RSDataset):
    """Images whose class is the folder they lie in, ``<root>/<class>/*.tif``.

    Where there are folders of the splits (``<root>/train/<class>``) those are read, else the split
    is drawn: by class, by place, or from a list.

    Args:
        data_root: Folder of the class folders, or of the split folders.
        bands: Names of the images' bands, or of an order in ``rsmm.sensors``.
        file_bands: Those of the files in file order, where ``bands`` are some of them.
        classes: Names of the class folders in label order; by default all that are there, sorted.
            Give them where the folders are not those of every class.
        num_classes: How many there must be, if given.
        palette: One (R, G, B) per class, for maps.
        size: (H, W) in pixels, or the side, that every image must have; None for any.
        split: ``'train'``, ``'val'``, ``'test'``, or ``'all'`` for every image.
        split_scheme: ``'stratified'`` by class, ``'spatial'`` by grid cell (needs ``metadata``) or
            ``'list'``; a ``split_file`` implies the last.
        split_file: List of file names, one a line; ``{split}`` in the path is replaced.
        fractions: Shares (train, val[, test]) of the schemes that draw.
        metadata: Table with latitude and longitude per image (parquet, csv or yaml); adds ``lat``
            and ``lon`` to the results.
        cell_size: Edge of the grid cells of the spatial split in degrees.
        label_fraction: Share of the images of each class to keep.
        seed: Seed of split and label fraction.
        **kwargs: Arguments of :class:`rsmm.datasets.base.RSDataset`.

    Raises:
        DataNotFoundError: Root, images, list or table are absent.
        DataError: A folder that is no class, a listed image that is not there, ...
        ConfigError: A setting that does not exist.
    """

    METAINFO: dict = {'palette': None, 'task_name': 'classification'}

    def __init__(
        self,
        data_root: str = '',
        bands: str | Sequence[str] = 'rgb',
        file_bands: str | Sequence[str] | None = None,
        classes: Sequence[str] | None = None,
        num_classes: int | None = None,
        palette: Sequence[Sequence[int]] | None = None,
        size: int | Sequence[int] | None = None,
        split: str | None = 'train',
        split_scheme: str | None = None,
        split_file: str | None = None,
        fractions: Sequence[float] = (0.75, 0.25),
        metadata: str | None = None,
        cell_size: float = 0.25,
        label_fraction: float = 1.0,
        seed: int = 0,
        facts: dict | None = None,
        **kwargs,
    ) -> None:
        self.bands = resolve_bands(bands)
        self.file_bands = self.bands if file_bands is None else resolve_bands(file_bands)
        self.classes = None if classes is None else tuple(classes)
        self.num_classes = num_classes
        self.by_folder = False
        self.size = (size, size) if isinstance(size, int) else size and tuple(size)
        self.split = self._one_of('split', split or 'all', (*SPLITS, 'all'))
        scheme = split_scheme or ('list' if split_file else 'stratified')
        self.split_scheme = self._one_of('split_scheme', scheme, SCHEMES)
        if (self.split_scheme == 'list') != (split_file is not None):
            raise ConfigError(
                f'split_scheme={self.split_scheme!r} with split_file={split_file!r}',
                where=type(self).__name__,
                fix="split_scheme='list' and split_file belong together",
            )
        self.split_file = split_file
        self.fractions = tuple(fractions)
        self.metadata_file = metadata
        self.cell_size = cell_size
        self.label_fraction = label_fraction
        self.seed = seed
        known = {'bands': self.bands, **(facts or {})}
        if palette is not None:
            known['palette'] = [tuple(colour) for colour in palette]
        super().__init__(data_root, facts=known, **kwargs)

    def chips(self) -> dict[str, dict]:
        """Map names to ``img_path`` and ``gt_label`` of all images, ordered by class and name.

        Names are those of the files where no two have the same, else paths below the root.
        """
        folders = self._class_folders()
        self.note(classes=self._classes(folders))
        found = [
            (f'{folder}/{name}/{plain_stem(path)}', str(path), label)
            for label, name in enumerate(self.metainfo['classes'])
            for folder in folders
            for path in list_files(folder / name)
        ]
        if not found:
            raise self.not_found('the class folders hold no images', folders[0])
        stems = [name.rpartition('/')[2] for name, _, _ in found]
        names = stems if len(set(stems)) == len(stems) else [name for name, _, _ in found]
        chips: dict[str, dict] = {}
        for name, (_, path, label) in zip(names, found, strict=True):
            if name in chips:
                raise DataError(f'{chips[name]["img_path"]} has the same name', where=path)
            chips[name] = {'img_path': path, 'gt_label': label}
        return chips

    def _class_folders(self) -> list[Path]:
        """Return the folders of the class folders: the root, or those of the split."""
        root = Path(self.data_root)
        there = [path.name for path in list_folders(root)]
        if not there or not set(there) <= set(SPLITS):
            return [root]
        self.by_folder = True
        wanted = there if self.split == 'all' else [self.split]
        if not set(wanted) <= set(there):
            raise self.not_found(f'there is no folder {self.split}, only {", ".join(there)}', root)
        return [root / name for name in wanted]

    def _classes(self, folders: Sequence[Path]) -> tuple[str, ...]:
        there = sorted({path.name for folder in folders for path in list_folders(folder)})
        classes = self.classes or self.metainfo.get('classes') or tuple(there)
        folder = folders[0]
        for name in there:
            if name not in classes:
                raise DataError(
                    f'{name!r} is not among the classes.{did_you_mean(name, classes)}',
                    where=folder / name,
                    fix=f'Rename or remove it, or add it; classes: {", ".join(classes)}',
                )
        if not there:
            raise self.not_found('holds no class folders', folder)
        absent = [name for name in classes if name not in there]
        if absent:
            print_log(f'{folder}: no images of {", ".join(absent)}', 'current', 30)
        if self.num_classes is not None and self.num_classes != len(classes):
            raise ConfigError(
                f'num_classes={self.num_classes}, but there are {len(classes)} classes: '
                f'{", ".join(classes[:12])}',
                where=folder,
                fix='Make both agree, or name them all with classes=[...]',
            )
        return tuple(classes)

    def load_data_list(self) -> list[dict]:
        """List the images of the split, ordered by class and name."""
        chips = self.chips()
        places = self._places(chips)
        chosen = self._choose({name: chip['gt_label'] for name, chip in chips.items()}, places)
        if not chosen:
            raise DataError(
                f'split {self.split!r} holds no chips of {len(chips)}',
                where=self.data_root,
                fix='Use other fractions, another cell_size or more chips',
            )
        for name, (latitude, longitude) in places.items():
            chips[name].update(lat=latitude, lon=longitude)
        return [chip for name, chip in chips.items() if name in chosen]

    def _places(self, chips: dict[str, dict]) -> dict[str, tuple[float, float]]:
        if self.metadata_file is None:
            if self.split_scheme == 'spatial':
                raise ConfigError(
                    "split_scheme='spatial' needs to know where the chips are",
                    where=type(self).__name__,
                    fix='Set metadata to a table with image_id, lat and lon',
                )
            return {}
        table = read_places(self.metadata_file)
        missing = [name for name in chips if name not in table]
        if missing:
            raise DataError(
                f'{len(missing)} of {len(chips)} chips have no place, e.g. {missing[0]}',
                where=self.metadata_file,
                fix='Use the table that belongs to this data root',
            )
        return {name: table[name] for name in chips}

    def _choose(self, labels: dict[str, int], places: dict[str, tuple[float, float]]) -> set[str]:
        """Return the names of the split after label fraction."""
        if self.split == 'all' or self.by_folder:
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
        kept = {name: labels[name] for name in labels if name in chosen}
        return label_fraction(kept, self.label_fraction, self.seed)

    def get_data_info(self, idx: int) -> dict:
        """Return a sample's record with what is known of every file: bands and shape."""
        info = super().get_data_info(idx)
        info['file_bands'] = self.file_bands
        info['bands'] = self.bands
        if self.size is not None:
            info['file_shape'] = self.size
        return info

    def get_cat_ids(self, idx: int) -> list[int]:
        """Return the label of a sample as a list, for class-balanced sampling."""
        return [int(self.get_data_info(idx)['gt_label'])]

    @classmethod
    def _one_of(cls, setting: str, value: str, known: Sequence[str]) -> str:
        if value not in known:
            raise ConfigError(
                f'{setting}={value!r} does not exist.{did_you_mean(str(value), known)}',
                where=cls.__name__,
                fix=f'Known: {", ".join(known)}',
            )
        return value
