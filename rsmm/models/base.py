"""The base of models that build their own data preprocessor."""

from __future__ import annotations

from mmengine.model import BaseModel
from torch import nn

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
