"""Models whose maps can be told by eye, as configs for an :class:`Inferencer`."""

from __future__ import annotations

import torch
from mmengine.config import Config
from mmpretrain.structures import DataSample
from torch import nn

from rsmm.inference.inferencer import Inferencer
from rsmm.models.base import ScopedModel, two_classes

PLACE = {'crs': 'EPSG:32631', 'transform': (10.0, 0.0, 500000.0, 0.0, -10.0, 4600000.0)}
COLOURS = ('B04', 'B03', 'B02')


class Brightest(ScopedModel):
    """The class of a pixel is the band that is brightest there."""

    num_dates = 1
    map_kind = 'classes'

    def __init__(self, classes: int = 3, **kwargs) -> None:
        super().__init__(**kwargs)
        self.decode_head = nn.Identity()
        self.decode_head.num_classes = classes
        self.weight = nn.Parameter(torch.zeros(1))

    def logits(self, inputs):
        """The bands themselves."""
        return inputs

    def decide(self, logits):
        """The largest."""
        return logits.argmax(dim=1)

    def forward(self, inputs, data_samples=None, mode='tensor'):
        """For mmengine's contract."""
        return inputs


class Difference(Brightest):
    """Change where the first band grew by more than 50."""

    num_dates = 2
    map_kind = 'change'

    def logits(self, inputs):
        """One logit."""
        return (inputs[1] - inputs[0])[:, :1] - 50

    def decide(self, logits):
        """Above 0."""
        return logits[:, 0] > 0

    probabilities = staticmethod(two_classes)


class Building(Brightest):
    """Buildings where the first band is above 100."""

    map_kind = 'footprints'

    def logits(self, inputs):
        """One logit."""
        return inputs[:, :1] - 100

    decide = Difference.decide


class Season(Brightest):
    """The class is the date on which the first band was largest."""

    num_dates = None

    def logits(self, inputs):
        """First band of each date."""
        return inputs['images'][:, :, 0]


class ChipBrightness(ScopedModel):
    """Class 0 for dark chips, 1 for middling ones, 2 for bright ones."""

    def __init__(self, **kwargs) -> None:
        super().__init__(**kwargs)
        self.head = nn.Identity()
        self.head.num_classes = 3
        self.weight = nn.Parameter(torch.zeros(1))

    def predict(self, inputs):
        """As a classifier does."""
        levels = torch.tensor([0.0, 100.0, 200.0])
        distance = (inputs.mean(dim=(1, 2, 3))[:, None] - levels).abs()
        return [DataSample().set_pred_score(row) for row in (-distance / 10).softmax(dim=1)]

    forward = Brightest.forward


def small_config(kind=Brightest, **settings) -> Config:
    """A config of a model that takes red, green and blue as they are."""
    preprocessor = 'SeriesPreprocessor' if kind is Season else 'MultiSpectralPreprocessor'
    model = dict(type=kind, data_preprocessor=dict(type=preprocessor, bands='s2-rgb'))
    dataset = settings.pop('dataset', None)
    config = dict(model={**model, **settings}, default_scope='rsmm')
    if dataset is not None:
        config['test_dataloader'] = dict(dataset=dataset)
    return Config(config)


def inferencer(kind=Brightest, **settings) -> Inferencer:
    """An inferencer of such a config."""
    return Inferencer(small_config(kind, **settings), 'random', device='cpu')
