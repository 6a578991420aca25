"""Running a function in several processes joined by gloo."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

import torch
import torch.distributed as dist
import torch.multiprocessing as mp


def run_processes(function: Callable, world_size: int, tmp_path: Path, *args) -> list:
    """Run ``function(*args)`` on every rank of a gloo group and return the results by rank.

    Args:
        function: A module-level function; its result must be what ``torch.save`` takes.
        world_size: Number of processes.
        tmp_path: Folder for the results.
        *args: Arguments, the same for each rank.
    """
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        port = probe.getsockname()[1]
    mp.spawn(_entry, (world_size, port, tmp_path, function, args), nprocs=world_size)
    return [torch.load(tmp_path / f'rank{rank}.pt') for rank in range(world_size)]


def _entry(rank: int, world_size: int, port: int, tmp_path: Path, function, args) -> None:
    os.environ.update(MASTER_ADDR='127.0.0.1', MASTER_PORT=str(port), LOCAL_RANK=str(rank))
    torch.set_num_threads(1)
    dist.init_process_group('gloo', rank=rank, world_size=world_size)
    try:
        torch.save(function(*args), tmp_path / f'rank{rank}.pt')
        dist.barrier()
    finally:
        dist.destroy_process_group()
