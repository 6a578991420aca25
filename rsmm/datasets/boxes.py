"""Reading and checking box labels, and the base of the detection datasets."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from mmengine.logging import print_log

from rsmm.datasets.base import RSDataset
from rsmm.datasets.splits import random_split, rank
from rsmm.datasets.tiling import tile_windows
from rsmm.errors import ConfigError, DataError, DataNotFoundError, did_you_mean
from rsmm.geo.windows import Window
from rsmm.utils.foreign import read_text
from rsmm.utils.listing import by_stem, images_by_stem, list_files

ON_BAD = ('error', 'skip')


def instance(box: Sequence[float], label: int, difficult: bool = False) -> dict:
    """One object in mmdet's form: ``bbox`` x1, y1, x2, y2 in pixels, class, ignored or not."""
    return {
        'bbox': [float(value) for value in box],
        'bbox_label': int(label),
        'ignore_flag': int(difficult),
    }


def class_index(name: str, classes: Sequence[str], where: str | Path) -> int:
    """Position of a class name; spaces, underscores and hyphens are the same.

    Raises:
        DataError: There is no such class.
    """
    known = {plain_name(entry): index for index, entry in enumerate(classes)}
    if plain_name(name) not in known:
        raise DataError(
            f'unknown class {name!r}.{did_you_mean(name, classes)}',
            where=where,
            fix=f'Known classes: {", ".join(classes)}',
        )
    return known[plain_name(name)]


def plain_name(name: str) -> str:
    """A class name in small letters with hyphens."""
    return name.strip().lower().replace('_', '-').replace(' ', '-')


def clip_box(box: Sequence[float], shape: tuple[int, int] | None, where: str | Path) -> list[float]:
    """Cut a box (x1, y1, x2, y2) to the image; parts outside are common at the edges of scenes.

    Args:
        box: In pixels.
        shape: (H, W) of the image, None when it is not known.
        where: File and line to name.

    Raises:
        DataError: It is not finite, has no area, or lies wholly outside.
    """
    x1, y1, x2, y2 = (float(value) for value in box)
    shown = f'box ({x1:g}, {y1:g}, {x2:g}, {y2:g})'
    if not np.isfinite([x1, y1, x2, y2]).all() or x2 <= x1 or y2 <= y1:
        raise DataError(f'{shown} has no area', where=where, fix=_BAD_FIX)
    if shape is None:
        return [x1, y1, x2, y2]
    height, width = shape
    clipped = [max(x1, 0.0), max(y1, 0.0), min(x2, float(width)), min(y2, float(height))]
    if clipped[2] <= clipped[0] or clipped[3] <= clipped[1]:
        raise DataError(
            f'{shown} lies outside the image of {width}x{height} pixels', where=where, fix=_BAD_FIX
        )
    return clipped


_BAD_FIX = "Mend the label file, or leave such boxes out with on_bad='skip'"


class BadBoxes:
    """What to do with boxes that cannot be used: stop at the first, or leave them out and count.

    Args:
        on_bad: ``'error'`` or ``'skip'``.
    """

    def __init__(self, on_bad: str) -> None:
        if on_bad not in ON_BAD:
            raise ConfigError(f'on_bad={on_bad!r} is not one of {", ".join(ON_BAD)}')
        self.on_bad = on_bad
        self.skipped = 0
        self.first: DataError | None = None

    def clip(self, box: Sequence[float], shape, where: str | Path) -> list[float] | None:
        """:func:`clip_box`, or None for a box to be left out."""
        try:
            return clip_box(box, shape, where)
        except DataError as error:
            if self.on_bad == 'error':
                raise
            self.skipped += 1
            self.first = self.first or error
            return None

    def report(self, where: str | Path) -> None:
        """Log how many boxes were left out."""
        if self.skipped:
            print_log(
                f'{where}: left out {self.skipped} boxes, e.g. {self.first}',
                logger='current',
                level=30,
            )


