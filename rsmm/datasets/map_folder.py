"""Images and their label maps in folders: one's own, and the base of published sets."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path

from rsmm.datasets.change_folder import COMPLETE, UNLABELLED
from rsmm.datasets.maps import MapDataset
from rsmm.datasets.splits import SPLITS, stratified_split
from rsmm.errors import ConfigError, DataError
from rsmm.geo.vector_labels import VECTORS, is_vector
from rsmm.registry import DATASETS
from rsmm.sensors import resolve_bands
from rsmm.utils.listing import IMAGES, by_stem, check_partners, list_files


@DATASETS.register_module()
class MapFolder(MapDataset):
    """Images with label maps of the same names: rasters, or polygons that are burnt to the grid.

    ``<root>/images/x.tif`` with ``<root>/labels/x.tif`` (or ``x.png``, ``x.geojson``, ``x.gpkg``),
    also in sub-folders. Where there are folders of the splits (``<root>/train/images`` or
    ``<root>/images/train``) those are read, else the split is drawn by the names of the images.

    Args:
        data_root: Folder of the image and label folders.
        split: ``'train'``, ``'val'``, ``'test'`` or ``'all'``.
        img_dir, ann_dir: The two folders; ``{split}`` in them is replaced. ``ann_dir`` may also be
            one vector file for all images.
        bands: Names of the images' bands, or of an order in ``rsmm.sensors``.
        file_bands: Those of the files in file order, where ``bands`` are some of them.
        classes: Class names in label order.
        num_classes: Their number, instead of names.
        palette: One (R, G, B) per class: for labels in colours, and for pictures.
        label_offset: Stored value of the first class; what is below it does not count.
        label_field: Attribute of the polygons that gives the class, by its name or number; None
            makes all of them class 1.
        label_outside: Class where no polygon lies; 255 where that does not count.
        fractions: Shares (train, val[, test]) of the images where folders do not split them.
        seed: Seed of that draw.
        unlabelled: Images without a label: ``'error'``, ``'skip'`` or ``'keep'`` (prediction).
        metainfo: As for :class:`rsmm.datasets.base.RSDataset`.
        **kwargs: ``tile``, ``stride``, ``border``, ``void``, ``include``, ``exclude`` of
            :class:`rsmm.datasets.maps.MapDataset` and arguments of mmengine's ``BaseDataset``.

    Raises:
        DataNotFoundError: No such folders, or no images in them.
        DataError: An image without label, or a label without image.
        ConfigError: A split that does not exist, or neither ``classes`` nor ``num_classes``.
    """

    #: What errors call a label.
    LABEL = 'label'

    def __init__(
        self,
        data_root: str = '',
        split: str = 'all',
        img_dir: str = 'images',
        ann_dir: str = 'labels',
        bands: str | Sequence[str] = 'rgb',
        file_bands: str | Sequence[str] | None = None,
        classes: Sequence[str] | None = None,
        num_classes: int | None = None,
        palette: Sequence[Sequence[int]] | None = None,
        label_offset: int = 0,
        label_field: str | None = None,
        label_outside: int = 0,
        fractions: Sequence[float] = (0.8, 0.2),
        seed: int = 0,
        unlabelled: str = 'error',
        metainfo: Mapping | None = None,
        **kwargs,
    ) -> None:
        for setting, value, known in (
            ('split', split, (*SPLITS, 'all')),
            ('unlabelled', unlabelled, UNLABELLED),
        ):
            if value not in known:
                raise ConfigError(
                    f'{setting}={value!r}',
                    where=type(self).__name__,
                    fix=f'Known: {", ".join(known)}',
                )
        self.split = split
        self.img_dir, self.ann_dir = img_dir, ann_dir
        self.bands = resolve_bands(bands)
        self.file_bands = self.bands if file_bands is None else resolve_bands(file_bands)
        self.label = {'label_offset': label_offset}
        self.burn = {'label_field': label_field, 'label_outside': label_outside}
        self.fractions, self.seed = tuple(fractions), seed
        self.unlabelled = unlabelled
        about = {
            'classes': class_names(classes, num_classes, metainfo, type(self).__name__),
            'palette': None if palette is None else [tuple(colour) for colour in palette],
            **(metainfo or {}),
        }
        super().__init__(data_root, metainfo=about, facts={'bands': self.bands}, **kwargs)

    def layouts(self) -> Sequence[tuple[str, str]]:
        """Return pairs of image and label folder to look for, ``{split}`` where one stands."""
        pair = self.img_dir, self.ann_dir
        if any('{split}' in folder for folder in pair):
            return (pair,)
        inside = f'{{split}}/{self.img_dir}', f'{{split}}/{self.ann_dir}'
        below = f'{self.img_dir}/{{split}}', f'{self.ann_dir}/{{split}}'
        return inside, below, pair

    def folders(self) -> tuple[list[tuple[Path, Path]], bool]:
        """Return the image and label folders, and whether they are those of the split.

        Raises:
            DataNotFoundError: None of the layouts is there.
        """
        root = Path(self.data_root)
        for images, labels in self.layouts():
            split = '{split}' in images
            pairs = {
                part: (root / images.format(split=part), root / labels.format(split=part))
                for part in (SPLITS if split else ('all',))
            }
            there = {part: pair for part, pair in pairs.items() if pair[0].is_dir()}
            if there and (not split or self.split == 'all'):
                return list(there.values()), split
            if self.split in there:
                return [there[self.split]], split
            if there:  # what is split already must not be drawn from again
                raise self.not_found('there is no such folder', pairs[self.split][0])
        known = '; '.join(', '.join(pair) for pair in self.layouts())
        raise self.not_found(f'no image and label folder ({known})', root)

    def name_of(self, path: Path, folder: Path) -> str:
        """Return the name of a scene below a folder, by that of its image or label."""
        name = path.relative_to(folder).with_suffix('').as_posix()
        return unicodedata.normalize('NFC', name)

    def list_scenes(self) -> list[dict]:
        """List the images of the split by name."""
        folders, split = self.folders()
        scenes = [scene for pair in folders for scene in self._pairs(*pair)]
        if not scenes:
            raise self.not_found('holds no images', folders[0][0])
        return scenes if split or self.split == 'all' else self._drawn(scenes)

    def pictures(self, images: Path) -> dict[str, Path]:
        """Map the names of the scenes of a folder to their images."""
        return by_stem(list_files(images, deep=True), lambda path: self.name_of(path, images))

    def _pairs(self, images: Path, labels: Path) -> list[dict]:
        pictures = self.pictures(images)
        if labels.is_file():
            found = dict.fromkeys(pictures, labels)
        else:
            files = list_files(labels, (*IMAGES, *VECTORS), deep=True)
            found = by_stem(files, lambda path: self.name_of(path, labels))
        if self.include is None:
            left = {name: path for name, path in found.items() if name not in self.exclude}
            check_partners(left, pictures, f'image in {images}', COMPLETE)
        bare = sorted(set(pictures) - set(found))
        if bare and self.unlabelled == 'error':
            raise DataError(
                f'has no {self.LABEL} in {labels} ({len(bare)} such images)',
                where=pictures[bare[0]],
                fix="Set unlabelled='skip' to leave them out, or 'keep' to predict them",
            )
        return [
            self.scene(name, path, found.get(name), labels.is_file())
            for name, path in pictures.items()
            if name in found or self.unlabelled == 'keep'
        ]

    def scene(self, name: str, image: Path, label: Path | None, shared: bool) -> dict:
        """Return the record of a scene; ``shared`` where its label is that of others, too."""
        return {
            'name': name,
            'img_path': str(image),
            'file_bands': self.file_bands,
            'bands': self.bands,
            'label_path': None if label is None else str(label),
            'shape_path': str(image),
            **self.label,
            **({**self.burn, 'label_shared': shared} if label and is_vector(label) else {}),
        }

    def _drawn(self, scenes: list[dict]) -> list[dict]:
        # Sub-folders, where there are some, are kinds of scenes: draw from each.
        groups = {scene['name']: str(Path(scene['name']).parent) for scene in scenes}
        numbers = {group: k for k, group in enumerate(sorted(set(groups.values())))}
        labels = {name: numbers[group] for name, group in groups.items()}
        chosen = stratified_split(labels, self.fractions, self.split, self.seed)
        return [scene for scene in scenes if scene['name'] in chosen]


def class_names(
    classes: Sequence[str] | None,
    num_classes: int | None,
    metainfo: Mapping | None,
    where: str,
) -> tuple[str, ...]:
    """Return class names from a list of them, or numbered ones.

    Raises:
        ConfigError: Neither is given, or they contradict each other.
    """
    named = classes if classes is not None else (metainfo or {}).get('classes')
    if named is None and num_classes is None:
        raise ConfigError(
            'the classes are not known',
            where=where,
            fix="Set classes=['water', ...] in label order",
        )
    if named is None:
        return tuple(f'class {number}' for number in range(num_classes))
    if num_classes is not None and len(named) != num_classes:
        raise ConfigError(
            f'num_classes={num_classes}, but classes names {len(named)}: {", ".join(named)}',
            where=where,
            fix='Make both agree, or give one of them',
        )
    return tuple(named)
