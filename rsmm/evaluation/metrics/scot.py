"""Metrics of building footprints for ``tools/test.py``."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
import shapely
import torch
from mmengine.evaluator import BaseMetric

from rsmm.datasets.transforms.footprints import NO_IDENTITY
from rsmm.errors import ConfigError, DataError
from rsmm.evaluation.functional.change_tracking import scot
from rsmm.evaluation.functional.footprints import f1_score, footprint_counts, pixel_counts
from rsmm.geo.collapse import logits_to_polygons
from rsmm.geo.cubes import make_cube
from rsmm.geo.polygons import mask_to_polygons
from rsmm.geo.tracking import track_footprints
from rsmm.models.losses.functional.footprint import check_terms, footprint_loss
from rsmm.registry import METRICS


@METRICS.register_module()
class FootprintMetric(BaseMetric):
    """Loss, pixel scores and, on request, instance scores of footprint maps.

    Reports ``footprint/loss`` (mean over images), ``footprint/iou`` and ``footprint/f1`` of the
    first channel's pixels pooled over all images, and ``footprint/instance_f1``.

    Args:
        loss: Weighted terms of :func:`~rsmm.models.losses.functional.footprint.footprint_loss`,
            summed on the first channel.
        instances: Match polygons too; needs ``PackFootprints(footprints=True)``.
        min_iou: Of an instance match (>).
        threshold, min_area, watershed: See :func:`rsmm.geo.logits_to_polygons`.
        collect_device: As mmengine's.
    """

    default_prefix = 'footprint'

    def __init__(
        self,
        loss: dict | None = None,
        instances: bool = False,
        min_iou: float = 0.5,
        threshold: float = 0.0,
        min_area: float = 3.5,
        watershed: Sequence[float] | None = None,
        collect_device: str = 'cpu',
    ) -> None:
        super().__init__(collect_device=collect_device)
        self.loss = loss or {'bce': 10.0, 'jaccard': 2.5}
        check_terms(self.loss)
        self.instances = instances
        self.min_iou = min_iou
        self.instances_from: dict[str, Any] = {
            'threshold': threshold,
            'min_area': min_area,
            'watershed': watershed,
        }

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Count one image at a time."""
        for sample in data_samples:
            logits = sample['seg_logits']['data'].float().cpu()
            body, target = logits[:1], sample['gt_sem_seg']['data'][:1].cpu()
            terms = footprint_loss(body[None], target[None], self.loss)
            entry = {
                'loss': float(torch.stack(list(terms.values())).sum()),
                'pixels': pixel_counts((body[0] > 0).numpy(), target[0].numpy()),
            }
            if self.instances:
                polygons = logits_to_polygons(
                    logits.permute(1, 2, 0).numpy(), **self.instances_from
                )
                truth = _truth(sample)[0]
                entry['instances'] = footprint_counts(truth, polygons, self.min_iou)
            self.results.append(entry)

    def compute_metrics(self, results: list[dict]) -> dict[str, float]:
        """Pool the counts."""
        tp, fp, fn = np.sum([entry['pixels'] for entry in results], axis=0).tolist()
        union = tp + fp + fn
        metrics = {
            'loss': float(np.mean([entry['loss'] for entry in results])),
            'iou': tp / union if union else math.nan,
            'f1': f1_score(tp, fp, fn),
        }
        if self.instances:
            counts = np.sum([entry['instances'] for entry in results], axis=0).tolist()
            metrics['instance_f1'] = f1_score(*counts)
        return metrics


@METRICS.register_module()
class SCOTMetric(BaseMetric):
    """SCOT of a test run: masks to polygons, polygons to tracks, tracks against the truth.

    Needs samples with ``aoi`` and ``month`` and ``PackFootprints(footprints=True)``. Pixels without
    data predict nothing. Reports ``scot/score`` (0..1; the leaderboard shows 100 times that),
    the mean tracking and change terms, and MOTA.

    Args:
        threshold: Of the logits.
        min_area: Smallest predicted polygon, square pixels.
        track: Settings of :func:`rsmm.geo.track_footprints`.
        collect_device: As mmengine's.
    """

    default_prefix = 'scot'

    def __init__(
        self,
        threshold: float = 0.0,
        min_area: float = 3.5,
        track: dict | None = None,
        collect_device: str = 'cpu',
    ) -> None:
        super().__init__(collect_device=collect_device)
        self.threshold = threshold
        self.min_area = min_area
        self.track = dict(track or {})

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Keep polygons, as bytes so that they travel between processes cheaply."""
        for sample in data_samples:
            logits = sample['seg_logits']['data'][0].float().cpu().numpy()
            if 'valid' in sample:
                logits = np.where(sample['valid'], logits, -np.inf)
            polygons = mask_to_polygons(logits, self.threshold, self.min_area)
            shapes, ids = _truth(sample)
            if (ids == NO_IDENTITY).any():
                raise DataError(
                    'footprints without identities cannot be tracked',
                    where=f'{sample["aoi"]} {sample["month"]}',
                    fix="Set labels='labels_match' or 'labels_match_pix' in the test dataset",
                )
            self.results.append(
                {
                    'aoi': sample['aoi'],
                    'month': sample['month'],
                    'polygons': shapely.to_wkb(polygons).tolist() if polygons else [],
                    'truth': shapely.to_wkb(shapes).tolist(),
                    'ids': ids.tolist(),
                }
            )

    def compute_metrics(self, results: list[dict]) -> dict[str, float]:
        """Track and score each AOI."""
        frames: dict[str, dict[str, dict]] = defaultdict(dict)
        for entry in results:
            frames[entry['aoi']][entry['month']] = entry
        truth, proposals = {}, {}
        for aoi, by_month in frames.items():
            months = sorted(by_month)
            polygons = [list(shapely.from_wkb(by_month[m]['polygons'])) for m in months]
            proposals[aoi] = make_cube(months, polygons, track_footprints(polygons, **self.track))
            truth[aoi] = {
                m: list(zip(e['ids'], shapely.from_wkb(e['truth']), strict=True))
                for m, e in by_month.items()
            }
        result = scot(truth, proposals)
        areas = list(result['per_aoi'].values())
        return {
            'score': result['score'],
            'track': float(np.mean([area['track_score'] for area in areas])) if areas else 0.0,
            'change': float(np.mean([area['change_score'] for area in areas])) if areas else 0.0,
            'mota': result['mota'],
        }


def _truth(sample: dict) -> tuple[np.ndarray, np.ndarray]:
    if 'footprints' not in sample:
        raise ConfigError(
            'the samples hold no footprints',
            where='test_evaluator',
            fix="Set dict(type='PackFootprints', footprints=True) in the test pipeline",
        )
    return sample['footprints'], sample['footprint_ids']
