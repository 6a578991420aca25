"""GID, the Gaofen Image Dataset: land cover in 5 or 15 classes at 4 m."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from rsmm.datasets.classes import CLASSES, PALETTES
from rsmm.datasets.map_folder import MapFolder
from rsmm.errors import ConfigError
from rsmm.registry import DATASETS

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
class GID(MapFolder):
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
        bands: Names of the images' bands.
        void: Ignored classes.
        **kwargs: As for :class:`rsmm.datasets.map_folder.MapFolder`.

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
        self.given = None if img_dir is None else (img_dir, ann_dir)
        self.num_classes = num_classes
        key = f'gid{num_classes}'
        super().__init__(
            data_root,
            split,
            bands=bands,
            void=void,
            classes=CLASSES[key],
            palette=PALETTES[key],
            **kwargs,
        )

    def layouts(self) -> Sequence[tuple[str, str]]:
        """Return the folders given, or those of the layouts in circulation."""
        return (self.given,) if self.given else LAYOUTS[self.num_classes]

    def name_of(self, path: Path, folder: Path) -> str:
        """Return the name of a scene: labels add a word to it."""
        return super().name_of(path.with_name(_LABEL_SUFFIX.sub('', path.stem)), folder)
