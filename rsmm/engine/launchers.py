"""What the launchers tell a process about its group. No torch here: the tools' help reads it."""

from __future__ import annotations

import os
import subprocess

LAUNCHERS = ('none', 'pytorch', 'slurm', 'mpi')


def launcher_environment(launcher: str) -> dict[str, str]:
    """Translate what a launcher sets into the variables of torchrun.

    Args:
        launcher: One of :data:`LAUNCHERS`.

    Returns:
        ``RANK``, ``WORLD_SIZE``, ``LOCAL_RANK``, ``MASTER_ADDR`` and ``MASTER_PORT``; empty where
        the launcher sets them itself.

    Raises:
        KeyError: A variable that the launcher sets is absent.
    """
    if launcher == 'slurm':
        return _slurm_environment()
    return _mpi_environment() if launcher == 'mpi' else {}


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
