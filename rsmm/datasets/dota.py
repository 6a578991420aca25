"""DOTA v1.0, v1.5, v2.0: objects in aerial images (Xia et al., CVPR 2018; Ding et al., 2021)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from rsmm.datasets.boxes import (
    BadBoxes,
    BoxDataset,
    class_index,
    instance,
    pair_with_labels,
    read_lines,
)
from rsmm.datasets.classes import CLASSES
from rsmm.errors import ConfigError, DataError
from rsmm.geo.raster import raster_shape
from rsmm.registry import DATASETS

VERSIONS = ('v1.0', 'v1.5', 'v2.0')
#: The two lines that open a label file of the training and validation sets.
_HEADERS = ('imagesource:', 'gsd:')


@DATASETS.register_module()
class DOTA(BoxDataset):
    """DOTA: oriented boxes as outlines, and the least upright rectangles round them as boxes.

    Each object has the labelled corners as ``mask`` (``[[x1, y1, ..., x4, y4]]`` in pixels, not cut
    to the image), which ``mmdet.LoadAnnotations(with_mask=True)`` reads; ``bbox`` is cut.

    ``images/*.png`` and ``labelTxt/*.txt`` in ``data_root`` (drawn splits) or in
    ``data_root/<split>`` (the published ones).

    Args:
        data_root: Folder.
        version: ``'v1.0'`` (15 classes), ``'v1.5'`` (16) or ``'v2.0'`` (18).
        difficult: ``'ignore'`` keeps difficult objects as ignored ones, ``'keep'`` counts them as
            any other, ``'drop'`` leaves them out.
        label_dir: Path of the label folder beside ``images`` (v1.5 is also distributed as
            ``labelTxt-v1.5``).
        min_size: Leave out objects whose box has a shorter side, in pixels; v1.5 labels objects
            below 10.
        **kwargs: Arguments of :class:`BoxDataset`.
    """

    TOY_NAME = 'aerial'

    def __init__(
        self,
        data_root: str = '',
        version: str = 'v1.5',
        difficult: str = 'ignore',
        label_dir: str = 'labelTxt',
        min_size: float = 0.0,
        **kwargs,
    ) -> None:
        if version not in VERSIONS:
            raise ConfigError(f'version={version!r} is not one of {", ".join(VERSIONS)}')
        if difficult not in ('ignore', 'keep', 'drop'):
            raise ConfigError(f'difficult={difficult!r} is not ignore, keep or drop')
        self.difficult = difficult
        self.label_dir = label_dir
        self.min_size = min_size
        metainfo = {'classes': CLASSES[f'dota-{version}'], **(kwargs.pop('metainfo', None) or {})}
        super().__init__(data_root=data_root, metainfo=metainfo, **kwargs)

    def _folder(self) -> Path:
        published = Path(self.data_root) / self.split
        return published if (published / 'images').is_dir() else Path(self.data_root)

    def select(self, entries: list[dict]) -> list[dict]:
        """Draw a split unless the layout has one."""
        return entries if self._folder() != Path(self.data_root) else super().select(entries)

    def read(self) -> list[dict]:
        """Read all images of the folder with their boxes."""
        folder = self._folder()
        bad = BadBoxes(self.on_bad)
        entries: list[dict] = []
        for image, text in pair_with_labels(folder / 'images', folder / self.label_dir):
            shape = raster_shape(image)
            found = read_label_txt(text, self.metainfo['classes'], shape, bad)
            entries.append(
                {
                    'img_path': str(image),
                    'img_id': len(entries),
                    'height': shape[0],
                    'width': shape[1],
                    'instances': self._wanted(found),
                }
            )
        bad.report(folder)
        return entries

    def _wanted(self, instances: list[dict]) -> list[dict]:
        kept = []
        for item in instances:
            x1, y1, x2, y2 = item['bbox']
            if min(x2 - x1, y2 - y1) < self.min_size:
                continue
            if item['ignore_flag'] and self.difficult == 'drop':
                continue
            kept.append({**item, 'ignore_flag': 0} if self.difficult == 'keep' else item)
        return kept


def read_label_txt(
    path: Path, classes: Sequence[str], shape: tuple[int, int] | None, bad: BadBoxes
) -> list[dict]:
    """Read a label file: lines ``x1 y1 x2 y2 x3 y3 x4 y4 class difficult``.

    Header lines are skipped; class names may be written with spaces instead of hyphens; the
    difficult flag may be absent. An empty file means an image without objects.

    Args:
        path: The file.
        classes: Class names in label order.
        shape: (H, W) of the image, for clipping.
        bad: What to do with unusable boxes.

    Returns:
        Instances in mmdet's form, with the difficult flag as ``ignore_flag`` and the corners
        as ``mask``.

    Raises:
        DataError: A line in another form or an unknown class; names the line.
    """
    instances = []
    for number, line in enumerate(read_lines(path), start=1):
        if not line.strip() or line.lower().startswith(_HEADERS):
            continue
        where = f'{path}, line {number}'
        parts = line.split()
        try:
            corners = [float(value) for value in parts[:8]]
        except ValueError as error:
            raise DataError(f'expected 8 numbers first, found {line!r}', where=where) from error
        difficult = len(parts) > 9 and parts[-1] in ('0', '1', '2')
        name = ' '.join(parts[8:-1] if difficult else parts[8:])
        if len(corners) < 8 or not name:
            raise DataError(f'expected 8 numbers and a class, found {line!r}', where=where)
        label = class_index(name, classes, where)
        points = np.reshape(corners, (4, 2))  # a NaN anywhere makes the box one
        box = bad.clip([*points.min(axis=0), *points.max(axis=0)], shape, where)
        if box is not None:
            item = instance(box, label, difficult and parts[-1] != '0')
            instances.append({**item, 'mask': [corners]})
    return instances
