"""A segmentation model over whole scenes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import nn


def network_predictor(model: nn.Module) -> Callable[[np.ndarray], np.ndarray]:
    """Wrap a segmentor so that it maps tiles (N, h, w, C) to logits (N, h, w, K).

    Normalisation is the model's own preprocessor, on the model's device, without gradients.

    Args:
        model: With ``data_preprocessor`` and ``logits``, e.g. ``FootprintSegmentor``.
    """
    model.eval()

    def predict(tiles: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            batch = torch.from_numpy(np.ascontiguousarray(tiles.transpose(0, 3, 1, 2)))
            data = model.data_preprocessor({'inputs': batch}, training=False)
            logits = model.logits(data['inputs'])
        return logits.permute(0, 2, 3, 1).float().cpu().numpy()

    return predict


def sigmoid(logits: np.ndarray) -> np.ndarray:
    """Return probabilities; minus infinity (no data) gives 0."""
    with np.errstate(over='ignore'):
        return 1 / (1 + np.exp(-logits))
