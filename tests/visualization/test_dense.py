"""Panels of change and class maps: colours tell the truth, every input form can be drawn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample

from rsmm.datasets.classes import CLASSES, PALETTES
from rsmm.engine.hooks.visualization_hook import _input_of, _name_of
from rsmm.visualization.dense import CHANGE_COLOURS, change_errors, class_errors
from rsmm.visualization.samples import draw_sample

PRED = np.array([[1, 1, 0, 0, 1]])
TRUTH = np.array([[1, 0, 1, 0, 255]])


def test_errors_in_colour() -> None:
    found = change_errors(PRED, TRUTH)[0]
    expected = [*(CHANGE_COLOURS[k] for k in ('found', 'false alarm', 'missed')), (0, 0, 0),
                CHANGE_COLOURS['not counted']]  # fmt: skip
    assert [tuple(colour) for colour in found.tolist()] == expected
    wrong = (class_errors(PRED, TRUTH)[0] == CHANGE_COLOURS['false alarm']).all(axis=1)
    assert wrong.tolist() == [False, True, True, False, False]


def sample(**meta) -> SegDataSample:
    found = SegDataSample(metainfo=meta)
    found.pred_sem_seg = PixelData(data=torch.ones(1, 8, 8, dtype=torch.uint8))
    found.gt_sem_seg = PixelData(data=torch.zeros(1, 8, 8, dtype=torch.int64))
    return found


def info(name: str, bands=('R', 'G', 'B')) -> dict:
    return {'classes': CLASSES[name], 'palette': PALETTES[name], 'bands': bands}


def test_every_form_of_input_is_drawn(tmp_path: Path) -> None:
    image = torch.randint(0, 255, (3, 8, 8), dtype=torch.uint8)
    cases = (
        (image, sample(), 'gid5', 4),
        ([image, image], sample(dates=('2016-01-20', '2018-03-28')), 'change', 4),
        (torch.stack([image] * 5), sample(days=(1, 2, 3, 4, 5)), 'pastis', 4),
    )
    for inputs, predicted, dataset, panels in cases:
        figure = draw_sample(inputs, predicted, info(dataset))
        assert len(figure.axes) == panels
        assert figure.legends
        figure.savefig(tmp_path / f'{dataset}.png')
        assert (tmp_path / f'{dataset}.png').stat().st_size > 2000


def test_inputs_of_a_batch() -> None:
    pair = [torch.zeros(2, 3, 4, 4), torch.ones(2, 3, 4, 4)]
    found = _input_of(pair, 1, sample())
    assert [view.shape for view in found] == [(3, 4, 4)] * 2
    series = [torch.zeros(5, 3, 4, 4), torch.ones(6, 3, 4, 4)]
    assert _input_of(series, 1, sample(days=(1,))).shape == (6, 3, 4, 4)


def test_names_of_pictures() -> None:
    assert _name_of(sample(name='river/4', window=(96, 0, 96, 96))) == 'river_4_96_0'
    assert _name_of(sample(name='paris')) == 'paris'
    assert _name_of(sample(img_path='a/River/River_3.jpg')) == 'River_River_3'
