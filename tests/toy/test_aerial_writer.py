"""Toy scenes: exact boxes, published layouts, the same bytes for the same seed."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import rasterio

from rsmm.datasets.coco import BoxFolder
from rsmm.datasets.dota import DOTA
from rsmm.datasets.tiles import UnlabeledTiles
from rsmm.errors import DataError
from rsmm.geo.tiles import Tile, lonlat_to_tile
from rsmm.ops import selective_search
from rsmm.ops.selective_search import recall
from rsmm.toy.aerial import CLASSES, draw_scene
from rsmm.toy.writers.aerial import CITIES, write_aerial, write_urban_tiles


def test_boxes_are_inside_and_do_not_coincide() -> None:
    for seed in range(6):
        scene = draw_scene(seed, 192)
        boxes = np.array(scene.boxes)
        assert (boxes[:, :2] >= 0).all()
        assert (boxes[:, 2:] <= 192).all()
        assert (boxes[:, 2:] > boxes[:, :2]).all()
        assert len(np.unique(boxes, axis=0)) == len(boxes)
        # No object lies on another: the sum of the areas is that of the union.
        cover = np.zeros((192, 192), int)
        for x1, y1, x2, y2 in boxes:
            cover[y1:y2, x1:x2] += 1
        assert cover.max() == 1


def test_same_seed_same_scene() -> None:
    first, again, other = draw_scene(3), draw_scene(3), draw_scene(4)
    np.testing.assert_array_equal(first.image, again.image)
    assert first.boxes == again.boxes
    assert not np.array_equal(first.image, other.image)


def test_vehicles_stand_in_dense_rows() -> None:
    labels = np.concatenate([draw_scene(seed).labels for seed in range(8)])
    counts = np.bincount(labels, minlength=len(CLASSES))
    assert counts.min() > 0
    assert counts[CLASSES.index('small-vehicle')] > 40


def test_selective_search_finds_the_larger_objects() -> None:
    scenes = [draw_scene(seed) for seed in range(6)]
    truths = [np.array([b for b in s.boxes if min(b[2] - b[0], b[3] - b[1]) >= 24]) for s in scenes]
    proposals = [selective_search(scene.image, 'fast', 0) for scene in scenes]
    assert recall(proposals, truths, 100) > 0.9


def test_both_layouts_hold_the_same_boxes(tmp_path: Path) -> None:
    out = tmp_path / 'aerial'
    assert write_aerial(out, images=4, size=128)
    assert not write_aerial(out, images=4, size=128)
    dota, coco = DOTA(str(out)), BoxFolder(str(out))
    assert len(dota) == len(coco) == 4
    for index in range(4):
        a, b = (d.get_data_info(index)['instances'] for d in (dota, coco))
        assert [item['bbox'] for item in a] == [item['bbox'] for item in b]
        names = [d.metainfo['classes'] for d in (dota, coco)]
        assert [names[0][item['bbox_label']] for item in a] == [
            names[1][item['bbox_label']] for item in b
        ]
    with pytest.raises(DataError, match='images=0'):
        write_aerial(tmp_path / 'none', images=0)


def test_urban_tiles(tmp_path: Path) -> None:
    out = tmp_path / 'urban'
    write_urban_tiles(out, tiles_per_city=9)
    with open(out / 'tiles.csv', newline='') as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 9 * len(CITIES)
    assert {row['city']: row['split'] for row in rows} == {k: v[2] for k, v in CITIES.items()}
    for row in rows[::10]:
        with rasterio.open(out / 'tiles' / row['tile']) as source:
            assert source.crs.to_epsg() == 4326
            assert source.shape == (256, 256)
            lon, lat = source.xy(128, 128)
            bounds = Tile(int(row['x']), int(row['y']), 19).bounds
            np.testing.assert_allclose(source.bounds, bounds, atol=1e-9)
        assert lonlat_to_tile(lon, lat, 19) == (int(row['x']), int(row['y']))
    for city in CITIES:
        labelled = [(int(r['count']), r['label']) for r in rows if r['city'] == city]
        high = [count for count, label in labelled if label == '1']
        low = [count for count, label in labelled if label == '0']
        assert high
        assert low
        assert min(high) > max(low)
    dataset = UnlabeledTiles(str(out / 'tiles'))
    assert len(dataset) == len(rows)
    info = dataset.get_data_info(0)
    assert info['tile'][2] == 19
    assert info['other_path'] != info['img_path']
