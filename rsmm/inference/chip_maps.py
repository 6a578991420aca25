"""A classifier of chips as a model that maps scenes: every pixel gets the classes of its chip."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from rsmm.models.base import MapModel


class ChipMap(nn.Module):
    """What :func:`rsmm.inference.scene.predict_scene` asks of a model, from an image classifier.

    A tile is one chip. Where chips overlap, the class probabilities of a pixel's chips are blended,
    so a smaller stride gives finer borders.

    Args:
        classifier: Model whose ``predict`` returns samples with ``pred_score``.
    """

    num_dates = 1
    map_kind = 'chips'
    #: Chips of 640 m at 10 m, as EuroSAT cuts them, overlapping by half.
    tile, stride = 64, 32

    def __init__(self, classifier: Any) -> None:
        super().__init__()
        self.classifier = classifier

    @property
    def data_preprocessor(self) -> Any:
        """Preprocessor of the classifier."""
        return self.classifier.data_preprocessor

    def logits(self, inputs: Tensor) -> Tensor:
        """Map chips (N, C, h, w) to class probabilities (N, K, h, w), the same all over a chip."""
        samples = self.classifier.predict(inputs)
        scores = inputs.new_tensor([sample.pred_score.tolist() for sample in samples])
        return scores[..., None, None].expand(-1, -1, *inputs.shape[-2:])

    def probabilities(self, logits: Tensor) -> Tensor:
        """Return them as they are: they are probabilities."""
        return logits

    def decide(self, logits: Tensor) -> Tensor:
        """Return the most probable class (N, H, W)."""
        return logits.argmax(dim=1)


def as_map_model(model: nn.Module) -> nn.Module:
    """Return a model that maps scenes: the model itself, or a classifier as :class:`ChipMap`."""
    classifies = hasattr(model, 'predict') and hasattr(getattr(model, 'head', None), 'num_classes')
    return ChipMap(model) if classifies and not isinstance(model, MapModel) else model
