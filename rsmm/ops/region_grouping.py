"""Regions of a segmentation, how alike they are, and merging them greedily (Uijlings et al., 2013).

Similarities of regions a and b in an image of N pixels, each in [0, 1]:

- colour and texture: intersection of the normalised histograms;
- size: ``1 - (|a| + |b|) / N``, so that small regions merge first;
- fill: ``1 - (|box of both| - |a| - |b|) / N``, so that holes are filled first.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d

COLOUR_BINS, TEXTURE_BINS = 25, 10


@dataclass(frozen=True)
class RegionFeatures:
    """What the similarities need to know of R regions.

    Attributes:
        sizes: Pixels ``(R,)``.
        boxes: x1, y1, x2, y2 with exclusive corners ``(R, 4)``.
        colour: Histograms ``(R, 25 * channels)``, rows sum to 1.
        texture: Histograms ``(R, 80 * channels)``, rows sum to 1.
        neighbours: Pairs of touching regions ``(P, 2)``, lower label first.
        area: Pixels of the image.
    """

    sizes: np.ndarray
    boxes: np.ndarray
    colour: np.ndarray
    texture: np.ndarray
    neighbours: np.ndarray
    area: int

    @classmethod
    def of(cls, pixels: np.ndarray, labels: np.ndarray) -> RegionFeatures:
        """Describe the regions of ``labels`` (H, W, from 0 without gaps) on ``pixels`` (uint8)."""
        count = int(labels.max()) + 1
        return cls(
            sizes=np.bincount(labels.ravel(), minlength=count).astype(float),
            boxes=_bounding_boxes(labels, count),
            colour=_histograms(pixels, labels, count, COLOUR_BINS),
            texture=_histograms(gradient_maps(pixels), labels, count, TEXTURE_BINS),
            neighbours=_neighbours(labels, count),
            area=labels.size,
        )


def _bounding_boxes(labels: np.ndarray, count: int) -> np.ndarray:
    height, width = labels.shape
    rows, columns = np.divmod(np.arange(labels.size), width)
    flat = labels.ravel()
    boxes = np.empty((count, 4))
    boxes[:, :2] = (width, height)
    boxes[:, 2:] = 0
    np.minimum.at(boxes[:, 0], flat, columns)
    np.minimum.at(boxes[:, 1], flat, rows)
    np.maximum.at(boxes[:, 2], flat, columns + 1)
    np.maximum.at(boxes[:, 3], flat, rows + 1)
    return boxes


def _histograms(maps: np.ndarray, labels: np.ndarray, count: int, bins: int) -> np.ndarray:
    """Histogram of every channel of uint8 maps (H, W, C) per region, side by side, sum 1."""
    channels = maps.shape[2]
    place = labels[..., None] * channels + np.arange(channels)
    place = place * bins + maps.astype(np.int64) * bins // 256
    counts = np.bincount(place.ravel(), minlength=count * channels * bins)
    counts = counts.reshape(count, channels * bins).astype(float)
    return counts / counts.sum(axis=1, keepdims=True)


def gradient_maps(pixels: np.ndarray) -> np.ndarray:
    """Eight gradient images per channel, each stretched to 0..255 uint8 ``(H, W, 8 * C)``.

    Gaussian derivatives along 0, 45, 90 and 135 degrees, positive and negative part apart.
    """
    image = pixels.astype(np.float32)
    along_x = gaussian_filter1d(image, 1.0, axis=1, order=1)
    along_y = gaussian_filter1d(image, 1.0, axis=0, order=1)
    diagonals = ((along_x + along_y) * np.float32(0.5**0.5), (along_y - along_x) * 0.5**0.5)
    signed = np.concatenate([along_x, along_y, *diagonals], axis=2)
    maps = np.concatenate([np.maximum(signed, 0), np.maximum(-signed, 0)], axis=2)
    peak = maps.max(axis=(0, 1))
    return (maps * (255 / np.where(peak > 0, peak, 1))).astype(np.uint8)


def _neighbours(labels: np.ndarray, count: int) -> np.ndarray:
    """Pairs of labels that touch, diagonally included."""
    cuts = (
        (labels[:, :-1], labels[:, 1:]),
        (labels[:-1], labels[1:]),
        (labels[:-1, :-1], labels[1:, 1:]),
        (labels[:-1, 1:], labels[1:, :-1]),
    )
    codes = []
    for first, second in cuts:
        low, high = np.minimum(first, second), np.maximum(first, second)
        codes.append((low * count + high)[low != high])
    return np.stack(np.divmod(np.unique(np.concatenate(codes)), count), axis=1)


class _Regions:
    """Growing arrays of the regions of one hierarchy: the initial ones, then each merger."""

    def __init__(self, features: RegionFeatures, strategy: Sequence[str]) -> None:
        self.count = len(features.sizes)
        room = 2 * self.count - 1
        self.area = features.area
        self.strategy = tuple(strategy)
        self.sizes = np.zeros(room)
        self.boxes = np.zeros((room, 4))
        self.levels = np.ones(room, np.int64)
        self.histograms = {
            name: np.zeros((room, getattr(features, name).shape[1]))
            for name in ('colour', 'texture')
            if name in strategy
        }
        self.sizes[: self.count] = features.sizes
        self.boxes[: self.count] = features.boxes
        for name, values in self.histograms.items():
            values[: self.count] = getattr(features, name)

    def similarity(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """Mean of the strategy's similarities for pairs of regions ``(P,)``."""
        both = self.sizes[first] + self.sizes[second]
        total = np.zeros(len(both))
        for values in self.histograms.values():
            total += np.minimum(values[first], values[second]).sum(axis=-1)
        if 'size' in self.strategy:
            total += np.clip(1 - both / self.area, 0, 1)
        if 'fill' in self.strategy:
            low = np.minimum(self.boxes[first, :2], self.boxes[second, :2])
            high = np.maximum(self.boxes[first, 2:], self.boxes[second, 2:])
            hull = (high - low).prod(axis=-1)
            total += np.clip(1 - (hull - both) / self.area, 0, 1)
        return total / len(self.strategy)

    def merge(self, first: int, second: int) -> int:
        """Append the union of two regions and return its number."""
        new = self.count
        self.count += 1
        parts = [first, second]
        weights = self.sizes[parts]
        self.sizes[new] = weights.sum()
        self.boxes[new, :2] = self.boxes[parts, :2].min(axis=0)
        self.boxes[new, 2:] = self.boxes[parts, 2:].max(axis=0)
        self.levels[new] = self.levels[parts].max() + 1
        for values in self.histograms.values():
            values[new] = weights @ values[parts] / weights.sum()
        return new


