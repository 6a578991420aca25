"""The base of models that build their own data preprocessor, and what a map asks of a model."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

import torch
from mmengine.model import BaseModel
from torch import Tensor, nn

from rsmm.registry import MODELS


class ScopedModel(BaseModel):
    """MMEngine's base, building the data preprocessor in rsmm's registry.

    MMEngine would look in the root registry when no default scope is set.

    Args:
        data_preprocessor, init_cfg: See mmengine.
    """

    def __init__(
        self,
        data_preprocessor: dict | nn.Module | None = None,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        if isinstance(data_preprocessor, dict):
            data_preprocessor = MODELS.build(data_preprocessor)
        super().__init__(data_preprocessor, init_cfg)


@runtime_checkable
class MapModel(Protocol):
    """What a model that maps whole scenes says of itself; nobody asks for its class.

    Attributes:
        num_dates: Images of a place that it takes: 1, 2 for change, None for series of any length.
        data_preprocessor: Normalises what ``logits`` takes.
    """

    num_dates: int | None
    data_preprocessor: nn.Module

    def logits(self, inputs) -> Tensor:
        """Map normalised inputs, a list of batches for several dates, to (N, K, H, W)."""

    def decide(self, logits: Tensor) -> Tensor:
        """Turn logits (N, K, H, W) into labels (N, H, W)."""


def class_probabilities(model: Any, logits: Tensor) -> Tensor:
    """Return the probability of each class, (N, K, H, W), of a model's logits.

    A model says it itself by ``probabilities``; for others logits compete (softmax), and a single
    one is that of class 1 against class 0.
    """
    if hasattr(model, 'probabilities'):
        return model.probabilities(logits)
    return two_classes(logits) if logits.shape[1] == 1 else logits.softmax(dim=1)


def two_classes(logits: Tensor) -> Tensor:
    """Turn the first channel of logits (N, K, H, W) into probabilities of no and yes."""
    yes = logits[:, :1].sigmoid()
    return torch.cat([1 - yes, yes], dim=1)
