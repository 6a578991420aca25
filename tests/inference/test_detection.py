"""Detection on large scenes: tiles merged without doubles, results on the map."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from skimage.measure import label as components
from skimage.measure import regionprops

from rsmm.errors import ConfigError
from rsmm.geo.io import read_vector
from rsmm.inference.detection import (
    Detections,
    detect_scene,
    draw_detections,
    merge_detections,
    write_boxes,
    write_coco_results,
)


def find_blobs(images: list[np.ndarray]) -> list[Detections]:
    """A perfect detector of bright blobs; those cut by the border of a tile score less."""
    found = []
    for image in images:
        boxes, scores, labels = [], [], []
        for region in regionprops(components(image[..., 0] > 100)):
            y1, x1, y2, x2 = region.bbox
            cut = min(x1, y1) == 0 or x2 == image.shape[1] or y2 == image.shape[0]
            boxes.append((x1, y1, x2, y2))
            scores.append(0.4 if cut else 0.9)
            labels.append(int(image[y1, x1, 0] > 200))
        found.append(
            Detections(
                np.array(boxes, np.float32).reshape(-1, 4),
                np.array(scores, np.float32),
                np.array(labels, int),
            )
        )
    return found


def scene() -> tuple[np.ndarray, set[tuple]]:
    image = np.zeros((230, 300, 3), np.uint8)
    truth = set()
    for index, (x, y) in enumerate([(10, 10), (90, 95), (150, 100), (250, 190), (95, 20)]):
        image[y : y + 20, x : x + 16] = 255 if index % 2 else 150
        truth.add((x, y, x + 16, y + 20, index % 2))
    return image, truth


@pytest.mark.parametrize('batch_size', [1, 4])
def test_tiles_give_what_the_whole_scene_gives(batch_size: int) -> None:
    image, truth = scene()
    found = detect_scene(
        image, image.shape[:2], find_blobs, tile=100, stride=60, batch_size=batch_size,
        score_threshold=0.5,
    )  # fmt: skip
    boxes = [(*b, label) for b, label in zip(found.boxes.tolist(), found.labels, strict=True)]
    assert sorted(boxes) == sorted(truth)


@pytest.mark.parametrize(('tile', 'stride'), [(100, 60), (64, 24), (300, 150)])
def test_pieces_at_the_edges_of_tiles_are_no_objects(tile: int, stride: int) -> None:
    """A detector that is as sure of a piece as of the whole finds every object once."""
    rng = np.random.default_rng(0)
    taken = np.zeros((230, 310), bool)
    truth = []
    while len(truth) < 60:
        width, height = rng.integers(4, 38, 2)
        x, y = rng.integers(0, 310 - width), rng.integers(0, 230 - height)
        if not taken[y : y + height, x : x + width].any():
            taken[y : y + height, x : x + width] = True
            truth.append((x, y, x + width, y + height, len(truth) % 2))
    corners, labels = np.array(truth)[:, :4], np.array(truth)[:, 4]

    def predict(windows: list) -> list[Detections]:
        found = []
        for row, column, height, width in windows:
            boxes = (corners - [column, row] * 2).clip(0, [width, height] * 2)
            seen = (boxes[:, 2:] > boxes[:, :2]).all(axis=1)
            scores = rng.uniform(0.5, 1, seen.sum()).astype(np.float32)
            found.append(Detections(boxes[seen].astype(np.float32), scores, labels[seen]))
        return found

    found = detect_scene(lambda window: window, (230, 310), predict, tile=tile, stride=stride)
    boxes = [(*b, label) for b, label in zip(found.boxes.tolist(), found.labels, strict=True)]
    assert sorted(boxes) == sorted(truth)
    assert (np.diff(found.scores) <= 0).all()


def test_reads_windows_on_demand() -> None:
    image, truth = scene()
    shapes = []

    def read(window):
        shapes.append(window[2:])
        return image[window.slices]

    found = detect_scene(read, (230, 300), find_blobs, tile=100, score_threshold=0.5)
    assert len(found.boxes) == len(truth)
    assert set(shapes) == {(100, 100)}


def test_merging_is_per_class() -> None:
    boxes = np.array([[0, 0, 10, 10], [1, 0, 10, 10], [0, 0, 10, 10]], np.float32)
    part = Detections(boxes, np.array([0.8, 0.9, 0.7], np.float32), np.array([0, 0, 1]))
    merged = merge_detections([part])
    assert merged.scores.tolist() == pytest.approx([0.9, 0.7])
    assert merged.labels.tolist() == [0, 1]
    nothing = merge_detections([])
    assert len(nothing.boxes) == len(merge_detections([nothing, nothing]).boxes) == 0
    # A piece of the second box gives way to it in spite of its score.
    half = Detections(np.array([[5, 0, 10, 10]], np.float32), np.array([0.95]), np.array([0]))
    cut = [np.zeros(3, bool), np.ones(1, bool)]
    np.testing.assert_array_equal(merge_detections([part, half], cut=cut).boxes, merged.boxes)
    assert len(merge_detections([part, half]).boxes) == 3
    with pytest.raises(ConfigError, match='iou_threshold'):
        merge_detections([part], 1.5)


def test_results_on_the_map(tmp_path: Path) -> None:
    image, _ = scene()
    found = find_blobs([image])[0]
    place = (0.5, 0, 500000.0, 0, -0.5, 4000000.0)
    for suffix in ('geojson', 'gpkg'):
        path = tmp_path / f'boxes.{suffix}'
        write_boxes(path, found, ('dim', 'bright'), crs='EPSG:32632', transform=place)
        geometries, columns, _ = read_vector(path)
        x1, y1, x2, y2 = found.boxes[0].tolist()
        expected = (500000 + x1 / 2, 4000000 - y2 / 2, 500000 + x2 / 2, 4000000 - y1 / 2)
        assert geometries[0].bounds == pytest.approx(expected)
        assert set(columns['class']) == {'dim', 'bright'}
    write_boxes(tmp_path / 'none.geojson', merge_detections([]), ('dim',))
    write_coco_results(tmp_path / 'boxes.json', [found], ('dim', 'bright'), ['scene.tif'])
    table = json.loads((tmp_path / 'boxes.json').read_text())
    assert len(table['annotations']) == len(found.boxes)
    assert table['annotations'][0]['bbox'][2:] == [16, 20]
    drawn = draw_detections(image, found, ('dim', 'bright'))
    assert drawn.shape == image.shape
    assert not np.array_equal(drawn, image)


def test_names_cover_no_object() -> None:
    """In a row of small objects none disappears under the name of its neighbour."""
    image = np.zeros((80, 200, 3), np.uint8)
    boxes = np.array([[x, y, x + 8, y + 8] for y in (40, 52) for x in range(20, 140, 10)])
    scores = np.linspace(0.9, 0.5, len(boxes), dtype=np.float32)
    found = Detections(boxes.astype(np.float32), scores, np.zeros(len(boxes), np.int64))
    drawn = draw_detections(image, found, ('vehicle',), width=1)
    for x1, y1, x2, y2 in boxes:
        assert not drawn[y1 + 1 : y2, x1 + 1 : x2].any()
        assert drawn[y1, x1].any()
    assert drawn[:39].any()  # above the upper row there is room
