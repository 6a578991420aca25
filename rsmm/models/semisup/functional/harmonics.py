"""Functions on the sphere."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def spherical_harmonics(latitude: Tensor, longitude: Tensor, degree: int) -> Tensor:
    """Real orthonormal spherical harmonics up to a degree.

    Neighbours across the date line and around the poles are neighbours here, which scaled degrees
    do not say. Source of the use: Russwurm et al., ICLR 2024.

    Args:
        latitude: Degrees ``(N,)``.
        longitude: Degrees ``(N,)``.
        degree: Largest degree L.

    Returns:
        ``(N, (L + 1) ** 2)``, by degree and then order -n..n, in the type of the coordinates.
    """
    height = torch.deg2rad(latitude).sin()
    width = torch.deg2rad(latitude).cos()
    east = torch.deg2rad(longitude)
    columns = [[height] * (2 * n + 1) for n in range(degree + 1)]  # all are replaced
    sectoral = torch.full_like(height, math.sqrt(1 / (4 * math.pi)))
    for m in range(degree + 1):
        if m:
            sectoral = sectoral * width * math.sqrt((2 * m + 1) / (2 * m))
        previous, current = torch.zeros_like(height), sectoral
        for n in range(m, degree + 1):
            if n > m:
                a = math.sqrt((4 * n * n - 1) / (n * n - m * m))
                b = math.sqrt(((n - 1) ** 2 - m * m) / (4 * (n - 1) ** 2 - 1)) if n > m + 1 else 0
                previous, current = current, a * (height * current - b * previous)
            if m == 0:
                columns[n][n] = current
            else:
                columns[n][n + m] = math.sqrt(2) * current * (m * east).cos()
                columns[n][n - m] = math.sqrt(2) * current * (m * east).sin()
    return torch.stack([column for row in columns for column in row], dim=-1)
