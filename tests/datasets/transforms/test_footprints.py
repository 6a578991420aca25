"""Targets and augmentations of footprints."""

import numpy as np
import pytest
import shapely

from rsmm.datasets.transforms.footprints import (
    CropFootprints,
    LoadFootprints,
    PackFootprints,
    RandomFlipRot90,
    RasterizeFootprints,
)
from rsmm.errors import ConfigError, DataError
from rsmm.geo import contact_mask, write_vector

BOXES = [shapely.box(2, 2, 8, 8), shapely.box(9, 2, 14, 8)]
TRANSFORM = (4.7773, 0.0, 0.0, 0.0, -4.7773, 0.0)


def results(**extra):
    return {
        'img': np.arange(16 * 20 * 3, dtype=np.uint8).reshape(16, 20, 3),
        'img_shape': (16, 20),
        'footprints': np.array(BOXES, object),
        'transform': TRANSFORM,
        **extra,
    }


def test_channels_come_in_the_order_asked_for():
    made = RasterizeFootprints(('contact', 'footprint'), contact_spacing=4, contact_unit='px')(
        results()
    )
    target = made['gt_seg_map']
    assert target.shape == (16, 20, 2)
    assert target[..., 1].sum() == 36 + 30
    np.testing.assert_array_equal(target[..., 0], contact_mask(BOXES, (16, 20), 4.0))
    assert made['seg_fields'] == ['gt_seg_map']


def test_metres_and_pixels_agree():
    by_unit = [
        RasterizeFootprints(('contact',), contact_spacing=s, contact_unit=u)(results())[
            'gt_seg_map'
        ]
        for s, u in ((4 * 4.7773, 'm'), (4.0, 'px'))
    ]
    np.testing.assert_array_equal(*by_unit)
    assert by_unit[0].any()


def test_pixels_without_data_are_ignored_on_request():
    valid = np.ones((16, 20), bool)
    valid[:, :4] = False
    kept = RasterizeFootprints()(results(valid=valid))['gt_seg_map']
    ignored = RasterizeFootprints(ignore_nodata=True)(results(valid=valid))['gt_seg_map']
    assert set(np.unique(kept)) == {0, 1}
    assert (ignored[:, :4] == 255).all()
    np.testing.assert_array_equal(ignored[:, 4:], kept[:, 4:])


def test_empty_footprints_give_an_empty_target():
    made = RasterizeFootprints(('footprint', 'boundary', 'contact'))(
        results(footprints=np.zeros(0, object))
    )
    assert not made['gt_seg_map'].any()


@pytest.mark.parametrize('seed', range(6))
def test_flips_and_turns_move_image_and_target_alike(seed):
    np.random.seed(seed)
    given = RasterizeFootprints()(results())
    given['img'] = np.concatenate([given['gt_seg_map']] * 3, axis=-1)
    turned = RandomFlipRot90(0.5, 0.5)(dict(given))
    np.testing.assert_array_equal(turned['img'][..., :1], turned['gt_seg_map'])
    assert turned['img_shape'] == turned['img'].shape[:2]


def test_flip_and_turn_probabilities():
    given = RasterizeFootprints()(results())
    same = RandomFlipRot90(0, 0)(dict(given))
    np.testing.assert_array_equal(same['img'], given['img'])
    flipped = RandomFlipRot90(1, 0)(dict(given))
    np.testing.assert_array_equal(flipped['img'], given['img'][:, ::-1])


@pytest.mark.parametrize('centre', [False, True])
def test_crops(centre):
    given = RasterizeFootprints()(results())
    cut = CropFootprints(10, centre)(dict(given))
    assert cut['img'].shape == (10, 10, 3)
    assert cut['gt_seg_map'].shape == (10, 10, 1)
    if centre:
        np.testing.assert_array_equal(cut['img'], given['img'][3:13, 5:15])


def test_small_images_are_mirrored_and_the_rest_does_not_count():
    given = RasterizeFootprints()(results())
    cut = CropFootprints(24)(dict(given))
    assert cut['img'].shape == (24, 24, 3)
    np.testing.assert_array_equal(cut['img'][16], cut['img'][15])
    assert (cut['gt_seg_map'][16:] == 255).all()
    assert (cut['gt_seg_map'][:, 20:] == 255).all()
    np.testing.assert_array_equal(cut['gt_seg_map'][:16, :20], given['gt_seg_map'])


def test_packing():
    packed = PackFootprints()(RasterizeFootprints()(results(aoi='a', month='2018_01')))
    assert tuple(packed['inputs'].shape) == (3, 16, 20)
    assert tuple(packed['data_samples'].gt_sem_seg.data.shape) == (1, 16, 20)
    assert packed['data_samples'].month == '2018_01'
    assert 'footprints' not in packed['data_samples']


def test_label_files(tmp_path):
    path = tmp_path / 'l.geojson'
    write_vector(path, BOXES, {'Id': [4, 9]}, crs='EPSG:3857', transform=TRANSFORM)
    given = {'label_path': str(path), 'crs': 'EPSG:3857', 'transform': TRANSFORM}
    loaded = LoadFootprints()(given)
    assert loaded['footprint_ids'].tolist() == [4, 9]
    assert shapely.equals_exact(loaded['footprints'], np.array(BOXES), 1e-6).all()
    write_vector(path, [])
    assert len(LoadFootprints()({'label_path': str(path), 'label_pixels': True})['footprints']) == 0
    assert len(LoadFootprints()({'label_path': None})['footprints']) == 0
    path.write_text(
        '{"type": "FeatureCollection", "features": [{"type": "Feature", "properties": {}, '
        '"geometry": {"type": "LineString", "coordinates": [[0, 0], [1, 1]]}}]}'
    )
    with pytest.raises(DataError, match='geometry 0 is a LineString'):
        LoadFootprints()({'label_path': str(path), 'label_pixels': True})


@pytest.mark.parametrize('settings', [{'channels': ('edge',)}, {'contact_unit': 'feet'}])
def test_bad_settings(settings):
    with pytest.raises(ConfigError, match='footprint, boundary, contact'):
        RasterizeFootprints(**settings)
