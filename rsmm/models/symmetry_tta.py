"""Test-time augmentation of models that map images: the views of the square, averaged."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmengine.model import BaseTTAModel
from torch import Tensor

from rsmm.errors import ConfigError
from rsmm.models.layers.symmetry import VIEWS, symmetry, undo_symmetry
from rsmm.registry import MODELS


@MODELS.register_module()
class SymmetryTTA(BaseTTAModel):
    """Averages what a segmentor or change detector says of an image's turned and mirrored views.

    The views are made after normalisation, so the test pipeline stays as it is.

    Args:
        module: Config of the model, with ``logits`` and ``samples`` as
            :class:`~rsmm.models.segmentors.dense.DenseModel` has them.
        views: Number of symmetries, 1, 2, 4 or 8.
        data_preprocessor: The model's, where its config leaves it out.

    Raises:
        ConfigError: Another number of views, or a model of series or without maps.
    """

    def __init__(self, module: dict, views: int = 8, data_preprocessor: dict | None = None) -> None:
        if data_preprocessor is not None:
            module = {**module, 'data_preprocessor': data_preprocessor}
        super().__init__(MODELS.build(module) if isinstance(module, dict) else module)
        if views not in VIEWS:
            raise ConfigError(f'views={views} is not one of {VIEWS}', where="type='SymmetryTTA'")
        if not hasattr(self.module, 'samples') or self.module.num_dates is None:
            raise ConfigError(
                f'{type(self.module).__name__} maps no single images or pairs',
                where="type='SymmetryTTA'",
                fix='Test it without --tta',
            )
        self.views = views

    def test_step(self, data: dict) -> list:
        """Return the samples of a batch with the labels of the averaged views."""
        data = self.module.data_preprocessor(data, False)
        inputs = data['inputs']
        scores = [
            undo_symmetry(self.module.logits(_turned(inputs, code)), code)
            for code in range(self.views)
        ]
        return self.module.samples(self.merge_preds(scores), data['data_samples'])

    def merge_preds(self, data_samples_list: Sequence[Tensor]) -> Tensor:
        """Return logits (N, K, H, W) of the mean probability of several views' logits."""
        scores = torch.stack(list(data_samples_list)).float()
        if scores.shape[2] == 1:
            return F.logsigmoid(scores).logsumexp(0) - F.logsigmoid(-scores).logsumexp(0)
        return F.log_softmax(scores, dim=2).logsumexp(0)


def _turned(inputs: Tensor | Sequence[Tensor], code: int) -> Tensor | list[Tensor]:
    if isinstance(inputs, Tensor):
        return symmetry(inputs, code)
    return [symmetry(date, code) for date in inputs]
