"""Land and sea, lakes, rivers, relief and climate."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rsmm.toy.noise import Grid, Noise, Points, derive_seed, smoothstep

# Where the river field exceeds this, the next river is at least half a kilometre away.
_FAR = 0.4


@dataclass(frozen=True)
class Waters:
    """Water at N sample points.

    Attributes:
        height: Signed height proxy, negative in the sea, ``(N,)``.
        lake: Signed lake proxy, positive inside lakes.
        river: Distance to the nearest river bank in metres, negative in the water.
    """

    height: np.ndarray
    lake: np.ndarray
    river: np.ndarray


class Terrain:
    """The natural shape of the world.

    Args:
        seed: Seed of the world.
    """

    def __init__(self, seed: int) -> None:
        def layer(name: str, *args) -> Noise:
            return Noise(derive_seed(seed, 'terrain', name), *args)

        self._height = layer('height', 60_000, 8)
        self._lake = layer('lake', 2_800, 5, 0.42)
        self._river = layer('river', 9_000, 4, 0.36)
        self._flow = layer('flow', 22_000)
        self._rough = layer('rough', 30_000, 2)
        self._arid = layer('arid', 70_000, 2)
        self._relief = layer('relief', 1_900, 7, 0.58)
        self._woods = layer('woods', 5_000, 7, 0.6)
        self._wild = layer('wild', 14_000, 6, 0.55)
        self._stand = layer('stand', 1_300, 4)

    def waters(self, place: Grid | Points) -> Waters:
        """Return sea, lakes and rivers at the samples of a place."""
        height = place.sample(self._height) + np.float32(0.6)
        lake = place.sample(self._lake) - np.float32(2.25)
        value = np.abs(place.sample(self._river))
        if value.size and value.min() > _FAR:
            return Waters(height, lake, np.full_like(value, 1e4))
        dx, dy = place.slopes(self._river)
        # The floor keeps saddles of the field from flooding whole valleys.
        steepness = np.maximum(np.sqrt(dx * dx + dy * dy), np.float32(0.5 / 9_000))
        half_width = np.clip(75 * (place.sample(self._flow) + 0.5), -60, 125)
        return Waters(height, lake, (value / steepness - half_width).astype(np.float32))

    def rough(self, place: Grid | Points) -> np.ndarray:
        """Return how hilly the land is, in [0, 1]."""
        return smoothstep(-0.2, 1.5, place.sample(self._rough))

    def arid(self, place: Grid | Points) -> np.ndarray:
        """Return how dry the climate is, in [0, 1]."""
        return smoothstep(-1.3, 1.5, place.sample(self._arid))

    def woods(self, place: Grid | Points, rough: np.ndarray) -> np.ndarray:
        """Return a field that is positive in forests."""
        return place.sample(self._woods) + 0.55 * rough - np.float32(0.62)

    def wild(self, place: Grid | Points, rough: np.ndarray, arid: np.ndarray) -> np.ndarray:
        """Return a field that is positive in heath, scrub and rock."""
        return place.sample(self._wild) + 0.9 * rough + 0.35 * arid - np.float32(1.0)

    def stand(self, place: Grid | Points) -> np.ndarray:
        """Return a field that is positive where conifers grow in forests."""
        return place.sample(self._stand)

    def shade(self, place: Grid | Points, rough: np.ndarray, low_sun: float) -> np.ndarray:
        """Return relative illumination of slopes around 1 for light from the south-east.

        Args:
            place: Samples.
            rough: Result of :meth:`rough` there.
            low_sun: 0 in summer to 1 in winter: shadows deepen.
        """
        if not rough.any():
            return np.ones(rough.shape, np.float32)
        east, north = place.slopes(self._relief)
        climb = (np.float32(0.6) * east - np.float32(0.8) * north) * (240 * rough)
        return np.clip(1 + (0.75 + 0.9 * low_sun) * -climb, 0.3, 1.5).astype(np.float32)
