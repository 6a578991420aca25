"""Chips written for tests."""

import cv2
import numpy as np
import rasterio
from rasterio.crs import CRS
from rasterio.transform import from_origin

from rsmm.datasets.classes import CLASSES
from rsmm.sensors import band_order

UTM = CRS.from_wkt(
    'PROJCS["WGS 84 / UTM zone 32N",GEOGCS["WGS 84",DATUM["WGS_1984",'
    'SPHEROID["WGS 84",6378137,298.257223563]],PRIMEM["Greenwich",0],'
    'UNIT["degree",0.0174532925199433]],PROJECTION["Transverse_Mercator"],'
    'PARAMETER["latitude_of_origin",0],PARAMETER["central_meridian",9],'
    'PARAMETER["scale_factor",0.9996],PARAMETER["false_easting",500000],'
    'PARAMETER["false_northing",0],UNIT["metre",1]]'
)
AFFINE = from_origin(600000, 5200000, 10, 10)


def write_tif(path, image, descriptions=None, nodata=None, crs=UTM):
    """Write an image (H, W, C) as GeoTIFF."""
    height, width, count = image.shape
    path.parent.mkdir(parents=True, exist_ok=True)
    with rasterio.open(
        path,
        'w',
        driver='GTiff',
        height=height,
        width=width,
        count=count,
        dtype=image.dtype,
        crs=crs,
        transform=AFFINE,
        nodata=nodata,
    ) as file:
        file.write(image.transpose(2, 0, 1))
        for number, text in enumerate(descriptions or (), 1):
            file.set_band_description(number, text)
    return path


def s2_chip(seed, size=64):
    """A 13-band chip in EuroSAT's order: band b lies around 1000 (b + 1), B10 around 12."""
    rng = np.random.default_rng(seed)
    chip = rng.integers(0, 500, (size, size, 13)) + 1000 * np.arange(1, 14)
    order = band_order('eurosat')
    chip[..., order.index('B10')] = rng.integers(5, 20, (size, size))
    return chip.astype(np.uint16)


def write_jpg_chips(root, per_class):
    """Write noisy colour chips of all ten classes as ``<root>/2750/<Class>/<Class>_<n>.jpg``."""
    rng = np.random.default_rng(0)
    for label, name in enumerate(CLASSES['eurosat']):
        folder = root / '2750' / name
        folder.mkdir(parents=True)
        centre = rng.integers(60, 200, 3)
        for number in range(1, per_class + 1):
            noise = rng.integers(-40, 40, (64, 64, 3)) + 3 * label
            image = np.clip(centre + noise, 0, 255).astype(np.uint8)
            assert cv2.imwrite(str(folder / f'{name}_{number}.jpg'), image)
