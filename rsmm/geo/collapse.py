"""Instances from scores by watershed, and the temporal collapse of a stack of probabilities.

Source: the ablation and description of the first-ranked SpaceNet 7 solution (lxastro0, 2020).
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from scipy import ndimage

from rsmm.errors import DataError
from rsmm.geo.polygons import label_components, mask_to_polygons, regions_to_polygons


def watershed_instances(
    score: np.ndarray, seed: float, region: float, window: int | None = None
) -> np.ndarray:
    """Split a score map into instances that grow from its peaks.

    Args:
        score: (H, W) float, high on buildings.
        seed: Connected pixels above it are one seed each.
        region: Pixels above it belong to some instance.
        window: Side in pixels; local maxima of the score within such a square inside the region
            are seeds too. None for none.

    Returns:
        (H, W) int32 labels, 0 outside. Parts of the region without a seed stay 0.
    """
    from skimage.segmentation import watershed

    inside = score > region
    seeds = score > seed
    if window is not None:
        seeds |= (ndimage.maximum_filter(score, window) == score) & inside
    markers, count = label_components(seeds)
    if not count:
        return np.zeros(score.shape, np.int32)
    return watershed(-score, markers, mask=inside | seeds).astype(np.int32)


def separate_body(
    body: np.ndarray, edge: np.ndarray | None = None, contact: np.ndarray | None = None
) -> np.ndarray:
    """Combine three channels of probabilities into one score: body (1 - edge / 2) (1 - contact).

    Args:
        body, edge, contact: (H, W) float in [0, 1].
    """
    score = np.array(body, float)
    if edge is not None:
        score *= 1 - 0.5 * edge
    if contact is not None:
        score *= 1 - contact
    return score


def sigmoid(logits: np.ndarray) -> np.ndarray:
    """Return probabilities; minus infinity (no data) gives 0."""
    with np.errstate(over='ignore'):
        return 1 / (1 + np.exp(-logits))


def logits_to_score(logits: np.ndarray) -> np.ndarray:
    """Turn logits (H, W, K) of body and, if there are more, edge and contact into one score."""
    return separate_body(*(sigmoid(logits[..., k]) for k in range(logits.shape[-1])))


def logits_to_polygons(
    logits: np.ndarray,
    threshold: float = 0.0,
    min_area: float = 3.5,
    simplify: float | None = None,
    watershed: Sequence[float] | None = None,
) -> list[shapely.Geometry]:
    """Turn the channels of a network into footprints.

    Args:
        logits: (H, W, K), K = 1 (body) to 3 (body, edge, contact).
        threshold: Of the body's logits (>); not used with ``watershed``.
        min_area: Smallest footprint kept, in square pixels (>=).
        simplify: Tolerance of the outlines in pixels, None for exact.
        watershed: ``(seed, region)`` probabilities of the combined score, see
            :func:`watershed_instances`: separates buildings that touch in the mask. None takes
            the 4-connected components of the body alone, as the baseline does.
    """
    if watershed is None:
        return mask_to_polygons(logits[..., 0], threshold, min_area, simplify=simplify)
    seed, region = watershed
    labels = watershed_instances(logits_to_score(logits), seed, region)
    return list(regions_to_polygons(labels, min_area, simplify).values())


@dataclass(frozen=True)
class CollapseRule:
    """Thresholds of the temporal collapse; probabilities unless said otherwise.

    Attributes:
        floor: Monthly probabilities below it do not enter the mean.
        seed: Seeds of instances in the mean.
        changed_region, static_region: Extent of instances among which changed and static
            buildings are sought.
        window: Side of the square for local maxima, in pixels at three times the resolution.
        min_area: Smallest instance, in pixels at three times the resolution.
        jump: Rise of an instance's monthly mean that makes it a new building.
        onset: The building stands from the first month above this share of its largest mean.
        onset_first: In the first month a mean above this suffices.
        static: Mean over the months that keeps an instance without a jump.
    """

    floor: float = 0.1
    seed: float = 0.6
    changed_region: float = 0.4
    static_region: float = 0.35
    window: float = 11
    min_area: float = 25.5
    jump: float = 0.5
    onset: float = 0.45
    onset_first: float = 0.3
    static: float = 0.4


def temporal_collapse(
    probabilities: np.ndarray,
    valid: np.ndarray | None = None,
    rule: CollapseRule | None = None,
    scale: float = 1.0,
) -> list[list[tuple[int, shapely.Geometry]]]:
    """Find buildings once in the mean over all months, then the month in which each appears.

    Every building keeps one shape and one id; none is demolished; months in which most of it is
    masked have no row of it.

    Args:
        probabilities: (T, H, W) of building, months in order.
        valid: (T, H, W) bool, False where the image has no data.
        rule: Thresholds.
        scale: Pixels of the probabilities per pixel of the output along one side, e.g. 3.

    Returns:
        Per month ``(id, polygon)``; ids are 0, 1, ..., polygons in output pixels.

    Raises:
        DataError: Not a stack, or masks of another shape.
    """
    rule = rule or CollapseRule()
    p = np.asarray(probabilities, np.float32)
    if p.ndim != 3 or not p.size or (valid is not None and valid.shape != p.shape):
        shapes = p.shape if valid is None else (p.shape, valid.shape)
        raise DataError(f'expected probabilities and masks of shape (T, H, W), found {shapes}')
    valid = np.ones(p.shape, bool) if valid is None else valid
    mean = _masked_mean(p, valid & (p >= rule.floor))
    window = max(3, 2 * round(rule.window * scale / 6) + 1)
    min_area = rule.min_area * (scale / 3) ** 2
    changed = _instances(mean, rule.seed, rule.changed_region, window, min_area, p, valid)
    static = _instances(mean, rule.seed, rule.static_region, window, min_area, p, valid)
    onset = _onsets(changed.series, rule)
    is_new = _largest_jump(changed.series) > rule.jump
    buildings = [(changed, k, onset[k]) for k in np.flatnonzero(is_new)]
    covered = np.isin(changed.labels, 1 + np.flatnonzero(is_new))
    touched = set(np.unique(static.labels[covered]).tolist())
    lasting = np.flatnonzero(_mean_over_months(static.series) > rule.static)
    buildings += [(static, k, 0) for k in lasting if k + 1 not in touched]
    return _rows(buildings, len(p), scale)


@dataclass(frozen=True)
class _Instances:
    labels: np.ndarray  # (H, W), 1..N
    series: np.ndarray  # (T, N) mean probability per month, NaN where masked

    @functools.cached_property
    def polygons(self) -> dict[int, shapely.Geometry]:
        return regions_to_polygons(self.labels)


def _instances(
    mean: np.ndarray,
    seed: float,
    region: float,
    window: int | None,
    min_area: float,
    p: np.ndarray,
    valid: np.ndarray,
) -> _Instances:
    labels = watershed_instances(mean, seed, region, window)
    sizes = np.bincount(labels.ravel())
    names = np.flatnonzero(sizes >= max(min_area, 1))
    names = names[names > 0]
    number = np.zeros(len(sizes), np.int32)
    number[names] = np.arange(1, len(names) + 1)
    labels = number[labels]
    index = np.arange(1, len(names) + 1)
    series = np.full((len(p), len(names)), np.nan)
    for month, (frame, good) in enumerate(zip(p, valid, strict=True)):
        if len(names) and good.any():
            seen = np.asarray(ndimage.mean(good, labels, index))
            total = np.asarray(ndimage.sum(frame * good, labels, index))
            pixels = np.maximum(seen * sizes[names], 1)
            series[month] = np.where(seen >= 0.5, total / pixels, np.nan)
    return _Instances(labels, series)


def _masked_mean(p: np.ndarray, use: np.ndarray) -> np.ndarray:
    count = use.sum(axis=0)
    total = np.where(use, p, 0).sum(axis=0)
    return np.divide(total, count, out=np.zeros(total.shape, total.dtype), where=count > 0)


def _mean_over_months(series: np.ndarray) -> np.ndarray:
    good = np.isfinite(series)
    return np.where(good, series, 0).sum(axis=0) / np.maximum(good.sum(axis=0), 1)


def _largest_jump(series: np.ndarray) -> np.ndarray:
    """Largest difference between the means after and up to a month, (N,)."""
    good = np.isfinite(series)
    total, count = np.where(good, series, 0).cumsum(axis=0), good.cumsum(axis=0)
    before, seen = total[:-1], count[:-1]
    after, later = total[-1] - before, count[-1] - seen
    jump = after / np.maximum(later, 1) - before / np.maximum(seen, 1)
    return np.where((seen > 0) & (later > 0), jump, -np.inf).max(axis=0, initial=-np.inf)


def _onsets(series: np.ndarray, rule: CollapseRule) -> np.ndarray:
    """First month in which each instance stands, (N,)."""
    values = np.where(np.isfinite(series), series, -np.inf)
    standing = values > rule.onset * values.max(axis=0)
    standing[0] |= values[0] > rule.onset_first
    return standing.argmax(axis=0)


def _rows(
    buildings: Sequence, months: int, scale: float
) -> list[list[tuple[int, shapely.Geometry]]]:
    frames: list[list] = [[] for _ in range(months)]
    for name, (instances, k, first) in enumerate(buildings):
        shape = instances.polygons[k + 1]
        if scale != 1:
            shape = shapely.transform(shape, lambda points: points / scale)
        for month in range(first, months):
            if np.isfinite(instances.series[month, k]):
                frames[month].append((name, shape))
    return frames
