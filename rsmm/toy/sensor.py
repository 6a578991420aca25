"""From ground reflectance to digital numbers: atmosphere, clouds, resolution, noise."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np

from rsmm.errors import DataError
from rsmm.sensors import SENTINEL2, canonical_band
from rsmm.toy.materials import ALIASES, INDEX, spectra
from rsmm.toy.noise import Grid, Noise, derive_seed, draw, hash_keys, smoothstep

PRODUCTS = ('l1c', 'l2a')
# Path reflectance and two-way transmittance per mille of a mean atmosphere.
_ATMOSPHERE = {
    'B01': (92, 800), 'B02': (63, 840), 'B03': (37, 870), 'B04': (22, 900), 'B05': (18, 900),
    'B06': (13, 910), 'B07': (11, 920), 'B08': (9, 920), 'B8A': (8, 930), 'B09': (5, 290),
    'B10': (1, 2), 'B11': (2, 930), 'B12': (1, 920),
}  # fmt: skip
# Standard deviation of the sensor's noise in digital numbers.
_NOISE_DN = 9.0
_CLOUD_SCALE = 2_600.0
# Light falls from the south-east at about 40 degrees: shadow offset per metre of cloud height.
_SHADOW = (-620.0, 480.0)


def check_bands(bands: tuple[str, ...], product: str) -> tuple[str, ...]:
    """Return canonical names of bands that the product has.

    Raises:
        DataError: Unknown product or band, or B10 of ``l2a``, which drops it.
    """
    if product not in PRODUCTS:
        raise DataError(f'unknown product {product!r}', fix=f'Choose from {", ".join(PRODUCTS)}')
    names = tuple(canonical_band(band) for band in bands)
    known = (*SENTINEL2.band_names, *ALIASES)
    missing = [band for band in names if band not in known or (product, band) == ('l2a', 'B10')]
    if missing:
        raise DataError(
            f'{product} has no band {", ".join(missing)}', fix=f'Choose from {", ".join(known)}'
        )
    return names


def mix(abundance: np.ndarray, used: np.ndarray, bands: tuple[str, ...]) -> np.ndarray:
    """Mix endmember spectra linearly.

    Args:
        abundance: ``(K, H, W)`` float32.
        used: Positions of these K endmembers.
        bands: Canonical names.

    Returns:
        Reflectance ``(H, W, C)`` float32.
    """
    table = spectra(bands)[used]
    total = np.zeros((len(bands), *abundance.shape[1:]), np.float32)
    # A plain loop: a BLAS product would depend on the machine in the last bits.
    for share, spectrum in zip(abundance, table, strict=True):
        for band, value in enumerate(spectrum):
            total[band] += share * value
    return total


def cloud_opacity(seed: int, grid: Grid, epoch: int, cover: float) -> np.ndarray:
    """Return how much of each pixel's light comes from clouds, ``(H, W)`` in [0, 1].

    Args:
        seed: Seed of the world.
        grid: Pixels.
        epoch: Number of the day; each day has its own sky.
        cover: Expected share of cloudy pixels over large areas.
    """
    if not 0 <= cover <= 1:
        raise DataError(f'cloud cover is a share in [0, 1], got {cover}')
    if cover == 0:
        return np.zeros((grid.height, grid.width), np.float32)
    if cover == 1:
        return np.ones((grid.height, grid.width), np.float32)
    noise = Noise(derive_seed(seed, 'clouds', epoch), _CLOUD_SCALE, 6, 0.55)
    level = NormalDist().inv_cdf(1 - cover)
    return smoothstep(level - 0.18, level + 0.18, noise.on_grid(grid)).astype(np.float32)


def cloud_shadow(seed: int, grid: Grid, epoch: int, cover: float) -> np.ndarray:
    """Return the depth of cloud shadows on the ground, ``(H, W)`` in [0, 1]."""
    east, north = _SHADOW
    sky = Grid(grid.left - east, grid.top - north, grid.height, grid.width, grid.gsd)
    return cloud_opacity(seed, sky, epoch, cover)


def observe(
    ground: np.ndarray, seed: int, grid: Grid, epoch: int, bands, product: str, cover: float
) -> np.ndarray:
    """Turn ground reflectance into digital numbers.

    Args:
        ground: Reflectance ``(C, H, W)`` float32.
        seed: Seed of the world.
        grid: Pixels.
        epoch: Number of the day.
        bands: Canonical names of the C bands.
        product: ``'l1c'`` (top of atmosphere) or ``'l2a'`` (surface).
        cover: Share of clouds.

    Returns:
        ``(H, W, C)`` uint16, reflectance times 10,000, at least 1 (0 is no data).
    """
    if cover > 0:
        ground = ground * (1 - np.float32(0.62) * cloud_shadow(seed, grid, epoch, cover))
        opacity = cloud_opacity(seed, grid, epoch, cover)
        cloud = spectra(bands)[INDEX['cloud']][:, None, None]
        ground = ground + opacity * (cloud - ground)
    signal = _scatter(ground, seed, grid, epoch, bands, product)
    noise = np.moveaxis(_speckle(derive_seed(seed, 'noise', epoch), grid, len(bands)), -1, 0)
    numbers = np.rint(signal * np.float32(10_000) + np.float32(_NOISE_DN) * noise)
    return np.ascontiguousarray(np.moveaxis(np.clip(numbers, 1, 65_535), 0, -1).astype(np.uint16))


def _scatter(ground, seed, grid, epoch, bands, product) -> np.ndarray:
    """Add the atmosphere (l1c) or what its correction leaves behind (l2a)."""
    names = [ALIASES.get(band, band) for band in bands]
    path, through = np.array([_ATMOSPHERE[name] for name in names], np.float32).T / 1000
    # One sky per 40 km: haze, its colour, and the gain that sun and view angle leave.
    sky = hash_keys(
        derive_seed(seed, 'sky', epoch),
        np.array([int(grid.left // 40_000)]),
        np.array([int(grid.top // 40_000)]),
    )
    unit = draw(sky, 0)[0]
    haze = np.float32(0.75 + 0.85 * unit * unit)
    gain = np.float32(draw(sky, 1, 0.86, 1.12)[0])
    drift = Noise(derive_seed(seed, 'haze', epoch), 15_000.0, 2).on_grid(grid)
    veil = haze * (1 + np.float32(0.05) * drift)
    if product == 'l2a':
        left = np.float32(0.12) * (veil - 1)
        return np.maximum(ground * gain + left * path[:, None, None], 0)
    clear = through[:, None, None] ** 1 * (1 - np.float32(0.6) * path[:, None, None] * (veil - 1))
    return ground * gain * clear + veil * path[:, None, None]


def native_resolution(image: np.ndarray, gsd: float, bands: tuple[str, ...]) -> np.ndarray:
    """Blur bands that the sensor takes at a coarser ground sampling distance.

    Args:
        image: ``(C, H, W)`` float32.
        gsd: Pixel size in metres.
        bands: Canonical names.
    """
    out = image.copy()
    for position, band in enumerate(bands):
        factor = round(SENTINEL2[ALIASES.get(band, band)].gsd / gsd)
        if factor > 1:
            out[position] = _blur(image[position], factor)
    return out


def _blur(image: np.ndarray, factor: int) -> np.ndarray:
    """Average blocks and interpolate linearly between their centres."""
    for axis in (0, 1):
        image = np.moveaxis(image, axis, 0)
        size = image.shape[0]
        blocks = -(-size // factor)
        padded = image[np.minimum(np.arange(blocks * factor), size - 1)]
        coarse = sum(padded[k::factor] for k in range(factor)) / np.float32(factor)
        position = np.clip((np.arange(size) + 0.5) / factor - 0.5, 0, blocks - 1)
        low = np.floor(position).astype(np.int64)
        high = np.minimum(low + 1, blocks - 1)
        t = (position - low).astype(np.float32)[:, None]
        image = np.moveaxis(coarse[low] * (1 - t) + coarse[high] * t, 0, axis)
    return image


def _speckle(seed: int, grid: Grid, bands: int) -> np.ndarray:
    """Return bell-shaped noise of unit variance, ``(H, W, bands)`` float32.

    It hashes the pixel's place, so that two cuts of one acquisition agree where they overlap.
    """
    column = np.floor(grid.x / grid.gsd).astype(np.int64)[None, :, None]
    row = np.floor(grid.y / grid.gsd).astype(np.int64)[:, None, None]
    bits = hash_keys(seed, row, column, np.arange(bands)[None, None, :])
    total = np.zeros(bits.shape, np.float32)
    for part in range(4):
        total += ((bits >> np.uint64(16 * part)) & np.uint64(0xFFFF)).astype(np.float32)
    # The sum of four uniform numbers has a variance of 4/12.
    return (total / np.float32(65_536) - 2) * np.float32(3**0.5)
