"""The switches of the SpaceNet 7 pipeline, checked before anything runs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from rsmm.errors import ConfigError, did_you_mean
from rsmm.geo.collapse import CollapseRule
from rsmm.geo.tracking import MASTERS
from rsmm.geo.windows import MERGES, tile_starts

_CHOICES = {
    'mode': ('track', 'collapse'),
    'master': MASTERS,
    'merge': MERGES,
    'format': ('geojson', 'gpkg'),
}
_WHOLE = {'tile': 1, 'stride': 1, 'batch_size': 1, 'look_ahead': 0, 'min_months': 0, 'max_gap': 0}
_RANGES = {
    'threshold': (-math.inf, math.inf),
    'min_area': (0, math.inf),
    'min_iou': (0, 1),
    'min_presence': (0, 1),
}


@dataclass(frozen=True)
class PipelineOptions:
    """What happens between the image and the submission. The defaults are the baseline.

    Attributes:
        tile, stride: Sliding window in pixels.
        merge: ``'mean'`` or ``'linear'`` blending of logits where tiles overlap.
        batch_size: Tiles per forward pass.
        threshold: Logits above it are building.
        min_area: Smallest polygon in square pixels.
        simplify: Tolerance of the outlines in pixels, None for exact.
        watershed: ``(seed, region)`` probabilities: separate touching buildings, using boundary
            and contact channels where the model has them; ``threshold`` is not used then.
        mode: ``'track'``: polygons of each month, then identities. ``'collapse'``: buildings from
            the mean of all months, then the month of each; of the options above only those of the
            sliding window count then.
        min_iou, master, look_ahead: See :func:`rsmm.geo.track_footprints`.
        min_months, min_presence: See :func:`rsmm.geo.filter_tracks`.
        max_gap: Fill gaps up to so many months, see :func:`rsmm.geo.fill_gaps`; 0 fills none.
        collapse: Thresholds of :class:`rsmm.geo.CollapseRule` that differ.
        keep_rasters: Write probabilities and masks as GeoTIFF.
        format: ``'geojson'`` or ``'gpkg'`` for the polygons of each month.

    Raises:
        ConfigError: A value that no step can use.
    """

    tile: int = 512
    stride: int = 512
    merge: str = 'mean'
    batch_size: int = 4
    threshold: float = 0.0
    min_area: float = 3.5
    simplify: float | None = None
    watershed: tuple[float, float] | None = None
    mode: str = 'track'
    min_iou: float = 0.2
    master: str = 'first'
    look_ahead: int = 0
    min_months: int = 1
    min_presence: float = 0.0
    max_gap: int = 0
    collapse: dict = field(default_factory=dict)
    keep_rasters: bool = True
    format: str = 'geojson'

    def __post_init__(self) -> None:
        for name, choices in _CHOICES.items():
            value = getattr(self, name)
            if value not in choices:
                raise ConfigError(f'{name}={value!r}: expected one of {", ".join(choices)}')
        for name, low in _WHOLE.items():
            _check_number(name, getattr(self, name), low, whole=True)
        for name, (least, most) in _RANGES.items():
            _check_number(name, getattr(self, name), least, most)
        if self.simplify is not None:
            _check_number('simplify', self.simplify, 0)
        tile_starts(self.tile, self.tile, self.stride)
        pair = self.watershed
        if pair is not None and not (
            isinstance(pair, list | tuple) and len(pair) == 2 and 0 <= pair[1] <= pair[0] <= 1
        ):
            raise ConfigError(
                f'watershed={pair!r}: expected two probabilities, the seed and the lower region',
                fix='For example watershed=0.7,0.3',
            )
        if not isinstance(self.collapse, Mapping):
            raise ConfigError(f'collapse={self.collapse!r}', fix='For example collapse.floor=0')
        _check_names(self.collapse, [entry.name for entry in fields(CollapseRule)], 'collapse.')
        for name, value in self.collapse.items():
            _check_number(f'collapse.{name}', value, 0)

    @property
    def rule(self) -> CollapseRule:
        """Thresholds of the temporal collapse."""
        return CollapseRule(**self.collapse)

    def to_dict(self) -> dict:
        """Return the options as JSON has them."""
        return {**asdict(self), 'watershed': None if self.watershed is None else [*self.watershed]}


def make_options(settings: Mapping[str, object]) -> PipelineOptions:
    """Build options from names and values, e.g. of a command line.

    Args:
        settings: Options by name; ``collapse.floor`` sets one threshold of the collapse.

    Raises:
        ConfigError: An unknown name (the message offers the closest one) or a bad value.
    """
    dotted = {name: value for name, value in settings.items() if name.startswith('collapse.')}
    plain: dict[str, Any] = {name: value for name, value in settings.items() if name not in dotted}
    _check_names(plain, list(PipelineOptions.__dataclass_fields__))
    if dotted:
        rule = {name.removeprefix('collapse.'): value for name, value in dotted.items()}
        plain['collapse'] = {**plain.get('collapse', {}), **rule}
    return PipelineOptions(**plain)


def _check_number(
    name: str, value: object, low: float, high: float = math.inf, whole: bool = False
) -> None:
    kinds = int if whole else int | float
    if not isinstance(value, kinds) or isinstance(value, bool) or not low <= value <= high:
        kind = 'a whole number' if whole else 'a number'
        raise ConfigError(f'{name}={value!r}: expected {kind} from {low} to {high}')


def _check_names(settings: Mapping[str, object], known: list[str], prefix: str = '') -> None:
    for name in settings:
        if name not in known:
            raise ConfigError(
                f'no pipeline option {prefix + name!r}.{did_you_mean(name, known)}',
                fix=f'Known options: {", ".join(prefix + option for option in known)}',
            )
