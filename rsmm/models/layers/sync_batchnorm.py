"""Batch normalisation over all processes on any backend.

torch's ``SyncBatchNorm`` needs a GPU. On the CPU (gloo) these layers share the sums of each channel
by an autograd-aware all-reduce, so that two processes see the statistics of one global batch.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.nn.functional import all_reduce

from rsmm.utils.seams import is_batch_norm


class CPUSyncBatchNorm(nn.BatchNorm2d):
    """Batch normalisation whose training statistics span the process group.

    Works on ``(N, C)`` and ``(N, C, ...)`` inputs; processes may hold different N. In evaluation
    mode, or with one process, it equals :class:`torch.nn.BatchNorm2d`.
    """

    def _check_input_dim(self, input: Tensor) -> None:
        if input.dim() < 2:
            raise ValueError(f'expected at least 2 dimensions (N, C), got {input.dim()}')

    def forward(self, input: Tensor) -> Tensor:
        shared = self.training and dist.is_initialized() and dist.get_world_size() > 1
        if not shared:
            return super().forward(input)
        self._check_input_dim(input)
        axes = [axis for axis in range(input.dim()) if axis != 1]
        values = input.float()
        count = values.new_full((1,), values.numel() / values.shape[1])
        sums = all_reduce(torch.cat([values.sum(axes), values.square().sum(axes), count]))
        total = sums[-1]
        mean, mean_square = sums[:-1].div(total).chunk(2)
        variance = (mean_square - mean.square()).clamp(min=0)
        self._update_running(mean.detach(), variance.detach(), total.detach())
        shape = [1, -1] + [1] * (input.dim() - 2)
        scale = torch.rsqrt(variance + self.eps)
        if self.affine:
            scale = scale * self.weight
        offset = -mean * scale
        if self.affine:
            offset = offset + self.bias
        return (values * scale.view(shape) + offset.view(shape)).to(input.dtype)

    @torch.no_grad()
    def _update_running(self, mean: Tensor, variance: Tensor, count: Tensor) -> None:
        if not self.track_running_stats:
            return
        self.num_batches_tracked.add_(1)
        momentum = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean, momentum)
        self.running_var.lerp_(variance * count / (count - 1), momentum)


def convert_cpu_sync_batchnorm(module: Any) -> Any:
    """Replace every batch normalisation below ``module`` by :class:`CPUSyncBatchNorm`.

    Parameters, buffers and the training flag carry over.
    """
    converted = module
    if is_batch_norm(module):
        converted = CPUSyncBatchNorm(
            module.num_features,
            module.eps,
            module.momentum,
            module.affine,
            module.track_running_stats,
        )
        if module.affine:
            converted.weight, converted.bias = module.weight, module.bias
        converted.running_mean, converted.running_var = module.running_mean, module.running_var
        converted.num_batches_tracked = module.num_batches_tracked
        converted.training = module.training
    for name, child in module.named_children():
        converted.add_module(name, convert_cpu_sync_batchnorm(child))
    return converted
