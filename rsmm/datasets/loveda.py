"""LoveDA: urban and rural land cover at 0.3 m."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rsmm.datasets.change_folder import COMPLETE
from rsmm.datasets.classes import CLASSES, PALETTES
from rsmm.datasets.maps import MapDataset, as_names
from rsmm.errors import ConfigError, DataError
from rsmm.registry import DATASETS
from rsmm.utils.listing import check_partners, images_by_stem

SPLITS = ('train', 'val')
SCENES = ('Urban', 'Rural')


@DATASETS.register_module()
class LoveDA(MapDataset):
    """LoveDA in its published layout, or with ``img_dir`` and ``ann_dir``.

    ``<root>/Train/{Urban,Rural}/{images_png,masks_png}/<n>.png`` with 1024-pixel tiles. Stored
    labels are 1..7 and 0 for no data; here classes are 0..6 and no data is ignored.

    Source: Wang et al., "LoveDA: A Remote Sensing Land-Cover Dataset for Domain Adaptive Semantic
    Segmentation", NeurIPS Datasets and Benchmarks 2021.

    Args:
        data_root: Folder of ``Train`` and ``Val``, or of ``img_dir`` and ``ann_dir``.
        split: ``'train'`` or ``'val'``.
        scenes: ``'Urban'``, ``'Rural'`` or both.
        **kwargs: As for :class:`rsmm.datasets.maps.MapDataset`.

    Raises:
        DataNotFoundError: No images.
        DataError: An image without mask.
        ConfigError: A split or scene that does not exist.
    """

    METAINFO = {
        'classes': CLASSES['loveda'],
        'palette': PALETTES['loveda'],
        'bands': ('R', 'G', 'B'),
    }

    def __init__(
        self,
        data_root: str = '',
        split: str = 'train',
        scenes: str | Sequence[str] = SCENES,
        **kwargs,
    ) -> None:
        self.split = split
        self.scenes = as_names(scenes)
        if split not in SPLITS or not self.scenes or not set(self.scenes) <= set(SCENES):
            raise ConfigError(
                f'split={split!r}, scenes={scenes!r}',
                where='LoveDA',
                fix=f'split: {", ".join(SPLITS)}; scenes: {", ".join(SCENES)}',
            )
        super().__init__(data_root=data_root, **kwargs)

    def list_scenes(self) -> list[dict]:
        """List the images by scene and name."""
        records = []
        for images, masks in self._folders():
            labels, pictures = images_by_stem(masks), images_by_stem(images)
            if self.include is None:
                left = {name: path for name, path in labels.items() if name not in self.exclude}
                check_partners(left, pictures, f'image in {images}', COMPLETE)
            for name, path in pictures.items():
                if name not in labels:
                    raise DataError(f'has no mask in {masks}', where=path)
                records.append(
                    {
                        'name': name,
                        'img_path': str(path),
                        'file_bands': self.METAINFO['bands'],
                        'bands': self.METAINFO['bands'],
                        'label_path': str(labels[name]),
                        'label_offset': 1,
                        'shape_path': str(path),
                    }
                )
        if not records:
            raise self.not_found(
                'no Train/Urban/images_png, no img_dir/train and no img_dir', self.data_root
            )
        return records

    def _folders(self) -> list[tuple[Path, Path]]:
        root = Path(self.data_root)
        part = root / self.split.capitalize()
        if part.is_dir():
            return [(part / s / 'images_png', part / s / 'masks_png') for s in self.scenes]
        images, masks = root / 'img_dir', root / 'ann_dir'
        if (images / self.split).is_dir():
            return [(images / self.split, masks / self.split)]
        return [(images, masks)]
