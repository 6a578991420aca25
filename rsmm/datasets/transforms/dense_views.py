"""Two views of the same ground, and the matrix from one to the other."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from mmcv.transforms import BaseTransform

from rsmm.datasets.transforms.event_crops import view_matrix
from rsmm.errors import ConfigError, DataError
from rsmm.registry import TRANSFORMS

CROPS = ('inside', 'reference')


@TRANSFORMS.register_module()
class DenseViews(BaseTransform):
    """A turned and enlarged view of an image, and the image; each recoloured by itself.

    Both are mirrored alike. The first view is a square of a side in ``sides`` about a random place,
    turned by whole degrees and enlarged to the size of the image; the second is the image itself.
    Source: Mall et al., "Change Event Dataset for Discovery from Spatio-temporal Remote Sensing
    Imagery" (NeurIPS 2022), dense features; there colours change once a batch, here once an image.

    Required Keys: img (H, W, D, C) with H = W, of two dates or of one

    Modified Keys: img: list of two images (H, W, C); of two dates the second view shows the second

    Added Keys: view_matrix (np.ndarray): (2, 3) float32, from places (x, y) of the first view to
    those of the second, -1 and 1 being the edges

    Args:
        sides: Shares of the image's side that the first view spans, smallest and largest.
        colour: Configs of transforms of ``img`` that move no pixel.
        crop: ``'inside'`` keeps the first view within the image; ``'reference'`` places it as
            published, where it may reach beyond, and 0 stands there.

    Raises:
        ConfigError: Shares that do not fit.
        DataError: The image is not square.
    """

    def __init__(
        self,
        sides: tuple[float, float] = (150 / 256, 179 / 256),
        colour: Sequence[dict] = (),
        crop: str = 'inside',
    ) -> None:
        limit = 1 / np.sqrt(2)  # the largest square that fits however it is turned
        if not 0 < sides[0] <= sides[1] <= limit or crop not in CROPS:
            raise ConfigError(
                f'sides={tuple(sides)}, crop={crop!r}',
                where="type='DenseViews'",
                fix=f'sides: 0 < smallest <= largest <= {limit:.4f}; crop: {" or ".join(CROPS)}',
            )
        self.sides, self.crop = tuple(sides), crop
        self.colour = [TRANSFORMS.build(step) for step in colour]

    def transform(self, results: dict) -> dict:
        """Draw both views."""
        dates = results['img']
        height, width = dates.shape[:2]
        if height != width:
            raise DataError(
                f'{height}x{width} pixels are no square',
                where=results.get('img_path'),
                fix='Set window in LoadEventPair',
            )
        if np.random.rand() < 0.5:
            dates = dates[:, ::-1]
        matrix = self._matrix(height)
        views = [_turned(dates[:, :, 0], matrix), np.ascontiguousarray(dates[:, :, -1])]
        results['img'] = [self._recoloured(view, results) for view in views]
        results['view_matrix'] = edge_matrix(matrix, height)
        return results

    def _matrix(self, size: int) -> np.ndarray:
        """Draw the matrix from pixels of the first view to pixels of the image."""
        side = size * np.random.uniform(self.sides[0], self.sides[1])
        middle, angle = (size - 1) / 2, np.random.randint(360)
        if self.crop == 'inside':
            # In any direction the corners stay within the circle that every turn leaves covered.
            reach = size / 2 - side / np.sqrt(2)
            offset = np.random.uniform(-reach, reach, 2) / np.sqrt(2)
        else:
            low, high = 38 * size / 256, side - 112 * size / 256
            offset = np.random.uniform(low, max(low, high), 2) + side / 2 - size / 2
        turned = view_matrix((0, 0), 1, angle, False, 1)[:, :2] @ offset
        return view_matrix(middle + turned, side / size, angle, False, size)

    def _recoloured(self, image: np.ndarray, results: dict) -> np.ndarray:
        view = {**results, 'img': image}
        for step in self.colour:
            view = step(view)
        return view['img']

    def __repr__(self) -> str:
        return f'DenseViews(sides={self.sides}, colour={self.colour}, crop={self.crop!r})'


def edge_matrix(matrix: np.ndarray, size: int) -> np.ndarray:
    """Turn a matrix between pixels of two images of one size into one between -1..1, (2, 3)."""
    axes = matrix[:, :2]
    middle = np.full(2, (size - 1) / 2)
    shift = (axes @ middle + matrix[:, 2] - middle) * 2 / size
    return np.column_stack([axes, shift]).astype(np.float32)


def _turned(image: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    size = image.shape[1::-1]
    planes = [
        cv2.warpAffine(
            np.ascontiguousarray(image[..., start : start + 4]),  # OpenCV turns four bands at most
            matrix,
            size,
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        ).reshape(*image.shape[:2], -1)
        for start in range(0, image.shape[2], 4)
    ]
    return np.concatenate(planes, axis=2)
