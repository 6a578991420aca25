"""Every reader of foreign files against damaged ones: a clear error or a result, nothing else.

One table holds the readers with a good file each. A case is a reader, a seed and what the seed does
to the bytes. By default a seeded minute, under ``slow`` an hour; ``RSMM_FUZZ_SECONDS`` sets both.
"""

from __future__ import annotations

import json
import os
import random
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import rasterio
import shapely
import torch
from PIL import Image

from rsmm.checkpoints.files import load_checkpoint_file, save_checkpoint_file
from rsmm.checkpoints.run_files import newest_checkpoint
from rsmm.datasets.bigearthnet_ssl import read_metadata
from rsmm.datasets.coco import read_coco
from rsmm.datasets.metadata import read_places
from rsmm.datasets.oscd import read_dates
from rsmm.datasets.packed import Pack
from rsmm.datasets.packing import write_pack, write_shards
from rsmm.datasets.scene_shards import SceneShards
from rsmm.datasets.splits import read_name_list
from rsmm.datasets.table_rows import read_rows
from rsmm.datasets.transforms.feature_maps import read_feature_map
from rsmm.datasets.transforms.series import read_array
from rsmm.errors import RsmmError
from rsmm.geo.io import read_mask_stack, read_vector, write_vector
from rsmm.geo.label_raster import read_label
from rsmm.geo.raster import read_raster
from rsmm.geo.submission import read_submission, write_submission
from rsmm.inference.folder_features import load_features
from rsmm.utils.archive import extract_archive
from rsmm.utils.done_marker import read_marker
from rsmm.visualization.predictions import read_predictions

#: Slowest answer to a damaged file of a few kilobytes, on a crowded machine.
PATIENCE = 20.0
IMAGE = np.random.default_rng(0).integers(0, 255, (16, 20, 3)).astype(np.uint8)


def tif(folder: Path, **profile) -> Path:
    path = folder / 'a.tif'
    settings = dict(driver='GTiff', dtype='uint8', height=16, width=20, count=3) | profile
    with rasterio.open(path, 'w', **settings) as file:
        file.write(np.moveaxis(IMAGE, -1, 0)[: settings['count']])
    return path


def picture(folder: Path, name: str, mode: str = 'RGB', **settings) -> Path:
    Image.fromarray(IMAGE).convert(mode).save(folder / name, **settings)
    return folder / name


def gif(folder: Path) -> Path:
    pages = [Image.fromarray(np.full((9, 9), value, np.uint8)) for value in (0, 255)]
    pages[0].save(folder / 'a.gif', save_all=True, append_images=pages[1:])
    return folder / 'a.gif'


def text(folder: Path, name: str, content: str | dict | list) -> Path:
    content = content if isinstance(content, str) else json.dumps(content)
    (folder / name).write_text(content, encoding='utf-8')
    return folder / name


def vector(folder: Path, name: str) -> Path:
    shapes = [shapely.box(0, 0, 5, 5), shapely.box(7, 7, 9, 9)]
    write_vector(folder / name, shapes, {'Id': [1, 2]}, crs='EPSG:32632')
    return folder / name


def submission(folder: Path) -> Path:
    aoi = f'L15-{"x" * 24}'
    write_submission(folder / 'a.csv', {aoi: {'2018_01': [(1, shapely.box(0, 0, 4, 4))]}})
    return folder / 'a.csv'


def pack(folder: Path, file: str) -> Path:
    item = dict(img=IMAGE, bands=('R', 'G', 'B'), nodata=None, crs='WKT', transform=None)
    write_pack(folder / 'pack', ['a.tif', 'b.tif'], lambda row: item)
    return folder / 'pack' / file


def read_pack(path: Path) -> None:
    found = Pack(path.parent)
    for row in range(len(found)):
        found.read(row)


def shards(folder: Path, file: str) -> Path:
    names = ['a/20200101', 'a/20200201', 'b/20200101']
    options = dict(bands=('R', 'G', 'B'), size=4, resample='auto', scenes_per_shard=2)
    write_shards(folder / 'shards', names, lambda _: IMAGE[:4, :4], **options)
    return folder / 'shards' / file


def read_shards(path: Path) -> None:
    found = SceneShards(path.parent)
    for name in found.names:
        found.read(name, found.bands)


def arrays(folder: Path, name: str, **named) -> Path:
    if name.endswith('.npy'):
        np.save(folder / name, named['feat'])
    else:
        np.savez(folder / name, **named)
    return folder / name


