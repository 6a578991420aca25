"""What all writers share: the guarded output folder, images, rasters, tables and splits."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from rsmm.errors import DataError
from rsmm.toy.noise import derive_seed, draw, hash_keys
from rsmm.utils import atomic_write

#: File that marks a folder as toy output; it holds the settings it was made with.
MARKER = '.toyearth.json'
#: Goes up whenever the same settings no longer give the same bytes.
WORLD_VERSION = 1
#: The plane of the toy world, in metres.
CRS = 'EPSG:32632'


def write_toy(out: str | Path, dataset: str, settings: dict, fill: Callable[[Path], None]) -> bool:
    """Fill an output folder unless it already holds just this output.

    The folder is filled beside its final place and renamed, so readers never see half of it and
    an interrupted run leaves the old one.

    Args:
        out: Folder to write.
        dataset: Name of the writer.
        settings: Everything that shapes the output; must be JSON.
        fill: Writes all files into the folder that it is given.

    Returns:
        False when nothing had to be done.

    Raises:
        DataError: The folder holds anything but toy data of this dataset, or must be replaced
            and holds more than that; nothing is touched.
    """
    out = Path(out).absolute()
    marker = {'dataset': dataset, 'version': WORLD_VERSION, 'settings': settings}
    marker = json.loads(json.dumps(marker))
    found = _owned(out, dataset)
    if found is not None:
        if {**found, 'entries': None} == {**marker, 'entries': None}:
            return False
        _refuse_strangers(out, found)
        changed = [key for key in settings if found['settings'].get(key) != settings[key]]
        why = f'other {", ".join(changed)}' if changed else 'an earlier version'
        print(f'{out} holds this toy data made with {why}: it is replaced')
    out.parent.mkdir(parents=True, exist_ok=True)
    building = out.with_name(f'.{out.name}.building')
    if building.exists():
        shutil.rmtree(building)
    building.mkdir()
    try:
        fill(building)
        marker['entries'] = sorted(path.name for path in building.iterdir())
        with atomic_write(building / MARKER, 'w', encoding='utf-8') as file:
            json.dump(marker, file, indent=2, sort_keys=True)
            file.write('\n')
        if found is not None:
            shutil.rmtree(out)
        if out.exists():  # empty, or a shelf of other toy data
            for name in [*marker['entries'], MARKER]:
                (building / name).rename(out / name)
            building.rmdir()
        else:
            building.rename(out)
    except BaseException:
        shutil.rmtree(building, ignore_errors=True)
        raise
    return True


def _owned(out: Path, dataset: str) -> dict | None:
    """Return the marker of a folder that may be replaced, None where nothing is in the way.

    That is an absent or empty folder, or one that holds folders of toy data and nothing else.
    """
    if not out.exists():
        return None
    if not out.is_dir():
        raise DataError('is a file; toy data needs a folder', where=out, fix='Choose another --out')
    if all((entry / MARKER).is_file() for entry in out.iterdir()):
        return None
    try:
        marker = json.loads((out / MARKER).read_text(encoding='utf-8'))
        owner, _ = marker['dataset'], set(marker['entries'])
    except (OSError, ValueError, KeyError, TypeError):
        raise DataError(
            'holds files that are not toy data',
            where=out,
            fix='Choose an empty or new folder with --out',
        ) from None
    if owner != dataset:
        raise DataError(
            f'holds toy data of {owner!r}, not of {dataset!r}',
            where=out,
            fix='Choose another folder with --out',
        )
    return marker


def _refuse_strangers(out: Path, marker: dict) -> None:
    """Raise when a folder about to be replaced holds more than its writer put there."""
    strangers = sorted({path.name for path in out.iterdir()} - set(marker['entries']) - {MARKER})
    if strangers:
        raise DataError(
            f'was made with other settings and also holds {", ".join(strangers)}',
            where=out,
            fix='Move these away, or choose another folder with --out',
        )


def to_uint8(numbers: np.ndarray, low: float = 0.0, high: float = 2750.0) -> np.ndarray:
    """Stretch digital numbers linearly to 0..255, truncated.

    The default is the stretch of the published EuroSAT JPEGs.
    """
    return np.clip((numbers.astype(np.float32) - low) * (255 / (high - low)), 0, 255).astype(
        np.uint8
    )


def write_jpeg(path: Path, image: np.ndarray, quality: int = 95) -> None:
    """Write ``(H, W, 3)`` uint8 as JPEG without chroma subsampling."""
    from PIL import Image

    Image.fromarray(image).save(path, 'JPEG', quality=quality, subsampling=0)


def write_geotiff(
    path: Path, image: np.ndarray, transform: Sequence[float], crs: str = CRS, **options
) -> None:
    """Write ``(H, W, C)`` as GeoTIFF.

    Args:
        path: File to write.
        image: Pixels of any dtype that GeoTIFF knows.
        transform: Six affine coefficients (gsd, 0, left, 0, -gsd, top).
        crs: Any text that PROJ understands.
        **options: Creation options of the driver, e.g. ``compress='jpeg'``, and ``nodata``.
    """
    import rasterio
    from rasterio.transform import Affine

    height, width, count = image.shape
    with rasterio.open(
        path, 'w', driver='GTiff', height=height, width=width, count=count,
        dtype=image.dtype, crs=crs, transform=Affine(*transform), **options,
    ) as file:  # fmt: skip
        file.write(np.moveaxis(image, -1, 0))


def lat_lon(x: Sequence[float], y: Sequence[float], crs: str = CRS) -> tuple[np.ndarray, ...]:
    """Return WGS84 latitudes and longitudes in degrees, rounded to about a centimetre."""
    from rasterio.warp import transform

    longitude, latitude = transform(crs, 'EPSG:4326', list(x), list(y))
    return np.round(latitude, 7), np.round(longitude, 7)


def shuffled(count: int, seed: int, *names: object) -> np.ndarray:
    """Return a permutation of ``range(count)`` that depends on nothing but its arguments."""
    return np.argsort(hash_keys(derive_seed(seed, *names), np.arange(count)), kind='stable')


def random_numbers(count: int, seed: int, *names: object) -> np.ndarray:
    """Return numbers in [0, 1) that depend on nothing but the arguments."""
    return draw(hash_keys(derive_seed(seed, *names), np.arange(count)), 0)
