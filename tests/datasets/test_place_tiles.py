"""Tiles split by place: no ground in two splits, nothing of the files lost."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
import rasterio
import shapely

from rsmm.datasets.place_tiles import make_tiles
from rsmm.errors import DataError
from rsmm.registry import DATASETS
from tests.datasets.test_own_folders import BANDS, GRID, image, label


def scenes(root: Path, shifts=(0, 400, 5000), crs=('EPSG:32632',) * 3) -> None:
    """Scenes of 96 x 80 pixels of 10 m; the first two overlap."""
    for number, (shift, system) in enumerate(zip(shifts, crs, strict=True)):
        grid = (*GRID[:2], GRID[2] + shift, *GRID[3:])
        image(root / f'images/s{number}.tif', number, (96, 80), grid, system)
        label(root / f'labels/s{number}.tif', number, 3, (96, 80), grid)


def footprint(path: Path) -> shapely.Polygon:
    with rasterio.open(path) as source:
        return shapely.box(*source.bounds)


@pytest.mark.parametrize('stride', [16, 8])
def test_splits_share_no_ground(stride: int, tmp_path: Path) -> None:
    scenes(tmp_path / 'in')
    counts = make_tiles(
        tmp_path / 'in', tmp_path / 'out', tile=16, stride=stride, fractions=(0.6, 0.2, 0.2)
    )
    grounds = {}
    for split in ('train', 'val', 'test'):
        files = sorted((tmp_path / 'out' / split / 'images').glob('*.tif'))
        assert len(files) == counts[split] > 0
        grounds[split] = shapely.union_all([footprint(path) for path in files])
    for one, two in itertools.combinations(grounds.values(), 2):
        assert one.intersection(two).area == 0
    listed = json.loads((tmp_path / 'out/tiles.json').read_text())['tiles']
    assert len(listed) == sum(counts.values())


def test_tiles_hold_what_the_scenes_hold(tmp_path: Path) -> None:
    scenes(tmp_path / 'in')
    make_tiles(tmp_path / 'in', tmp_path / 'out', tile=16)
    for path in sorted((tmp_path / 'out').rglob('*.tif')):
        name, row, column = path.stem.split('_')
        folder = path.parent.name
        with (
            rasterio.open(path) as tile,
            rasterio.open(tmp_path / f'in/{folder}/{name}.tif') as scene,
        ):
            window = (int(row), int(row) + 16), (int(column), int(column) + 16)
            np.testing.assert_array_equal(tile.read(), scene.read(window=window))
            assert tile.crs == scene.crs
            assert tile.descriptions == scene.descriptions
            corner = scene.transform @ (int(column), int(row))
            assert tile.transform @ (0, 0) == pytest.approx(corner)
    data = DATASETS.build(
        dict(
            type='MapFolder', data_root=str(tmp_path / 'out'), split='train', bands=BANDS,
            num_classes=3, pipeline=[dict(type='LoadRaster'), dict(type='LoadLabelMap')],
        )
    )  # fmt: skip
    assert data[0]['gt_seg_map'].shape == (16, 16)


def test_the_draw_does_not_depend_on_the_order_of_files(tmp_path: Path) -> None:
    scenes(tmp_path / 'in')
    make_tiles(tmp_path / 'in', tmp_path / 'a', tile=16)
    make_tiles(tmp_path / 'in', tmp_path / 'b', tile=16)
    assert (tmp_path / 'a/tiles.json').read_bytes() == (tmp_path / 'b/tiles.json').read_bytes()


def test_images_without_a_place_are_divided_by_themselves(tmp_path: Path) -> None:
    for number in range(2):
        image(tmp_path / f'in/images/s{number}.tif', number, (96, 80), None, None)
    counts = make_tiles(
        tmp_path / 'in', tmp_path / 'out', ('images',), tile=8, fractions=(0.5, 0.5)
    )
    assert set(counts) == {'train', 'val'}


def test_an_absent_folder_is_not_called_empty(tmp_path: Path) -> None:
    with pytest.raises(DataError, match='images: there is no such folder'):
        make_tiles(tmp_path / 'none', tmp_path / 'out', tile=32)
    (tmp_path / 'some' / 'images').mkdir(parents=True)
    with pytest.raises(DataError, match='images: holds no images'):
        make_tiles(tmp_path / 'some', tmp_path / 'out', tile=32)


def test_what_is_refused(tmp_path: Path) -> None:
    scenes(tmp_path / 'in')
    with pytest.raises(DataError, match='too few for train, val'):
        make_tiles(tmp_path / 'in', tmp_path / 'out', tile=16, cell=1e6)
    (tmp_path / 'in/labels/s1.tif').unlink()
    with pytest.raises(DataError, match='s1.tif: has no file in labels/'):
        make_tiles(tmp_path / 'in', tmp_path / 'out', tile=16)
    label(tmp_path / 'in/labels/s1.tif', 0, 3, (96, 81))
    with pytest.raises(DataError, match='has 96x81 pixels'):
        make_tiles(tmp_path / 'in', tmp_path / 'out', tile=16)
    (tmp_path / 'out').mkdir()
    (tmp_path / 'out/x').touch()
    with pytest.raises(DataError, match='not empty'):
        make_tiles(tmp_path / 'in', tmp_path / 'out', tile=16)
