"""GID, the Gaofen Image Dataset: land cover in 5 or 15 classes at 4 m."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path

from rsmm.datasets.change_folder import COMPLETE
from rsmm.datasets.classes import CLASSES, PALETTES
from rsmm.datasets.maps import MapDataset
from rsmm.datasets.splits import stratified_split
from rsmm.errors import ConfigError, DataError
from rsmm.registry import DATASETS
from rsmm.utils.listing import by_stem, check_partners, list_files

#: (image folder, label folder) of the layouts in circulation, by number of classes.
LAYOUTS = {
    5: (
        ('image_RGB', 'label_5classes'),
        (
            'Large-scale Classification_5classes/image_RGB',
            'Large-scale Classification_5classes/label_5classes',
        ),
        ('image', 'label_gray'),
    ),
    15: (
        ('img_dir/{split}', 'ann_dir/{split}'),
        ('image_RGB', 'label_15classes'),
        ('image', 'label_gray'),
    ),
}
_LABEL_SUFFIX = re.compile(r'_(?:label|15label|5label|24label)$')


@DATASETS.register_module()
class GID(MapDataset):
    """GID-5 and GID-15, with labels as exact colours or as indices.

    Class 0 means not labelled and is ignored. Images are matched to labels by name
    (``x.tif`` with ``x.tif``, ``x_label.tif`` or ``x_15label.png``), also in sub-folders. Scenes
    have 6800 x 7200 pixels, so use ``tile``. There is no published split of the scenes: with
    ``fractions`` they are drawn by name.

    Source: Tong et al., "Land-cover classification with high-resolution remote sensing images
    using transferable deep models", Remote Sensing of Environment 2020.

    Args:
        data_root: Folder of the image and label folders.
        num_classes: 5 or 15.
        split: ``'train'``, ``'val'``, ``'test'`` or ``'all'``.
        img_dir, ann_dir: Folders instead of the known layouts; ``{split}`` is replaced.
        fractions: Shares (train, val[, test]) of the scenes where folders do not split them.
        seed: Seed of that draw.
        bands: Names of the images' bands.
        void: Ignored classes.
        **kwargs: As for :class:`rsmm.datasets.maps.MapDataset`.

    Raises:
        DataNotFoundError: No known layout.
        DataError: An image without label.
        ConfigError: Another number of classes or split.
    """

    TOY_NAME = 'gid'

    def __init__(
        self,
        data_root: str = '',
        num_classes: int = 5,
        split: str = 'train',
        img_dir: str | None = None,
        ann_dir: str | None = None,
        fractions: Sequence[float] = (0.8, 0.2),
        seed: int = 0,
        bands: Sequence[str] = ('R', 'G', 'B'),
        void: Sequence[int] = (0,),
        **kwargs,
    ) -> None:
        if num_classes not in LAYOUTS or split not in ('train', 'val', 'test', 'all'):
            raise ConfigError(
                f'num_classes={num_classes}, split={split!r}',
                where='GID',
                fix='num_classes is 5 or 15; split is train, val, test or all',
            )
        if (img_dir is None) != (ann_dir is None):
            raise ConfigError('img_dir and ann_dir belong together', where='GID')
        self.num_classes = num_classes
        self.split = split
        self.folders = None if img_dir is None else (img_dir, ann_dir)
        self.fractions = tuple(fractions)
        self.seed = seed
        self.bands = tuple(bands)
        key = f'gid{num_classes}'
        kwargs['metainfo'] = {
            'classes': CLASSES[key],
            'palette': PALETTES[key],
            'bands': self.bands,
            **(kwargs.get('metainfo') or {}),
        }
        super().__init__(data_root=data_root, void=void, **kwargs)

    def list_scenes(self) -> list[dict]:
        """List the images of the split by name."""
        root = Path(self.data_root)
        layouts = (self.folders,) if self.folders else LAYOUTS[self.num_classes]
        for images, labels in layouts:
            splits = ('train', 'val', 'test') if self.split == 'all' else (self.split,)
            parts = splits if '{split}' in images else ('',)
            pairs = [(images.format(split=part), labels.format(split=part)) for part in parts]
            if any((root / folder).is_dir() for folder, _ in pairs):
                scenes = [
                    scene for pair in pairs for scene in self._pairs(root / pair[0], root / pair[1])
                ]
                return scenes if '{split}' in images else self._drawn(scenes)
        known = '; '.join(', '.join(pair) for pair in layouts)
        raise self.not_found(f'no image and label folder ({known})', root)

    def _pairs(self, images: Path, labels: Path) -> list[dict]:
        found = by_stem(list_files(labels, deep=True), lambda path: _name(path, labels))
        pictures = by_stem(list_files(images, deep=True), lambda path: _name(path, images))
        if self.include is None:
            left = {name: path for name, path in found.items() if name not in self.exclude}
            check_partners(left, pictures, f'image in {images}', COMPLETE)
        scenes = []
        for name, path in pictures.items():
            if name not in found:
                raise DataError(f'has no label in {labels}', where=path)
            scenes.append(
                {
                    'name': name,
                    'img_path': str(path),
                    'file_bands': self.bands,
                    'bands': self.bands,
                    'label_path': str(found[name]),
                    'shape_path': str(path),
                }
            )
        return scenes

    def _drawn(self, scenes: list[dict]) -> list[dict]:
        if self.split == 'all':
            return scenes
        # Sub-folders, where there are some, are scene classes: draw from each.
        groups = {scene['name']: str(Path(scene['name']).parent) for scene in scenes}
        numbers = {group: k for k, group in enumerate(sorted(set(groups.values())))}
        labels = {name: numbers[group] for name, group in groups.items()}
        chosen = stratified_split(labels, self.fractions, self.split, self.seed)
        return [scene for scene in scenes if scene['name'] in chosen]


def _name(path: Path, folder: Path) -> str:
    """Name of a scene below a folder, by that of its image or label."""
    place = path.relative_to(folder)
    name = place.with_name(_LABEL_SUFFIX.sub('', place.stem)).as_posix()
    return unicodedata.normalize('NFC', name)
