"""Sparse overlaps against brute force, by pixels and by geometry."""

import tracemalloc

import numpy as np
import pytest
import shapely

from rsmm.geo import FootprintSet, common_pixels, mask_to_polygons, overlapping_pairs, pixel_runs


def brute(first, second):
    table = {}
    for i, a in enumerate(first):
        for j, b in enumerate(second):
            common = a.intersection(b).area
            if common > 0:
                table[i, j] = common / (a.area + b.area - common)
    return table


def as_table(pairs):
    return {(int(i), int(j)): iou for i, j, iou in zip(*pairs, strict=True)}


@pytest.mark.parametrize('by_pixels', [True, False])
@pytest.mark.parametrize('seed', range(3))
def test_equals_brute_force(by_pixels, seed):
    rng = np.random.default_rng(seed)
    sets = [mask_to_polygons(rng.random((14, 14)) > 0.45, 0.5, 1) for _ in range(2)]
    if not by_pixels:
        sets = [list(shapely.transform(s, lambda xy: xy @ [[0.8, 0.6], [-0.6, 0.8]])) for s in sets]
    first, second = map(FootprintSet, sets)
    assert (first.runs is not None) == by_pixels
    expected = brute(*sets)
    found = as_table(overlapping_pairs(first, second))
    if by_pixels:
        assert found == pytest.approx(expected)
    else:  # cutting rotated shapes can leave slivers where they only touch
        assert {k: v for k, v in found.items() if v > 1e-9} == pytest.approx(
            {k: v for k, v in expected.items() if v > 1e-9}
        )


def test_pruning_never_drops_a_pair_at_the_threshold():
    rng = np.random.default_rng(1)
    sets = [
        [
            shapely.box(x, y, x + w, y + h)
            for x, y, w, h in rng.uniform(1, 9, (60, 4)) * (3, 3, 1, 1)
        ]
        for _ in range(2)
    ]
    first, second = map(FootprintSet, sets)
    for threshold in (0.1, 0.25, 0.5):
        pruned = as_table(overlapping_pairs(first, second, threshold))
        full = as_table(overlapping_pairs(first, second))
        wanted = {pair for pair, iou in full.items() if iou >= threshold}
        assert wanted <= set(pruned)


def test_touching_is_no_overlap():
    first, second = FootprintSet([shapely.box(0, 0, 2, 2)]), FootprintSet([shapely.box(2, 0, 4, 2)])
    assert len(overlapping_pairs(first, second)[0]) == 0


def test_runs_of_a_polygon_with_a_hole():
    ring = np.ones((3, 4), bool)
    ring[1, 1:3] = False
    runs = pixel_runs(np.array(mask_to_polygons(ring, 0.5), object))
    assert runs.tolist() == [[0, 0, 0, 4], [0, 1, 0, 1], [0, 1, 3, 4], [0, 2, 0, 4]]


@pytest.mark.parametrize(
    'shape', [shapely.box(0, 0, 1.5, 2), shapely.Polygon([(0, 0), (4, 0), (0, 4)])]
)
def test_other_polygons_have_no_runs(shape):
    assert pixel_runs(np.array([shape], object)) is None


def test_far_flung_pixels_need_little_memory():
    shapes = [shapely.box(10**6 * k, 10**6 * k, 10**6 * k + 3, 10**6 * k + 3) for k in range(50)]
    runs = pixel_runs(np.array(shapes, object))
    tracemalloc.start()
    i, j, count = common_pixels(runs, 50, runs, 50)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert i.tolist() == j.tolist() == list(range(50))
    assert count.tolist() == [9] * 50
    assert peak < 5e6


def test_take_and_extend_keep_columns_together():
    rng = np.random.default_rng(2)
    shapes = mask_to_polygons(rng.random((20, 20)) > 0.5, 0.5, 2)
    whole = FootprintSet(shapes)
    index = rng.permutation(len(shapes))[:5]
    part = whole.take(index).extend(whole.take(np.array([0])))
    plain = FootprintSet([*(shapes[k] for k in index), shapes[0]])
    assert as_table(overlapping_pairs(part, whole)) == as_table(overlapping_pairs(plain, whole))
    np.testing.assert_array_equal(part.area, plain.area)
