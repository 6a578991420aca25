"""Selective search: golden similarities, invariants, recall on drawn scenes, real images."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest

from rsmm.errors import ConfigError, DataError
from rsmm.ops import rank_regions, region_hierarchy, selective_search
from rsmm.ops.region_grouping import RegionFeatures, _Regions, group_regions
from rsmm.ops.selective_search import recall


def two_regions() -> RegionFeatures:
    return RegionFeatures(
        sizes=np.array([30.0, 20.0]),
        boxes=np.array([[0, 0, 10, 5], [8, 2, 16, 8]]),
        colour=np.array([[0.5, 0.5, 0], [0.2, 0.3, 0.5]]),
        texture=np.array([[0.25, 0.75], [0.5, 0.5]]),
        neighbours=np.array([[0, 1]]),
        area=400,
    )


@pytest.mark.parametrize(
    ('strategy', 'expected'),
    [
        (('colour',), 0.5),
        (('texture',), 0.75),
        (('size',), 0.875),
        (('fill',), 0.805),
        (('colour', 'fill', 'texture', 'size'), 0.7325),
        (('fill', 'texture', 'size'), 0.81),
    ],
)
def test_golden_similarity(strategy, expected) -> None:
    regions = _Regions(two_regions(), strategy)
    assert regions.similarity(np.array([0]), np.array([1]))[0] == pytest.approx(expected)


def test_golden_merger() -> None:
    regions = _Regions(two_regions(), ('colour',))
    new = regions.merge(0, 1)
    np.testing.assert_allclose(regions.histograms['colour'][new], [0.38, 0.42, 0.20])
    assert regions.boxes[new].tolist() == [0, 0, 16, 8]
    assert regions.levels[new] == 2
    boxes, levels = group_regions(two_regions(), ('size',))
    assert boxes[-1].tolist() == [0, 0, 16, 8]
    assert levels.tolist() == [1, 1, 2]


def test_features_of_a_checkerboard() -> None:
    labels = np.repeat(np.repeat([[0, 1], [2, 3]], 4, 0), 6, 1)
    pixels = np.stack([labels * 60] * 3, axis=2).astype(np.uint8)
    features = RegionFeatures.of(pixels, labels)
    assert features.sizes.tolist() == [24] * 4
    assert features.boxes.tolist() == [[0, 0, 6, 4], [6, 0, 12, 4], [0, 4, 6, 8], [6, 4, 12, 8]]
    # Diagonal neighbours count as touching.
    assert features.neighbours.tolist() == [[0, 1], [0, 2], [0, 3], [1, 2], [1, 3], [2, 3]]
    np.testing.assert_allclose(features.colour.sum(1), 1)
    np.testing.assert_allclose(features.texture.sum(1), 1)
    assert features.colour.shape == (4, 75)
    assert features.texture.shape == (4, 240)


def scene(seed: int, size: int = 256) -> tuple[np.ndarray, np.ndarray]:
    """Rectangles and discs of 24 to 70 pixels on noisy ground, and their boxes."""
    rng = np.random.default_rng(seed)
    image = np.full((size, size, 3), rng.integers(60, 120, 3), np.uint8)
    boxes: list[list[int]] = []
    for _ in range(60):
        width, height = rng.integers(24, 71, 2)
        round_one = rng.random() < 0.4
        height = width if round_one else height
        x, y = rng.integers(2, size - width - 2), rng.integers(2, size - height - 2)
        box = [x, y, x + width, y + height]
        free = all(
            box[2] + 4 < b[0] or b[2] + 4 < box[0] or box[3] + 4 < b[1] or b[3] + 4 < box[1]
            for b in boxes
        )
        if not free or len(boxes) == 6:
            continue
        colour = [int(c) for c in rng.integers(130, 256, 3)]
        if round_one:
            centre = (int(x + width // 2), int(y + height // 2))
            cv2.circle(image, centre, int(width // 2), colour, -1)
        else:
            image[y : y + height, x : x + width] = colour
        boxes.append(box)
    noise = rng.normal(0, 4, image.shape)
    return np.clip(image + noise, 0, 255).astype(np.uint8), np.array(boxes, float)


def test_finds_drawn_objects() -> None:
    scenes = [scene(seed) for seed in range(8)]
    proposals = [selective_search(image, 'fast', 0) for image, _ in scenes]
    assert recall(proposals, [boxes for _, boxes in scenes], 100) > 0.9


def test_constant_image_gives_the_full_box() -> None:
    boxes = selective_search(np.full((40, 90, 3), 17, np.uint8), 'fast', 0)
    assert boxes.tolist() == [[0, 0, 90, 40]]


def test_order_follows_the_seed() -> None:
    image, _ = scene(1, 200)
    hierarchy = region_hierarchy(image)
    first, again, other = (rank_regions(hierarchy, seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(first, selective_search(image, 'fast', np.random.default_rng(0)))
    assert not np.array_equal(first, other)
    assert {tuple(b) for b in first} == {tuple(b) for b in other}
    assert not np.array_equal(rank_regions(hierarchy), rank_regions(hierarchy))


def test_boxes_are_unique_and_inside() -> None:
    image, _ = scene(2, 200)
    boxes = selective_search(image[:, :150], 'fast', 0, min_side=8, max_area=0.95)
    assert len(np.unique(boxes, axis=0)) == len(boxes) > 20
    assert (boxes[:, :2] >= 0).all()
    assert (boxes[:, 2] <= 150).all()
    assert (boxes[:, 3] <= 200).all()
    sides = boxes[:, 2:] - boxes[:, :2]
    assert sides.min() >= 8
    assert sides.prod(axis=1).max() <= 0.95 * 150 * 200


def test_stratified_ranking_takes_turns_between_sizes() -> None:
    hierarchy = region_hierarchy(scene(3)[0])
    dealt = rank_regions(hierarchy, 0, stratify=True)
    plain = rank_regions(hierarchy, 0)
    assert {tuple(b) for b in dealt} == {tuple(b) for b in plain}
    area = (dealt[:, 2:] - dealt[:, :2]).prod(axis=1)
    size_class = np.searchsorted(np.quantile(area, [0.25, 0.5, 0.75]), area)
    for start in range(0, 40, 4):
        assert set(size_class[start : start + 4]) == {0, 1, 2, 3}


def test_grey_and_16_bit_images() -> None:
    image, boxes = scene(4)
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    for other in (grey, image.astype(np.uint16) * 30, image / 255):
        assert recall([selective_search(other, 'fast', 0)], [boxes], 200) > 0.8
    assert len(selective_search(np.zeros((30, 30), np.uint16), 'single', 0)) == 1


@pytest.mark.filterwarnings('error')
def test_missing_values_are_black() -> None:
    image, boxes = scene(4)
    holes = np.where(image < 130, np.nan, image.astype(np.float32))
    assert recall([selective_search(holes, 'fast', 0)], [boxes], 200) > 0.8
    for value in (np.nan, np.inf):
        assert selective_search(np.full((30, 40, 3), value), 'fast', 0).tolist() == [[0, 0, 40, 30]]
    found = selective_search(image > 130, 'fast', 0)
    assert recall([found], [boxes], 200) > 0.8


@pytest.mark.parametrize(
    ('image', 'mode', 'error'),
    [
        (np.zeros((4, 4, 13), np.uint8), 'fast', DataError),
        (np.zeros((0, 4, 3), np.uint8), 'fast', DataError),
        (np.zeros((4, 4, 3), np.uint8), 'slow', ConfigError),
    ],
)
def test_bad_input(image, mode, error) -> None:
    with pytest.raises(error):
        selective_search(image, mode, 0)


def test_recall_by_hand() -> None:
    proposals = [np.array([[0, 0, 9, 9], [20, 20, 30, 30]], np.float32)]
    truths = [np.array([[0.0, 0, 10, 10], [20, 20, 30, 30]])]
    assert recall(proposals, truths, 1) == 0.5
    assert recall(proposals, truths, 2) == 1
    assert np.isnan(recall(proposals, [np.zeros((0, 4))], 2))


@pytest.mark.realdata
def test_real_aerial_images(real_data) -> None:
    """Large objects of NWPU VHR-10 are found; see benchmarks/selective_search.py for figures."""
    root = real_data / 'nwpu_vhr10'
    table = json.loads((root / 'instances_100.json').read_text())
    found = []
    for entry in table['images'][:6]:
        image = cv2.imread(str(root / 'positive image set' / entry['file_name']))[..., ::-1]
        boxes = np.array([a['bbox'] for a in table['annotations'] if a['image_id'] == entry['id']])
        boxes[:, 2:] += boxes[:, :2]
        large = boxes[(boxes[:, 2:] - boxes[:, :2]).min(1) > 0.15 * min(image.shape[:2])]
        if len(large):
            found.append(recall([selective_search(image, 'fast', 0)], [large], 300))
    assert found
    assert np.mean(found) > 0.5
