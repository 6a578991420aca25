"""LoveDA: urban and rural land cover at 0.3 m."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rsmm.datasets.classes import CLASSES, PALETTES
from rsmm.datasets.map_folder import MapFolder
from rsmm.datasets.maps import as_names
from rsmm.errors import ConfigError
from rsmm.registry import DATASETS

SPLITS = ('train', 'val', 'test', 'all')
SCENES = ('Urban', 'Rural')


@DATASETS.register_module()
class LoveDA(MapFolder):
    """LoveDA in its published layout, or with ``img_dir`` and ``ann_dir``.

    ``<root>/Train/{Urban,Rural}/{images_png,masks_png}/<n>.png`` with 1024-pixel tiles. Stored
    labels are 1..7 and 0 for no data; here classes are 0..6 and no data is ignored.

    Source: Wang et al., "LoveDA: A Remote Sensing Land-Cover Dataset for Domain Adaptive Semantic
    Segmentation", NeurIPS Datasets and Benchmarks 2021.

    Args:
        data_root: Folder of ``Train`` and ``Val``, or of ``img_dir`` and ``ann_dir``.
        split: ``'train'``, ``'val'``, both of them as ``'all'``, or ``'test'``, which is published
            without masks, to be predicted.
        scenes: ``'Urban'``, ``'Rural'`` or both, in any case.
        **kwargs: As for :class:`rsmm.datasets.map_folder.MapFolder`.

    Raises:
        DataNotFoundError: No images.
        DataError: An image without mask.
        ConfigError: A split or scene that does not exist.
    """

    LABEL = 'mask'

    def __init__(
        self,
        data_root: str = '',
        split: str = 'train',
        scenes: str | Sequence[str] = SCENES,
        **kwargs,
    ) -> None:
        self.scenes = tuple(name.capitalize() for name in as_names(scenes))
        if split not in SPLITS or not self.scenes or not set(self.scenes) <= set(SCENES):
            raise ConfigError(
                f'split={split!r}, scenes={scenes!r}',
                where='LoveDA',
                fix=f'split: {", ".join(SPLITS)}; scenes: {", ".join(SCENES)}',
            )
        super().__init__(
            data_root,
            split,
            classes=CLASSES['loveda'],
            palette=PALETTES['loveda'],
            label_offset=1,
            **{'unlabelled': 'keep' if split == 'test' else 'error', **kwargs},
        )

    def folders(self) -> tuple[list[tuple[Path, Path]], bool]:
        """Return the folders of the scenes, or of one's own arrangement."""
        root = Path(self.data_root)
        names = ('Train', 'Val') if self.split == 'all' else (self.split.capitalize(),)
        parts = [root / name / scene for name in names for scene in self.scenes]
        images, masks = root / 'img_dir', root / 'ann_dir'
        if any(part.is_dir() for part in parts):
            return [(part / 'images_png', part / 'masks_png') for part in parts], True
        if (images / self.split).is_dir():
            return [(images / self.split, masks / self.split)], True
        if images.is_dir():
            return [(images, masks)], True
        raise self.not_found('no Train/Urban/images_png, no img_dir/train and no img_dir', root)
