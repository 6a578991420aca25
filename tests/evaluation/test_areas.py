"""Areas adjusted by a validation: the example of Olofsson et al. (2014), and the rules."""

from __future__ import annotations

import numpy as np
import pytest

from rsmm.errors import DataError
from rsmm.evaluation.functional.areas import adjusted_areas

#: Rows mapped, columns reference: deforestation, forest gain, stable forest, stable non-forest.
CONFUSION = [[66, 0, 5, 4], [0, 55, 8, 12], [1, 0, 153, 11], [2, 1, 9, 313]]
HECTARES = np.array([200_000, 150_000, 3_200_000, 6_450_000]) * 0.09  # pixels of 30 m


def test_published_example() -> None:
    found = adjusted_areas(CONFUSION, HECTARES)
    np.testing.assert_allclose(found.area, [21_158, 11_686, 285_770, 581_386], atol=1)
    np.testing.assert_allclose(found.margin, [6_158, 3_756, 15_510, 16_282], atol=2)
    np.testing.assert_allclose(found.users, [0.88, 0.73, 0.93, 0.96], atol=0.005)
    np.testing.assert_allclose(found.producers, [0.75, 0.85, 0.93, 0.96], atol=0.005)
    assert found.overall == pytest.approx(0.95, abs=0.005)


def test_a_perfect_sample_changes_nothing() -> None:
    found = adjusted_areas(np.diag([10, 20, 30]), np.array([1.0, 2.0, 3.0]))
    np.testing.assert_allclose(found.area, [1, 2, 3])
    np.testing.assert_allclose(found.margin, 0)


def test_estimates_add_up_to_the_map() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        counts, mapped = rng.integers(1, 50, (5, 5)), rng.uniform(1, 1e6, 5)
        assert adjusted_areas(counts, mapped).area.sum() == pytest.approx(mapped.sum())


@pytest.mark.parametrize(
    ('counts', 'mapped'),
    [
        ([[1, 0], [0, 5]], [3.0, 4.0]),  # one sample of a mapped class
        ([[5, 0, 0], [0, 5, 0]], [1.0, 1.0]),
        ([[5, -1], [0, 5]], [1.0, 1.0]),
        ([[5, 0], [0, 5]], [np.inf, 1.0]),
        ([[5, 0], [0, 5]], [0.0, 0.0]),
    ],
)
def test_refuses(counts: list, mapped: list) -> None:
    with pytest.raises(DataError):
        adjusted_areas(np.array(counts), np.array(mapped))
