"""Registry metrics of footprints against the pure functions."""

import numpy as np
import pytest
import shapely
import torch

from rsmm.errors import ConfigError
from rsmm.evaluation.functional import footprint_counts, pixel_counts, scot
from rsmm.geo import footprint_mask, make_cube, mask_to_polygons, track_footprints
from rsmm.registry import METRICS

AOI = 'L15-0331E-1257N_1327_3160_13'
SHAPE = (24, 24)


def months():
    """Two buildings, a third from the second month on; the second one is missed in month 2."""
    boxes = [shapely.box(2, 2, 7, 7), shapely.box(12, 2, 17, 8), shapely.box(3, 14, 9, 19)]
    truth = {'2018_01': boxes[:2], '2018_02': boxes, '2018_03': boxes}
    shown = {'2018_01': boxes[:2], '2018_02': [boxes[0], boxes[2]], '2018_03': boxes}
    return truth, shown


def samples():
    truth, shown = months()
    made = []
    for month in sorted(truth, reverse=True):  # order of arrival must not matter
        mask = footprint_mask(shown[month], SHAPE)
        target = footprint_mask(truth[month], SHAPE)
        made.append(
            {
                'aoi': AOI,
                'month': month,
                'seg_logits': {'data': torch.where(torch.from_numpy(mask), 4.0, -4.0)[None]},
                'gt_sem_seg': {'data': torch.from_numpy(target.astype(np.uint8))[None]},
                'footprints': np.array(truth[month], object),
                'footprint_ids': np.arange(len(truth[month])),
                'valid': np.ones(SHAPE, bool),
            }
        )
    return made


def evaluate(config, data):
    metric = METRICS.build(config)
    for sample in data:  # one at a time, as a loader with batches of one gives them
        metric.process({}, [sample])
    return metric.evaluate(size=len(data))


def test_scot_metric_equals_the_function():
    truth, shown = months()
    names = sorted(truth)
    frames = [mask_to_polygons(footprint_mask(shown[m], SHAPE), 0.5) for m in names]
    proposals = make_cube(names, frames, track_footprints(frames))
    expected = scot({AOI: {m: list(enumerate(truth[m])) for m in names}}, {AOI: proposals})
    found = evaluate({'type': 'SCOTMetric'}, samples())
    assert found['scot/score'] == pytest.approx(expected['score'])
    assert found['scot/mota'] == pytest.approx(expected['mota'])
    assert 0 < found['scot/score'] < 1


def test_nothing_is_predicted_where_there_is_no_data():
    blind = [{**sample, 'valid': np.zeros(SHAPE, bool)} for sample in samples()]
    assert evaluate({'type': 'SCOTMetric'}, blind)['scot/score'] == 0


def test_pixel_and_instance_scores():
    found = evaluate({'type': 'FootprintMetric', 'instances': True}, samples())
    areas = np.array([25, 30, 30])
    whole, missed = 2 * areas.sum() + areas[:2].sum(), areas[1]
    assert found['footprint/iou'] == pytest.approx((whole - missed) / whole)
    assert found['footprint/instance_f1'] == pytest.approx(2 * 7 / (2 * 7 + 1))
    assert found['footprint/loss'] > 0


def test_counts():
    assert footprint_counts([shapely.box(0, 0, 2, 2)], []) == (0, 0, 1)
    prediction, target = np.array([[1, 1, 0, 1]], bool), np.array([[1, 0, 1, 255]])
    assert pixel_counts(prediction, target) == (1, 1, 1)


def test_samples_without_footprints_are_refused():
    bare = {k: v for k, v in samples()[0].items() if k != 'footprints'}
    with pytest.raises(ConfigError, match='PackFootprints'):
        METRICS.build({'type': 'SCOTMetric'}).process({}, [bare])
