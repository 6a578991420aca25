"""What a file of a dataset holds, and what would go wrong with it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
import shapely

from rsmm.errors import RsmmError
from rsmm.geo.io import read_vector
from rsmm.geo.label_raster import read_label
from rsmm.geo.raster import Raster, open_raster

#: Share of missing pixels above which an image is mentioned.
MUCH_MISSING = 0.5
#: Share of pixels that are 0 in all bands, and not said to be missing, that is mentioned.
MANY_ZEROS = 0.2
#: Magnitude that no sensor measures.
ABSURD = 1e30
#: More distinct values than this are no classes.
MANY_VALUES = 64
_BLOCK = 1 << 24


class Finding(NamedTuple):
    """Something that is or may be wrong.

    Attributes:
        level: ``'error'`` (training or prediction fails, or is silently wrong) or ``'warning'``.
        path: File or folder.
        what: In words.
    """

    level: str
    path: str
    what: str


@dataclass
class FileReport:
    """One file: facts, None or empty where they do not apply, and findings.

    Attributes:
        path, split, role: Which file; ``role`` is image, label, footprints or boxes.
        size: (H, W) in pixels, or number of objects.
        bands, dtype, nodata: As stored.
        tags: Scale and offset in words.
        crs, transform: Place.
        missing: Share of missing pixels.
        low, high: Range of the present values.
        values: Pixels per stored value of a label, as text; colours as ``#rrggbb``.
        digest: Of the pixels, equal for equal images whatever their file.
        findings: What is wrong.
    """

    path: str
    split: str = ''
    role: str = 'image'
    size: tuple[int, ...] = ()
    bands: tuple[str, ...] = ()
    dtype: str = ''
    nodata: float | None = None
    tags: str = ''
    crs: str | None = None
    transform: tuple | None = None
    missing: float | None = None
    low: float | None = None
    high: float | None = None
    values: dict[str, int] = field(default_factory=dict)
    digest: str = ''
    findings: list[Finding] = field(default_factory=list)

    def say(self, level: str, what: str) -> None:
        """Add a finding."""
        self.findings.append(Finding(level, self.path, what))

    @property
    def bounds(self) -> shapely.Polygon | None:
        """Outline on the map, None without a place."""
        if self.transform is None or len(self.size) != 2:
            return None
        a, b, c, d, e, f = self.transform
        height, width = self.size
        corners = [(0, 0), (width, 0), (width, height), (0, height)]
        return shapely.Polygon([(a * x + b * y + c, d * x + e * y + f) for x, y in corners])


def look_at(path: str | Path, role: str, split: str = '', **options) -> FileReport:
    """Read a file as its role has it and report; an error of the reader becomes a finding.

    Args:
        path: File.
        role: ``'image'``, ``'label'`` or ``'footprints'``.
        split: That it belongs to.
        **options: Of :func:`rsmm.geo.raster.open_raster`, for images.
    """
    report = FileReport(str(path), split, role)
    looks: dict[str, Callable[..., None]] = {
        'image': _look_at_image,
        'label': _look_at_label,
        'footprints': _look_at_footprints,
    }
    try:
        looks[role](report, **options)
    except RsmmError as error:
        report.say('error', in_words(error, path))
    return report


def in_words(error: RsmmError, path: str | Path = '') -> str:
    """An error in one line, without the name of the file that it is told of."""
    text = str(error)
    if error.where == str(path):
        text = text.removeprefix(f'{error.where}: ')
    return ' '.join(text.split())


def _look_at_image(report: FileReport, **options) -> None:
    with open_raster(report.path, **options) as raster:
        report.size, report.bands = tuple(raster.shape), tuple(raster.bands)
        report.dtype, report.nodata = str(raster.dtype), raster.nodata
        report.crs, report.transform = raster.crs, raster.transform
        report.tags = tags_in_words(raster)
        missing, zeros = _scan(report, raster)
    report.missing = missing
    if missing == 1:
        report.say('error', 'no pixel has data')
    elif missing > MUCH_MISSING:
        report.say('warning', f'{missing:.0%} of the pixels have no data')
    elif report.low == report.high:
        report.say('warning', f'all values are {report.low:g}')
    if zeros > MANY_ZEROS:
        report.say('warning', f'{zeros:.0%} of the pixels are 0 in all bands, and no tag says so')
    if report.high is not None and max(abs(report.low), abs(report.high)) > ABSURD:
        report.say('error', f'holds {max(abs(report.low), abs(report.high)):.3g}, marked by no tag')


def _scan(report: FileReport, raster: Raster) -> tuple[float, float]:
    """Go through the pixels in blocks; shares that are missing, and present but all 0."""
    height, width = raster.shape
    rows = max(1, _BLOCK // max(1, width * len(raster.bands)))
    digest = hashlib.sha1(f'{raster.shape}{raster.dtype}'.encode(), usedforsecurity=False)
    absent = zeros = 0
    for row in range(0, height, rows):
        image, missing = raster.read((row, 0, rows, width))
        digest.update(image.tobytes())
        present = image.reshape(-1, image.shape[2])
        if missing is not None:
            absent += int(missing.sum())
            present = image[~missing]
        if len(present):
            zeros += int((present == 0).all(axis=1).sum())
            low, high = float(present.min()), float(present.max())
            report.low = low if report.low is None else min(low, report.low)
            report.high = high if report.high is None else max(high, report.high)
    report.digest = digest.hexdigest()
    return absent / (height * width), zeros / (height * width)


def tags_in_words(raster: Raster) -> str:
    """Scale and offset tags, empty where there are none."""
    if raster.scales is None:
        return ''
    return f'scale {_plain(raster.scales)}, offset {_plain(raster.offsets)}'


def _plain(values: Sequence[float]) -> str:
    unique = sorted(set(values))
    return '/'.join(f'{value:g}' for value in unique[:3])


def _look_at_label(report: FileReport) -> None:
    label = read_label(report.path)
    report.size, report.dtype = label.shape, str(label.values.dtype)
    report.crs, report.transform = label.crs, label.transform
    report.missing = float(label.missing.mean())
    values = label.values[~label.missing]
    if label.values.ndim == 3:
        report.bands = ('R', 'G', 'B')
        values = values.astype(np.int64) @ (65536, 256, 1)
    if report.missing == 1:
        report.say('warning', 'no pixel has a label')
        return
    found, counts = np.unique(values, return_counts=True)
    if len(found) > MANY_VALUES:
        report.say('warning', f'holds {len(found)} different values: is it a label?')
        return
    shown = ('#{:06x}' if label.values.ndim == 3 else '{:g}').format
    report.values = dict(zip(map(shown, found.tolist()), counts.tolist(), strict=True))


def _look_at_footprints(report: FileReport) -> None:
    shapes, _, crs = read_vector(report.path)
    report.size, report.crs = (len(shapes),), crs
    present = [shape for shape in shapes if shape is not None and not shape.is_empty]
    kinds = sorted({shape.geom_type for shape in present})
    report.bands = tuple(kinds)
    broken = sum(not shapely.is_valid(shape) for shape in present)
    if broken:
        report.say('warning', f'{broken} of {len(shapes)} geometries are invalid')
    if len(present) < len(shapes):
        report.say('warning', f'{len(shapes) - len(present)} rows have no geometry')
    if len(present):
        box = shapely.total_bounds(np.array(present, object))
        report.low, report.high = float(box[:2].min()), float(box[2:].max())
        if not np.isfinite(box).all():
            report.say('error', 'holds coordinates that are no numbers')