def parquet(folder: Path) -> Path:
    table = pd.DataFrame({'image_id': ['a', 'b'], 'lat': [1.0, 2.0], 'lon': [3.0, 4.0]})
    table.to_parquet(folder / 'a.parquet')
    return folder / 'a.parquet'


def checkpoint(folder: Path) -> Path:
    save_checkpoint_file({'state_dict': {'a': torch.zeros(3)}, 'meta': {}}, folder / 'epoch_1.pth')
    return folder / 'epoch_1.pth'


def safetensors(folder: Path) -> Path:
    from safetensors.torch import save_file

    save_file({'a': torch.zeros(3)}, folder / 'a.safetensors')
    return folder / 'a.safetensors'


def pointer(folder: Path) -> Path:
    checkpoint(folder)
    return text(folder, 'last_checkpoint', str(folder / 'epoch_1.pth'))


def archive(folder: Path) -> Path:
    with zipfile.ZipFile(folder / 'a.zip', 'w', zipfile.ZIP_DEFLATED) as file:
        file.writestr('folder/a.txt', 'content' * 50)
    return folder / 'a.zip'


COCO = {
    'images': [{'id': 1, 'file_name': 'a.png', 'width': 20, 'height': 16}],
    'annotations': [{'id': 1, 'image_id': 1, 'category_id': 1, 'bbox': [1, 2, 3, 4]}],
    'categories': [{'id': 1, 'name': 'building'}],
}
PATCH = {
    'labels': ['Pastures'],
    'coordinates': {'ulx': 300000, 'uly': 5100000, 'lrx': 301200, 'lry': 5098800},
    'projection': 'EPSG:32632',
    'acquisition_date': '2017-06-13 10:10:31',
    'tile_source': 'S2A',
}
CSV = (
    'image_id,lat,lon,label,date\nRiver_1,48.1,11.5,3,2020-01-01\nRiver_2,48.2,11.6,4,2020-01-02\n'
)
DUMP = [{'img_path': 'a/b.png', 'gt_label': [0], 'pred_label': [1], 'pred_score': [0.1, 0.9]}]

TILED = dict(tiled=True, blockxsize=16, blockysize=16)
#: Name to (maker of a good file, reader).
READERS: dict[str, tuple[Callable[[Path], Path], Callable[[Path], object]]] = {
    'tif': (tif, read_raster),
    'tif deflate': (lambda f: tif(f, compress='deflate', predictor=2), read_raster),
    'tif tiled label': (lambda f: tif(f, count=1, **TILED), read_label),
    'png': (lambda f: picture(f, 'a.png'), read_raster),
    'png palette': (lambda f: picture(f, 'a.png', 'P'), read_label),
    'jpg': (lambda f: picture(f, 'a.jpg', quality=90), read_raster),
    'bmp': (lambda f: picture(f, 'a.bmp'), read_raster),
    'gif': (gif, read_mask_stack),
    'geojson': (lambda f: vector(f, 'a.geojson'), read_vector),
    'gpkg': (lambda f: vector(f, 'a.gpkg'), read_vector),
    'submission': (submission, read_submission),
    'coco': (lambda f: text(f, 'a.json', COCO), lambda path: read_coco(path, path.parent)),
    'places csv': (lambda f: text(f, 'a.csv', CSV), read_places),
    'places yaml': (lambda f: text(f, 'a.yaml', 'a: [11.5, 48.1]\nb: [1, 2]\n'), read_places),
    'places parquet': (parquet, read_places),
    'table csv': (lambda f: text(f, 'a.csv', CSV), lambda path: list(read_rows(path))),
    'table parquet': (parquet, lambda path: list(read_rows(path))),
    'patch': (lambda f: text(f, 'a.json', PATCH), read_metadata),
    'names': (lambda f: text(f, 'a.txt', 'River_1.jpg\nForest/Forest_2\n'), read_name_list),
    'dates': (lambda f: text(f, 'dates.txt', 'date_1: 20160120\ndate_2: 20170120\n'), read_dates),
    'npy': (lambda f: arrays(f, 'a.npy', feat=IMAGE), lambda path: read_array(path, 3).sum()),
    'feature map': (lambda f: arrays(f, 'a.npz', feat=IMAGE), read_feature_map),
    'features': (
        lambda f: arrays(f, 'a.npz', fnames=np.array(['x/a', 'y/b']), feats=np.ones((2, 3))),
        load_features,
    ),
    'predictions': (lambda f: text(f, 'a.json', DUMP), read_predictions),
    'checkpoint': (checkpoint, load_checkpoint_file),
    'safetensors': (safetensors, load_checkpoint_file),
    'last_checkpoint': (pointer, lambda path: newest_checkpoint(path.parent)),
    'zip': (archive, lambda path: extract_archive(path, path.parent / 'out')),
    'marker': (lambda f: pack(f, 'done.json'), read_marker),
    **{
        f'pack {file}': (lambda f, file=file: pack(f, file), read_pack)
        for file in ('pack.json', 'index.npz', 'names.txt', 'images.bin')
    },
    **{
        f'shards {file}': (lambda f, file=file: shards(f, file), read_shards)
        for file in ('shards.json', 'names.txt', 'shard-00000.bin')
    },
}  # fmt: skip


