"""Figures of semi-supervised runs show what was measured."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from rsmm.errors import DataError
from rsmm.studies.figures.semisup import (
    draw_pseudo_labels,
    draw_reliability,
    draw_semisup_views,
    draw_shift,
)
from tests.datasets.chips import write_jpg_chips


def inked(path) -> float:
    """Share of pixels that are not white."""
    return float((np.asarray(Image.open(path).convert('L')) < 250).mean())


def test_views_of_a_config(tmp_path, repo_root) -> None:
    write_jpg_chips(tmp_path / 'chips', per_class=12)
    config = repo_root / 'configs/semisup/fixmatch_lite0-trunk_eurosat-40lb_2core.py'
    out = tmp_path / 'views.png'
    draw_semisup_views(config, out, rows=3, options={'data_root': str(tmp_path / 'chips')})
    assert inked(out) > 0.3
    supervised = repo_root / 'configs/semisup/supervised_lite0-trunk_eurosat-40lb_2core.py'
    with pytest.raises(DataError, match='no unlabelled stream'):
        draw_semisup_views(supervised, out, options={'data_root': str(tmp_path / 'chips')})


def test_pseudo_labels_over_training(tmp_path) -> None:
    folder = tmp_path / 'run' / '20260101' / 'vis_data'
    folder.mkdir(parents=True)
    rows = [
        {'iter': step, 'step': step, 'loss': 1.0, 'used': step / 100, 'pseudo_accuracy': 0.5}
        for step in (10, 20, 30)
    ]
    (folder / 'scalars.json').write_text('\n'.join(json.dumps(row) for row in rows))
    draw_pseudo_labels([str(tmp_path / 'run')], tmp_path / 'used.png')
    assert inked(tmp_path / 'used.png') > 0.005
    (folder / 'scalars.json').write_text(json.dumps({'iter': 1, 'step': 1, 'loss': 1.0}))
    with pytest.raises(DataError, match='no run logged pseudo-labels'):
        draw_pseudo_labels([str(tmp_path / 'run')], tmp_path / 'used.png')


def test_reliability_and_shift(tmp_path) -> None:
    rng = np.random.default_rng(0)
    scores = rng.dirichlet(np.ones(4), 200)
    draw_reliability({'model': (scores, rng.integers(0, 4, 200))}, tmp_path / 'bins.png')
    table = {
        name: {'test': [80, 82], 'elsewhere': [60, 64], 'season': [50, 51]}
        for name in ('student', 'teacher')
    }
    draw_shift(table, tmp_path / 'shift.png')
    assert inked(tmp_path / 'bins.png') > 0.005
    assert inked(tmp_path / 'shift.png') > 0.05
