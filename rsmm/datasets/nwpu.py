"""NWPU VHR-10: ten classes of objects in very high resolution images (Cheng et al., 2014)."""

from __future__ import annotations

import re
from pathlib import Path

from rsmm.datasets.boxes import (
    BadBoxes,
    BoxDataset,
    instance,
    pair_with_labels,
    read_lines,
    require_images,
)
from rsmm.datasets.classes import CLASSES
from rsmm.datasets.coco import read_coco
from rsmm.errors import ConfigError, DataError
from rsmm.geo.raster import raster_shape
from rsmm.registry import DATASETS
from rsmm.utils.listing import images_by_stem

_NUMBER = r'\s*([-+.\w]+)\s*'
_LINE = re.compile(rf'^\({_NUMBER},{_NUMBER}\)\s*,\s*\({_NUMBER},{_NUMBER}\)\s*,\s*(\d+)$')


@DATASETS.register_module()
class NWPUVHR10(BoxDataset):
    """NWPU VHR-10 in the published layout, or with its labels as a COCO file.

    ``positive image set/NNN.jpg`` (650 images with objects) and ``ground truth/NNN.txt`` with lines
    ``(x1,y1),(x2,y2),class``, class 1 to 10. There is no official split; the usual ones are random.
    ``negative image set/NNN.jpg`` (150) show none of the objects; their names occur among the
    others too.

    Args:
        data_root: Folder.
        ann_file: COCO file to read instead of ``ground truth``, relative to ``data_root``.
        negative: List the images without objects as well. They are split by a draw of their own,
            so that the others stay in their splits. ``filter_cfg=dict(filter_empty_gt=True)``,
            which the base config sets for training, leaves them out again.
        masks: Keep the outlines of the COCO file, see :func:`rsmm.datasets.coco.read_coco`.
        **kwargs: Arguments of :class:`BoxDataset`.

    Raises:
        ConfigError: ``masks`` without ``ann_file``.
    """

    METAINFO = {'classes': CLASSES['nwpu-vhr10']}
    IMAGES = 'positive image set'
    NEGATIVE = 'negative image set'

    def __init__(
        self,
        data_root: str = '',
        ann_file: str | None = None,
        negative: bool = False,
        masks: bool = False,
        **kwargs,
    ) -> None:
        if masks and ann_file is None:
            raise ConfigError(
                'the labels in ground truth/ are boxes, not outlines',
                where='masks',
                fix='Name a COCO file with segmentations: ann_file=...',
            )
        self.coco_file = ann_file
        self.negative, self.masks = negative, masks
        super().__init__(data_root=data_root, **kwargs)

    def read(self) -> list[dict]:
        """Read all images with their boxes."""
        root = Path(self.data_root)
        entries = self._from_text(root) if self.coco_file is None else self._from_coco(root)
        return entries + self._without_objects(root, entries) if self.negative else entries

    def select(self, entries: list[dict]) -> list[dict]:
        """Keep the images of the split; those without objects are drawn apart."""
        parts: tuple[list[dict], list[dict]] = ([], [])
        for entry in entries:
            parts[Path(entry['img_path']).parent.name == self.NEGATIVE].append(entry)
        return [entry for part in parts for entry in super(NWPUVHR10, self).select(part)]

    def _without_objects(self, root: Path, others: list[dict]) -> list[dict]:
        images = images_by_stem(root / self.NEGATIVE)
        if not images:
            raise self.not_found('holds no images', root / self.NEGATIVE)
        first = 1 + max((e['img_id'] for e in others if isinstance(e['img_id'], int)), default=-1)
        entries = []
        for number, image in enumerate(images.values(), start=first):
            height, width = raster_shape(image)
            entries.append(
                {
                    'img_path': str(image),
                    'img_id': number,
                    'height': height,
                    'width': width,
                    'instances': [],
                }
            )
        return entries

    def _from_coco(self, root: Path) -> list[dict]:
        path, images = root / str(self.coco_file), root / self.IMAGES
        classes = self.metainfo['classes']
        entries, _ = read_coco(path, images, classes, self.on_bad, True, self.masks)
        require_images(entries, path)
        return entries

    def _from_text(self, root: Path) -> list[dict]:
        bad = BadBoxes(self.on_bad)
        entries = []
        for image, text in pair_with_labels(root / self.IMAGES, root / 'ground truth'):
            shape = raster_shape(image)
            entries.append(
                {
                    'img_path': str(image),
                    'img_id': len(entries),
                    'height': shape[0],
                    'width': shape[1],
                    'instances': read_ground_truth(text, shape, bad),
                }
            )
        bad.report(root)
        return entries


def read_ground_truth(path: Path, shape: tuple[int, int] | None, bad: BadBoxes) -> list[dict]:
    """Read one label file.

    Raises:
        DataError: A line in another form, or a class outside 1..10.
    """
    instances = []
    for number, line in enumerate(read_lines(path), start=1):
        if not line.strip():
            continue
        match = _LINE.match(line.strip())
        where = f'{path}, line {number}'
        if match is None:
            raise DataError(f'expected (x1,y1),(x2,y2),class, found {line.strip()!r}', where=where)
        label = int(match[5]) - 1
        if not 0 <= label < len(CLASSES['nwpu-vhr10']):
            raise DataError(f'unknown class {match[5]}, expected 1 to 10', where=where)
        try:
            corners = [float(match[k]) for k in range(1, 5)]
        except ValueError as error:
            raise DataError(f'expected numbers, found {line.strip()!r}', where=where) from error
        box = bad.clip(corners, shape, where)
        if box is not None:
            instances.append(instance(box, label))
    return instances
