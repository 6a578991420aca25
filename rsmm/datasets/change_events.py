"""Pairs of images of one place: discovered change events, neighbouring dates, or an image twice."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from mmengine.logging import print_log

from rsmm.datasets.base import RSDataset
from rsmm.datasets.cells import CellFrame, find_cells
from rsmm.datasets.event_labels import read_event_labels
from rsmm.errors import ConfigError, DataError
from rsmm.geo.raster import raster_shape
from rsmm.registry import DATASETS
from rsmm.utils.listing import images_by_stem, list_files, list_folders

LAYOUTS = ('auto', 'flat', 'per_event')


@DATASETS.register_module()
class ChangeEventPairs(RSDataset):
    """Slices of change events: before, after, and the mask of what changed.

    Two layouts: ``flat`` has ``img1/X``, ``img2/X`` and ``mask/X`` of one name; ``per_event`` a
    folder an event with ``00_img.png``, ``01_img.png``, ... and one ``00_mask.png`` less, so that
    mask ``t`` is the change from image ``t`` to ``t + 1``. Source: Mall et al., NeurIPS 2022.

    Args:
        data_root: Folder of the events.
        layout: ``'auto'`` looks for ``img1``.
        use_time: False shows the first image twice (the baseline "notime").
        use_mask: False weighs all pixels alike (the baseline "nochange").
        labels: Table of labels, see :func:`read_event_labels`; events without one are left out and
            counted. None: no labels.
        label_column: Its column of labels.
        min_size: Events whose images have a shorter side than this, in pixels, are left out:
            enlarged to the size of a view they would be blur.
        **kwargs: Arguments of :class:`RSDataset`.

    Raises:
        DataError: An image or mask lacks its partner, or there are no events, or none with a label.
    """

    METAINFO = {'classes': ('object',)}

    def __init__(
        self,
        data_root: str = '',
        layout: str = 'auto',
        use_time: bool = True,
        use_mask: bool = True,
        labels: str | None = None,
        label_column: str = 'label',
        min_size: int = 0,
        **kwargs,
    ) -> None:
        if layout not in LAYOUTS:
            raise ConfigError(f'layout={layout!r} is not one of {", ".join(LAYOUTS)}')
        self.layout, self.use_time, self.use_mask = layout, use_time, use_mask
        self.min_size = min_size
        self.labels = None if labels is None else read_event_labels(labels, label_column)
        if self.labels is not None:
            kwargs.setdefault('metainfo', {'classes': tuple(sorted(set(self.labels.values())))})
        super().__init__(data_root=data_root, **kwargs)

    def load_data_list(self) -> list[dict]:
        """List the pairs: ``date_files``, ``mask_path`` or None, ``event``, ``img_path``."""
        root = Path(self.data_root)
        flat = self.layout == 'flat' or (self.layout == 'auto' and (root / 'img1').is_dir())
        triples = list(_flat(root) if flat else _per_event(root))
        if not triples:
            raise DataError(
                'holds no events',
                where=root,
                fix='Give the folder that holds img1, img2 and mask, or a folder for each event',
            )
        if self.labels is not None:
            triples = self._labelled(triples)
        if self.min_size:
            triples = self._large(triples)
        return [
            {
                'date_files': (str(before), str(after if self.use_time else before)),
                'mask_path': str(mask) if self.use_mask else None,
                'event': event,
                'img_path': str(before),
                **self._label(event),
            }
            for event, before, after, mask in triples
        ]

    def _label(self, event: str) -> dict[str, int]:
        if self.labels is None:
            return {}
        return {'gt_label': self.metainfo['classes'].index(self.labels[event])}

    def _large(self, triples: list[tuple]) -> list[tuple]:
        kept = [triple for triple in triples if min(raster_shape(triple[1])) >= self.min_size]
        if not kept:
            raise DataError(
                f'no event is {self.min_size} pixels wide', where=self.data_root, fix='Set min_size'
            )
        return kept

    def _labelled(self, triples: list[tuple]) -> list[tuple]:
        kept = [triple for triple in triples if triple[0] in self.labels]
        events = {triple[0] for triple in triples}
        without = sorted(events - set(self.labels))
        if not kept:
            raise DataError(
                f'none of {len(events)} events has a label ({without[0]})',
                where=self.data_root,
                fix='The column event must hold the names of the event folders',
            )
        if without:
            print_log(
                f'{len(without)} of {len(events)} events without a label left out ({without[0]})',
                logger='current',
                level=30,
            )
        return kept


def _flat(root: Path):
    """Yield event, before, after and mask of the flat layout."""
    parts = {part: images_by_stem(root / part) for part in ('img1', 'img2', 'mask')}
    names = sorted(set().union(*parts.values()))
    for name in names:
        missing = [part for part, found in parts.items() if name not in found]
        if missing:
            raise DataError(
                f'{name} is not in {", ".join(missing)}',
                where=root,
                fix='Copy the folder again, or remove what has no partner',
            )
        yield (name, *(found[name] for found in parts.values()))


def _per_event(root: Path):
    """Yield event, before, after and mask of the layout with a folder an event."""
    for folder in list_folders(root):
        files = {path.stem: path for path in list_files(folder)}
        masks = sorted(name for name in files if name.endswith('_mask'))
        images = sorted(name for name in files if name.endswith('_img'))
        if not masks and not images:
            continue
        if len(images) != len(masks) + 1:
            raise DataError(
                f'{len(images)} images and {len(masks)} masks, expected one mask less than images',
                where=folder,
                fix='Cut the events again, or copy the folder again',
            )
        for number, mask in enumerate(masks):
            before, after = f'{number:02d}_img', f'{number + 1:02d}_img'
            if mask != f'{number:02d}_mask' or before not in files or after not in files:
                raise DataError(f'{mask} is not the change from {before} to {after}', where=folder)
            yield folder.name, files[before], files[after], files[mask]


@DATASETS.register_module()
class SelfPairs(RSDataset):
    """All images below a folder, each a pair with itself (the mode "eurosat").

    Args:
        data_root: Folder; sub-folders are searched.
        **kwargs: Arguments of :class:`RSDataset`.
    """

    METAINFO = {'classes': ('object',)}
    TOY_NAME = 'eurosat'

    def load_data_list(self) -> list[dict]:
        """List the images as pairs without mask."""
        paths = list_files(Path(self.data_root), deep=True)
        if not paths:
            raise self.not_found('holds no images', self.data_root)
        return [
            {
                'date_files': (str(path), str(path)),
                'mask_path': None,
                'event': path.stem,
                'img_path': str(path),
            }
            for path in paths
        ]


@DATASETS.register_module()
class SeriesPairs(RSDataset):
    """Dates of cells, without looking for change: neighbours in pairs, or each with itself.

    Args:
        data_root: Folder of cells, see :func:`rsmm.datasets.cells.find_cells`.
        max_gap_days: Largest distance of two dates that count as neighbours. 45 takes months that
            follow each other.
        use_time: False pairs each date with itself, for dense features (SSNet); True is the mode
            "fulldata".
        min_dates: Cells with fewer dates are left out.
        max_dates: Only so many first dates of a cell are used; None: all.
        **kwargs: Arguments of :class:`RSDataset`.

    Raises:
        DataError: No two dates of a cell are near enough, or no cell has enough of them.
    """

    METAINFO = {'classes': ('object',)}
    TOY_NAME = 'series'

    def __init__(
        self,
        data_root: str = '',
        max_gap_days: int = 45,
        use_time: bool = True,
        min_dates: int = 1,
        max_dates: int | None = None,
        **kwargs,
    ) -> None:
        self.max_gap_days, self.use_time = max_gap_days, use_time
        self.min_dates, self.max_dates = min_dates, max_dates
        super().__init__(data_root=data_root, **kwargs)

    def load_data_list(self) -> list[dict]:
        """List the pairs in the order of cells and dates."""
        cells = [cell for cell in find_cells(self.data_root) if len(cell) >= self.min_dates]
        pairs = [
            {
                'date_files': (str(first.image), str(second.image)),
                'mask_path': None,
                'event': cell.name,
                'dates': (str(first.date), str(second.date)),
                'img_path': str(first.image),
            }
            for cell in cells
            for first, second in self._pairs(cell.frames[: self.max_dates])
        ]
        if not pairs:
            what = f'no two dates of a cell are at most {self.max_gap_days} days apart'
            raise DataError(
                what if cells else f'no cell has {self.min_dates} dates',
                where=self.data_root,
                fix='Set max_gap_days' if cells else 'Set min_dates',
            )
        return pairs

    def _pairs(self, frames: Sequence[CellFrame]) -> list[tuple[CellFrame, CellFrame]]:
        if not self.use_time:
            return [(frame, frame) for frame in frames]
        return [
            (first, second)
            for first, second in pairwise(frames)
            if (second.date - first.date).days <= self.max_gap_days
        ]

    @property
    def place_items(self) -> list[list[int]]:
        """Samples of each cell, for samplers that keep places apart."""
        items: dict[str, list[int]] = {}
        for index in range(len(self)):
            items.setdefault(self.get_data_info(index)['event'], []).append(index)
        return list(items.values())
