"""Toy aerial scenes in the layouts of DOTA and COCO, and map tiles with a neighbourhood score."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from rsmm.errors import DataError
from rsmm.geo.tiles import lonlat_to_tile, tile_to_lonlat
from rsmm.toy.aerial import CLASSES, Scene, draw_scene
from rsmm.toy.noise import derive_seed
from rsmm.toy.writers.common import write_geotiff, write_toy
from rsmm.utils import track

ZOOM, TILE = 19, 256
#: Toy cities: where their tiles begin (degrees), split, and range of the wealth of their quarters.
CITIES = {
    'Alderton': (-77.44, 38.89, 'train', (0.6, 1.0)),
    'Brickford': (-90.23, 38.66, 'train', (0.0, 0.5)),
    'Claymouth': (-76.50, 38.20, 'train', (0.2, 0.8)),
    'Dunmere': (-77.38, 38.97, 'val', (0.1, 0.9)),
    'Eastwick': (-89.16, 32.32, 'test', (0.1, 0.9)),
    'Farrow': (-90.19, 35.15, 'test', (0.1, 0.9)),
}


def write_aerial(out: str | Path, images: int = 120, size: int = 256, seed: int = 0) -> bool:
    """Write aerial scenes with exact boxes.

    ``images/S0001.png``, ``labelTxt/S0001.txt`` as in DOTA (two header lines, corners, class,
    difficult flag) and the same boxes as COCO in ``annotations.json``.

    Args:
        out: Folder to write.
        images: Number of scenes.
        size: Side of a scene in pixels.
        seed: Seed of the scenes.

    Returns:
        False when the folder already holds just this output.

    Raises:
        DataError: Fewer than one image or scenes below 64 pixels.
    """
    if images < 1 or size < 64:
        raise DataError(f'images={images}, size={size}: expected at least 1 and 64 pixels')

    def fill(folder: Path) -> None:
        (folder / 'images').mkdir()
        (folder / 'labelTxt').mkdir()
        scenes = []
        for number in track(range(images), 'Drawing toy scenes'):
            scene = draw_scene(derive_seed(seed, 'aerial', number), size)
            name = f'S{number + 1:04d}'
            _write_png(folder / 'images' / f'{name}.png', scene.image)
            text = ''.join(
                _dota_line(*item) for item in zip(scene.boxes, scene.labels, strict=True)
            )
            header = 'imagesource:ToyEarth\ngsd:0.3\n'
            (folder / 'labelTxt' / f'{name}.txt').write_text(header + text, encoding='utf-8')
            scenes.append((f'{name}.png', scene))
        table = json.dumps(_coco(scenes), indent=1)
        (folder / 'annotations.json').write_text(table + '\n', encoding='utf-8')

    return write_toy(out, 'aerial', {'images': images, 'size': size, 'seed': seed}, fill)


def _write_png(path: Path, image: np.ndarray) -> None:
    from PIL import Image

    Image.fromarray(image).save(path, 'PNG')


def _dota_line(box: tuple[int, int, int, int], label: int) -> str:
    x1, y1, x2, y2 = box
    corners = (x1, y1, x2, y1, x2, y2, x1, y2)
    return ' '.join(f'{value:.1f}' for value in corners) + f' {CLASSES[label]} 0\n'


def _coco(scenes: list[tuple[str, Scene]]) -> dict:
    images: list[dict] = []
    annotations: list[dict] = []
    for number, (name, scene) in enumerate(scenes, start=1):
        height, width = scene.image.shape[:2]
        images.append({'id': number, 'file_name': name, 'height': height, 'width': width})
        for (x1, y1, x2, y2), label in zip(scene.boxes, scene.labels, strict=True):
            annotations.append(
                {
                    'id': len(annotations) + 1,
                    'image_id': number,
                    'category_id': label + 1,
                    'bbox': [x1, y1, x2 - x1, y2 - y1],
                    'area': (x2 - x1) * (y2 - y1),
                    'iscrowd': 0,
                }
            )
    categories = [{'id': k, 'name': name} for k, name in enumerate(CLASSES, start=1)]
    return {'images': images, 'annotations': annotations, 'categories': categories}


def write_urban_tiles(out: str | Path, tiles_per_city: int = 60, seed: int = 0) -> bool:
    """Write map tiles of toy cities with counts of incidents per neighbourhood.

    ``tiles/19_{x}_{y}.tif`` (256 x 256 RGB, EPSG:4326) and ``tiles.csv`` with the columns tile, x,
    y, z, city, split, count, label. Counts are Poisson with a mean that falls with the wealth of
    the tile, which the picture shows only in part; labels are 1 for the upper and 0 for the lower
    third of a city's tiles, empty between. Splits are whole cities.

    Args:
        out: Folder to write.
        tiles_per_city: Tiles of each of the six cities.
        seed: Seed of tiles and counts.

    Returns:
        False when the folder already holds just this output.

    Raises:
        DataError: Fewer than six tiles per city.
    """
    if tiles_per_city < 6:
        raise DataError(f'tiles_per_city={tiles_per_city}: expected at least 6')

    def fill(folder: Path) -> None:
        (folder / 'tiles').mkdir()
        lines = ['tile,x,y,z,city,split,count,label\n']
        for city in track(list(CITIES), 'Drawing toy cities'):
            lines += _write_city(folder, city, tiles_per_city, seed)
        (folder / 'tiles.csv').write_text(''.join(lines), encoding='utf-8')

    settings = {'tiles_per_city': tiles_per_city, 'seed': seed}
    return write_toy(out, 'urban-tiles', settings, fill)


def _write_city(folder: Path, city: str, count: int, seed: int) -> list[str]:
    lon, lat, split, (low, high) = CITIES[city]
    left, top = lonlat_to_tile(lon, lat, ZOOM)
    columns = int(np.ceil(count**0.5))
    rng = np.random.default_rng(derive_seed(seed, 'urban', city))
    wealth = rng.uniform(low, high, count)
    incidents = rng.poisson(2 + 14 * (1 - wealth))
    lower, upper = np.quantile(incidents, (1 / 3, 2 / 3))
    lines = []
    for number in range(count):
        x, y = left + number % columns, top + number // columns
        name = f'{ZOOM}_{x}_{y}.tif'
        # What is seen follows the wealth only loosely.
        seen = float(np.clip(wealth[number] + rng.normal(0, 0.12), 0, 1))
        scene = draw_scene(derive_seed(seed, 'urban', city, number), TILE, wealth=seen)
        west, north = tile_to_lonlat(x, y, ZOOM)
        east, south = tile_to_lonlat(x + 1, y + 1, ZOOM)
        place = ((east - west) / TILE, 0, west, 0, (south - north) / TILE, north)
        write_geotiff(folder / 'tiles' / name, scene.image, place, 'EPSG:4326', compress='deflate')
        value = incidents[number]
        label = '1' if value > upper else '0' if value < lower else ''
        lines.append(f'{name},{x},{y},{ZOOM},{city},{split},{value},{label}\n')
    return lines
