"""What can only be seen by comparing the files of a dataset: tags, grids, twins and overlaps."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Sequence
from pathlib import Path

import numpy as np
import shapely

from rsmm.datasets.check_files import FileReport, Finding

#: Share of the smaller of two images that overlap before it is mentioned.
OVERLAP = 0.05
#: Folders of the dates of a pair.
DATES = {'a', 'b', 'before', 'after', 't1', 't2', 'im1', 'im2', 'time1', 'time2'}
OTHER_BANDS = 'has other bands'


def compare(reports: Sequence[FileReport], folder: str = '') -> list[Finding]:
    """Find what differs between the images of a dataset that ought to be alike.

    Args:
        reports: Of all files.
        folder: To name where no single file is at fault.
    """
    images = [report for report in reports if report.role == 'image' and report.size]
    return [
        *unlike(images, 'tags', 'error', 'has other scale and offset tags'),
        *unlike(
            [image for image in images if len(image.bands) > 1], 'bands', 'warning', OTHER_BANDS
        ),
        *unlike(images, 'dtype', 'warning', 'has another dtype'),
        *unlike(images, 'nodata', 'warning', 'has another nodata value'),
        *unlike_pixel_size(images),
        *twins(reports),
        *overlapping_places(images),
        *absent_classes(reports, folder),
    ]


def unlike(images: Sequence[FileReport], key: str, level: str, what: str) -> list[Finding]:
    """Name the images that differ from those of most in their folders' kind."""
    groups = defaultdict(list)
    for image in images:
        groups[_kind(image)].append(image)
    found = []
    for group in groups.values():
        usual = _most([getattr(image, key) for image in group])
        found += [
            Finding(level, image.path, f'{what} ({_shown(value)}) than most ({_shown(usual)})')
            for image in group
            if _plain(value := getattr(image, key)) != _plain(usual)
        ]
    return found


def _kind(image: FileReport) -> tuple[str, int]:
    """Images that ought to be alike: of one suffix, and of one or of several bands."""
    return Path(image.path).suffix.lower(), min(len(image.bands), 2)


def _plain(value: Hashable) -> Hashable:
    return 'NaN' if isinstance(value, float) and np.isnan(value) else value


def _most(values: Sequence) -> object:
    counts = Counter(map(_plain, values))
    most = max(counts.values())
    return next(value for value in values if counts[_plain(value)] == most)


def _shown(value: object) -> str:
    if isinstance(value, tuple):
        return ', '.join(value)
    return 'none' if value in (None, '') else str(value)


def unlike_pixel_size(images: Sequence[FileReport]) -> list[Finding]:
    """Name images whose pixels are more than 1 % larger or smaller than those of most."""
    # Bands in files of their own come in several sizes by design.
    sized = [image for image in images if image.transform is not None and len(image.bands) > 1]
    sizes = [float(np.hypot(image.transform[0], image.transform[3])) for image in sized]
    if not sizes:
        return []
    usual = float(np.median(sizes))
    return [
        Finding('warning', image.path, f'pixels of {size:g} map units, others of {usual:g}')
        for image, size in zip(sized, sizes, strict=True)
        if abs(size / usual - 1) > 0.01
    ]


def twins(reports: Sequence[FileReport]) -> list[Finding]:
    """Find images of the same pixels: an error between training and another split.

    Within a split those of one folder are named, and both dates of a pair; some layouts hold copies
    of all images in another folder.
    """
    groups = defaultdict(list)
    for report in reports:
        if report.digest and report.role == 'image' and report.low != report.high:
            groups[report.digest].append(report)
    found = []
    for group in groups.values():
        first = group[0]
        for other in group[1:]:
            leak = _leaks(first.split, other.split)
            if not leak and not _neighbours(Path(first.path), Path(other.path)):
                continue
            text = f'the same pixels as {first.path}'
            if leak:
                text += f', which is in {first.split}, this in {other.split}'
            found.append(Finding('error' if leak else 'warning', other.path, text))
    return found


def _neighbours(one: Path, other: Path) -> bool:
    dates = {one.parent.name.lower(), other.parent.name.lower()} <= DATES
    return one.parent == other.parent or (dates and one.stem == other.stem)


def _leaks(one: str, other: str) -> bool:
    return one != other and 'train' in (one, other)


def overlapping_places(images: Sequence[FileReport]) -> list[Finding]:
    """Find images of training that show a place of another split."""
    placed = [image for image in images if image.bounds is not None]
    if len({image.split for image in placed}) < 2:
        return []
    outlines = np.array([image.bounds for image in placed], object)
    found = []
    for one, other in shapely.STRtree(outlines).query(outlines, predicate='intersects').T:
        first, second = placed[one], placed[other]
        if first.split != 'train' or second.split == 'train' or first.crs != second.crs:
            continue
        shared = shapely.intersection(outlines[one], outlines[other]).area
        share = shared / min(outlines[one].area, outlines[other].area)
        if share > OVERLAP and first.digest != second.digest:
            text = f'shows {share:.0%} of the place of {first.path}, which is in train'
            found.append(Finding('warning', second.path, text))
    return found


def overlapping_windows(samples: Iterable[tuple[str, str, Sequence[int] | None]]) -> list[Finding]:
    """Find pixels of one file that are in training and in another split.

    Args:
        samples: Split, file, and window (row, column, height, width), None for the whole.
    """
    by_file: dict[str, dict[str, set]] = defaultdict(lambda: defaultdict(set))
    for split, path, window in samples:
        by_file[path][split].add(None if window is None else tuple(window))
    found = []
    for path, splits in by_file.items():
        for split, windows in splits.items():
            if split != 'train' and _meet(splits.get('train', set()), windows):
                found.append(Finding('error', path, f'is in train and in {split}'))
    return found


def _meet(ones: set, others: set) -> bool:
    """Whether a window of one set and one of the other have a pixel in common; None is all."""
    if not ones or not others:
        return False
    if None in ones or None in others:
        return True
    boxes = [
        np.array([shapely.box(c, r, c + w, r + h) for r, c, h, w in windows], object)
        for windows in (ones, others)
    ]
    other, one = shapely.STRtree(boxes[0]).query(boxes[1], predicate='intersects')
    return bool((shapely.area(shapely.intersection(boxes[0][one], boxes[1][other])) > 0).any())


def class_counts(reports: Sequence[FileReport]) -> dict[str, dict[str, int]]:
    """Pixels per stored value of the labels of each split."""
    counts: dict[str, Counter] = defaultdict(Counter)
    for report in reports:
        counts[report.split].update(report.values)
    return {
        split: {key: found[key] for key in sorted(found, key=_by_number)}
        for split, found in counts.items()
        if found
    }


def absent_classes(reports: Sequence[FileReport], folder: str) -> list[Finding]:
    """Name values of labels that another split has and training lacks."""
    counts = class_counts(reports)
    known = set(counts.get('train', ()))
    return [
        Finding(
            'warning', folder, f'labels of {split} hold {_list(set(found) - known)}, train none'
        )
        for split, found in counts.items()
        if known and set(found) - known
    ]


def _list(values: Iterable[str]) -> str:
    return ', '.join(sorted(values, key=_by_number))


def _by_number(value: str) -> tuple[bool, float, str]:
    return value.startswith('#'), 0.0 if value.startswith('#') else float(value), value