def cut(data: bytearray, rng: random.Random) -> bytes:
    return bytes(data[: rng.randrange(len(data))])


def flip(data: bytearray, rng: random.Random) -> bytes:
    for _ in range(rng.choice((1, 1, 1, 4, 30))):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return bytes(data)


def blank(data: bytearray, rng: random.Random) -> bytes:
    start = rng.randrange(len(data))
    end = min(len(data), start + rng.choice((4, 64, 4096)))
    data[start:end] = rng.choice((b'\0', b'\xff')) * (end - start)
    return bytes(data)


def insert(data: bytearray, rng: random.Random) -> bytes:
    place = rng.randrange(len(data) + 1)
    odd = (
        b'\xff\xfe', b'\0', b'[' * 20_000, b'1e999', b'NaN', b'-1', b'1e300', b'"', b'\n', b',,,,',
        b'99999999999999999999', b'{}', b'null', '\u202e'.encode(), b'\xef\xbb\xbf', b'../../x',
    )  # fmt: skip
    return bytes(data[:place]) + rng.choice(odd) + bytes(data[place:])


def repeat(data: bytearray, rng: random.Random) -> bytes:
    start, end = sorted(rng.randrange(len(data) + 1) for _ in range(2))
    return bytes(data[:end]) + bytes(data[start:end]) + bytes(data[end:])


def replace(data: bytearray, rng: random.Random) -> bytes:
    return rng.choice((b'', b'\n', bytes(rng.randrange(256) for _ in range(200)), b'PK\x03\x04'))


def number(data: bytearray, rng: random.Random) -> bytes:
    """Change a figure of a text file, or a byte of another."""
    digits = [place for place, byte in enumerate(data) if 48 <= byte <= 57]
    if digits:
        data[rng.choice(digits)] = rng.choice(b'0123456789-.e')
    return bytes(data)


DAMAGES = (cut, flip, blank, insert, repeat, replace, number)


def one_case(name: str, seed: int, home: Path, good: bytes, place: Path) -> str | None:
    """Run one case; return what is wrong with its answer."""
    rng = random.Random(f'{name} {seed}')
    damage = rng.choice(DAMAGES)
    place.write_bytes(damage(bytearray(good), rng))
    started = time.monotonic()
    try:
        READERS[name][1](place)
    except RsmmError as error:
        if not str(error).strip():
            return f'{name} {seed} {damage.__name__}: an error without a word'
    except BaseException as error:
        return f'{name} {seed} {damage.__name__}: {type(error).__name__}: {str(error)[:200]}'
    seconds = time.monotonic() - started
    return f'{name} {seed} {damage.__name__}: {seconds:.0f} s' if seconds > PATIENCE else None


def fuzz(folder: Path, seconds: float, first: int) -> tuple[int, list[str]]:
    """Run cases of all readers in turn until the time is over; return their number and failures."""
    files = {}
    for index, name in enumerate(READERS):
        home = folder / str(index)
        home.mkdir()
        place = READERS[name][0](home)
        READERS[name][1](place)  # the good file is read
        files[name] = home, place.read_bytes(), place
    end, seed, count = time.monotonic() + seconds, first, 0
    failures: list[str] = []
    while time.monotonic() < end:
        for name, (home, good, place) in files.items():
            found = one_case(name, seed, home, good, place)
            failures += [found] if found else []
            count += 1
        seed += 1
    return count, failures


def seconds_of(default: float) -> float:
    return float(os.environ.get('RSMM_FUZZ_SECONDS', default))


@pytest.mark.filterwarnings('ignore')
def test_a_minute_of_damaged_files(tmp_path):
    count, failures = fuzz(tmp_path, seconds_of(40), first=0)
    assert failures == []
    assert count >= 10 * len(READERS)


@pytest.mark.slow
@pytest.mark.filterwarnings('ignore')
def test_an_hour_of_damaged_files(tmp_path):
    count, failures = fuzz(tmp_path, seconds_of(3600), first=1_000_000)
    print(f'{count} cases')
    assert failures == []
