"""The base of models that build their own data preprocessor, and what a map asks of a model."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

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
