import cv2
import numpy as np
import pytest

from rsmm.datasets.transforms.geometry import (
    RandomAffine,
    RandomDihedral,
    RandomResizedCrop,
    crop_size,
    dihedral,
    resize,
    warp,
)


def ramp(height, width, count, dtype=np.uint16):
    return np.arange(height * width * count).reshape(height, width, count).astype(dtype)


def test_the_eight_symmetries_are_the_group_of_the_square():
    image = ramp(4, 4, 3)
    made = {dihedral(image, code).tobytes() for code in range(8)}
    known = {
        np.rot90(side, turns).tobytes() for side in (image, image[:, ::-1]) for turns in range(4)
    }
    assert made == known
    assert len(made) == 8


def test_every_symmetry_is_drawn_and_labels_follow():
    image = ramp(4, 4, 1)
    drawn = set()
    for seed in range(60):
        np.random.seed(seed)
        out = RandomDihedral()(
            {'img': image, 'gt_seg_map': image[..., 0], 'seg_fields': ['gt_seg_map']}
        )
        np.testing.assert_array_equal(out['img'][..., 0], out['gt_seg_map'])
        drawn.add(out['img'].tobytes())
    assert len(drawn) == 8


def test_oblong_images_keep_their_shape():
    image = ramp(2, 5, 13)
    for seed in range(30):
        np.random.seed(seed)
        assert RandomDihedral()({'img': image})['img'].shape == image.shape
    assert RandomDihedral(prob=0)({'img': image})['img'] is image


@pytest.mark.parametrize('dtype', [np.uint8, np.uint16, np.int16, np.float32])
@pytest.mark.parametrize('count', [1, 3, 5, 13])
def test_affine_takes_any_bands(count, dtype):
    image = ramp(8, 8, count, dtype)
    np.random.seed(0)
    out = RandomAffine(45, 10, prob=1)({'img': image})['img']
    assert out.shape == image.shape
    assert out.dtype == dtype
    np.testing.assert_array_equal(warp(image, 0, 0), image)


def test_quarter_turn_is_counter_clockwise():
    image = ramp(9, 9, 13)
    np.testing.assert_array_equal(warp(image, 90, 0), np.rot90(image))


def test_shear_moves_rows_along_x():
    image = np.zeros((9, 9, 1), np.float32)
    image[:, 4] = 1
    rows = warp(image, 0, 45)[..., 0].argmax(axis=1)
    assert rows[4] == 4
    assert abs(rows[6] - rows[2]) == 4


@pytest.mark.parametrize('dtype', [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize('count', [1, 3, 13])
@pytest.mark.parametrize('interpolation', ['bilinear', 'area', 'bicubic'])
def test_resized_crop_takes_any_bands(count, dtype, interpolation):
    image = ramp(20, 30, count, dtype)
    np.random.seed(0)
    out = RandomResizedCrop(16, interpolation=interpolation)({'img': image})
    assert out['img'].shape == (16, 16, count)
    assert out['img'].dtype == dtype
    assert out['img_shape'] == (16, 16)


@pytest.mark.parametrize('mode', [cv2.INTER_LINEAR, cv2.INTER_AREA, cv2.INTER_CUBIC])
def test_resizing_many_bands_is_resizing_each(mode):
    image = np.random.default_rng(0).integers(0, 9000, (21, 33, 13), dtype=np.uint16)
    together = resize(image, (16, 20), mode)
    for band in range(13):
        alone = resize(image[..., band : band + 1], (16, 20), mode)
        assert abs(together[..., band].astype(int) - alone[..., 0]).max() <= 1


def test_crop_sizes_have_the_wanted_area_and_ratio():
    assert crop_size(64, 64, 1.0, 1.0) == (64, 64)
    assert crop_size(64, 64, 0.25, 1.0) == (32, 32)
    width, height = crop_size(100, 100, 0.5, 4 / 3)
    assert width / height == pytest.approx(4 / 3, rel=0.02)
    assert width * height == pytest.approx(5000, rel=0.02)
    assert crop_size(10, 100, 1.0, 1.0) == (32, 10)
    assert crop_size(5, 5, 1e-9, 1.0) == (1, 1)


def test_crops_cover_the_image():
    image = ramp(32, 32, 1)
    touched = np.zeros(32 * 32, bool)
    for seed in range(200):
        np.random.seed(seed)
        out = RandomResizedCrop(8, scale=(0.05, 0.1), interpolation='area')({'img': image})['img']
        touched[int(out.min())] = touched[int(out.max())] = True
    corners = touched.reshape(32, 32)
    assert corners[:6, :6].any()
    assert corners[-6:, -6:].any()
