"""Place and date as numbers."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from rsmm.errors import DataError

#: Name, lowest and highest value of each column of a place and date.
RANGES = (('latitude', -90.0, 90.0), ('longitude', -180.0, 180.0), ('day_of_year', 1.0, 366.0))


def check_place_time(latitude: Tensor, longitude: Tensor, day_of_year: Tensor) -> None:
    """Refuse places outside the globe and days outside the year; NaN passes as missing.

    Args:
        latitude: Degrees, ``(N,)``.
        longitude: Degrees, ``(N,)``.
        day_of_year: 1..366, ``(N,)``.

    Raises:
        DataError: A value out of range, with the first one and its row.
    """
    columns = (latitude, longitude, day_of_year)
    for (name, low, high), values in zip(RANGES, columns, strict=True):
        wrong = (values < low) | (values > high)
        if wrong.any():
            row = int(wrong.nonzero()[0, 0])
            hint = {
                'latitude': 'Latitude and longitude may be swapped, or in metres',
                'longitude': 'Coordinates are WGS84 degrees, -180..180',
                'day_of_year': 'Days count from 1 (1 January)',
            }[name]
            raise DataError(
                f'{name} {float(values[row]):g} lies outside {low:g}..{high:g}',
                where=f'row {row} of the batch',
                fix=hint,
            )


def encode_place_time(latitude: Tensor, longitude: Tensor, day_of_year: Tensor) -> Tensor:
    """Scaled place, and the date as a point on a circle, ``(N, 4)``.

    ``[latitude / 90, longitude / 180, sin(2 pi day / 365), cos(2 pi day / 365)]``: day 366 falls on
    day 1. Source: Bernhard et al., ECAI 2024 (arXiv 2404.18583).

    Args:
        latitude: Degrees, ``(N,)``.
        longitude: Degrees, ``(N,)``.
        day_of_year: 1..366, ``(N,)``, of any number type.

    Returns:
        In the floating type of the coordinates.

    Raises:
        DataError: A value is missing (NaN) or out of range.
    """
    latitude, longitude = torch.as_tensor(latitude), torch.as_tensor(longitude)
    day_of_year = torch.as_tensor(day_of_year)
    dtype = torch.result_type(latitude, longitude)
    if not dtype.is_floating_point:
        dtype = torch.get_default_dtype()
    columns = [x.to(dtype) for x in (latitude, longitude, day_of_year)]
    for (name, *_), values in zip(RANGES, columns, strict=True):
        if not torch.isfinite(values).all():
            raise DataError(
                f'{name} is missing in the batch',
                fix='Give every sample a place and date, or use a metadata encoder, which has a '
                'token for what is missing',
            )
    check_place_time(*columns)
    angle = columns[2] * (2 * math.pi / 365)
    return torch.stack([columns[0] / 90, columns[1] / 180, angle.sin(), angle.cos()], dim=-1)
