"""Detection labels in a COCO file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmengine.logging import print_log

from rsmm.datasets.boxes import (
    BadBoxes,
    BoxDataset,
    class_index,
    instance,
    plain_name,
    require_images,
)
from rsmm.errors import ConfigError, DataError
from rsmm.registry import DATASETS
from rsmm.utils.foreign import read_json
from rsmm.utils.listing import inside

#: What the parts of a file must hold, and of which kind.
_ID = (int, str)
_IMAGE = {'id': _ID, 'file_name': str, 'height': int, 'width': int}
#: Beyond it are no pixels.
_LARGEST = 2.0**31
_ANNOTATION = {'id': _ID, 'image_id': _ID, 'category_id': _ID, 'bbox': list}


def read_coco(
    path: str | Path,
    image_dir: str | Path,
    classes: Sequence[str] | None = None,
    on_bad: str = 'error',
    all_of_them: bool = False,
    masks: bool = False,
) -> tuple[list[dict], tuple[str, ...]]:
    """Read a COCO detection file.

    Args:
        path: The JSON file.
        image_dir: Folder that ``file_name`` is relative to, and stays in.
        classes: Class names in label order; objects of other categories are left out. By default
            the categories that have objects by rising id: a category without any, such as the root
            that some labelling tools write, is no class.
        on_bad: ``'error'`` or ``'skip'`` for boxes without area or outside the image.
        all_of_them: A category that is not in ``classes`` is an error, and a class need not be in
            the file.
        masks: Keep the ``segmentation`` of each object, outlines ``[[x1, y1, ...], ...]`` in
            pixels, as ``mask``, which ``mmdet.LoadAnnotations(with_mask=True)`` reads.

    Returns:
        One dict per image (``img_path``, ``img_id``, ``height``, ``width``, ``instances``) by
        rising id, and the class names.

    Raises:
        DataNotFoundError: There is no such file.
        DataError: It is not COCO, ids are missing or double, it refers to unknown ones, a name
            leads out of the folder, there is no category of a class, or with ``masks`` an object
            has no outlines.
    """
    table = _read_json(path)
    names = _categories(table, path)
    ids = [entry.get('category_id') for entry in table['annotations'] if isinstance(entry, dict)]
    used = {key for key in ids if isinstance(key, _ID)}
    if classes is None:
        classes = tuple(names[key] for key in sorted(names, key=_id_order) if key in used)
        _say_left_out([name for name in names.values() if name not in classes], 'no object', path)
    to_label = _labels(names, classes, path, all_of_them)
    entries = _images(table, image_dir, path)
    bad = BadBoxes(on_bad)
    others: Counter[str] = Counter()
    for number, entry in enumerate(table['annotations']):
        where = f'{path}, annotations[{number}]'
        _require(entry, _ANNOTATION, path, f'annotations[{number}]')
        if entry['image_id'] not in entries:
            raise DataError(f'image_id {entry["image_id"]!r} is not among the images', where=where)
        if entry['category_id'] not in names:
            raise DataError(f'category_id {entry["category_id"]!r} is not defined', where=where)
        if entry['category_id'] not in to_label:
            others[names[entry['category_id']]] += 1
            continue
        image = entries[entry['image_id']]
        x, y, width, height = _four_numbers(entry['bbox'], where)
        box = bad.clip((x, y, x + width, y + height), (image['height'], image['width']), where)
        if box is not None:
            label = to_label[entry['category_id']]
            item = instance(box, label, bool(entry.get('iscrowd', 0)))
            image['instances'].append({**item, 'mask': _outlines(entry, where)} if masks else item)
    bad.report(path)
    _say_left_out([f'{name} ({count})' for name, count in others.items()], 'not asked for', path)
    return [entries[key] for key in sorted(entries, key=_id_order)], tuple(classes)


def _categories(table: dict, path: str | Path) -> dict[int | str, str]:
    names: dict[int | str, str] = {}
    for number, entry in enumerate(table['categories']):
        _require(entry, {'id': _ID, 'name': str}, path, f'categories[{number}]')
        if entry['id'] in names:
            raise DataError(f'category id {entry["id"]!r} stands there twice', where=path)
        names[entry['id']] = entry['name']
    if len({plain_name(name) for name in names.values()}) < len(names):
        raise DataError('two categories have the same name', where=path)
    return names


def _labels(
    names: Mapping[int | str, str], classes: Sequence[str], path: str | Path, all_of_them: bool
) -> dict[int | str, int]:
    """Map category ids to the positions of their classes."""
    wanted = {plain_name(name) for name in classes}
    if not all_of_them:
        present = tuple(names.values())
        for name in classes:
            class_index(name, present, path)
        names = {key: name for key, name in names.items() if plain_name(name) in wanted}
    return {key: class_index(name, classes, path) for key, name in names.items()}


def _images(table: dict, image_dir: str | Path, path: str | Path) -> dict[int | str, dict]:
    entries: dict[int | str, dict] = {}
    for number, entry in enumerate(table['images']):
        where = f'images[{number}]'
        _require(entry, _IMAGE, path, where)
        if entry['id'] in entries:
            raise DataError(f'image id {entry["id"]!r} stands there twice', where=path)
        if min(entry['height'], entry['width']) < 1:
            raise DataError(f'{where} has no pixels', where=path, fix='Write it again')
        entries[entry['id']] = {
            'img_path': str(inside(image_dir, entry['file_name'], f'{path}, {where}')),
            'img_id': entry['id'],
            'height': entry['height'],
            'width': entry['width'],
            'instances': [],
        }
    return entries


def _say_left_out(names: Sequence[str], why: str, path: str | Path) -> None:
    if names:
        print_log(f'{path}: categories left out, {why}: {", ".join(names)}', 'current', 30)


def _four_numbers(values: Any, where: str) -> list[float]:
    numbers = isinstance(values, list) and all(type(v) in (int, float) for v in values)
    if not numbers or len(values) != 4 or any(abs(v) > _LARGEST for v in values):
        raise DataError(f'bbox {str(values)[:80]} is not x, y, width, height', where=where)
    return values


def _outlines(entry: dict, where: str) -> list[list[float]]:
    """The segmentation of an object; run lengths could not follow a tile."""
    found = entry.get('segmentation')
    if not isinstance(found, list) or not found or not all(map(_is_outline, found)):
        raise DataError(
            'segmentation holds no outlines [[x1, y1, x2, y2, x3, y3, ...], ...]',
            where=where,
            fix='Write run lengths as polygons, or leave masks=True away to read boxes alone',
        )
    return [[float(value) for value in outline] for outline in found]


def _is_outline(values: Any) -> bool:
    """Whether these are three or more corners."""
    if not isinstance(values, list) or len(values) < 6 or len(values) % 2:
        return False
    return all(type(value) in (int, float) and abs(value) <= _LARGEST for value in values)


def _read_json(path: str | Path) -> dict:
    table = read_json(path, object, 'is not JSON')
    lists = ('images', 'annotations', 'categories')
    if not isinstance(table, dict) or any(not isinstance(table.get(k), list) for k in lists):
        raise DataError(f'is not COCO: expected the lists {", ".join(lists)}', where=path)
    return table


def _id_order(key: int | str) -> tuple[bool, int | str]:
    return isinstance(key, str), key


def _require(entry: object, kinds: Mapping[str, Any], path: str | Path, where: str) -> None:
    if not isinstance(entry, dict):
        raise DataError(f'{where} is {entry!r}, not an object', where=path)
    absent = [key for key in kinds if entry.get(key) is None]
    if absent:
        raise DataError(f'{where} has no {", ".join(absent)}', where=path, fix='Write it again')
    for key, kind in kinds.items():
        if not isinstance(entry[key], kind) or isinstance(entry[key], bool):
            raise DataError(f'{where} has {key} {entry[key]!r}', where=path, fix='Write it again')


@DATASETS.register_module()
class BoxFolder(BoxDataset):
    """A folder of one's own images with boxes in a COCO file.

    Args:
        data_root: Folder.
        ann_file: The JSON file, relative to it.
        image_dir: Folder of the images, relative to it.
        classes: Class names in label order, also a part of those of the file; by default
            ``metainfo['classes']``, else those of the file that have objects, by rising id. Give
            them where training and validation are two files.
        num_classes: How many there must be, if given: those of the model's head.
        palette: One (R, G, B) per class, for pictures.
        masks: Keep the outlines of the objects, see :func:`read_coco`.
        **kwargs: Arguments of :class:`BoxDataset`.
    """

    TOY_NAME = 'aerial'

    def __init__(
        self,
        data_root: str = '',
        ann_file: str = 'annotations.json',
        image_dir: str = 'images',
        classes: Sequence[str] | None = None,
        num_classes: int | None = None,
        palette: Sequence[Sequence[int]] | None = None,
        masks: bool = False,
        **kwargs,
    ) -> None:
        self.ann_path = Path(data_root) / ann_file
        self.image_dir = Path(data_root) / image_dir
        self.classes = classes or (kwargs.get('metainfo') or {}).get('classes')
        self.num_classes = num_classes
        self.masks = masks
        if palette is not None:
            kwargs['facts'] = {'palette': [tuple(colour) for colour in palette]}
        super().__init__(data_root=data_root, **kwargs)

    def read(self) -> list[dict]:
        """Read the file and check that every image is there."""
        entries, classes = read_coco(
            self.ann_path, self.image_dir, self.classes, self.on_bad, masks=self.masks
        )
        require_images(entries, self.ann_path)
        if self.num_classes is not None and self.num_classes != len(classes):
            raise ConfigError(
                f'num_classes={self.num_classes}, but there are {len(classes)} classes: '
                f'{", ".join(classes[:20])}',
                where=self.ann_path,
                fix='Make both agree, or name them all with classes=[...]',
            )
        self.note(classes=classes)
        return entries
