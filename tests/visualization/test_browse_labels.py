"""Pages of samples show labels, dates and boxes beside the images."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData, PixelData
from mmseg.structures import SegDataSample

from rsmm.sensors import RGB
from rsmm.visualization.browse import _draw_sample, views_of

PALETTE = [(0, 0, 255), (0, 200, 0)]
ABOUT = {'classes': ('water', 'wood'), 'palette': PALETTE, 'bands': RGB}


def drawn(sample: dict, cells: int) -> list:
    axes = Figure().subplots(1, cells, squeeze=False).ravel()
    _draw_sample(axes, sample, ABOUT, RGB, None)
    return list(axes)


@pytest.mark.parametrize('dates', [1, 2, 7])
def test_a_label_stands_after_the_dates_in_its_colours(dates: int) -> None:
    label = torch.tensor([[[0, 1], [255, 1]]])
    images = [torch.full((3, 2, 2), date, dtype=torch.uint8) for date in range(dates)]
    inputs = images[0] if dates == 1 else images if dates == 2 else torch.stack(images)
    data = SegDataSample(metainfo={'name': 'a'}, gt_sem_seg=PixelData(data=label))
    sample = {'inputs': inputs, 'data_samples': data}
    shown = min(dates, 4)
    axes = drawn(sample, shown + 1)
    assert len(views_of(sample)) == shown
    expected = [[PALETTE[0], PALETTE[1]], [(255, 255, 255), PALETTE[1]]]
    np.testing.assert_array_equal(axes[shown].images[0].get_array(), expected)
    assert int(axes[shown - 1].images[0].get_array()[0, 0, 0]) == dates - 1  # the last date


def test_boxes_lie_where_the_objects_do() -> None:
    boxes = torch.tensor([[1.0, 2.0, 5.0, 4.0], [0.0, 0.0, 8.0, 8.0]])
    objects = InstanceData(bboxes=boxes, labels=torch.tensor([1, 0]))
    data = DetDataSample(metainfo={'img_path': 'x/b.png'}, gt_instances=objects)
    (axis,) = drawn({'inputs': torch.zeros(3, 8, 8, dtype=torch.uint8), 'data_samples': data}, 1)
    found = [(*patch.get_xy(), patch.get_width(), patch.get_height()) for patch in axis.patches]
    assert found == [(1, 2, 4, 2), (0, 0, 8, 8)]
    np.testing.assert_allclose(axis.patches[0].get_edgecolor()[:3], np.array(PALETTE[1]) / 255)
    assert axis.get_title() == 'b'
