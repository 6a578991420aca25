"""The table of classes in the log."""

from __future__ import annotations

import numpy as np

from rsmm.evaluation.functional.class_table import class_table


def test_figures_of_a_small_matrix() -> None:
    #: Class 1 is right in 6 of 8 pixels, and 3 others are taken for it.
    matrix = np.array([[10, 3, 0], [2, 6, 0], [0, 0, 0]])
    lines = [line.split() for line in class_table(matrix, ('soil', 'wood', 'ice')).splitlines()]
    assert lines[0] == ['class', 'IoU', 'F1', 'precision', 'recall', 'pixels']
    assert lines[1] == ['soil', '66.7', '80.0', '83.3', '76.9', '13']
    assert lines[2] == ['wood', '54.5', '70.6', '66.7', '75.0', '8']
    assert lines[3] == ['ice', '-', '-', '-', '-', '0']


def test_ignored_classes_are_left_out() -> None:
    matrix = np.array([[10, 3, 0], [2, 6, 1], [0, 4, 5]])
    text = class_table(matrix, ('soil', 'wood', 'void'), ignore=(2,))
    assert 'void' not in text
    assert 'soil' not in class_table(matrix, ('soil', 'wood', 'void'), include_background=False)
    assert 'soil' not in class_table(matrix, ('soil', 'wood', 'void'), ignore=0)
