"""The switches of the discovery pipeline, checked before anything runs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from rsmm.errors import ConfigError, did_you_mean

NORMALISE = ('fit', 'mean', 'none')
BAD_FRAMES = ('error', 'skip')
AUTO = 'auto'

#: What makes the pipeline the published one: nothing guards it against noise, clouds and seasons.
PUBLISHED = {
    'normalise': 'mean',
    'min_change': 0.0,
    'grow': False,
    'lasting': False,
    'third': False,
    'sharpen': False,
    'max_share': 0.1,
    'min_voxels': 400,
    'min_pixels': 1600,
    'min_clear': 400,
}


@dataclass(frozen=True)
class DiscoverOptions:
    """What happens between the images of a cell and its events.

    Attributes:
        bands: Bands to use, by name, of files that name theirs; None: all.
        normalise: ``'fit'``: :func:`rsmm.discovery.match_series`; ``'mean'``: means and deviations
            as in :func:`rsmm.discovery.normalise_series`; ``'none'``.
        min_change: Floor of the change threshold; ``'auto'``: what the noise of the series alone
            does not exceed, see :func:`rsmm.discovery.noise_floor`; 0: none.
        grow: Let changes above the Otsu threshold spread through those above the floor.
        lasting: Leave out changes that the series takes back, see
            :func:`rsmm.discovery.temporary_change`.
        returns: Share of a change within which a state counts as the same again.
        sharpen: Leave out the rim that features see before they reach an edge, see
            :func:`rsmm.discovery.sharpen_change`.
        third: Ask that a change be seen three frames later as well, in series of six or more.
        max_gap: Most months between two frames that are compared; 0: any.
        time_step, radius, factor, components, max_share, seed: See
            :func:`rsmm.discovery.group_changes`.
        min_voxels, min_pixels, min_clear: See :func:`rsmm.discovery.cut_events`.
        min_dates: Cells with fewer dates are left out; the method needs 3.
        bad_frames: ``'error'``: a frame that cannot be read or has another size stops its cell;
            ``'skip'``: it is left out and counted.
        keep_features: Leave the features of each cell in its work folder.

    Raises:
        ConfigError: A value that no step can use.
    """

    bands: tuple[str, ...] | None = None
    normalise: str = 'fit'
    min_change: float | str = AUTO
    grow: bool = True
    lasting: bool = True
    returns: float = 0.25
    sharpen: bool = True
    third: bool = True
    max_gap: int = 0
    time_step: float = 4.0
    radius: float = 20.0
    factor: float = 0.5
    components: int | None = 16
    max_share: float = 0.25
    seed: int = 0
    min_voxels: int = 25
    min_pixels: int = 100
    min_clear: int = 100
    min_dates: int = 4
    bad_frames: str = 'error'
    keep_features: bool = False

    def __post_init__(self) -> None:
        for name, choices in (('normalise', NORMALISE), ('bad_frames', BAD_FRAMES)):
            if getattr(self, name) not in choices:
                raise ConfigError(
                    f'{name}={getattr(self, name)!r}: expected one of {", ".join(choices)}'
                )
        if self.min_change != AUTO:
            _check('min_change', self.min_change, 0, 2)
        for name, high in (('returns', 1), ('max_share', 1), ('factor', math.inf)):
            _check(name, getattr(self, name), 0, high)
        for name in ('time_step', 'radius'):
            _check(name, getattr(self, name), 0)
        for name in ('max_gap', 'min_voxels', 'min_pixels', 'min_clear', 'seed'):
            _check(name, getattr(self, name), 0, whole=True)
        _check('min_dates', self.min_dates, 3, whole=True)
        if self.components is not None:
            _check('components', self.components, 1, whole=True)
        if isinstance(self.bands, str):
            object.__setattr__(self, 'bands', (self.bands,))

    def to_dict(self, *names: str) -> dict:
        """Return options as JSON has them, all or those named."""
        values = asdict(self)
        if values['bands'] is not None:
            values['bands'] = list(values['bands'])
        return {name: values[name] for name in names or values}


def make_options(settings: Mapping[str, object], published: bool = False) -> DiscoverOptions:
    """Build options from names and values, e.g. of a command line.

    Args:
        settings: Options by name.
        published: Start from :data:`PUBLISHED`.

    Raises:
        ConfigError: An unknown name (the message offers the closest one) or a bad value.
    """
    known = [entry.name for entry in fields(DiscoverOptions)]
    for name in settings:
        if name not in known:
            raise ConfigError(
                f'no discovery option {name!r}.{did_you_mean(name, known)}',
                fix=f'Known options: {", ".join(known)}',
            )
    chosen: dict[str, Any] = {**(PUBLISHED if published else {}), **settings}
    return DiscoverOptions(**chosen)


def _check(name: str, value, low: float, high: float = math.inf, whole: bool = False) -> None:
    kinds = int if whole else int | float
    if not isinstance(value, kinds) or isinstance(value, bool) or not low <= value <= high:
        kind = 'a whole number' if whole else 'a number'
        also = " or 'auto'" if name == 'min_change' else ''
        raise ConfigError(f'{name}={value!r}: expected {kind} from {low} to {high}{also}')
