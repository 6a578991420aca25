"""Names with spaces, quotes, foreign letters and line breaks, from input to output."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import rasterio
import shapely

from rsmm.datasets.coco import read_coco
from rsmm.datasets.packed import open_pack
from rsmm.datasets.packing import write_pack
from rsmm.errors import DataError
from rsmm.geo.io import read_vector, write_raster
from rsmm.geo.streaming import read_stacked, write_stream
from rsmm.geo.windows import Window
from rsmm.inference.detect_files import detect_files, find_images
from rsmm.inference.detection import Detections

NAMES = (
    'a b',
    "it's",
    'say "x"',
    'x\ny',
    '100%',
    'a;b#c?d',
    '雪',
    'x:y',
    'a!b',
    '-o',
    '{}',
    '$HOME',
)
PLACE = {'crs': 'EPSG:32636', 'transform': (10.0, 0.0, 300000.0, 0.0, -10.0, 3000000.0)}
IMAGE = np.random.default_rng(0).integers(1, 255, (32, 40, 3), dtype=np.uint8)


def one_box(images) -> list[Detections]:
    """A detector that finds one object in each image."""
    box, score, label = (
        np.array([[4, 4, 20, 16]], np.float32),
        np.ones(1, np.float32),
        np.zeros(1, int),
    )
    return [Detections(box, score, label) for _ in images]


@pytest.mark.parametrize('suffix', ['.tif', '.TIF', '.png'])
@pytest.mark.parametrize('name', NAMES)
def test_boxes_of_a_folder(tmp_path: Path, name: str, suffix: str) -> None:
    path = tmp_path / name / f'{name}{suffix}'
    if suffix == '.png':
        from PIL import Image

        path.parent.mkdir()
        Image.fromarray(IMAGE).save(path)
    else:
        write_raster(path, IMAGE, **PLACE)
    out = tmp_path / f'{name} out'
    images = find_images([path.parent])
    detect_files(one_box, images, out, ('thing',), score_threshold=0.1)
    shapes, columns, _ = read_vector(out / 'boxes' / f'{name}.geojson')
    assert len(shapes) == 1
    assert columns['class'].tolist() == ['thing']
    assert (out / 'pictures' / f'{name}.png').is_file()
    assert json.loads((out / 'detections.json').read_text())['images'][0]['file_name'] == path.name
    assert read_coco(out / 'detections.json', path.parent)[0][0]['img_path'] == str(path)
    assert sorted(entry.name for entry in out.iterdir()) == ['boxes', 'detections.json', 'pictures']
    if suffix != '.png':
        bounds = shapely.total_bounds(shapes)
        assert bounds == pytest.approx([300040, 2999840, 300200, 2999960])


@pytest.mark.parametrize('name', NAMES)
def test_maps_of_a_scene(tmp_path: Path, name: str) -> None:
    path, out = tmp_path / name / f'{name}.tif', tmp_path / 'out' / f'{name}.tif'
    write_raster(path, IMAGE, **PLACE)
    read, shape, place = read_stacked([path])
    rows = [(0, read(Window(0, 0, *shape))[..., 0])]
    place = {key: place[key] for key in ('crs', 'transform')}
    write_stream(out, iter(rows), shape, dtype='uint8', **place)
    with rasterio.open(out) as written:
        np.testing.assert_array_equal(written.read(1), IMAGE[..., 0])
        assert tuple(written.transform)[:6] == PLACE['transform']
    assert [entry.name for entry in out.parent.iterdir()] == [out.name]


@pytest.mark.parametrize('name', NAMES)
def test_packs(tmp_path: Path, name: str) -> None:
    def load(_: int) -> dict:
        return {'img': IMAGE, 'bands': ('R', 'G', 'B'), 'nodata': None, **PLACE}

    out = tmp_path / name
    if '\n' in name:  # names stand one a line
        with pytest.raises(DataError, match='holds a line break'):
            write_pack(out, [f'{name}.tif'], load)
        assert not out.exists()
        return
    write_pack(out, [f'{name}.tif'], load)
    assert list(open_pack(str(out)).names) == [f'{name}.tif']
