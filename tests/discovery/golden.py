"""The worked cases of ``tests/data/discovery_golden.json``, decoded."""

import json
from pathlib import Path

import numpy as np

GOLDEN = json.loads((Path(__file__).parents[1] / 'data/discovery_golden.json').read_text())
TOLERANCE = GOLDEN['tolerance']


def cases(kind):
    """Return pytest parameters of one kind of case."""
    import pytest

    return [pytest.param(case, id=case.get('name', str(case.get('box')))) for case in GOLDEN[kind]]


def group_inputs(case):
    """Return changes, features, points and their labels of a grouping case."""
    points = np.array(case['points'])
    places, prototype = points[:, :3], points[:, 3]
    if case['seed'] is None:
        values = np.eye(case['channels'])[prototype]
    else:
        draw = np.random.RandomState(case['seed'])
        prototypes = draw.standard_normal((case['prototypes'], case['channels']))
        noise = draw.standard_normal((len(points), case['channels']))
        values = prototypes[prototype] + case['noise'] * noise
        values /= np.linalg.norm(values, axis=1, keepdims=True)
    frames, height, width = case['shape']
    features = np.zeros((frames, case['channels'], height, width))
    features[:, 0] = 1
    features[places[:, 0], :, places[:, 1], places[:, 2]] = values
    changed = np.zeros(case['shape'], bool)
    changed[tuple(places.T)] = True
    return changed, features, places, np.array(case['labels'])


def paint(rectangles, shape, dtype):
    """Return a volume with ``[value, t0, t1, y0, x0, y1, x1]`` painted in order."""
    volume = np.zeros(shape, dtype)
    for value, t0, t1, y0, x0, y1, x1 in rectangles:
        volume[t0:t1, y0:y1, x0:x1] = value
    return volume


def run_lengths(runs, shape):
    """Return the mask that run lengths, zeros first, stand for."""
    values = np.arange(len(runs)) % 2
    return np.repeat(values, runs).reshape(shape).astype(bool)


def same_partition(first, second):
    """Whether two labellings agree up to numbering, 0 being 0 in both."""
    first, second = np.asarray(first).ravel(), np.asarray(second).ravel()
    pairs = np.unique(np.stack([first, second]), axis=1)
    one_to_one = len(np.unique(pairs[0])) == len(np.unique(pairs[1])) == pairs.shape[1]
    return one_to_one and np.array_equal(first == 0, second == 0)