def pair_with_labels(images: Path, labels: Path) -> list[tuple[Path, Path]]:
    """Match images and label files by stem.

    Raises:
        DataNotFoundError: One of the folders is absent.
        DataError: An image without a label file, or a label file without an image.
    """
    for folder in (images, labels):
        if not folder.is_dir():
            raise DataNotFoundError('there is no such folder', where=folder)
    pictures = images_by_stem(images)
    texts = by_stem(list_files(labels, ('.txt',)))
    for kind, lone, where in (
        ('images have no label file', sorted(set(pictures) - set(texts)), labels),
        ('label files have no image', sorted(set(texts) - set(pictures)), images),
    ):
        if lone:
            raise DataError(
                f'{len(lone)} {kind}, e.g. {lone[0]}',
                where=where,
                fix='Complete the download; an image without objects has an empty label file',
            )
    return [(pictures[stem], texts[stem]) for stem in sorted(pictures)]


def read_lines(path: Path) -> list[str]:
    """Lines of a label file.

    Raises:
        DataError: It is no text.
    """
    return read_text(path).splitlines()


class BoxDataset(RSDataset):
    """Base of the detection datasets: split, share of labels, filtering.

    Subclasses implement :meth:`read`, which returns all images.

    Args:
        data_root: Folder in the published layout.
        split: ``'train'``, ``'val'``, ``'test'`` or ``'all'``; drawn by a hash of the image names
            unless the layout has its own splits.
        fractions: Shares (train, val[, test]) of sum 1.
        label_fraction: Share of the images of the split to keep, nested for one seed.
        seed: Of both draws.
        on_bad: ``'error'`` or ``'skip'`` for boxes without area or wholly outside the image.
        tile: Cut larger images into tiles of this side in pixels; None gives whole images.
        stride: Distance of tiles, default the side; less for overlap.
        min_visible: Objects of which a smaller share lies in a tile are ignored there.
        **kwargs: Arguments of :class:`RSDataset`; ``filter_cfg=dict(filter_empty_gt=True,
            min_size=N)`` drops images without objects or narrower than N pixels, unless testing.

    Raises:
        DataError: The data contradict themselves; the message names file and line.
    """

    def __init__(
        self,
        data_root: str = '',
        split: str = 'all',
        fractions: Sequence[float] = (0.8, 0.2),
        label_fraction: float = 1.0,
        seed: int = 0,
        on_bad: str = 'error',
        tile: int | None = None,
        stride: int | None = None,
        min_visible: float = 0.5,
        **kwargs,
    ) -> None:
        if split not in ('train', 'val', 'test', 'all'):
            raise ConfigError(f'split={split!r} is not train, val, test or all', where='split')
        if not 0 < label_fraction <= 1:
            raise ConfigError(f'label_fraction={label_fraction} is not in (0, 1]')
        self.split = split
        self.fractions = tuple(fractions)
        self.label_fraction = label_fraction
        self.seed = seed
        self.on_bad = on_bad
        self.tile, self.stride, self.min_visible = tile, stride, min_visible
        super().__init__(data_root=data_root, **kwargs)

    def read(self) -> list[dict]:
        """Return a dict per image, as :func:`read_coco` does."""
        raise NotImplementedError(f'{type(self).__name__} does not say how its labels are read')

    def select(self, entries: list[dict]) -> list[dict]:
        """Keep the images of the split."""
        if self.split == 'all':
            return entries
        names = (entry['img_path'].rsplit('/', 1)[-1] for entry in entries)
        chosen = random_split(names, self.fractions, self.split, self.seed)
        return [entry for entry in entries if entry['img_path'].rsplit('/', 1)[-1] in chosen]

    def load_data_list(self) -> list[dict]:
        """Read all images and keep those of the split and of the share of labels."""
        entries = self.read()
        if entries and not any(entry['instances'] for entry in entries):
            raise DataError(
                f'none of {len(entries)} images has an object', where=self.data_root,
                fix='Check that the label files belong to these images',
            )  # fmt: skip
        entries = self.select(entries)
        if not entries:
            raise self.not_found(f'holds no images of split {self.split!r}', self.data_root)
        if self.label_fraction < 1:
            names = rank((entry['img_path'] for entry in entries), self.seed, 'labels')
            chosen = set(names[: max(1, round(self.label_fraction * len(names)))])
            entries = [entry for entry in entries if entry['img_path'] in chosen]
        if self.tile is not None:
            entries = [tile for entry in entries for tile in self._tiles(entry)]
            for number, entry in enumerate(entries):
                entry['img_id'] = number
        for entry in entries:  # the loader compares
            entry['file_shape'] = (entry['height'], entry['width'])
        return entries

    def _tiles(self, entry: dict) -> list[dict]:
        shape = entry['height'], entry['width']
        return [
            {
                **entry,
                'window': tuple(window),
                'height': window.height,
                'width': window.width,
                'instances': boxes_in_window(entry['instances'], window, self.min_visible),
            }
            for window in tile_windows(shape, self.tile, self.stride, border='shift')
        ]

    def filter_data(self) -> list[dict]:
        """Drop images without objects or too small, as ``filter_cfg`` says."""
        if self.test_mode or not self.filter_cfg:
            return self.data_list
        empty = self.filter_cfg.get('filter_empty_gt', False)
        least = self.filter_cfg.get('min_size', 0)
        return [
            entry
            for entry in self.data_list
            if (entry['instances'] or not empty) and min(entry['height'], entry['width']) >= least
        ]

    def get_cat_ids(self, idx: int) -> list[int]:
        """Labels of an image, for class-balanced sampling."""
        return [item['bbox_label'] for item in self.get_data_info(idx)['instances']]

    def count_objects(self) -> dict[str, int]:
        """Objects per class name."""
        counts = Counter(label for index in range(len(self)) for label in self.get_cat_ids(index))
        return {name: counts[label] for label, name in enumerate(self.metainfo['classes'])}


