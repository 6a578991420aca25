"""Learning-rate schedules that mmengine lacks."""

from __future__ import annotations

import math

from mmengine.logging import print_log
from mmengine.optim.scheduler.lr_scheduler import LRSchedulerMixin
from mmengine.optim.scheduler.param_scheduler import INF, _ParamScheduler

from rsmm.errors import ConfigError
from rsmm.registry import PARAM_SCHEDULERS


def cosine_cycle(step: int, total: int, warmup: int = 0, cycles: float = 7 / 16) -> float:
    """Factor of the base rate: a straight rise, then a part of a cosine.

    ``step / warmup`` below ``warmup``, then ``max(0, cos(pi cycles (step - warmup) / (total -
    warmup)))``: with 7 / 16 the run ends at .195, not at 0. Source: Sohn et al., FixMatch (2020).

    Args:
        step: From 0.
        total: Steps of the run.
        warmup: Steps of the rise; the first one has rate 0.
        cycles: Half turns of the cosine over the run.
    """
    if step < warmup:
        return step / warmup
    return max(0.0, math.cos(math.pi * cycles * (step - warmup) / max(total - warmup, 1)))


@PARAM_SCHEDULERS.register_module()
class CosineCycleLR(LRSchedulerMixin, _ParamScheduler):
    """:func:`cosine_cycle` of the step, the usual schedule of semi-supervised runs.

    Args:
        optimizer: Optimizer or its wrapper.
        total: Steps (or epochs) of the run.
        warmup: Steps of the rise from 0.
        cycles: Half turns of the cosine.
        begin: First step.
        end: Step after the last.
        last_step: For resuming without a state.
        by_epoch: Whether steps are epochs.
        verbose: Print each rate.
    """

    def __init__(
        self,
        optimizer,
        total: int,
        warmup: int = 0,
        cycles: float = 7 / 16,
        begin: int = 0,
        end: int = INF,
        last_step: int = -1,
        by_epoch: bool = False,
        verbose: bool = False,
    ) -> None:
        if total < 1 or not 0 <= warmup < total or cycles <= 0:
            raise ConfigError(
                f'total={total}, warmup={warmup}, cycles={cycles}',
                where='CosineCycleLR',
                fix='warmup lies below total',
            )
        if end < total:
            # A run may stop early on purpose; but mmengine also ends at the last epoch, the first
            # of a run by steps, what does not say that it counts steps.
            print_log(
                f'CosineCycleLR ends at step {end} of {total}; where steps are counted, say '
                'by_epoch=False',
                'current',
                level=30,
            )
        self.total, self.warmup, self.cycles = total, warmup, cycles
        super().__init__(
            optimizer,
            begin=begin,
            end=end,
            last_step=last_step,
            by_epoch=by_epoch,
            verbose=verbose,
        )

    def _get_value(self) -> list[float]:
        factor = cosine_cycle(self.last_step, self.total, self.warmup, self.cycles)
        return [base * factor for base in self.base_values]
