"""Which places changed: the running evidence of CACo and its two-component mixture.

Source: Mall et al., Change-Aware Sampling and Contrastive Learning for Satellite Images
(CVPR 2023).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from mmengine.dist import broadcast
from torch import Tensor, nn

from rsmm.errors import CheckpointError, ConfigError

UNSEEN = -1
EVIDENCE = ('ratio', 'distance')


@dataclass(frozen=True)
class Mixture:
    """Two normal distributions fitted to change ratios, the lower one first.

    Attributes:
        means: ``(2,)``.
        stds: ``(2,)``.
        weights: ``(2,)``, sum 1.
        flags: 1 where a value belongs to the upper component, ``(n,)`` int64.
    """

    means: np.ndarray
    stds: np.ndarray
    weights: np.ndarray
    flags: np.ndarray


def fit_mixture(ratios: np.ndarray, seed: int = 0) -> Mixture | None:
    """Split change ratios ``(n,)`` into "same" and "changed"; None below two distinct values."""
    from sklearn.mixture import GaussianMixture

    ratios = np.asarray(ratios, np.float64).reshape(-1)
    if len(np.unique(ratios)) < 2:
        return None
    mixture = GaussianMixture(n_components=2, random_state=seed).fit(ratios[:, None])
    order = np.argsort(mixture.means_[:, 0])
    labels = mixture.predict(ratios[:, None])
    return Mixture(
        means=mixture.means_[order, 0],
        stds=np.sqrt(mixture.covariances_[order, 0, 0]),
        weights=mixture.weights_[order],
        flags=(labels == order[1]).astype(np.int64),
    )


class ChangeFlags(nn.Module):
    """Change ratio and flag of every image, as model state.

    Buffers, one entry per sample index: ``ratio`` float32, ``seen`` bool, ``flag`` int64
    (1 changed, 0 not, -1 not seen yet); with ``evidence='distance'`` also ``distances`` float32
    ``(n, 2)``, the running long-term and short-term distance.

    Args:
        num_samples: Images in the dataset; 0 until :meth:`resize` or a checkpoint says so.
        evidence: What is averaged over the draws. ``'ratio'`` is the published running ratio of an
            image. ``'distance'`` averages the two distances, joined over both images of a place,
            and divides the averages: one draw with a small denominator then does not outweigh all
            others.
        keep: Share of the old value in a running average.
    """

    ratio: Tensor
    seen: Tensor
    flag: Tensor
    distances: Tensor

    def __init__(self, num_samples: int = 0, evidence: str = 'ratio', keep: float = 0.8) -> None:
        super().__init__()
        if evidence not in EVIDENCE or not 0 <= keep < 1:
            raise ConfigError(
                f'evidence={evidence!r}, keep={keep}',
                where='change_flags',
                fix=f'evidence is one of {", ".join(EVIDENCE)}, keep lies in [0, 1)',
            )
        self.evidence = evidence
        self.keep = keep
        self.register_buffer('ratio', torch.zeros(num_samples))
        self.register_buffer('seen', torch.zeros(num_samples, dtype=torch.bool))
        self.register_buffer('flag', torch.full((num_samples,), UNSEEN))
        if evidence == 'distance':
            self.register_buffer('distances', torch.zeros(num_samples, 2))

    def __len__(self) -> int:
        return len(self.ratio)

    def resize(self, num_samples: int) -> None:
        """Make room for a dataset; forgets everything unless the size is right already."""
        if num_samples != len(self):
            fresh = ChangeFlags(num_samples, self.evidence, self.keep).to(self.ratio.device)
            for name, buffer in fresh.named_buffers():
                setattr(self, name, buffer)

    def lookup(self, index: Tensor) -> Tensor:
        """Flags of samples ``(N,)``: 1 changed, 0 otherwise."""
        return (self.flag[index.to(self.flag.device)] == 1).long()

    @torch.no_grad()
    def observe(self, index: Tensor, long: Tensor, short: Tensor) -> None:
        """Take the distances of a batch of pairs (old, new, old, new...) into account.

        Args:
            index: Sample indices ``(N,)``.
            long: Distance to the other period ``(N,)``.
            short: Distance to another season ``(N,)``.
        """
        if self.evidence == 'ratio':
            self.update(index, long / (short + 1e-4))
            return
        both = torch.stack([long, short], dim=1).view(-1, 2, 2).mean(dim=1)
        self._average(self.distances, index, both.repeat_interleave(2, dim=0))
        self.ratio[index] = self.distances[index, 0] / (self.distances[index, 1] + 1e-4)

    @torch.no_grad()
    def update(self, index: Tensor, ratio: Tensor) -> None:
        """Average new change ratios into the running ones: ``r <- (4 r + R) / 5``, first ``R``.

        Args:
            index: Sample indices ``(N,)``; of one that stands there twice the first counts.
            ratio: Change ratios ``(N,)``.
        """
        self._average(self.ratio, index, ratio)

    def _average(self, running: Tensor, index: Tensor, value: Tensor) -> None:
        """Average values into a buffer and mark their samples as seen."""
        index, value = index.to(running.device), value.to(running)
        index, inverse = index.unique(return_inverse=True)
        position = torch.arange(len(inverse), device=inverse.device)
        first = torch.full_like(index, len(inverse))
        first.scatter_reduce_(0, inverse, position, 'amin')
        old, new = running[index], value[first]
        known = self.seen[index].view(-1, *[1] * (value.dim() - 1))
        running[index] = torch.where(known, self.keep * old + (1 - self.keep) * new, new)
        self.seen[index] = True

    def refresh(self, seed: int = 0) -> Mixture | None:
        """Set the flags from a mixture over all ratios seen; the same on all processes."""
        seen = self.seen.cpu()
        mixture = fit_mixture(self.ratio.cpu()[seen].numpy(), seed)
        flag = torch.full((len(self),), UNSEEN)
        flag[seen] = 0 if mixture is None else torch.from_numpy(mixture.flags)
        flag = flag.to(self.flag.device)
        broadcast(flag, src=0)
        self.flag.copy_(flag)
        return mixture

    def _load_from_state_dict(self, state_dict, prefix, *args) -> None:
        stored = state_dict.get(f'{prefix}ratio')
        if stored is not None and len(stored) != len(self):
            if len(self):
                raise CheckpointError(
                    f'holds change flags of {len(stored)} images, the dataset has {len(self)}',
                    where=f'{prefix}ratio',
                    fix='Resume on the same data, or load the encoder only with load_from',
                )
            self.resize(len(stored))
        super()._load_from_state_dict(state_dict, prefix, *args)
