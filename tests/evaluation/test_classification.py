"""Per-class report of a classifier."""

from __future__ import annotations

import numpy as np
import pytest

from rsmm.errors import DataError
from rsmm.evaluation.functional.classification import class_report, format_report

TRUTH = np.array([0, 0, 0, 0, 1, 1, 2, 2])
PREDICTED = np.array([0, 0, 0, 1, 1, 1, 0, 1])


def test_golden_values():
    rows = class_report(TRUTH, PREDICTED, ('a', 'b', 'c'))
    assert rows[0] == ('a', pytest.approx(75), pytest.approx(75), pytest.approx(75), 4)
    assert rows[1] == ('b', pytest.approx(50), pytest.approx(100), pytest.approx(200 / 3), 2)
    assert rows[2] == ('c', 0, 0, 0, 2)
    assert rows[3][0] == 'macro mean'
    assert rows[3][2] == pytest.approx((75 + 100 + 0) / 3)
    assert rows[3][4] == 8


def test_classes_that_do_not_occur_stay_out_of_the_mean():
    rows = class_report(TRUTH, PREDICTED, ('a', 'b', 'c', 'd'))
    assert rows[3] == ('d', 0, 0, 0, 0)
    assert rows[4][2] == pytest.approx((75 + 100 + 0) / 3)


def test_layouts():
    rows = class_report(TRUTH, PREDICTED, ('a', 'b', 'c'))
    plain = format_report(rows).splitlines()
    assert len(plain) == 5
    assert len({len(line) for line in plain}) == 1
    assert plain[1].split() == ['a', '75.0', '75.0', '75.0', '4']
    marked = format_report(rows, markdown=True).splitlines()
    assert len({len(line) for line in marked}) == 1
    assert set(marked[1]) == set('|- :')
    assert marked[2].split('|')[1].strip() == 'a'


def test_refusals():
    with pytest.raises(DataError, match='0 true'):
        class_report(np.array([]), np.array([]), ('a',))
    with pytest.raises(DataError, match='label 2 is beyond the 2 classes'):
        class_report(TRUTH, PREDICTED, ('a', 'b'))
