"""A classifier of small chips: enlarged before the network, seen from eight sides when tested."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from mmpretrain.models import ImageClassifier
from torch import Tensor

from rsmm.errors import ConfigError
from rsmm.models.layers.symmetry import VIEWS, symmetry
from rsmm.registry import MODELS
from rsmm.utils.seams import labelled


@MODELS.register_module()
class ChipClassifier(ImageClassifier):
    """``ImageClassifier`` for chips that are smaller than what its backbone was made for.

    Networks trained on pictures of 224 pixels halve a chip of 64 five times, to 2 x 2 pixels.
    Enlarging first keeps more of it. In prediction the class probabilities of the first ``views``
    symmetries of the square are averaged (logarithms of the mean go to the samples' softmax), for
    images from above have no up or down.

    Input: ``(N, C, H, W)``, normalised; any size.

    Args:
        input_size: Edge in pixels that images are enlarged to (bilinear), or None.
            :class:`rsmm.engine.hooks.InputSizeHook` moves it during training.
        views: 1, 2, 4 or 8 symmetries to average in prediction.
        **kwargs: Those of ``mmpretrain.ImageClassifier``.

    Raises:
        ConfigError: Another number of views.
    """

    def __init__(self, *args, input_size: int | None = None, views: int = 1, **kwargs) -> None:
        if views not in VIEWS:
            raise ConfigError(f'views={views} is not one of {VIEWS}', where='ChipClassifier')
        super().__init__(*args, **kwargs)
        self.input_size = input_size
        self.views = views

    def extract_feat(self, inputs: Tensor, stage: str = 'neck'):
        """Features of the enlarged images, as ``ImageClassifier`` gives them."""
        size = self.input_size
        if size is not None and inputs.shape[-2:] != (size, size):
            inputs = F.interpolate(inputs, (size, size), mode='bilinear', align_corners=False)
        # Convolutions follow the layout of their input; on CPUs this one is about twice as fast.
        return super().extract_feat(inputs.contiguous(memory_format=torch.channels_last), stage)

    def predict(self, inputs: Tensor, data_samples: list | None = None, **kwargs) -> list:
        """Return samples with ``pred_score`` and ``pred_label``, averaged over the views."""
        if self.views == 1:
            return super().predict(inputs, data_samples, **kwargs)
        scores = [
            self.head(self.extract_feat(symmetry(inputs, code))).softmax(dim=1)
            for code in range(self.views)
        ]
        mean = torch.stack(scores).mean(dim=0)
        return labelled(self.head, mean.log(), data_samples)
