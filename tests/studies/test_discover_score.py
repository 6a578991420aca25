"""Scores of found events by hand."""

from __future__ import annotations

import csv
import importlib.util
import json

import numpy as np
import pytest
from PIL import Image

from rsmm.apis.cli import guarded
from rsmm.errors import DataError, DataNotFoundError
from rsmm.studies.discover_score import match_masks, score_discovery

SIDE = 40


def square(y, x, side):
    mask = np.zeros((SIDE, SIDE), bool)
    mask[y : y + side, x : x + side] = True
    return mask


def test_each_mask_counts_once_and_the_best_pair_first():
    planted = [square(0, 0, 10), square(20, 20, 10)]
    found = [square(0, 0, 9), square(0, 0, 10), square(20, 20, 6), square(30, 0, 5)]
    assert match_masks(found, planted) == [(1, 0, 1.0)]
    assert match_masks(found, planted, 0.3) == [(1, 0, 1.0), (2, 1, 0.36)]
    assert match_masks([square(0, 0, 10)], [square(0, 0, 10)], 1.0) == []  # above, not at
    assert match_masks([], planted) == []
    assert match_masks([np.zeros((2, 2), bool)], [np.zeros((2, 2), bool)]) == []


@pytest.fixture
def run(tmp_path):
    """A planted road that is found in two halves of time, a town that is not, a quiet field."""
    cells, out = tmp_path / 'cells', tmp_path / 'out'
    (cells / 'truth').mkdir(parents=True)
    for name, mask in (('road', square(2, 2, 10)), ('town', square(20, 20, 12))):
        Image.fromarray(np.where(mask, 255, 0).astype(np.uint8)).save(cells / f'truth/{name}.png')
    truth = {
        'cells': {
            'a': [{'kind': kind, 'mask': f'truth/{kind}.png'} for kind in ('road', 'town')],
            'b': [],
            'c': [],
        },
        'kinds': {'a': 'events', 'b': 'static', 'c': 'seasonal'},
    }
    (cells / 'truth.json').write_text(json.dumps(truth))
    rows = []
    for event, cell, boxes in (('a_00001', 'a', [(2, 2, 5, 10), (7, 2, 5, 10)]),
                               ('a_00002', 'a', [(30, 0, 5, 5)]),
                               ('c_00001', 'c', [(0, 0, 5, 5)])):  # fmt: skip
        (out / 'events' / event).mkdir(parents=True)
        for t, (y, x, height, width) in enumerate(boxes):
            mask = np.zeros((SIDE, SIDE), np.uint8)
            mask[y : y + height, x : x + width] = 255
            Image.fromarray(mask).save(out / 'events' / event / f'{t:02d}_mask.png')
        rows.append({'event': event, 'cell': cell, 'y0': 0, 'x0': 0, 'y1': SIDE, 'x1': SIDE})
    with open(out / 'events.csv', 'w', newline='') as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return cells, out


def test_scores_by_hand(run):
    cells, out = run
    found = score_discovery(out, cells)
    assert (found['found'], found['planted'], found['matched']) == (2, 2, 1)
    assert (found['precision'], found['recall']) == (0.5, 0.5)
    assert found['by_kind'] == {
        'road': {'planted': 1, 'matched': 1},
        'town': {'planted': 1, 'matched': 0},
    }
    assert found['quiet'] == {
        'static': {'cells': 1, 'hit': 0, 'events': 0},
        'seasonal': {'cells': 1, 'hit': 1, 'events': 1},
    }


def test_tool_and_bad_input(run, repo_root, monkeypatch, capsys, tmp_path):
    cells, out = run
    path = repo_root / 'tools/analysis_tools/score_discovery.py'
    spec = importlib.util.spec_from_file_location('score_discovery', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr('sys.argv', ['score', str(out), '--cells', str(cells)])
    assert guarded(module.main) == 0
    said = capsys.readouterr().out
    assert 'precision 0.50 (1 of 2)' in said
    assert 'seasonal: 1 events in 1 of 1 cells' in said
    with pytest.raises(DataNotFoundError, match='events.csv'):
        score_discovery(tmp_path, cells)
    truth = json.loads((cells / 'truth.json').read_text())
    del truth['cells']['c']
    (cells / 'truth.json').write_text(json.dumps(truth))
    with pytest.raises(DataError, match='cell c is not among'):
        score_discovery(out, cells)