def group_regions(
    features: RegionFeatures, strategy: Sequence[str]
) -> tuple[np.ndarray, np.ndarray]:
    """Merge the most alike neighbours again and again until one region is left.

    Args:
        features: Initial regions.
        strategy: Similarities to average: ``'colour'``, ``'texture'``, ``'size'``, ``'fill'``.

    Returns:
        Boxes ``(2 R - 1, 4)`` and levels ``(2 R - 1,)`` of all regions, the initial ones first.
    """
    regions = _Regions(features, strategy)
    pairs = features.neighbours.tolist()
    touching: list[set[int]] = [set() for _ in range(regions.count)]
    for first, second in pairs:
        touching[first].add(second)
        touching[second].add(first)
    alike = regions.similarity(*features.neighbours.T)
    queue = [
        (-value, *pair)
        for value, pair in zip(alike.tolist(), features.neighbours.tolist(), strict=True)
    ]
    heapq.heapify(queue)
    gone: set[int] = set()
    while queue:
        _, first, second = heapq.heappop(queue)
        if first in gone or second in gone:
            continue
        new = regions.merge(first, second)
        gone |= {first, second}
        around = (touching[first] | touching[second]) - gone
        touching.append(around)
        if around:
            others = np.fromiter(around, np.int64, len(around))
            for other in around:
                touching[other].add(new)
            values = regions.similarity(np.full(len(others), new), others)
            for value, other in zip(values.tolist(), others.tolist(), strict=True):
                heapq.heappush(queue, (-value, other, new))
    return regions.boxes[: regions.count], regions.levels[: regions.count]
