"""From place and date to a token, whatever of them is known."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn

from rsmm.errors import ConfigError, DataError
from rsmm.models.semisup.functional import check_place_time, encode_place_time, spherical_harmonics
from rsmm.registry import MODELS


class MetadataEncoder(BaseModule):
    """Base of the encoders: features of place and date, then two linear layers with GELU.

    A missing place or date enters the first layer as a learned vector of its own, which takes part
    in training from the first sample that lacks it.

    Args:
        place_size: Features of a place.
        date_size: Features of a date.
        embed_dims: Size of the token, that of the network it goes into.
        missing: ``'learned'``, or ``'zero'``: features of what is missing are 0, without further
            parameters, as many as the published encoder has.
        ignore: ``'place'``, ``'date'`` or both are replaced by the same value for every image (0
            degrees, 1 January), to measure what they bring.
        init_cfg: Initialisation.
    """

    def __init__(
        self,
        place_size: int,
        date_size: int,
        embed_dims: int = 384,
        missing: str = 'learned',
        ignore: Sequence[str] = (),
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        ignore = (ignore,) if isinstance(ignore, str) else tuple(ignore)
        if missing not in ('learned', 'zero') or not set(ignore) <= {'place', 'date'}:
            raise ConfigError(
                f'missing={missing!r}, ignore={ignore}',
                where=type(self).__name__,
                fix="missing is 'learned' or 'zero', ignore names 'place' or 'date'",
            )
        self.ignore = ignore
        self.first = nn.Linear(place_size + date_size, embed_dims)
        self.second = nn.Linear(embed_dims, embed_dims)
        self.no_place = self.no_date = None
        if missing == 'learned':
            self.no_place = nn.Parameter(0.02 * torch.randn(embed_dims))
            self.no_date = nn.Parameter(0.02 * torch.randn(embed_dims))

    def place_features(self, latitude: Tensor, longitude: Tensor) -> Tensor:
        """Features ``(N, place_size)`` of places in degrees."""
        raise NotImplementedError

    def date_features(self, day_of_year: Tensor) -> Tensor:
        """Features ``(N, date_size)`` of days 1..366."""
        raise NotImplementedError

    def forward(self, places: Tensor) -> Tensor:
        """Tokens ``(N, D)``.

        Args:
            places: Latitude, longitude (degrees) and day of year ``(N, 3)``, NaN where missing.

        Raises:
            DataError: Coordinates or days out of range; a latitude without longitude.
        """
        latitude, longitude, day = self._known(places).unbind(dim=1)
        check_place_time(latitude, longitude, day)
        if (latitude.isnan() != longitude.isnan()).any():
            row = int((latitude.isnan() != longitude.isnan()).nonzero()[0, 0])
            raise DataError(
                f'latitude {float(latitude[row]):g}, longitude {float(longitude[row]):g}',
                where=f'row {row} of the batch',
                fix='Give both or neither',
            )
        no_place, no_date = latitude.isnan()[:, None], day.isnan()[:, None]
        place = self.place_features(latitude.nan_to_num(0.0), longitude.nan_to_num(0.0))
        date = self.date_features(day.nan_to_num(1.0))
        hidden = self.first(
            torch.cat([place.masked_fill(no_place, 0.0), date.masked_fill(no_date, 0.0)], dim=1)
        )
        if self.no_place is not None:
            # As products, so that the vectors are in the graph even when nothing is missing: a
            # distributed wrapper waits for the gradient of every parameter.
            hidden = hidden + no_place * self.no_place + no_date * self.no_date
        return self.second(nn.functional.gelu(hidden))

    def _known(self, places: Tensor) -> Tensor:
        for name, columns, value in (('place', slice(0, 2), 0.0), ('date', slice(2, 3), 1.0)):
            if name in self.ignore:
                places = places.clone()
                places[:, columns] = value
        return places.to(self.first.weight.dtype)


@MODELS.register_module()
class PlaceTimeEncoder(MetadataEncoder):
    """Scaled latitude and longitude, sine and cosine of the day of the year.

    With 384 channels and ``missing='zero'`` it has the 149,760 parameters of the published one.

    Args:
        embed_dims: Size of the token.
        missing: See :class:`MetadataEncoder`.
        ignore: See there.
        init_cfg: Initialisation.
    """

    def __init__(
        self,
        embed_dims: int = 384,
        missing: str = 'learned',
        ignore: Sequence[str] = (),
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(2, 2, embed_dims, missing, ignore, init_cfg)

    def place_features(self, latitude: Tensor, longitude: Tensor) -> Tensor:
        """``(N, 2)``, see :func:`rsmm.models.semisup.functional.encode_place_time`."""
        return encode_place_time(latitude, longitude, torch.ones_like(latitude))[:, :2]

    def date_features(self, day_of_year: Tensor) -> Tensor:
        """``(N, 2)``, see there."""
        zero = torch.zeros_like(day_of_year)
        return encode_place_time(zero, zero, day_of_year)[:, 2:]


@MODELS.register_module()
class SphericalHarmonics(MetadataEncoder):
    """Spherical harmonics of the place, harmonics of the year for the date.

    Finer than :class:`PlaceTimeEncoder`, whose scaled degrees leave all of Europe within a fifth of
    their range, and without an edge at the date line.

    Args:
        embed_dims: Size of the token.
        degree: Largest degree of the harmonics; 10 tells places some 2,000 km apart clearly.
        seasons: Harmonics of the year.
        missing: See :class:`MetadataEncoder`.
        ignore: See there.
        init_cfg: Initialisation.
    """

    def __init__(
        self,
        embed_dims: int = 384,
        degree: int = 10,
        seasons: int = 2,
        missing: str = 'learned',
        ignore: Sequence[str] = (),
        init_cfg: dict | None = None,
    ) -> None:
        if degree < 1 or seasons < 1:
            raise ConfigError(f'degree={degree}, seasons={seasons}', where='SphericalHarmonics')
        super().__init__((degree + 1) ** 2, 2 * seasons, embed_dims, missing, ignore, init_cfg)
        self.degree, self.seasons = degree, seasons

    def place_features(self, latitude: Tensor, longitude: Tensor) -> Tensor:
        """``(N, (degree + 1) ** 2)``, see the functional form."""
        return spherical_harmonics(latitude, longitude, self.degree)

    def date_features(self, day_of_year: Tensor) -> Tensor:
        """Sines, then cosines ``(N, 2 seasons)``."""
        number = torch.arange(1, self.seasons + 1, device=day_of_year.device)
        angle = day_of_year[:, None] * number * (2 * math.pi / 365)
        return torch.cat([angle.sin(), angle.cos()], dim=1)
