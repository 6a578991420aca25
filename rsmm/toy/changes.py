"""What gets built on a toy ground: towns, roads and fields that grow over some months."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from rsmm.toy.materials import INDEX, spectra

#: Kinds of planted events.
KINDS = ('town', 'road', 'field')
# Frame pixels between two events, so that discovery has no reason to join them.
_APART = 52
_MARGIN = 4
_STREETS, _LOT = 9, 3
# What a field can turn into; the one that differs most from the ground is taken.
_FIELDS = ('crop_green', 'soil_pale', 'soil_dark')
_ROOFS = ('concrete', 'asphalt', 'soil_red', 'soil_pale')


@dataclass(frozen=True)
class PlantedEvent:
    """One event: what it covers, when, and with what.

    Attributes:
        kind: One of :data:`KINDS`.
        mask: ``(H, W)`` bool, all it ever covers.
        order: ``(H, W)`` in [0, 1], which share of the building time has gone by when a pixel
            changes.
        surface: ``(C, H, W)`` reflectance of what is built.
        first, last: Frame that shows it first, and the one that shows all of it.
    """

    kind: str
    mask: np.ndarray
    order: np.ndarray
    surface: np.ndarray
    first: int
    last: int

    def covered(self, frame: int) -> np.ndarray:
        """Return what it covers in a frame, ``(H, W)`` bool."""
        done = (frame - self.first + 1) / (self.last - self.first + 1)
        return self.mask & (self.order <= done)


def plant_events(
    rng: np.random.Generator, ground: np.ndarray, bands: tuple[str, ...], months: int, count: int
) -> list[PlantedEvent]:
    """Draw events that do not touch, between the first three frames and the last two.

    Args:
        rng: Source of every choice.
        ground: ``(C, H, W)`` reflectance before.
        bands: Their canonical names.
        months: Frames of the series, at least 8.
        count: Events to plant; fewer where there is no more room.
    """
    taken = np.zeros(ground.shape[1:], bool)
    events = []
    for _ in range(count):
        kind = KINDS[int(rng.integers(len(KINDS)))]
        for _ in range(60):
            mask, order = _SHAPES[kind](rng, taken.shape)
            if not (taken & mask).any():
                break
        else:
            continue
        first = int(rng.integers(3, months - 4))
        last = min(first + int(rng.integers(1, 4)), months - 3)
        surface = _SURFACES[kind](rng, ground, mask, bands)
        events.append(PlantedEvent(kind, mask, order, surface, first, last))
        taken |= ndimage.distance_transform_edt(~mask) <= _APART
    return events


def build_on(ground: np.ndarray, events: list[PlantedEvent], frame: int) -> np.ndarray:
    """Return the ground of a frame with all that stands on it by then, ``(C, H, W)``."""
    out = ground.copy()
    for event in events:
        covered = event.covered(frame)
        out[:, covered] = event.surface[:, covered]
    return out


def _axes(rng: np.random.Generator, shape, half: float) -> tuple[np.ndarray, np.ndarray]:
    """Return coordinates of the pixels about a random centre, turned by a random angle."""
    room = [max(size - 2 * (half + _MARGIN), 1) for size in shape]
    centre = [half + _MARGIN + rng.random() * side for side in room]
    angle = rng.random() * np.pi
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    y, x = rows - centre[0], columns - centre[1]
    return np.cos(angle) * x + np.sin(angle) * y, np.cos(angle) * y - np.sin(angle) * x


def _block(rng: np.random.Generator, shape, low: float, high: float):
    """Return a turned rectangle that fills up from one end."""
    side = min(shape)
    length, width = rng.uniform(low, high, 2) * min(side, 192)
    u, v = _axes(rng, shape, np.hypot(length, width) / 2)
    mask = (np.abs(u) <= length / 2) & (np.abs(v) <= width / 2)
    return mask, np.clip(u / length + 0.5, 0, 1)


def _town(rng, shape):
    return _block(rng, shape, 0.18, 0.32)


def _field(rng, shape):
    return _block(rng, shape, 0.16, 0.28)


def _road(rng, shape):
    """Return a gently curved band that grows along its length."""
    length, width = rng.uniform(0.5, 0.75) * min(*shape, 192), rng.uniform(6, 9)
    u, v = _axes(rng, shape, length / 2)
    bend = rng.uniform(-0.12, 0.12) * length
    centre = bend * (1 - (2 * u / length) ** 2)
    mask = (np.abs(u) <= length / 2) & (np.abs(v - centre) <= width / 2)
    return mask, np.clip(u / length + 0.5, 0, 1)


def _town_surface(rng, ground, mask, bands):
    """Streets around lots, a roof on each, bare yards between."""
    height, width = mask.shape
    table = spectra(bands)
    rows, columns = np.mgrid[:height, :width]
    lots = rows // _STREETS * (width // _STREETS + 1) + columns // _STREETS
    roofs = rng.integers(0, len(_ROOFS), int(lots.max()) + 1)
    tones = rng.uniform(0.8, 1.2, len(roofs))
    names = np.array([INDEX[name] for name in _ROOFS])
    surface = table[names[roofs[lots]]].transpose(2, 0, 1) * tones[lots]
    inside = np.minimum(rows % _STREETS, columns % _STREETS)
    surface[:, inside < _LOT] = table[INDEX['soil_pale']][:, None]
    surface[:, inside < 1] = table[INDEX['asphalt']][:, None]
    return surface.astype(np.float32)


def _road_surface(rng, ground, mask, bands):
    """Asphalt between verges of bare soil."""
    table = spectra(bands)
    depth = ndimage.distance_transform_edt(mask)
    pale = table[INDEX['soil_pale']][:, None, None]
    dark = table[INDEX['asphalt']][:, None, None]
    return np.where(depth > 2, dark, pale).astype(np.float32)


def _field_surface(rng, ground, mask, bands):
    """One crop or soil, the one least like the ground, with rows of slightly other tone."""
    table = spectra(bands)[[INDEX[name] for name in _FIELDS]]
    before = ground[:, mask].mean(axis=1)
    contrast = np.abs(np.log(table / before)).sum(axis=1)
    rows = 1 + 0.06 * rng.standard_normal((mask.shape[0], 1))
    return (table[np.argmax(contrast)][:, None, None] * rows).astype(np.float32) * np.ones(
        mask.shape, np.float32
    )


_SHAPES = {'town': _town, 'road': _road, 'field': _field}
_SURFACES = {'town': _town_surface, 'road': _road_surface, 'field': _field_surface}