def boxes_in_window(
    instances: Sequence[dict], window: Window, min_visible: float = 0.5
) -> list[dict]:
    """Objects that reach into a window, cut to it and in its pixels.

    Args:
        instances: In mmdet's form, in pixels of the image; outlines (``mask``) are moved along.
        window: Row, column, height and width.
        min_visible: Objects with a smaller share of their area inside are marked as ignored.
    """
    found = []
    for item in instances:
        x1, y1, x2, y2 = item['bbox']
        left, top = max(x1 - window.column, 0.0), max(y1 - window.row, 0.0)
        right = min(x2 - window.column, float(window.width))
        bottom = min(y2 - window.row, float(window.height))
        if right <= left or bottom <= top:
            continue
        visible = (right - left) * (bottom - top) / ((x2 - x1) * (y2 - y1))
        hidden = visible < min_visible
        inside = {
            **item,
            'bbox': [left, top, right, bottom],
            'ignore_flag': int(hidden or item['ignore_flag']),
        }
        if 'mask' in item:
            inside['mask'] = [shifted(outline, window) for outline in item['mask']]
        found.append(inside)
    return found


def shifted(outline: Sequence[float], window: Window) -> list[float]:
    """An outline x1, y1, x2, y2, ... in the pixels of a window; not cut, as it is in COCO files."""
    offsets = window.column, window.row
    return [float(value) - offsets[k % 2] for k, value in enumerate(outline)]


def require_images(entries: Sequence[dict], where: str | Path) -> None:
    """Raise :class:`DataNotFoundError` unless all images exist."""
    folders: dict[Path, set[str]] = defaultdict(set)
    for entry in entries:
        path = Path(entry['img_path'])
        folders[path.parent].add(path.name)
    for folder, names in folders.items():
        present = {p.name for p in folder.iterdir()} if folder.is_dir() else set()
        absent = sorted(names - present)
        if absent:
            raise DataNotFoundError(
                f'{len(absent)} of {len(names)} labelled images are absent from {folder}, '
                f'e.g. {absent[0]}',
                where=where,
                fix='Complete the download, or check image_dir',
            )
