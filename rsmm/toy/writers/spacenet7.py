"""ToyEarth as SpaceNet 7: towns that grow month by month, with persistent building identities."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from scipy import ndimage

from rsmm.geo.cubes import Cube
from rsmm.geo.io import write_raster, write_vector
from rsmm.geo.polygons import mask_to_polygons
from rsmm.geo.rasterize import footprint_mask, instance_labels, to_map
from rsmm.geo.submission import make_stem, write_submission
from rsmm.sensors import RGB_CAMERA
from rsmm.toy.noise import derive_seed
from rsmm.toy.world import World
from rsmm.toy.writers.common import write_toy
from rsmm.utils import track

CRS = 'EPSG:3857'
_CIRCUMFERENCE = 2 * np.pi * 6378137.0
_TILES = 8192  # of zoom 13, each 1024 pixels wide
GSD = _CIRCUMFERENCE / _TILES / 1024  # map units per pixel, 4.7773
_CLOUDS = 0.06
_DEMOLISHED = 0.03  # share of the old buildings that vanish during the series
_FIRST_YEAR = 2018


def write_spacenet7(
    out: str | Path, seed: int = 0, aois: int = 4, months: int = 12, size: int = 256
) -> bool:
    """Write a toy SpaceNet 7 in the published layout.

    ``train`` gets all AOIs but the last, which becomes ``test_public`` (imagery only, its truth
    goes to ``csvs`` as well, so that it can be scored). The second AOI lacks a month and is one
    pixel narrower. Clouds leave UDM masks in some months; buildings under them have no label.

    Args:
        out: Target folder.
        seed: Of the world.
        aois: Number of areas of interest.
        months: Months from January 2018.
        size: Side of the images in pixels of 4.78 map units; the real ones have 1024.

    Returns:
        False when the folder already held just this.

    Raises:
        DataError: The folder holds something else.
    """
    settings = {'seed': seed, 'aois': aois, 'months': months, 'size': size}
    return write_toy(out, 'spacenet7', settings, lambda folder: _fill(folder, **settings))


def _fill(out: Path, seed: int, aois: int, months: int, size: int) -> None:
    world = World(seed)
    calendar = [f'{_FIRST_YEAR + k // 12}_{k % 12 + 1:02d}' for k in range(months)]
    truth: dict[str, dict[str, Cube]] = {'train': {}, 'test_public': {}}
    places = _growing_places(world, aois, months, size)
    for number, corner in enumerate(track(places, 'SpaceNet 7')):
        split = 'test_public' if number == aois - 1 and aois > 1 else 'train'
        # Far enough apart that no two count as neighbours.
        column, row = 1300 + 40 * number, 3200 + 7 * number
        area = _Area(world, corner, column, row, (size, size - (number == 1)), months)
        names = calendar[:3] + calendar[4:] if number == 1 and months > 5 else calendar
        truth[split][area.name] = area.write(out / split, names, labels=split == 'train')
    (out / 'csvs').mkdir()
    for split, cubes in truth.items():
        write_submission(out / 'csvs' / f'sn7_{split}_ground_truth_pix.csv', cubes)


def _growing_places(world: World, count: int, months: int, size: int) -> list[tuple[float, float]]:
    """Upper left corners of windows in which most buildings are built during the series."""
    side = size * GSD
    first = (_FIRST_YEAR - 2000) * 12
    found = []
    for x, y, radius in world.towns((0, 0, 80_000, 80_000)):
        for angle in (0.8, 4.0):
            corner = (
                x + 0.7 * radius * np.cos(angle) - side / 2,
                y + 0.7 * radius * np.sin(angle) + side / 2,
            )
            built = [b.built for b in world.buildings(_bounds(corner, side))]
            new = sum(first < month < first + months for month in built)
            found.append((new, len(built), corner))
    # One window per town is enough: take them in order, skipping near ones.
    chosen: list[tuple[float, float]] = []
    for _, _, corner in sorted(found, key=lambda entry: entry[:2], reverse=True):
        if all(max(abs(corner[0] - x), abs(corner[1] - y)) > side for x, y in chosen):
            chosen.append(corner)
        if len(chosen) == count:
            break
    return chosen


def _bounds(corner: tuple[float, float], side: float) -> tuple[float, float, float, float]:
    return corner[0], corner[1] - side, corner[0] + side, corner[1]


class _Area:
    """One area of interest: its buildings, where it lies on the map, its files."""

    def __init__(self, world, corner, column, row, shape, months) -> None:
        self.world, self.corner, self.shape = world, corner, shape
        self.name = f'L15-{column // 4:04d}E-{(_TILES - 1 - row) // 4:04d}N_{column}_{row}_13'
        tile = _CIRCUMFERENCE / _TILES
        left, top = column * tile - _CIRCUMFERENCE / 2, _CIRCUMFERENCE / 2 - row * tile
        self.transform = (GSD, 0.0, left, 0.0, -GSD, top)
        self.rng = np.random.default_rng(derive_seed(world.seed, 'spacenet7', column, row))
        self.buildings = world.buildings(_bounds(corner, max(shape) * GSD))
        self.polygons = np.array([self._to_pixels(b.polygon) for b in self.buildings], object)
        first = (_FIRST_YEAR - 2000) * 12
        old = np.array([b.built < first for b in self.buildings], bool)
        vanish = old & (self.rng.random(len(old)) < _DEMOLISHED)
        self.demolished = np.where(
            vanish, first + self.rng.integers(1, months + 1, len(old)), 10**6
        )

    def _to_pixels(self, ring: np.ndarray) -> shapely.Polygon:
        frame = shapely.box(0, 0, self.shape[1], self.shape[0])
        pixels = (ring - self.corner) / (GSD, -GSD)
        return shapely.Polygon(pixels).intersection(frame)

    def standing(self, month: str) -> np.ndarray:
        """Positions of the buildings that stand in a month and lie in the image."""
        now = (int(month[:4]) - 2000) * 12 + int(month[5:]) - 1
        built = np.array([b.built for b in self.buildings], np.int64)
        return np.flatnonzero(
            (built <= now) & (self.demolished > now) & (shapely.area(self.polygons) > 0)
        )

    def write(self, folder: Path, months: Sequence[str], labels: bool) -> Cube:
        """Write images, masks and labels; return the truth in pixels."""
        truth: Cube = {}
        for month in months:
            image, udm = self._image(month)
            standing = self.standing(month)
            rows = standing[~self._hidden(standing, udm)]
            self._write_image(folder / self.name, month, image, udm, plain=labels)
            truth[month] = [(k + 1, self.polygons[k]) for k in rows]
            if labels:
                self._write_labels(folder / self.name, month, truth[month], udm)
        return truth

    def _image(self, month: str) -> tuple[np.ndarray, np.ndarray]:
        height, width = self.shape
        args = (*self.corner, self.shape, GSD, f'{month.replace("_", "-")}-15')
        numbers = self.world.render(*args, RGB_CAMERA.band_names, clouds=_CLOUDS)
        self._demolish(numbers, month)
        image = np.full((height, width, 4), 255, np.uint8)
        image[..., :3] = np.clip(numbers / 3600 * 255, 1, 255)
        cloudy = self.world.cloud_mask(*args, clouds=_CLOUDS) == 1
        return image, ndimage.binary_dilation(cloudy, iterations=3)

    def _demolish(self, numbers: np.ndarray, month: str) -> None:
        """Paint the ground around a demolished building over it."""
        now = (int(month[:4]) - 2000) * 12 + int(month[5:]) - 1
        for k in np.flatnonzero(self.demolished <= now):
            own = footprint_mask([self.polygons[k].buffer(0.7)], self.shape)
            around = ndimage.binary_dilation(own, iterations=3) & ~own
            if own.any() and around.any():
                ground = numbers[around]
                numbers[own] = ground[self.rng.integers(0, len(ground), int(own.sum()))]

    def _hidden(self, buildings: np.ndarray, udm: np.ndarray) -> np.ndarray:
        """Which buildings have more than half of their pixels under clouds."""
        labels = instance_labels(self.polygons[buildings], self.shape)
        pixels = np.bincount(labels.ravel(), minlength=len(buildings) + 1)[1:]
        under = np.bincount(labels[udm], minlength=len(buildings) + 1)[1:]
        return under > 0.5 * pixels

    def _write_image(self, folder: Path, month: str, image, udm, plain: bool) -> None:
        stem = make_stem(self.name, month)
        place: dict[str, Any] = {'crs': CRS, 'transform': self.transform}
        masked = image.copy()
        masked[udm] = 0
        write_raster(folder / 'images_masked' / f'{stem}.tif', masked, **place)
        if plain:
            write_raster(folder / 'images' / f'{stem}.tif', image, **place)
        if udm.any():
            write_raster(folder / 'UDM_masks' / f'{stem}_UDM.tif', udm, **place)

    def _write_labels(self, folder: Path, month: str, rows: list, udm: np.ndarray) -> None:
        stem = make_stem(self.name, month)
        ids = [name for name, _ in rows]
        pixels = np.array([shape for _, shape in rows], object)
        places = to_map(pixels, self.transform)
        area = shapely.area(places)
        name = f'{stem}_Buildings.geojson'
        write_vector(folder / 'labels_match' / name, places, {'Id': ids, 'area': area}, crs=CRS)
        columns = {'Id': ids, 'area': shapely.area(pixels), 'image_fname': [stem] * len(ids)}
        write_vector(folder / 'labels_match_pix' / name, pixels, columns)
        round_earth = [shapely.force_3d(shape) for shape in _to_lonlat(places)]
        write_vector(folder / 'labels' / name, round_earth, {'area': area}, crs='OGC:CRS84')
        clouds = _to_lonlat(to_map(mask_to_polygons(udm, 0.5), self.transform))
        write_vector(folder / 'labels' / f'{stem}_UDM.geojson', clouds, crs='OGC:CRS84')


def _to_lonlat(shapes: Sequence[shapely.Geometry] | np.ndarray) -> np.ndarray:
    """Turn spherical web-mercator coordinates into degrees."""

    def apply(points: np.ndarray) -> np.ndarray:
        radians = points / 6378137.0
        latitude = np.arctan(np.sinh(radians[:, 1]))
        return np.rad2deg(np.stack([radians[:, 0], latitude], axis=1))

    array = np.empty(len(shapes), object)
    array[:] = shapes
    return shapely.transform(array, apply)
