"""Detection datasets: real samples, published layouts, and labels that contradict themselves."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mmengine.dataset import ConcatDataset

from rsmm.datasets.base import check_same_classes
from rsmm.datasets.boxes import clip_box
from rsmm.datasets.coco import BoxFolder
from rsmm.datasets.dota import DOTA
from rsmm.datasets.nwpu import NWPUVHR10
from rsmm.datasets.seeded import SeededDataset
from rsmm.datasets.tiles import UnlabeledTiles
from rsmm.errors import ConfigError, DataError, DataNotFoundError


def test_tiles_cover_the_image_and_cut_boxes(tmp_path: Path) -> None:
    text = '70 5 90 5 90 25 70 25 plane 0\n78 40 90 40 90 50 78 50 ship 0\n'
    write_dota(tmp_path, text)
    write_image(tmp_path / 'images' / 'P0001.png', 100, 120)
    dataset = DOTA(str(tmp_path), tile=80, stride=60, min_visible=0.4)
    windows = [dataset.get_data_info(k)['window'] for k in range(len(dataset))]
    assert windows == [(0, 0, 80, 80), (0, 40, 80, 80), (20, 0, 80, 80), (20, 40, 80, 80)]
    assert boxes_of(dataset, 0) == [(70, 5, 80, 25, 0, 0), (78, 40, 80, 50, 1, 1)]
    assert boxes_of(dataset, 1) == [(30, 5, 50, 25, 0, 0), (38, 40, 50, 50, 1, 0)]
    assert boxes_of(dataset, 3) == [(30, 0, 50, 5, 0, 1), (38, 20, 50, 30, 1, 0)]
    assert [dataset.get_data_info(k)['img_id'] for k in range(4)] == [0, 1, 2, 3]


def write_image(path: Path, height: int = 60, width: int = 80) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.full((height, width, 3), 90, np.uint8))


def write_dota(root: Path, text: str, name: str = 'P0001') -> Path:
    write_image(root / 'images' / f'{name}.png')
    path = root / 'labelTxt' / f'{name}.txt'
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return root


def boxes_of(dataset, index: int = 0) -> list[tuple]:
    return [
        (*item['bbox'], item['bbox_label'], item['ignore_flag'])
        for item in dataset.get_data_info(index)['instances']
    ]


DOTA_TEXT = """imagesource:GoogleEarth
gsd:0.146343590398
10 5 20 5 20 15 8 15 plane 0
30 30 40 32 38 42 28 40 storage tank 1
-5 10 6 10 6 20 -5 20 small-vehicle 0
"""


def test_dota_lines(tmp_path: Path) -> None:
    root = write_dota(tmp_path, DOTA_TEXT)
    dataset = DOTA(str(root))
    assert dataset.metainfo['classes'][-1] == 'container-crane'
    assert boxes_of(dataset) == [
        (8, 5, 20, 15, 0, 0),
        (28, 30, 40, 42, 2, 1),
        (0, 10, 6, 20, 10, 0),
    ]
    assert [b[-1] for b in boxes_of(DOTA(str(root), difficult='keep'))] == [0, 0, 0]
    assert len(boxes_of(DOTA(str(root), difficult='drop'))) == 2
    assert len(boxes_of(DOTA(str(root), min_size=8))) == 2
    assert len(DOTA(str(root), version='v1.0').metainfo['classes']) == 15


@pytest.mark.parametrize(
    ('version', 'count', 'last'),
    [
        ('v1.0', 15, 'swimming-pool'),
        ('v1.5', 16, 'container-crane'),
        ('v2.0', 18, 'helipad'),
    ],
)
def test_dota_versions(tmp_path: Path, version: str, count: int, last: str) -> None:
    root = write_dota(tmp_path, f'10 5 20 5 20 15 8 15 {last} 0\n')
    dataset = DOTA(str(root), version=version)
    assert len(dataset.metainfo['classes']) == count
    assert boxes_of(dataset)[0][4] == count - 1


def test_dota_v2_classes_are_unknown_before(tmp_path: Path) -> None:
    root = write_dota(tmp_path, '10 5 20 5 20 15 8 15 airport 0\n')
    assert boxes_of(DOTA(str(root), version='v2.0')) == [(8, 5, 20, 15, 16, 0)]
    with pytest.raises(DataError, match="unknown class 'airport'"):
        DOTA(str(root), version='v1.5')
    with pytest.raises(ConfigError, match='v1.0, v1.5, v2.0'):
        DOTA(str(root), version='v3.0')


def test_dota_keeps_oriented_boxes_in_images_and_tiles(tmp_path: Path) -> None:
    """Corners as labelled; tiles move them; mmdet draws them as masks inside the boxes."""
    diamond = [50.0, 10.0, 70.0, 30.0, 50.0, 50.0, 30.0, 30.0]
    root = write_dota(tmp_path, ' '.join(map(str, diamond)) + ' ship 1\n')
    pipeline = [
        dict(type='LoadPicture'),
        dict(type='mmdet.LoadAnnotations', with_bbox=True, with_mask=True),
    ]
    whole = DOTA(str(root), pipeline=pipeline, difficult='keep')
    (item,) = whole.get_data_info(0)['instances']
    assert item['mask'] == [diamond]
    assert item['bbox'] == [30, 10, 70, 50]
    mask = whole[0]['gt_masks'].masks[0]
    assert mask.shape == (60, 80)
    assert mask.sum() == pytest.approx(800, rel=0.05)  # half of the enclosing box
    assert mask[30, 50]
    assert not mask[12, 32]
    tiles = DOTA(str(root), pipeline=pipeline, difficult='keep', tile=40, stride=20)
    infos = [tiles.get_data_info(k) for k in range(len(tiles))]
    (index,) = [k for k, info in enumerate(infos) if tuple(info['window'][:2]) == (20, 20)]
    (item,) = infos[index]['instances']
    assert item['mask'] == [[value - 20 for value in diamond]]
    part = tiles[index]['gt_masks'].masks[0]
    assert (part == mask[20:60, 20:60]).mean() > 0.98


def test_dota_nan_in_any_corner_is_no_box(tmp_path: Path) -> None:
    for corner in range(8):
        values = ['10', '5', '20', '5', '20', '15', '8', '15']
        values[corner] = 'nan'
        root = write_dota(tmp_path, ' '.join(values) + ' plane 0\n')
        with pytest.raises(DataError, match='line 1: box .*nan.* has no area'):
            DOTA(str(root))


def test_dota_published_splits(tmp_path: Path) -> None:
    write_dota(tmp_path / 'train', DOTA_TEXT, 'P1')
    write_dota(tmp_path / 'val', DOTA_TEXT, 'P2')
    found = [Path(DOTA(str(tmp_path), split=s)[0]['img_path']).stem for s in ('train', 'val')]
    assert found == ['P1', 'P2']


def test_dota_empty_label_file_is_an_image_without_objects(tmp_path: Path) -> None:
    write_dota(tmp_path, '', 'P1')
    with pytest.raises(DataError, match='none of 1 images has an object'):
        DOTA(str(tmp_path))
    write_dota(tmp_path, DOTA_TEXT, 'P2')
    assert len(DOTA(str(tmp_path))) == 2
    assert len(DOTA(str(tmp_path), filter_cfg=dict(filter_empty_gt=True))) == 1
    halves = [DOTA(str(tmp_path), split=s, fractions=(0.5, 0.5)) for s in ('train', 'val')]
    assert sorted(len(boxes_of(half)) for half in halves) == [0, 3]
    assert len(DOTA(str(tmp_path), filter_cfg=dict(filter_empty_gt=True), test_mode=True)) == 2


@pytest.mark.parametrize(
    ('line', 'message'),
    [
        ('10 5 20 5 20 15 8 15 plan 0', "line 1: unknown class 'plan'.*Did you mean 'plane'"),
        ('10 5 20 5 20 five 8 15 plane 0', 'line 1: expected 8 numbers'),
        ('10 5 20 5 20 15 8', 'line 1: expected 8 numbers and a class'),
        ('10 5 10 5 10 15 10 15 plane 0', r'line 1: box \(10, 5, 10, 15\) has no area'),
        ('90 5 99 5 99 15 90 15 plane 0', 'line 1: .*outside the image of 80x60'),
    ],
)
def test_dota_bad_lines(tmp_path: Path, line: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        DOTA(str(write_dota(tmp_path, line)))


def test_bad_boxes_can_be_left_out(tmp_path: Path) -> None:
    root = write_dota(tmp_path, DOTA_TEXT + '90 5 99 5 99 15 90 15 plane 0\n')
    assert len(boxes_of(DOTA(str(root), on_bad='skip'))) == 3
    with pytest.raises(ConfigError, match='on_bad'):
        DOTA(str(root), on_bad='ignore')


def test_lone_files(tmp_path: Path) -> None:
    root = write_dota(tmp_path, DOTA_TEXT)
    write_image(root / 'images' / 'P0002.png')
    with pytest.raises(DataError, match='1 images have no label file, e.g. P0002'):
        DOTA(str(root))
    (root / 'images' / 'P0002.png').unlink()
    (root / 'labelTxt' / 'P0003.txt').write_text('')
    with pytest.raises(DataError, match='1 label files have no image, e.g. P0003'):
        DOTA(str(root))


def test_files_of_file_managers_and_files_that_are_no_text(tmp_path: Path) -> None:
    root = write_dota(tmp_path, DOTA_TEXT)
    for name in ('images/._P0001.png', 'labelTxt/._P0001.txt', 'labelTxt/.DS_Store.txt'):
        (root / name).write_bytes(b'\x00\xff')
    assert len(DOTA(str(root))) == 1
    (root / 'labelTxt/P0001.txt').write_bytes(b'\xff\xfe\x00')
    with pytest.raises(DataError, match='P0001.txt: is no text file'):
        DOTA(str(root))


def test_clip_box() -> None:
    assert clip_box((-3, 2, 90, 70), (60, 80), 'x') == [0, 2, 80, 60]
    assert clip_box((-3, 2, 90, 70), None, 'x') == [-3, 2, 90, 70]
    for bad in ((5, 5, 5, 9), (9, 9, 5, 5), (float('nan'), 0, 5, 5), (80, 0, 90, 9)):
        with pytest.raises(DataError, match='box'):
            clip_box(bad, (60, 80), 'x')


def test_nwpu_text_layout(tmp_path: Path) -> None:
    write_image(tmp_path / 'positive image set' / '001.jpg')
    text = tmp_path / 'ground truth' / '001.txt'
    text.parent.mkdir()
    text.write_text('(10,20),(30,40),1\r\n( 5, 6),(50,55),10 \n\n')
    dataset = NWPUVHR10(str(tmp_path))
    assert boxes_of(dataset) == [(10, 20, 30, 40, 0, 0), (5, 6, 50, 55, 9, 0)]
    for line, message in (
        ('(1,2),(3,4),11', 'unknown class 11'),
        ('(1,2),(3,4),1.5', 'expected .x1,y1.'),
        ('1,2,3,4,1', 'expected .x1,y1.'),
        ('(1,2),(x,4),1', 'expected numbers'),
    ):
        text.write_text(line)
        with pytest.raises(DataError, match=message):
            NWPUVHR10(str(tmp_path))


def coco(**changes) -> dict:
    table = {
        'images': [{'id': 3, 'file_name': 'a.png', 'height': 60, 'width': 80}],
        'categories': [{'id': 7, 'name': 'car'}, {'id': 2, 'name': 'house'}],
        'annotations': [{'id': 1, 'image_id': 3, 'category_id': 7, 'bbox': [4, 5, 10, 20]}],
    }
    return {**table, **changes}


def write_coco(root: Path, table: dict) -> str:
    write_image(root / 'images' / 'a.png')
    (root / 'annotations.json').write_text(json.dumps(table))
    return str(root)


def test_coco(tmp_path: Path) -> None:
    dataset = BoxFolder(write_coco(tmp_path, coco()))
    assert dataset.metainfo['classes'] == ('car',)
    assert boxes_of(dataset) == [(4, 5, 14, 25, 0, 0)]
    for asked in ({'classes': ('house', 'car')}, {'metainfo': {'classes': ('house', 'car')}}):
        dataset = BoxFolder(str(tmp_path), **asked)
        assert dataset.metainfo['classes'] == ('house', 'car')
        assert boxes_of(dataset) == [(4, 5, 14, 25, 1, 0)]
        assert dataset.count_objects() == {'house': 0, 'car': 1}


def two_classes() -> dict:
    table = coco()
    house = {'id': 2, 'image_id': 3, 'category_id': 2, 'bbox': [1, 1, 5, 5]}
    return {**table, 'annotations': [*table['annotations'], house]}


def test_coco_part_of_the_classes(tmp_path: Path) -> None:
    root = write_coco(tmp_path, two_classes())
    assert BoxFolder(root).metainfo['classes'] == ('house', 'car')
    part = BoxFolder(root, classes=('car',))
    assert boxes_of(part) == [(4, 5, 14, 25, 0, 0)]
    with pytest.raises(DataError, match="unknown class 'cars'.*Did you mean 'car'"):
        BoxFolder(root, classes=('cars',))


@pytest.mark.parametrize('encoding', ['utf-8', 'utf-8-sig'])
def test_coco_with_a_byte_order_mark(tmp_path: Path, encoding: str) -> None:
    root = write_coco(tmp_path, coco())
    (tmp_path / 'annotations.json').write_text(json.dumps(coco()), encoding=encoding)
    assert len(BoxFolder(root)) == 1


@pytest.mark.parametrize('raw', [b'[' * 100_000, b'\xff\xfe{\0}\0', b'', b'{"images": [1e999'])
def test_coco_that_is_no_json(tmp_path: Path, raw: bytes) -> None:
    root = write_coco(tmp_path, coco())
    (tmp_path / 'annotations.json').write_bytes(raw)
    with pytest.raises(DataError, match='is not JSON|is not COCO'):
        BoxFolder(root)


@pytest.mark.parametrize('name', ['../a.png', '/etc/passwd', 'x/../../a.png', '..', 'a\0.png'])
@pytest.mark.parametrize('reader', ['BoxFolder', 'NWPUVHR10'])
def test_coco_names_stay_in_their_folder(tmp_path: Path, reader: str, name: str) -> None:
    table = coco(categories=[{'id': 7, 'name': 'ship'}])
    table['images'][0]['file_name'] = name
    write_coco(tmp_path, table)
    kind = {'BoxFolder': BoxFolder, 'NWPUVHR10': NWPUVHR10}[reader]
    with pytest.raises(DataError, match=r'images\[0\].*leads out of'):
        kind(str(tmp_path), ann_file='annotations.json')


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_fuzzed_coco(tmp_path_factory, data) -> None:
    """One value of a file is replaced: boxes inside the image, or an error of rsmm."""
    table = two_classes()
    part = data.draw(st.sampled_from(list(table)))
    entry = data.draw(st.sampled_from(table[part]))
    key = data.draw(st.sampled_from([*entry, 'iscrowd']))
    junk = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4)
    entry[key] = data.draw(junk | st.lists(junk, max_size=4) | st.dictionaries(st.text(), junk))
    root = write_coco(tmp_path_factory.mktemp('fuzz'), table)
    try:
        dataset = BoxFolder(root)
    except DataError:
        return
    for index in range(len(dataset)):
        info = dataset.get_data_info(index)
        for x1, y1, x2, y2, label, _ in boxes_of(dataset, index):
            assert 0 <= x1 < x2 <= info['width']
            assert 0 <= y1 < y2 <= info['height']
            assert 0 <= label < len(dataset.metainfo['classes'])


ANNOTATION = {'id': 1, 'image_id': 3, 'category_id': 7, 'bbox': [4, 5, 10, 20]}


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'images': [{'file_name': 'a.png', 'height': 6, 'width': 8}]}, r'images\[0\] has no id'),
        ({'annotations': [{'id': 1, 'image_id': 3, 'bbox': [1, 1, 2, 2]}]}, 'has no category_id'),
        ({'annotations': [{**ANNOTATION, 'id': None}]}, r'annotations\[0\] has no id'),
        ({'annotations': ['x']}, "is 'x', not an object"),
        ({'annotations': [{**ANNOTATION, 'image_id': [3]}]}, r'has image_id \[3\]'),
        ({'images': [{**coco()['images'][0], 'height': '60'}]}, "has height '60'"),
        ({'categories': coco()['categories'] * 2}, 'category id 7 stands there twice'),
        ({'categories': [{'id': 7, 'name': 'car'}, {'id': 2, 'name': 'Car'}]}, 'the same name'),
        ({'annotations': [{**ANNOTATION, 'image_id': 4}]}, 'image_id 4 is not among'),
        ({'annotations': [{**ANNOTATION, 'category_id': 9}]}, 'category_id 9 is not defined'),
        ({'annotations': [{**ANNOTATION, 'bbox': [4, 5, 0, 9]}]}, 'has no area'),
        ({'annotations': [{**ANNOTATION, 'bbox': [99, 5, 5, 9]}]}, 'outside the image'),
        ({'annotations': [{**ANNOTATION, 'bbox': [4, 5, 10]}]}, r'\[4, 5, 10\] is not x, y, width'),
        ({'annotations': [{**ANNOTATION, 'bbox': [4, 5, '10', 9]}]}, 'is not x, y, width'),
        ({'annotations': [{'id': 1, 'category_id': 7, 'bbox': [1, 1, 2, 2]}]}, 'has no image_id'),
        ({'categories': [{'name': 'car'}]}, r'categories\[0\] has no id'),
        ({'categories': None}, 'is not COCO'),
        ({'images': coco()['images'] * 2}, 'stands there twice'),
    ],
)
def test_coco_bad_input(tmp_path: Path, changes: dict, message: str) -> None:
    with pytest.raises(DataError, match=message):
        BoxFolder(write_coco(tmp_path, coco(**changes)))


def test_coco_of_images_of_another_size(tmp_path: Path) -> None:
    """Boxes would lie elsewhere; whole images and tiles alike."""
    root = write_coco(tmp_path, coco())
    settings = dict(pipeline=[dict(type='LoadRaster')])
    assert BoxFolder(root, **settings)[0]['img_shape'] == (60, 80)
    assert BoxFolder(root, tile=40, **settings)[1]['img_shape'] == (40, 40)
    write_image(tmp_path / 'images' / 'a.png', 40, 50)
    for tiling, index in (({}, 0), ({'tile': 48}, 1)):
        with pytest.raises(DataError, match='a.png: expected'):
            BoxFolder(root, **settings, **tiling)[index]


def test_coco_absent_files(tmp_path: Path) -> None:
    root = write_coco(tmp_path, coco())
    (tmp_path / 'images' / 'a.png').rename(tmp_path / 'images' / 'b.png')
    with pytest.raises(DataNotFoundError, match='1 of 1 labelled images are absent'):
        BoxFolder(root)
    with pytest.raises(DataNotFoundError, match='make_toy_data.py aerial'):
        BoxFolder(str(tmp_path / 'nowhere'))
    (tmp_path / 'annotations.json').write_text('{')
    with pytest.raises(DataError, match='is not JSON'):
        BoxFolder(root)


@pytest.mark.realdata
def test_real_nwpu(real_data: Path) -> None:
    root = str(real_data / 'nwpu_vhr10')
    parts = {
        split: NWPUVHR10(root, ann_file='instances_100.json', split=split)
        for split in ('train', 'val', 'all')
    }
    assert [len(part) for part in parts.values()] == [80, 20, 100]
    names = [
        {d['img_path'] for d in (part[i] for i in range(len(part)))} for part in parts.values()
    ]
    assert not names[0] & names[1]
    assert sum(parts['all'].count_objects().values()) == 502
    tenth = NWPUVHR10(root, ann_file='instances_100.json', split='train', label_fraction=0.1)
    assert len(tenth) == 8
    assert {tenth[i]['img_path'] for i in range(8)} < names[0]


@pytest.mark.realdata
def test_real_dota(real_data: Path) -> None:
    dataset = DOTA(str(real_data / 'dota_samples'))
    assert len(dataset) == 4
    lines = sum(
        len(path.read_text().split('\n')) - path.read_text().endswith('\n')
        for path in (real_data / 'dota_samples' / 'labelTxt').glob('*.txt')
    )
    assert sum(dataset.count_objects().values()) == lines


def test_places_of_unlabelled_tiles(tmp_path: Path) -> None:
    for name in ('19_5_7.png', 'town/19/5/8.png', 'plain.png', '._19_5_9.png'):
        write_image(tmp_path / name)
    dataset = UnlabeledTiles(str(tmp_path))
    places = {}
    for info in map(dataset.get_data_info, range(len(dataset))):
        places[Path(info['img_path']).relative_to(tmp_path).as_posix()] = info.get('tile')
    assert places == {'19_5_7.png': (5, 7, 19), 'town/19/5/8.png': (5, 8, 19), 'plain.png': None}


LINE = st.text(max_size=40) | st.from_regex(r'(-?\d{1,3}(\.\d)? ){8}(plane|ship|x)( [0-2])?')
PLACES = st.from_regex(r'\(-?\d{1,3},\d{1,3}\),\(\d{1,3},\d{1,3}\),\d{1,2}', fullmatch=True)


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    lines=st.lists(LINE | PLACES, max_size=4),
    kind=st.sampled_from(['DOTA', 'NWPU']),
    raw=st.none() | st.binary(max_size=30),
)
def test_fuzzed_text_labels(tmp_path_factory, lines, kind, raw) -> None:
    """Any text gives boxes inside the image, or an error of rsmm."""
    root = tmp_path_factory.mktemp('fuzz')
    folders = ('images', 'labelTxt') if kind == 'DOTA' else ('positive image set', 'ground truth')
    write_image(root / folders[0] / 'a.png')
    path = root / folders[1] / 'a.txt'
    path.parent.mkdir()
    path.write_bytes(raw if raw is not None else '\n'.join(lines).encode('utf-8', 'ignore'))
    try:
        dataset = {'DOTA': DOTA, 'NWPU': NWPUVHR10}[kind](str(root))
    except DataError:
        return
    for x1, y1, x2, y2, label, _ in boxes_of(dataset):
        assert 0 <= x1 < x2 <= 80
        assert 0 <= y1 < y2 <= 60
        assert 0 <= label < len(dataset.metainfo['classes'])


def test_two_files_of_other_classes_are_refused(tmp_path: Path) -> None:
    """The second file lacks a category: its label 0 is another class."""
    both, one = write_coco(tmp_path / 'a', two_classes()), write_coco(tmp_path / 'b', coco())
    train = ConcatDataset([BoxFolder(both), BoxFolder(both)])
    check_same_classes(train, BoxFolder(both))
    with pytest.raises(ConfigError, match=r'BoxFolder: .*other classes \(house\).*classes='):
        check_same_classes(train, SeededDataset(BoxFolder(one)))
    check_same_classes(train, BoxFolder(one, classes=('house', 'car')))
    check_same_classes(train, UnlabeledTiles(str(tmp_path)))
