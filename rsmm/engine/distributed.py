"""Starting a process group on GPUs (NCCL) or on the CPU (gloo).

mmengine's launcher calls CUDA in every case; here the backend follows the machine.
"""

from __future__ import annotations

import datetime
import os
import subprocess

import torch
import torch.distributed as dist

from rsmm.errors import ConfigError

LAUNCHERS = ('none', 'pytorch', 'slurm', 'mpi')


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
        if launcher == 'slurm':
            os.environ.update(_slurm_environment())
        elif launcher == 'mpi':
            os.environ.update(_mpi_environment())
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


def _slurm_environment() -> dict[str, str]:
    names = subprocess.run(
        ['scontrol', 'show', 'hostnames', os.environ['SLURM_NODELIST']],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    return {
        'RANK': os.environ['SLURM_PROCID'],
        'WORLD_SIZE': os.environ['SLURM_NTASKS'],
        'LOCAL_RANK': os.environ['SLURM_LOCALID'],
        'MASTER_ADDR': os.environ.get('MASTER_ADDR', names[0]),
        'MASTER_PORT': os.environ.get('MASTER_PORT', '29500'),
    }


def _mpi_environment() -> dict[str, str]:
    return {
        'RANK': os.environ['OMPI_COMM_WORLD_RANK'],
        'WORLD_SIZE': os.environ['OMPI_COMM_WORLD_SIZE'],
        'LOCAL_RANK': os.environ['OMPI_COMM_WORLD_LOCAL_RANK'],
        'MASTER_ADDR': os.environ['MASTER_ADDR'],
        'MASTER_PORT': os.environ.get('MASTER_PORT', '29500'),
    }
