"""What ``compile=True`` needs before PyTorch starts to compile."""

from __future__ import annotations

import os
import shutil

import torch

from rsmm.errors import MissingDependencyError

#: What PyTorch tries in turn on the CPU.
_COMPILERS = ('g++', 'clang++', 'c++')
#: Minutes that the first step of a network like ResNet-50 may take on one core.
MINUTES = 10


def require_compiler(backend: str = 'inductor') -> str | None:
    """Name the C++ compiler with which PyTorch compiles for the CPU.

    Args:
        backend: Of ``torch.compile``; only ``'inductor'`` writes C++.

    Returns:
        Its path; None where none is needed, on a GPU or with another backend.

    Raises:
        MissingDependencyError: There is none; PyTorch would say so deep inside the first step.
    """
    if backend != 'inductor' or torch.cuda.is_available():
        return None
    candidates = [os.environ['CXX']] if os.environ.get('CXX') else list(_COMPILERS)
    for candidate in candidates:
        if found := shutil.which(candidate):
            return found
    raise MissingDependencyError(
        f'compile needs a C++ compiler on the CPU; found none of {", ".join(candidates)}',
        where='compile',
        fix='Install one (apt install g++), name it by CXX, or leave compile out',
    )
