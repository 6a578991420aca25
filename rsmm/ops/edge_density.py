"""Object proposals from edges: what outlines enclose.

Candidates are the boxes of connected edges at several contrasts, with gaps closed. They are ranked
after the edge density of Alexe et al., "Measuring the objectness of image windows", PAMI 2012: many
edges just inside the border and, unlike there, few just outside.
"""

from __future__ import annotations

import cv2
import numpy as np

from rsmm.errors import ConfigError, DataError

#: Width in pixels of the zones on either side of the border.
ZONE = 3
#: Upper thresholds of the edge detector in grey levels, and widths of gaps that are closed.
CONTRASTS, GAPS = (30, 60, 120, 200), (1, 3, 5, 9)


def edge_density(edges: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Edge pixels in the zone inside each box's border less those outside, per pixel of border.

    Args:
        edges: ``(H, W)``, 1 where there is an edge.
        boxes: ``(N, 4)`` whole pixels, x1, y1, x2, y2 inside the image, corners exclusive.

    Returns:
        ``(N,)`` float64. Dividing by a length rather than an area keeps small boxes from winning.
    """
    total = cv2.integral(edges.astype(np.float64))
    boxes = np.asarray(boxes, np.int64).reshape(-1, 4)
    sides = boxes[:, 2:] - boxes[:, :2]
    width = np.minimum(ZONE, sides // 2)
    inner = np.concatenate([boxes[:, :2] + width, boxes[:, 2:] - width], axis=1)
    outer = np.concatenate([boxes[:, :2] - ZONE, boxes[:, 2:] + ZONE], axis=1)
    outer = np.clip(outer, 0, edges.shape[::-1] * 2)
    around, within, middle = (_sums(total, part) for part in (outer, boxes, inner))
    return (2 * within - middle - around) / (2 * sides.sum(axis=1))


def _sums(total: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    x1, y1, x2, y2 = boxes.T
    return total[y2, x2] - total[y1, x2] - total[y2, x1] + total[y1, x1]


def edge_proposals(
    image: np.ndarray,
    count: int = 30,
    rng: np.random.Generator | int | None = None,
    *,
    min_side: float = 8.0,
    max_area: float = 0.95,
    overlap: float = 0.8,
) -> np.ndarray:
    """Propose the boxes of connected edges, the best outlined ones first.

    Args:
        image: ``(H, W, 3)`` RGB or ``(H, W)``, uint8.
        count: Boxes returned at most.
        rng: Generator, seed, or None: scores are halved at random, so that the order differs
            between epochs as it does in selective search.
        min_side: Least side in pixels.
        max_area: Largest share of the image.
        overlap: Boxes that overlap a better one by more (IoU) are dropped.

    Returns:
        Boxes ``(N, 4)`` float32 in pixels, best first; none where the image has no edge.

    Raises:
        DataError: Not an 8-bit image.
        ConfigError: A negative count.
    """
    import torch
    from torchvision.ops import nms

    if image.dtype != np.uint8 or image.ndim not in (2, 3) or 0 in image.shape:
        raise DataError(
            f'expected an 8-bit image, found {image.shape} {image.dtype}', where='edge_proposals'
        )
    if count < 0:
        raise ConfigError(f'count={count} is negative', where='edge_proposals')
    grey = image if image.ndim == 2 else image[..., :3].mean(axis=2).astype(np.uint8)
    grey = cv2.GaussianBlur(grey, (5, 5), 0)
    parts = [_outlined(cv2.Canny(grey, contrast / 3, contrast) > 0) for contrast in CONTRASTS]
    boxes, scores = (np.concatenate(column) for column in zip(*parts, strict=True))
    sides = boxes[:, 2:] - boxes[:, :2]
    kept = (sides.min(axis=1) >= min_side) & (sides.prod(axis=1) <= max_area * grey.size)
    boxes, scores = boxes[kept], scores[kept]
    scores = scores - scores.min(initial=0)
    scores *= np.random.default_rng(rng).uniform(0.5, 1, len(scores))
    left = torch.from_numpy(boxes).float()
    return left[nms(left, torch.from_numpy(scores).float(), overlap)[:count]].numpy()


def _outlined(edges: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Boxes ``(N, 4)`` of connected edges at every width of gap, and their edge densities."""
    found = []
    for gap in GAPS:
        kernel = np.ones((gap, gap), np.uint8)
        closed = cv2.morphologyEx(edges.astype(np.uint8), cv2.MORPH_CLOSE, kernel)
        stats = cv2.connectedComponentsWithStats(closed)[2][1:, :4].astype(np.int64)
        found.append(np.concatenate([stats[:, :2], stats[:, :2] + stats[:, 2:]], axis=1))
    boxes = np.concatenate(found)
    return boxes, edge_density(edges, boxes)
