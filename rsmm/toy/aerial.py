"""Drawn aerial scenes of a few decimetres per pixel, with exact boxes.

The toy world itself is made for metres per pixel; vehicles need a closer look. A scene has ground
with texture, streets, buildings with shadows, trees, and the objects to be found: vehicles in dense
rows, storage tanks, swimming pools, tennis courts and planes. Everything follows from the seed.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np

#: Classes that scenes hold, by their names in DOTA.
CLASSES = ('plane', 'storage-tank', 'tennis-court', 'small-vehicle', 'swimming-pool')
_GROUND = ((96, 108, 78), (118, 112, 92), (88, 98, 88), (132, 124, 108))
_VEHICLES = ((200, 200, 205), (60, 60, 66), (170, 40, 40), (40, 70, 150), (225, 222, 214))
_ROOFS = ((128, 82, 66), (120, 120, 122), (150, 140, 128), (88, 88, 96))


@dataclass
class Scene:
    """A scene being drawn.

    Attributes:
        image: (H, W, 3) uint8 RGB.
        boxes: x1, y1, x2, y2 in pixels, corners exclusive, in the order of drawing.
        labels: Positions in :data:`CLASSES`.
        taken: (H, W) bool, ground already built on.
    """

    image: np.ndarray
    boxes: list[tuple[int, int, int, int]] = field(default_factory=list)
    labels: list[int] = field(default_factory=list)
    taken: np.ndarray = field(default_factory=lambda: np.zeros((0, 0), bool))

    def free(self, x: int, y: int, width: int, height: int, gap: int = 3) -> bool:
        """Whether a rectangle and a gap round it lie inside the scene on free ground."""
        rows, columns = self.image.shape[:2]
        if x < gap or y < gap or x + width + gap > columns or y + height + gap > rows:
            return False
        return not self.taken[y - gap : y + height + gap, x - gap : x + width + gap].any()

    def take(self, x: int, y: int, width: int, height: int) -> None:
        """Mark a rectangle as built on."""
        self.taken[y : y + height, x : x + width] = True

    def add(self, label: str, mask: np.ndarray, colour: np.ndarray, x: int, y: int) -> None:
        """Paint an object given as a mask (h, w) at (x, y); its box is that of the mask."""
        rows, columns = np.nonzero(mask)
        height, width = mask.shape
        region = self.image[y : y + height, x : x + width]
        region[mask] = np.broadcast_to(colour, region.shape)[mask]
        self.boxes.append(
            (
                int(x + columns.min()),
                int(y + rows.min()),
                int(x + columns.max() + 1),
                int(y + rows.max() + 1),
            )
        )
        self.labels.append(CLASSES.index(label))


def draw_scene(seed: int, size: int = 256, wealth: float = 0.5, density: float = 1.0) -> Scene:
    """Draw a scene.

    Args:
        seed: Another seed gives another scene.
        size: Side in pixels, about 0.3 m each.
        wealth: 0..1: pools, courts and trees instead of large parking lots and tanks.
        density: Factor of the numbers of objects.

    Returns:
        The scene with exact boxes.
    """
    rng = np.random.default_rng([seed, size])
    scene = Scene(_ground(rng, size), taken=np.zeros((size, size), bool))
    _streets(scene, rng, size)
    scale = density * (size / 256) ** 2
    counts = {
        _tennis_court: 0.3 + 0.9 * wealth,
        _plane: 0.7,
        _parking: 1.9 - 1.3 * wealth,
        _tank: 2.6 - 2.0 * wealth,
        _pool: 0.4 + 3.0 * wealth,
    }
    for draw, mean in counts.items():
        for _ in range(rng.poisson(mean * scale)):
            draw(scene, rng)
    for _ in range(rng.poisson(7 * size / 256)):
        _building(scene, rng)
    for _ in range(rng.poisson((4 + 16 * wealth) * (size / 256) ** 2)):
        _tree(scene, rng)
    noise = rng.normal(0, 5, scene.image.shape)
    light = rng.uniform(0.82, 1.12)
    scene.image = np.clip(scene.image * light + noise, 0, 255).astype(np.uint8)
    return scene


def _ground(rng: np.random.Generator, size: int) -> np.ndarray:
    """Smooth patches of two kinds of ground."""
    first, second = (np.array(_GROUND[k], float) for k in rng.choice(len(_GROUND), 2, False))
    coarse = rng.random((max(2, size // 48), max(2, size // 48))).astype(np.float32)
    fine = rng.normal(0, 1, (size // 4, size // 4)).astype(np.float32)
    mix = cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC)[..., None]
    grain = cv2.resize(fine, (size, size), interpolation=cv2.INTER_LINEAR)[..., None]
    return np.clip(first * mix + second * (1 - mix) + 6 * grain, 0, 255).astype(np.uint8)


def _streets(scene: Scene, rng: np.random.Generator, size: int) -> None:
    """A grid of streets, and vehicles on them once all streets are there."""
    grey = np.array([92, 92, 95]) + rng.integers(-12, 13)
    streets = []
    for axis in (0, 1):
        for place in np.arange(rng.integers(20, 140), size - 18, rng.integers(110, 190)).tolist():
            band = slice(place, place + 16)
            index = (band, slice(None)) if axis == 0 else (slice(None), band)
            scene.image[index] = grey
            scene.taken[index] = True
            streets.append((place, axis))
    driving = np.zeros((size, size), bool)
    for place, axis in streets:
        _traffic(scene, rng, place, axis, driving)


def _traffic(
    scene: Scene, rng: np.random.Generator, place: int, axis: int, driving: np.ndarray
) -> None:
    """Vehicles on a street, along it; ``driving`` (H, W) marks where vehicles are."""
    size = len(driving)
    for lane in (2, 9):
        start = int(rng.integers(4, 90))
        while start + 14 < size:
            x, y = (start, place + lane) if axis == 0 else (place + lane, start)
            height, width = (6, 12) if axis == 0 else (12, 6)
            spot = driving[y - 1 : y + height + 1, x - 1 : x + width + 1]
            if rng.random() < 0.35 and not spot.any():
                colour = np.array(_VEHICLES[rng.integers(len(_VEHICLES))])
                _vehicle(scene, x, y, upright=axis == 1, colour=colour)
                spot[:] = True
            start += int(rng.integers(16, 60))


def _vehicle(scene: Scene, x: int, y: int, upright: bool, colour: np.ndarray) -> None:
    height, width = (12, 6) if upright else (6, 12)
    mask = np.ones((height, width), bool)
    paint = np.broadcast_to(colour, (height, width, 3)).copy()
    if upright:
        paint[3:5, 1:-1] = colour // 3
    else:
        paint[1:-1, 3:5] = colour // 3
    scene.add('small-vehicle', mask, paint, x, y)


def _spot(scene: Scene, rng, width: int, height: int) -> tuple[int, int] | None:
    """A free place of this size, or None after some tries."""
    rows, columns = scene.image.shape[:2]
    if width + 8 >= columns or height + 8 >= rows:
        return None
    for _ in range(25):
        x, y = int(rng.integers(3, columns - width - 3)), int(rng.integers(3, rows - height - 3))
        if scene.free(x, y, width, height):
            scene.take(x, y, width, height)
            return x, y
    return None


def _parking(scene: Scene, rng: np.random.Generator) -> None:
    """A lot with rows of vehicles side by side, three pixels apart."""
    columns, rows = int(rng.integers(4, 10)), int(rng.integers(1, 4))
    width, height = columns * 9 + 6, rows * 20 + 4
    place = _spot(scene, rng, width, height)
    if place is None:
        return
    x, y = place
    scene.image[y : y + height, x : x + width] = 104
    for row in range(rows):
        for column in range(columns):
            if rng.random() < 0.85:
                colour = np.array(_VEHICLES[rng.integers(len(_VEHICLES))])
                _vehicle(scene, x + 4 + column * 9, y + 4 + row * 20, True, colour)


def _tank(scene: Scene, rng: np.random.Generator) -> None:
    diameter = int(rng.integers(18, 46))
    place = _spot(scene, rng, diameter + 6, diameter + 6)
    if place is None:
        return
    x, y = place
    mask = _disc(diameter)
    shadow = scene.image[y + 5 : y + 5 + diameter, x + 5 : x + 5 + diameter]
    shadow[mask] = shadow[mask] // 2
    shade = np.linspace(1.0, 0.85, diameter)[None, :, None]
    paint = (np.array([222, 221, 214]) - rng.integers(0, 40)) * np.repeat(shade, diameter, 0)
    scene.add('storage-tank', mask, paint.astype(np.uint8), x, y)


def _disc(diameter: int) -> np.ndarray:
    distance = np.arange(diameter) - (diameter - 1) / 2
    return distance[:, None] ** 2 + distance**2 <= (diameter / 2) ** 2


def _pool(scene: Scene, rng: np.random.Generator) -> None:
    width, height = (int(v) for v in rng.integers(12, 30, 2))
    place = _spot(scene, rng, width + 4, height + 4)
    if place is None:
        return
    x, y = place
    scene.image[y : y + height + 4, x : x + width + 4] = (196, 190, 178)
    mask = np.ones((height, width), np.uint8)
    if rng.random() < 0.5:
        mask[:] = 0
        centre = (width // 2, height // 2)
        cv2.ellipse(mask, centre, ((width - 1) // 2, (height - 1) // 2), 0, 0, 360, 1, -1)
    colour = np.array([70, 168, 196]) + rng.integers(-18, 19, 3)
    scene.add('swimming-pool', mask.astype(bool), colour.astype(np.uint8), x + 2, y + 2)


def _tennis_court(scene: Scene, rng: np.random.Generator) -> None:
    height, width = (64, 34) if rng.random() < 0.5 else (34, 64)
    place = _spot(scene, rng, width, height)
    if place is None:
        return
    colours = ((52, 104, 74), (150, 84, 60), (60, 90, 140))
    paint = np.broadcast_to(np.array(colours[rng.integers(3)], np.uint8), (height, width, 3)).copy()
    cv2.rectangle(paint, (5, 5), (width - 6, height - 6), (226, 226, 220), 1)
    middle = ((0, height // 2), (width, height // 2)) if height > width else (
        (width // 2, 0), (width // 2, height)
    )  # fmt: skip
    cv2.line(paint, *middle, (226, 226, 220), 1)
    scene.add('tennis-court', np.ones((height, width), bool), paint, *place)


def _plane(scene: Scene, rng: np.random.Generator) -> None:
    length = int(rng.integers(34, 62))
    place = _spot(scene, rng, length, length)
    if place is None:
        return
    mask = np.zeros((length, length), np.uint8)
    middle, half = length // 2, max(2, length // 14)
    cv2.rectangle(mask, (middle - half, 0), (middle + half, length - 1), 1, -1)
    wings = [[0, int(length * 0.6)], [middle, int(length * 0.32)], [length - 1, int(length * 0.6)],
             [middle, int(length * 0.5)]]  # fmt: skip
    tail = [[middle - length // 5, length - 1], [middle, int(length * 0.82)],
            [middle + length // 5, length - 1]]  # fmt: skip
    for outline in (wings, tail):
        cv2.fillPoly(mask, [np.array(outline)], 1)
    turned = np.rot90(mask, int(rng.integers(4)))
    colour = np.array([228, 229, 232]) - rng.integers(0, 30)
    scene.add('plane', turned.astype(bool), colour.astype(np.uint8), *place)


def _building(scene: Scene, rng: np.random.Generator) -> None:
    """A roof with a ridge and a shadow; no object of any class."""
    width, height = (int(v) for v in rng.integers(22, 60, 2))
    place = _spot(scene, rng, width + 4, height + 4)
    if place is None:
        return
    x, y = place
    scene.image[y + 4 : y + height + 4, x + 4 : x + width + 4] //= 2
    roof = np.array(_ROOFS[rng.integers(len(_ROOFS))]) + rng.integers(-10, 11)
    scene.image[y : y + height, x : x + width] = roof
    scene.image[y : y + height // 2, x : x + width] = np.minimum(roof + 18, 255)


def _tree(scene: Scene, rng: np.random.Generator) -> None:
    diameter = int(rng.integers(8, 20))
    place = _spot(scene, rng, diameter, diameter)
    if place is not None:
        x, y = place
        colour = np.array([44, 74, 40]) + rng.integers(-10, 25)
        scene.image[y : y + diameter, x : x + diameter][_disc(diameter)] = colour
