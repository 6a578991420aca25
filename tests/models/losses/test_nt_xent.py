import math

import pytest
import torch
import torch.nn.functional as F

from rsmm.models.losses.functional import nt_xent


def by_definition(a, b, temperature):
    """Equation 1 of the paper, one pair at a time."""
    rows = F.normalize(torch.cat([a, b]), dim=1)
    count = len(a)
    losses = []
    for i in range(2 * count):
        partner = (i + count) % (2 * count)
        similarity = rows @ rows[i] / temperature
        others = torch.cat([similarity[:i], similarity[i + 1 :]])
        losses.append(others.logsumexp(0) - similarity[partner])
    return torch.stack(losses)


@pytest.mark.parametrize('temperature', [0.07, 0.5, 1.0])
def test_equals_definition(temperature):
    torch.manual_seed(0)
    a, b = torch.randn(5, 3, dtype=torch.float64), torch.randn(5, 3, dtype=torch.float64)
    torch.testing.assert_close(nt_xent(a, b, temperature), by_definition(a, b, temperature))


def test_equal_similarities_give_the_log_of_the_candidates():
    a = torch.ones(4, 6)
    torch.testing.assert_close(nt_xent(a, a, 0.2), torch.full((8,), math.log(7)))


def test_symmetric_and_scale_free():
    torch.manual_seed(1)
    a, b = torch.randn(6, 4), torch.randn(6, 4)
    torch.testing.assert_close(nt_xent(a, b, 0.2).mean(), nt_xent(3 * b, a, 0.2).mean())


def test_row_order_does_not_matter():
    torch.manual_seed(2)
    a, b, order = torch.randn(6, 4), torch.randn(6, 4), torch.randperm(6)
    torch.testing.assert_close(nt_xent(a[order], b[order], 0.2)[:6], nt_xent(a, b, 0.2)[:6][order])
