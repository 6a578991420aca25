"""Mixed precision that knows which devices have it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch
from mmengine.logging import print_log
from mmengine.optim import AmpOptimWrapper as MMEngineAmp
from mmengine.optim import OptimWrapper
from torch import nn

from rsmm.registry import OPTIM_WRAPPERS


def cpu_has_bfloat16() -> bool:
    """Whether this processor multiplies bfloat16 natively (AVX-512 BF16 or AMX)."""
    flags = torch.backends.cpu.get_cpu_capability() if torch.backends.cpu else ''
    probes = ('_is_avx512_bf16_supported', '_is_amx_tile_supported')
    return 'AVX512' in flags and any(getattr(torch.cpu, probe, lambda: False)() for probe in probes)


@OPTIM_WRAPPERS.register_module()
class CPUAmpOptimWrapper(OptimWrapper):
    """bfloat16 autocast on processors that have it, float32 elsewhere.

    No loss scaling is needed: bfloat16 keeps the exponent range of float32.
    """

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.enabled = cpu_has_bfloat16()
        if not self.enabled:
            print_log(
                'Mixed precision was asked for, but this processor has no bfloat16 arithmetic: '
                'training runs in float32.',
                logger='current',
                level=30,
            )

    @contextlib.contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        with (
            super().optim_context(model),
            torch.autocast('cpu', torch.bfloat16, enabled=self.enabled),
        ):
            yield


@OPTIM_WRAPPERS.register_module()
class AmpOptimWrapper:
    """Mixed precision on any device.

    With a GPU this is mmengine's wrapper (float16 with dynamic loss scale by default); on the CPU
    it is :class:`CPUAmpOptimWrapper`.

    Args:
        loss_scale: As mmengine's; unused on the CPU.
        dtype: As mmengine's; unused on the CPU.
        **kwargs: ``optimizer``, ``accumulative_counts``, ``clip_grad``.
    """

    def __new__(cls, loss_scale='dynamic', dtype=None, **kwargs) -> OptimWrapper:
        if torch.cuda.is_available():
            return MMEngineAmp(loss_scale=loss_scale, dtype=dtype, **kwargs)
        return CPUAmpOptimWrapper(**kwargs)
