"""Views of a pair at any scale and in any light, each cut by one warp."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from mmcv.transforms import BaseTransform

from rsmm.errors import ConfigError
from rsmm.registry import TRANSFORMS


@TRANSFORMS.register_module()
class EventCrops(BaseTransform):
    """Two views of a pair: squares of random place, side and angle, mirrored and recoloured.

    ``EventViews`` is the published geometry, at one scale and without colour. Here a view shows
    between ``scale[0]`` and ``scale[1]`` of the area, which makes small views useful, and what
    ``colour`` does is done to all dates of a view alike: it never looks like change. Corners that
    rotation leaves open are mirrored in images and empty in the mask, as there.

    Required Keys: img (H, W, D, C), event_mask (H, W); those of ``colour``

    Modified Keys: img: list of (size, size, C), the D dates of the first view, then of the second

    Added Keys: event_weights (np.ndarray): (2, cells, cells) float32

    Args:
        size: Side of a view in pixels.
        cells: Side of the feature map that the backbone makes of it.
        scale: Smallest and largest share of the largest square that a view shows.
        colour: Configs of transforms of ``img`` that move no pixel.
        eps: Weight of places without change.

    Raises:
        ConfigError: Sizes or shares that do not fit.
    """

    def __init__(
        self,
        size: int = 112,
        cells: int = 7,
        scale: tuple[float, float] = (0.2, 1.0),
        colour: Sequence[dict] = (),
        eps: float = 0.01,
    ) -> None:
        if not (size > 0 and cells > 0 and size % cells == 0 and 0 < scale[0] <= scale[1] <= 1):
            raise ConfigError(
                f'size={size}, cells={cells}, scale={tuple(scale)}',
                where="type='EventCrops'",
                fix='size: a multiple of cells; scale: two shares, 0 < smallest <= largest <= 1',
            )
        self.size, self.cells, self.scale, self.eps = size, cells, tuple(scale), eps
        self.colour = [TRANSFORMS.build(step) for step in colour]

    def transform(self, results: dict) -> dict:
        """Draw two views."""
        pair, mask = results['img'], results['event_mask']
        views, weights = [], []
        for _ in range(2):
            images, weight = self._view(pair, mask)
            views += self._recoloured(images, results)
            weights.append(weight)
        results['img'] = views
        results['event_weights'] = np.stack(weights)
        results['img_shape'] = (self.size, self.size)
        return results

    def _view(self, pair: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Cut the dates side by side (size, D size, C) and their weights (cells, cells)."""
        side = min(mask.shape) * np.sqrt(np.random.uniform(self.scale[0], self.scale[1]))
        centre = [np.random.uniform(side / 2, edge - side / 2) - 0.5 for edge in mask.shape[::-1]]
        angle, mirrored = np.random.randint(360), np.random.rand() < 0.5
        # Views that show more than two pixels in one average them first, else they would alias.
        shrink = max(1, int(side / self.size))
        matrix = view_matrix(centre, side / self.size, angle, mirrored, self.size)
        dates = [
            _warped(pair[:, :, date], matrix, self.size, shrink) for date in range(pair.shape[2])
        ]
        cut = cv2.warpAffine(
            mask.astype(np.float32),
            matrix,
            (self.size, self.size),
            flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP,
        )
        block = self.size // self.cells
        cells = cut.reshape(self.cells, block, self.cells, block).mean(axis=(1, 3))
        return np.concatenate(dates, axis=1), cells + np.float32(self.eps)

    def _recoloured(self, images: np.ndarray, results: dict) -> list[np.ndarray]:
        """Change the colours of all dates alike and part them."""
        view = {**results, 'img': images}
        for step in self.colour:
            view = step(view)
        return np.split(view['img'], images.shape[1] // self.size, axis=1)

    def __repr__(self) -> str:
        return f'EventCrops(size={self.size}, scale={self.scale}, colour={self.colour})'


def view_matrix(
    centre: Sequence[float], zoom: float, angle: float, mirrored: bool, size: int
) -> np.ndarray:
    """Return the (2, 3) matrix from pixels of a view to pixels of the image, both (x, y).

    Args:
        centre: Of the view in the image; whole numbers are centres of pixels.
        zoom: Pixels of the image in one of the view.
        angle: Degrees.
        mirrored: Left is right.
        size: Side of the view.
    """
    turn = np.deg2rad(angle)
    axes = zoom * np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    if mirrored:
        axes[:, 0] *= -1
    middle = (size - 1) / 2
    return np.column_stack([axes, np.asarray(centre) - axes @ (middle, middle)])


def _warped(image: np.ndarray, matrix: np.ndarray, size: int, shrink: int) -> np.ndarray:
    """Cut a view of an image (H, W, C), which is averaged by ``shrink`` before."""
    if shrink > 1:
        small = (max(1, image.shape[1] // shrink), max(1, image.shape[0] // shrink))
        scale = np.array([small[0] / image.shape[1], small[1] / image.shape[0]])
        matrix = matrix * scale[:, None]
        matrix[:, 2] += (scale - 1) / 2
    planes = []
    for start in range(0, image.shape[2], 4):  # OpenCV turns four bands at most
        part = np.ascontiguousarray(image[..., start : start + 4])
        if shrink > 1:
            part = cv2.resize(part, small, interpolation=cv2.INTER_AREA)
        warped = cv2.warpAffine(
            part,
            matrix,
            (size, size),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REFLECT,
        )
        planes.append(warped.reshape(size, size, -1))
    return planes[0] if len(planes) == 1 else np.concatenate(planes, axis=2)
