"""How embeddings lie on the unit sphere: alignment of positives, uniformity of all."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor


def alignment(x: Tensor, y: Tensor) -> Tensor:
    """Mean squared distance of positive pairs on the unit sphere; 0 is best.

    Wang and Isola, Understanding Contrastive Representation Learning (ICML 2020), with alpha 2.

    Args:
        x: Embeddings ``(N, D)``.
        y: Embeddings of their positives ``(N, D)``.
    """
    return (F.normalize(x, dim=1) - F.normalize(y, dim=1)).square().sum(dim=1).mean()


def uniformity(x: Tensor) -> Tensor:
    """Logarithm of the mean Gaussian potential of all pairs (t = 2); lower is more spread out.

    Args:
        x: Embeddings ``(N, D)``, N at least 2.
    """
    distance = torch.pdist(F.normalize(x, dim=1))
    return torch.logsumexp(-2 * distance.square(), dim=0) - np.log(max(1, len(distance)))
