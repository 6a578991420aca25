"""Selective search: object proposals by grouping alike neighbouring regions.

Uijlings et al., "Selective search for object recognition", IJCV 2013, in the settings that OpenCV's
contributed module calls fast. That module is not part of the usual OpenCV wheels. Unlike
DETReg's use of it, colour spaces are computed from true RGB.

Finding the regions is slow and the same every time; ranking them is fast and random, and training
gains from a fresh ranking each epoch. So the two are separate: :func:`region_hierarchy` can be
cached, :func:`rank_regions` is drawn anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from rsmm.errors import ConfigError, DataError
from rsmm.ops.region_grouping import RegionFeatures, group_regions

#: Side of the square to which images are resized as published; aspect is lost and restored.
SIDE = 128
SIGMA, MIN_SIZE = 0.8, 100
#: Similarities that are averaged.
_ALL = ('colour', 'fill', 'texture', 'size')
_NO_COLOUR = ('fill', 'texture', 'size')


@dataclass(frozen=True)
class SearchMode:
    """Colour spaces, graph thresholds and strategies whose combinations give the hierarchies."""

    spaces: tuple[str, ...]
    thresholds: tuple[float, ...]
    strategies: tuple[tuple[str, ...], ...]


MODES: dict[str, SearchMode] = {
    'single': SearchMode(('hsv',), (150,), (_ALL,)),
    'fast': SearchMode(('hsv', 'lab'), (150, 300, 450), (_ALL, _NO_COLOUR)),
}


@dataclass(frozen=True)
class RegionHierarchy:
    """All regions of all hierarchies of one image.

    Attributes:
        boxes: ``(R, 4)`` uint16 x1, y1, x2, y2 on the resized square, corners exclusive.
        levels: ``(R,)`` int16, 1 for the initial regions, higher for merged ones.
        shape: (H, W) of the image.
        side: Side of the square in pixels.
    """

    boxes: np.ndarray
    levels: np.ndarray
    shape: tuple[int, int]
    side: int


def selective_search(
    image: np.ndarray,
    mode: str = 'fast',
    rng: np.random.Generator | int | None = None,
    *,
    side: int = SIDE,
    min_side: float = 0.0,
    max_area: float = 1.0,
) -> np.ndarray:
    """Propose boxes that may hold an object, in a random order that favours small regions.

    Args:
        image: ``(H, W, 3)`` RGB or ``(H, W)``, uint8; other types are stretched to it.
        mode: ``'fast'`` (12 hierarchies) or ``'single'`` (one).
        rng: Generator, seed, or None for another order each time.
        side: See :func:`region_hierarchy`.
        min_side: Drop boxes with a shorter side, in pixels.
        max_area: Drop boxes that cover a larger share of the image.

    Returns:
        Boxes ``(N, 4)`` float32, x1, y1, x2, y2 in pixels of the image, no two alike, best first.
        A constant image gives the full box only.

    Raises:
        DataError: Not an image.
        ConfigError: An unknown mode.
    """
    hierarchy = region_hierarchy(image, mode, side)
    return rank_regions(hierarchy, rng, min_side=min_side, max_area=max_area)


def region_hierarchy(image: np.ndarray, mode: str = 'fast', side: int = SIDE) -> RegionHierarchy:
    """Segment an image and merge alike neighbours until one region is left.

    Deterministic; errors as in :func:`selective_search`.

    Args:
        image: As there.
        mode: As there.
        side: The image is resized to this square. No region is smaller than 100 of its pixels, so
            objects of a few dozen pixels in a large scene need more than the published 128, at a
            cost that grows with the square.
    """
    if mode not in MODES:
        raise ConfigError(f'mode={mode!r} is not one of {", ".join(MODES)}', where='mode')
    setting = MODES[mode]
    if not 16 <= side <= 1024:
        raise ConfigError(f'side={side} is not in 16..1024', where='side')
    pixels = _as_rgb8(image)
    shape = pixels.shape[:2]
    small = cv2.resize(pixels, (side, side), interpolation=cv2.INTER_LINEAR)
    boxes, levels = [], []
    for space in setting.spaces:
        pixels = convert_colour(small, space)
        for threshold in setting.thresholds:
            features = RegionFeatures.of(pixels, segment(pixels, threshold))
            for strategy in setting.strategies:
                found = group_regions(features, strategy)
                boxes.append(found[0])
                levels.append(found[1])
    return RegionHierarchy(
        np.concatenate(boxes).astype(np.uint16),
        np.concatenate(levels).astype(np.int16),
        shape,
        side,
    )


def rank_regions(
    hierarchy: RegionHierarchy,
    rng: np.random.Generator | int | None = None,
    *,
    min_side: float = 0.0,
    max_area: float = 1.0,
    stratify: bool = False,
) -> np.ndarray:
    """Order the regions by a random number times their level and drop repeated boxes.

    Args:
        hierarchy: From :func:`region_hierarchy`.
        rng: Generator, seed, or None.
        min_side: In pixels of the image.
        max_area: Share of the image.
        stratify: Deal the ranked boxes out in turn from four classes of size, so that the first
            few are not nearly all small.

    Returns:
        Boxes ``(N, 4)`` float32 in pixels of the image.
    """
    rng = np.random.default_rng(rng)
    order = np.argsort(rng.random(len(hierarchy.levels)) * hierarchy.levels, kind='stable')
    ranked = hierarchy.boxes[order].astype(np.float32)
    _, first = np.unique(ranked, axis=0, return_index=True)
    ranked = ranked[np.sort(first)]
    height, width = hierarchy.shape
    boxes = ranked * np.array([width, height, width, height], np.float32) / hierarchy.side
    sides = boxes[:, 2:] - boxes[:, :2]
    share = sides.prod(axis=1) / (height * width)
    boxes = boxes[(sides.min(axis=1) >= min_side) & (share <= max_area)]
    return _dealt_by_size(boxes) if stratify else boxes


def _dealt_by_size(boxes: np.ndarray, classes: int = 4) -> np.ndarray:
    """Reorder so that each quartile of area has its turn; the order within each stays."""
    if len(boxes) < classes:
        return boxes
    area = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
    size_class = np.searchsorted(np.quantile(area, np.arange(1, classes) / classes), area)
    turn = np.zeros(len(boxes), np.int64)
    for index in range(classes):
        members = size_class == index
        turn[members] = np.arange(members.sum())
    return boxes[np.lexsort((size_class, turn))]


def segment(pixels: np.ndarray, threshold: float) -> np.ndarray:
    """Graph-based segmentation ``(H, W)`` with labels from 0 (Felzenszwalb, IJCV 2004).

    Args:
        pixels: ``(H, W, 3)`` uint8.
        threshold: Larger gives larger regions; in grey levels of 0..255 as in the original.
    """
    from skimage.segmentation import felzenszwalb

    # scikit-image divides the threshold by 255 for its images of range 0..1.
    return felzenszwalb(pixels, scale=threshold, sigma=SIGMA, min_size=MIN_SIZE, channel_axis=-1)


def convert_colour(image: np.ndarray, space: str) -> np.ndarray:
    """Convert RGB ``(H, W, 3)`` uint8 to ``'hsv'`` or ``'lab'``, all channels 0..255."""
    codes: dict[str, int] = {'hsv': cv2.COLOR_RGB2HSV_FULL, 'lab': cv2.COLOR_RGB2LAB}
    return cv2.cvtColor(image, codes[space])


def _as_rgb8(image: np.ndarray) -> np.ndarray:
    """Return ``(H, W, 3)`` uint8; other types are stretched from their 2nd to 98th percentile.

    Missing values (NaN, infinity) become black.
    """
    image = np.asarray(image)
    if image.ndim == 2:
        image = image[..., None]
    if image.ndim != 3 or image.shape[2] not in (1, 3) or 0 in image.shape:
        raise DataError(
            f'expected an image (H, W, 3) or (H, W), found {image.shape}',
            where='selective_search',
            fix='Select three bands first',
        )
    if image.dtype != np.uint8:
        image = image.astype(np.float32)
        known = np.isfinite(image)
        low, high = np.percentile(image[known], (2, 98)) if known.any() else (0.0, 0.0)
        scale = 255 / (high - low) if high > low else 0.0
        image = ((np.where(known, image, low) - low) * scale).clip(0, 255).astype(np.uint8)
    return np.ascontiguousarray(np.repeat(image, 3, axis=2) if image.shape[2] == 1 else image)


def recall(
    proposals: Sequence[np.ndarray],
    truths: Sequence[np.ndarray],
    count: int,
    iou_threshold: float = 0.5,
) -> float:
    """Share of true boxes that one of the first ``count`` proposals of their image overlaps.

    Args:
        proposals: Ranked boxes ``(N, 4)`` per image.
        truths: True boxes ``(M, 4)`` per image.
        count: Proposals looked at per image.
        iou_threshold: Least intersection over union.

    Returns:
        0 to 1, NaN without true boxes.
    """
    import torch
    from torchvision.ops import box_iou

    hits, total = 0, 0
    for boxes, truth in zip(proposals, truths, strict=True):
        total += len(truth)
        if len(truth) and len(boxes):
            overlaps = box_iou(torch.as_tensor(truth).float(), torch.as_tensor(boxes[:count]))
            hits += int((overlaps.max(dim=1).values >= iou_threshold).sum())
    return hits / total if total else float('nan')
