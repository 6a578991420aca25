"""Class weights of the segmentation loss."""

import pytest
import torch
import torch.nn.functional as F

from rsmm.errors import ConfigError
from rsmm.models.losses.class_map import SegLoss

GENERATOR = torch.Generator().manual_seed(0)
LOGITS = torch.randn(2, 3, 6, 6, generator=GENERATOR)
TARGET = torch.randint(0, 3, (2, 6, 6), generator=GENERATOR)


@pytest.mark.parametrize('weights', [[1, 2, 3], (1.0, 2.0, 3.0), [True, 2, 3.0]])
def test_weights_of_any_number_type(weights):
    expected = F.cross_entropy(LOGITS, TARGET, torch.tensor([1.0, 2, 3]))
    torch.testing.assert_close(SegLoss(class_weight=weights)(LOGITS, TARGET)['loss_ce'], expected)


@pytest.mark.parametrize('weights', [[1], [1.0, 2.0], [1, 2, 3, 4]])
def test_one_weight_per_class(weights):
    with pytest.raises(ConfigError, match=f'{len(weights)} class_weight for 3 classes'):
        SegLoss(class_weight=weights)(LOGITS, TARGET)


@pytest.mark.parametrize('weights', ['auto', 2.0, [1, -1, 1], [1, float('nan'), 1], [1, 'x', 1]])
def test_weights_that_are_none(weights):
    with pytest.raises(ConfigError, match='Expected a list of numbers from 0'):
        SegLoss(class_weight=weights)
