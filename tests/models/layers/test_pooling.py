"""One meaning of pooling, wherever features of a backbone are judged."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from rsmm.engine.hooks import online_probe
from rsmm.engine.loops.feature import FeatureTestLoop
from rsmm.errors import ConfigError
from rsmm.inference import features as inference_features
from rsmm.models.classifiers.pooled import PooledDropout
from rsmm.models.layers.pooling import pool

MAPS = torch.arange(24.0).view(2, 3, 2, 2)
#: The same features as maps, as tokens, and as vectors.
FORMS = {
    'maps': MAPS,
    'tokens': MAPS.flatten(2).transpose(1, 2),
    'vectors': MAPS.mean(dim=(2, 3)),
    'tuple': (torch.zeros(2, 9, 4, 4), MAPS),
}


class Fixed(torch.nn.Module):
    """A model whose backbone puts out given features."""

    def __init__(self, features) -> None:
        super().__init__()
        self.found = features

    def backbone(self, inputs):
        return self.found

    extract_feat = backbone

    def data_preprocessor(self, batch, training=False):
        return batch


def by_loop(model):
    loop = SimpleNamespace(runner=SimpleNamespace(model=model), fp16=False)
    return FeatureTestLoop.features(loop, BATCH)[0]


SAMPLES = [SimpleNamespace(gt_label=torch.tensor([k])) for k in range(2)]
BATCH = {'inputs': torch.zeros(2, 3, 8, 8), 'data_samples': SAMPLES}
WAYS = {
    'pool': lambda model: pool(model.found),
    'neck': lambda model: PooledDropout(0.0)(model.found)[0],
    'test loop': by_loop,
    'embedding tool': lambda model: inference_features._forward(model, BATCH)[0],
    'online probe': lambda model: online_probe.extract_features(
        model, model.data_preprocessor, [BATCH]
    )[0],
}


@pytest.mark.parametrize('way', WAYS)
@pytest.mark.parametrize('form', FORMS)
def test_places_are_averaged_never_channels(way, form):
    expected = FORMS['vectors']
    torch.testing.assert_close(WAYS[way](Fixed(FORMS[form])), expected)


def test_other_forms_are_refused():
    with pytest.raises(ConfigError, match='cannot be pooled'):
        pool(torch.zeros(2, 3, 4, 5, 6))
