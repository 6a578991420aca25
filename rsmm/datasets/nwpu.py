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
from rsmm.errors import DataError
from rsmm.geo.raster import raster_shape
from rsmm.registry import DATASETS

_NUMBER = r'\s*([-+.\w]+)\s*'
_LINE = re.compile(rf'^\({_NUMBER},{_NUMBER}\)\s*,\s*\({_NUMBER},{_NUMBER}\)\s*,\s*(\d+)$')


@DATASETS.register_module()
class NWPUVHR10(BoxDataset):
    """NWPU VHR-10 in the published layout, or with its labels as a COCO file.

    ``positive image set/NNN.jpg`` (650 images with objects) and ``ground truth/NNN.txt`` with lines
    ``(x1,y1),(x2,y2),class``, class 1 to 10. There is no official split; the usual ones are random.

    Args:
        data_root: Folder.
        ann_file: COCO file to read instead of ``ground truth``, relative to ``data_root``.
        **kwargs: Arguments of :class:`BoxDataset`.
    """

    METAINFO = {'classes': CLASSES['nwpu-vhr10']}
    IMAGES = 'positive image set'

    def __init__(self, data_root: str = '', ann_file: str | None = None, **kwargs) -> None:
        self.coco_file = ann_file
        super().__init__(data_root=data_root, **kwargs)

    def read(self) -> list[dict]:
        """Read all images with their boxes."""
        root = Path(self.data_root)
        if self.coco_file is not None:
            path = root / self.coco_file
            classes = self.metainfo['classes']
            images = root / self.IMAGES
            entries, _ = read_coco(path, images, classes, self.on_bad, all_of_them=True)
            require_images(entries, path)
            return entries
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
