"""Variants of box sets: images without objects and outlines, alone and in tiles."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from rsmm.datasets.coco import BoxFolder
from rsmm.datasets.nwpu import NWPUVHR10
from rsmm.errors import ConfigError, DataError, DataNotFoundError

TRIANGLE = [10.0, 10.0, 50.0, 10.0, 10.0, 50.0]
LOAD = [
    dict(type='LoadPicture'),
    dict(type='mmdet.LoadAnnotations', with_bbox=True, with_mask=True),
]


def write_image(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.full((60, 80, 3), 90, np.uint8))


def write_nwpu(root: Path, positive: int = 10, negative: int = 5) -> str:
    """Both sets with names that occur twice, labels as text and as COCO."""
    images, annotations = [], []
    (root / 'ground truth').mkdir(parents=True)
    for number in range(1, positive + 1):
        name = f'{number:03d}'
        write_image(root / 'positive image set' / f'{name}.jpg')
        (root / 'ground truth' / f'{name}.txt').write_text('(10,10),(50,50),3\n')
        images.append({'id': number, 'file_name': f'{name}.jpg', 'height': 60, 'width': 80})
        annotations.append(
            {
                'id': number,
                'image_id': number,
                'category_id': 1,
                'bbox': [10, 10, 40, 40],
                'segmentation': [TRIANGLE],
            }
        )
    for number in range(1, negative + 1):
        write_image(root / 'negative image set' / f'{number:03d}.jpg')
    table = {
        'images': images,
        'annotations': annotations,
        'categories': [{'id': 1, 'name': 'storage_tank'}],
    }
    write_table(root, table)
    return str(root)


def write_table(root: Path, table: dict) -> None:
    (root / 'labels.json').write_text(json.dumps(table))


def infos(dataset) -> list[dict]:
    return [dataset.get_data_info(k) for k in range(len(dataset))]


@pytest.mark.parametrize('labels', [{}, {'ann_file': 'labels.json'}])
def test_nwpu_images_without_objects(tmp_path: Path, labels: dict) -> None:
    root = write_nwpu(tmp_path)
    found = {}
    for split in ('train', 'val', 'all'):
        plain = NWPUVHR10(root, split=split, **labels)
        both = NWPUVHR10(root, split=split, negative=True, **labels)
        paths = [info['img_path'] for info in infos(both)]
        assert [path for path in paths if 'positive' in path] == [
            info['img_path'] for info in infos(plain)
        ]
        found[split] = [path for path in paths if 'negative' in path]
        assert len({info['img_id'] for info in infos(both)}) == len(both)
        for info in infos(both):
            assert bool(info['instances']) == ('positive' in info['img_path'])
            assert (info['height'], info['width']) == (60, 80)
    assert [len(paths) for paths in found.values()] == [4, 1, 5]
    assert set(found['train']) | set(found['val']) == set(found['all'])
    filtered = NWPUVHR10(root, negative=True, filter_cfg=dict(filter_empty_gt=True), **labels)
    assert len(filtered) == 10
    tiles = NWPUVHR10(root, negative=True, tile=40, **labels)
    assert sum('negative' in info['img_path'] for info in infos(tiles)) == 5 * 4


def test_nwpu_absent_negatives(tmp_path: Path) -> None:
    root = write_nwpu(tmp_path, negative=0)
    with pytest.raises(DataNotFoundError, match='negative image set'):
        NWPUVHR10(root, negative=True)
    (tmp_path / 'negative image set').mkdir()
    with pytest.raises(DataNotFoundError, match='negative image set.*holds no images'):
        NWPUVHR10(root, negative=True)


@pytest.mark.parametrize('reader', ['NWPUVHR10', 'BoxFolder'])
def test_outlines_of_a_coco_file(tmp_path: Path, reader: str) -> None:
    """Half of the box is inside the triangle, in the image and in the tile that holds it."""
    root = write_nwpu(tmp_path, positive=1)
    kind = {
        'NWPUVHR10': NWPUVHR10,
        'BoxFolder': lambda *args, **kw: BoxFolder(*args, image_dir='positive image set', **kw),
    }[reader]
    settings = dict(ann_file='labels.json', pipeline=LOAD)
    assert 'mask' not in kind(root, ann_file='labels.json').get_data_info(0)['instances'][0]
    whole = kind(root, masks=True, **settings)
    assert whole.get_data_info(0)['instances'][0]['mask'] == [TRIANGLE]
    mask = whole[0]['gt_masks'].masks[0]
    assert mask.sum() == pytest.approx(800, rel=0.05)
    assert mask[15, 15]
    assert not mask[45, 45]
    tiles = kind(root, masks=True, tile=50, stride=10, **settings)
    for index, info in enumerate(infos(tiles)):
        row, column, height, width = info['window']
        if info['instances']:
            part = tiles[index]['gt_masks'].masks[0]
            expected = mask[row : row + height, column : column + width]
            assert (part == expected).mean() > 0.97, info['window']


def test_masks_need_a_file_that_has_them(tmp_path: Path) -> None:
    root = write_nwpu(tmp_path, positive=1)
    with pytest.raises(ConfigError, match='ann_file'):
        NWPUVHR10(root, masks=True)
    table = json.loads((tmp_path / 'labels.json').read_text())
    for bad in (None, [], {'counts': 'x', 'size': [60, 80]}, [[1, 2, 3, 4]], [[1] * 7],
                [[1, 2, 3, 4, 5, 'x']], [[1, 2, 3, 4, 5, 1e300]], [3]):  # fmt: skip
        table['annotations'][0]['segmentation'] = bad
        write_table(tmp_path, table)
        with pytest.raises(DataError, match=r'annotations\[0\].*no outlines'):
            NWPUVHR10(root, ann_file='labels.json', masks=True)
        assert len(NWPUVHR10(root, ann_file='labels.json')) == 1


@pytest.mark.realdata
def test_real_outlines_lie_in_their_boxes(real_data: Path) -> None:
    root = str(real_data / 'nwpu_vhr10')
    dataset = NWPUVHR10(root, ann_file='instances_100.json', masks=True)
    items = [item for info in infos(dataset) for item in info['instances']]
    assert len(items) == 502
    for item in items:
        points = np.reshape(item['mask'][0], (-1, 2))
        extent = [*points.min(axis=0), *points.max(axis=0)]
        np.testing.assert_allclose(extent, item['bbox'], atol=2)
