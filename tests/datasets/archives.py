"""Small archives of dated scenes in the published layout, with random content."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import rasterio
from rasterio.transform import Affine

from rsmm.sensors import SENTINEL2, band_order
from rsmm.toy.writers.scenes import file_name

DAYS = ('20200113', '20200410', '20200713', '20201009', '20210111')
OLD_DAYS = ('20160115', '20160412', '20160711', '20161010', '20170109')


def product(day: str, tile: str = 'T36QZH') -> str:
    return f'{day}T075609_{day}T081050_{tile}'


def write_scene(folder: Path, seed: int, size: int = 24, dtype: str = 'uint8') -> None:
    folder.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    for band in band_order('seco'):
        pixels = round(size * 10 / SENTINEL2[band].gsd)
        plane = rng.integers(0, 256, (1, pixels, pixels)).astype(dtype)
        with rasterio.open(
            folder / f'{file_name(band)}.tif', 'w', driver='GTiff', height=pixels, width=pixels,
            count=1, dtype=dtype, crs='EPSG:4326', transform=Affine(1e-4, 0, 30, 0, -1e-4, 20),
        ) as file:  # fmt: skip
            file.write(plane)
    (folder / 'metadata.json').write_text('{}')


def write_archive(root: Path, places: int = 3, days: tuple[str, ...] = DAYS) -> Path:
    for number in range(places):
        for position, day in enumerate(days):
            write_scene(root / f'{number:06d}' / product(day), seed=100 * number + position)
            # Previews of the 100k set lie beside the date folders.
            (root / f'{number:06d}' / f'{product(day)}.tif').write_bytes(b'preview')
    (root / 'truth.csv').write_text('place\n')
    return root
