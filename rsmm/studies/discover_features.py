"""Dense unit features of frames from any backbone."""

from __future__ import annotations

from typing import Any

import numpy as np

from rsmm.studies.discover_cell import Features

# 8-bit images are what models of colours were trained on.
_FULL_SCALE = 255.0


def load_features(
    config: str | None, checkpoint: str | None, device: str = 'cpu'
) -> Features | None:
    """Return a function from frames ``(T, C, H, W)`` in 0..1 to unit features; None for pixels.

    Args:
        config: Config of a model with a backbone; None: pixels.
        checkpoint: Its weights, ``'random'`` for none.
        device: ``'cpu'`` or ``'cuda'``.
    """
    if config is None:
        return None
    from rsmm.apis.model import build_model

    return DenseFeatures(build_model(config, checkpoint, device=device), device)


def feature_signature(config: str | None, checkpoint: str | None) -> str:
    """Return what tells the features from others: ``'pixels'``, or a digest of the model."""
    if config is None:
        return 'pixels'
    from rsmm.studies.spacenet7 import model_signature

    return model_signature(config, checkpoint)


class DenseFeatures:
    """The map of a model before its head, unit norm in every place.

    That of its neck where it is one map; else the finest map of the backbone.

    Args:
        model: Has a ``backbone``, perhaps a ``neck`` and a ``data_preprocessor``.
        device: Where it is.
    """

    def __init__(self, model, device: str = 'cpu') -> None:
        self.model, self.device = model, device

    def __call__(self, frames: np.ndarray) -> np.ndarray:
        """Map ``(T, C, H, W)`` in 0..1 to ``(T, D, H / s, W / s)`` float32."""
        import torch

        with torch.inference_mode():
            inputs: Any = torch.from_numpy(np.ascontiguousarray(frames, np.float32)) * _FULL_SCALE
            preprocess = getattr(self.model, 'data_preprocessor', None)
            if preprocess is not None:
                data = preprocess({'inputs': inputs.to(self.device)}, training=False)
                inputs = data['inputs']
                inputs = inputs[0] if isinstance(inputs, list | tuple) else inputs
            found = self._maps(inputs)
            found = torch.nn.functional.normalize(found.float(), dim=1)
        return found.cpu().numpy()

    def _maps(self, inputs):
        maps = self.model.backbone(inputs)
        neck = getattr(self.model, 'neck', None)
        if neck is not None:
            through = neck(maps)
            through = through[0] if isinstance(through, tuple | list) else through
            if through.dim() == 4:
                return through
        return maps[0] if isinstance(maps, tuple | list) else maps
