"""Starting a process group on GPUs (NCCL) or on the CPU (gloo).

mmengine's launcher calls CUDA in every case; here the backend follows the machine.
"""

from __future__ import annotations

import datetime
import os

import torch
import torch.distributed as dist

from rsmm.engine.launchers import LAUNCHERS, launcher_environment
from rsmm.errors import ConfigError


def init_distributed(launcher: str, timeout: float = 1800, backend: str | None = None) -> None:
    """Join the process group that the launcher set up; does nothing for ``'none'``.

    Args:
        launcher: ``'pytorch'`` (torchrun), ``'slurm'`` (srun), ``'mpi'`` (mpirun) or ``'none'``.
        timeout: Seconds after which a collective that misses a process fails.
        backend: ``'nccl'`` or ``'gloo'``; by default NCCL where a GPU is visible.

    Raises:
        ConfigError: The launcher is unknown, or its environment variables are absent.
    """
    if launcher not in LAUNCHERS:
        raise ConfigError(f'{launcher!r} is not one of {", ".join(LAUNCHERS)}', where='--launcher')
    if launcher == 'none' or dist.is_initialized():
        return
    try:
        os.environ.update(launcher_environment(launcher))
        rank, world_size = int(os.environ['RANK']), int(os.environ['WORLD_SIZE'])
        local_rank = int(os.environ['LOCAL_RANK'])
    except KeyError as error:
        raise ConfigError(
            f'the environment variable {error.args[0]} is not set',
            where=f'--launcher {launcher}',
            fix='Start the processes with tools/dist_train.sh or tools/slurm_train.sh',
        ) from error
    on_gpu = torch.cuda.is_available()
    if on_gpu:
        torch.cuda.set_device(local_rank % torch.cuda.device_count())
    dist.init_process_group(
        backend or ('nccl' if on_gpu else 'gloo'),
        rank=rank,
        world_size=world_size,
        timeout=datetime.timedelta(seconds=timeout),
    )
