"""Proposals from edges: a density by hand, better than chance on drawn scenes, bounded, seeded."""

from __future__ import annotations

import numpy as np
import pytest

from rsmm.datasets.transforms.proposals import random_boxes
from rsmm.errors import ConfigError, DataError
from rsmm.ops.edge_density import edge_density, edge_proposals
from rsmm.ops.selective_search import recall
from rsmm.toy.aerial import draw_scene


def test_density_by_hand() -> None:
    edges = np.zeros((20, 20), bool)
    edges[5, 5:15] = edges[14, 5:15] = edges[5:15, 5] = edges[5:15, 14] = True  # 36 pixels
    # Round the outline; cutting through it, with 4 pixels of each side in the zones; beside it.
    boxes = np.array([[5, 5, 15, 15], [0, 0, 20, 20], [7, 7, 13, 13], [0, 0, 5, 5]])
    assert edge_density(edges, boxes) == pytest.approx([36 / 40, 0, -36 / 24, -5 / 20])


def test_finds_drawn_objects_and_chance_does_not() -> None:
    scenes = [draw_scene(seed, 256) for seed in range(6)]
    truth = [np.array(scene.boxes, np.float32).reshape(-1, 4) for scene in scenes]
    large = [boxes[(boxes[:, 2:] - boxes[:, :2]).min(axis=1) >= 16] for boxes in truth]
    found = [edge_proposals(scene.image, 300, 0) for scene in scenes]
    chance = [random_boxes((256, 256), 300, np.random.default_rng(k)) for k in range(6)]
    assert recall(found, large, 100) > 0.9
    assert recall(chance, large, 300) < 0.6


def test_inside_unique_and_seeded() -> None:
    image = draw_scene(1, 128).image[:, :96]
    settings = dict(min_side=10, max_area=0.5)
    boxes = edge_proposals(image, 10, 5, **settings)
    assert len(np.unique(boxes, axis=0)) == len(boxes) == 10
    assert boxes.min() >= 0
    assert (boxes[:, 2:] <= (96, 128)).all()
    sides = boxes[:, 2:] - boxes[:, :2]
    assert sides.min() >= 10
    assert sides.prod(axis=1).max() <= 0.5 * 96 * 128
    np.testing.assert_array_equal(boxes, edge_proposals(image, 10, 5, **settings))
    assert not np.array_equal(boxes, edge_proposals(image, 10, 6, **settings))


def test_blank_and_tiny_images_give_nothing_or_fit() -> None:
    assert edge_proposals(np.full((64, 64, 3), 90, np.uint8)).shape == (0, 4)
    assert edge_proposals(np.eye(5, dtype=np.uint8) * 255).shape[1] == 4


def test_bad_input() -> None:
    with pytest.raises(DataError, match='8-bit'):
        edge_proposals(np.zeros((8, 8), np.float32))
    with pytest.raises(ConfigError, match='count'):
        edge_proposals(np.zeros((8, 8), np.uint8), -1)
