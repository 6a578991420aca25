"""From folders of dated images to a catalogue of change events.

Every cell is one unit of work with a folder of its own, ``work/<cell>``: features, then labels,
then events. Each leaves a marker (:mod:`rsmm.utils.done_marker`), so an interrupted run goes on
where it stopped, a changed option redoes what depends on it, and several processes share the list.
"""

from __future__ import annotations

import multiprocessing
import re
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from rsmm.datasets.cells import Cell, find_cells
from rsmm.discovery import cut_events, event_scores
from rsmm.errors import ConfigError, DataError, RsmmError
from rsmm.studies.discover_cell import find_changes, read_light, readable_frames, write_features
from rsmm.studies.discover_export import (
    LAYOUTS,
    event_row,
    place_json,
    slice_paths,
    write_geopackage,
    write_slices,
    write_table,
)
from rsmm.studies.discover_features import feature_signature, load_features
from rsmm.studies.discover_options import DiscoverOptions
from rsmm.utils import atomic_write, track
from rsmm.utils.done_marker import DoneMarker, content_stamp
from rsmm.utils.leftovers import remove_leftovers
from rsmm.utils.listing import list_files, list_folders
from rsmm.utils.lock import fresh_folder, hold_folder

# Goes up whenever the same settings no longer give the same events.
_VERSION = 1
_FEATURES, _LABELS = 'features.npy', 'labels.npz'
_JOINED = ('events.csv', 'events.gpkg', 'events.html')
# Options that shape the features; those that shape the labels are all but these and the cuts.
_OF_FEATURES = ('bands', 'normalise', 'bad_frames')
_OF_CUTS = ('min_voxels', 'min_pixels', 'min_clear', 'min_dates', 'keep_features')


@dataclass(frozen=True)
class Job:
    """A cell to do.

    Attributes:
        cell: Its frames.
        out: Output folder of all cells.
        options: Switches.
        layouts: Of the slices.
        model: What tells the features from others.
    """

    cell: Cell
    out: Path
    options: DiscoverOptions
    layouts: tuple[str, ...]
    model: str

    @property
    def folder(self) -> Path:
        """Work folder of the cell."""
        return self.out / 'work' / self.cell.name

    def marker(self, stage: str) -> DoneMarker:
        """Marker of ``'features'``, ``'labels'`` or ``'events'``."""
        return DoneMarker(self.folder / f'{stage}.json', _signature(self, stage), self.out)


def run_discovery(
    cells: str | Path,
    out: str | Path,
    config: str | None = None,
    checkpoint: str | None = None,
    options: DiscoverOptions | None = None,
    clouds: str | Path | None = None,
    dates: str | Path | None = None,
    layouts: Sequence[str] = ('per_event',),
    processes: int = 1,
    device: str = 'cpu',
    page: bool = True,
) -> dict:
    """Find the change events of all cells of a folder.

    Writes ``events.csv``, ``events.gpkg`` (where cells have a place), ``events.html`` and the
    slices; see ``docs/discovery.md``.

    Args:
        cells: Folder of cell folders, or one of them.
        out: Output folder; what is done there already is kept.
        config: Config of a model for dense features; None: pixels.
        checkpoint: Its weights, ``'random'`` for none.
        options: Switches.
        clouds, dates: See :func:`rsmm.datasets.cells.find_cells`.
        layouts: ``'per_event'``, ``'flat'`` or both.
        processes: Cells worked on at a time.
        device: ``'cpu'`` or ``'cuda'``.
        page: Write the catalogue page.

    Returns:
        ``rows``, ``notes`` (what was left out of which cell), ``cells`` done and ``events``.

    Raises:
        RsmmError: What is missing or does not fit. A cell that fails does not stop the others;
            the first error is raised at the end, after the table of all others was written.
    """
    options = options or DiscoverOptions()
    _check_settings(config, checkpoint, layouts, processes)
    out = Path(out)
    found = find_cells(cells, clouds, dates)
    model = feature_signature(config, checkpoint)
    with fresh_folder(out), hold_folder(out):
        remove_leftovers(out, deep=True, held=True)
        enough = [cell for cell in found if len(cell) >= options.min_dates]
        notes = [_few(cell, options) for cell in found if len(cell) < options.min_dates]
        if not enough:
            raise DataError(
                notes[0] if len(notes) == 1 else f'{len(notes)} cells: {notes[0]}, and so on',
                where=cells,
                fix='Use min_dates=3 for series of three, or give more dates',
            )
        jobs = [Job(cell, out, options, tuple(layouts), model) for cell in enough]
        failed = _run(jobs, (config, checkpoint, device), processes)
        return _summarise(jobs, out, notes, failed, page)


def _check_settings(config, checkpoint, layouts, processes) -> None:
    if (config is None) != (checkpoint is None):
        raise ConfigError('a config needs a checkpoint and the other way round', fix='Give both')
    unknown = [layout for layout in layouts if layout not in LAYOUTS]
    if unknown or not layouts:
        raise ConfigError(f'layouts {list(layouts)}: expected {" or ".join(LAYOUTS)}')
    if processes < 1:
        raise ConfigError(f'processes={processes}: expected at least 1')


def _few(cell: Cell, options: DiscoverOptions) -> str:
    return f'{cell.name}: {len(cell)} dates, fewer than {options.min_dates}: left out'


def _run(jobs: Sequence[Job], settings: tuple, processes: int) -> dict[str, RsmmError]:
    """Do all jobs; return the errors by cell."""
    waiting = [job for job in jobs if job.marker('events').facts() is None]
    if waiting:  # what joins all cells is no longer true
        for name in _JOINED:
            (jobs[0].out / name).unlink(missing_ok=True)
    if processes > 1 and len(waiting) > 1:
        context = multiprocessing.get_context('spawn')
        with ProcessPoolExecutor(processes, context, _start_worker, settings) as pool:
            results = list(track(pool.map(_work, waiting), 'Cells', total=len(waiting)))
    else:
        if waiting:
            _start_worker(*settings)
        results = [_work(job) for job in track(waiting, 'Cells')]
    return {job.cell.name: e for job, e in zip(waiting, results, strict=True) if e is not None}


_worker: dict = {}


def _start_worker(config: str | None, checkpoint: str | None, device: str) -> None:
    """Load the model once per process."""
    _worker['extract'] = load_features(config, checkpoint, device)


def _work(job: Job) -> RsmmError | None:
    try:
        process_cell(job, _worker['extract'])
    except RsmmError as error:
        return error
    return None


def process_cell(job: Job, extract=None) -> list[dict]:
    """Do one cell, from where an earlier run stopped; return the rows of its events.

    Args:
        job: What to do.
        extract: Features of frames; None: pixels.
    """
    job.folder.mkdir(parents=True, exist_ok=True)
    cell, labels, strength, facts = _labels(job, extract)
    cuts = job.options.to_dict('min_voxels', 'min_pixels', 'min_clear')
    events = cut_events(labels, _clouds(cell, labels, facts), scale=facts['scale'], **cuts)
    events = [replace(event, place=cell.name) for event in event_scores(events, strength)]
    with job.marker('events').renewed(_slices(job)) as renewal:
        write_slices(job.out, cell, events, job.layouts)
        place = cell.place()
        notes = list(cell.notes)
        if facts['dropped_frames']:
            share = job.options.max_share
            notes.append(
                f'{facts["dropped_frames"]} frames changed over more than {share:g} left out'
            )
        rows = [event_row(cell, event, place) for event in events]
        renewal.outputs = _slices(job)
        renewal.facts = {'rows': rows, 'notes': notes, 'place': place_json(place), 'facts': facts}
    _remove_empty(job.out / 'events')
    return rows


def _remove_empty(folder: Path) -> None:
    """Remove the folders of events that are no more."""
    for path in list_folders(folder) if folder.is_dir() else ():
        if not any(path.iterdir()):
            path.rmdir()


def _clouds(cell: Cell, labels: np.ndarray, facts: Mapping) -> np.ndarray | None:
    """Return the cloud images over the feature grid, ``(T, H, W)`` uint8, None without any."""
    if not cell.has_clouds or not labels.any():
        return None
    height, width = (facts['scale'] * side for side in labels.shape[1:])
    frames = (cell.read_clouds(t, facts['shape']) for t in range(len(cell)))
    return np.stack([frame[:height, :width] for frame in frames])


def _labels(job: Job, extract) -> tuple[Cell, np.ndarray, np.ndarray, dict]:
    """Return the frames used, labels, strengths and facts, from disk if they are there."""
    marker, path = job.marker('labels'), job.folder / _LABELS
    found = marker.facts()
    if found is not None:
        _drop_features(job)  # unless a kill came first, they are gone
        with np.load(path) as stored:
            return _used(job, found), stored['label_images'], stored['strength'], found['facts']
    cell, features, shape = _features(job, extract)
    if len(cell) >= job.options.min_dates:
        labels, strength, facts = find_changes(features, job.options, _gaps(cell))
    else:
        why = f'{len(cell)} dates of use, fewer than {job.options.min_dates}: nothing looked for'
        cell = replace(cell, notes=(*cell.notes, why))
        labels = np.zeros((len(cell), *features.shape[2:]), np.int32)
        strength, facts = np.zeros(1), {'dropped_frames': 0}
    facts |= {'scale': shape[0] // features.shape[2], 'shape': shape}
    with marker.renewed([path]) as renewal:
        with atomic_write(path) as file:
            np.savez_compressed(file, label_images=labels, strength=strength)
        renewal.outputs = [path]
        renewal.facts = {'facts': facts, **_used_note(cell)}
    del features
    _drop_features(job)
    return cell, labels, strength, facts


def _drop_features(job: Job) -> None:
    """Remove what the labels were made from, and its marker, unless it is to be kept."""
    if not job.options.keep_features:
        job.marker('features').remove()
        (job.folder / _FEATURES).unlink(missing_ok=True)


def _features(job: Job, extract) -> tuple[Cell, np.ndarray, list[int]]:
    """Return the frames used, features as a memory map and the shape of the frames."""
    marker, path = job.marker('features'), job.folder / _FEATURES
    found = marker.facts()
    if found is None:
        with marker.renewed([path]) as renewal:
            cell, light = read_light(readable_frames(job.cell, job.options), job.options)
            write_features(cell, light, job.options, extract, path)
            found = {'shape': list(light.shape), **_used_note(cell)}
            renewal.outputs, renewal.facts = [path], found
    return _used(job, found), np.load(path, mmap_mode='r'), found['shape']


def _used_note(cell: Cell) -> dict:
    return {'used': [frame.date.isoformat() for frame in cell.frames], 'notes': list(cell.notes)}


def _used(job: Job, note: Mapping) -> Cell:
    """Return the cell with the frames and remarks of a note."""
    used = set(note['used'])
    frames = tuple(f for f in job.cell.frames if f.date.isoformat() in used)
    return replace(job.cell, frames=frames, notes=tuple(note['notes']))


def _gaps(cell: Cell) -> np.ndarray:
    months = [12 * frame.date.year + frame.date.month for frame in cell.frames]
    return np.diff(months)


def _signature(job: Job, stage: str) -> dict:
    """Return what the result of a stage depends on, as JSON has it."""
    options = job.options.to_dict()
    kept = {
        'features': {name: options[name] for name in _OF_FEATURES},
        'labels': {name: value for name, value in options.items() if name not in _OF_CUTS},
        'events': options,
    }[stage]
    frames = [
        [frame.date.isoformat(), *(content_stamp(path) for path in (frame.image, frame.unusable))]
        for frame in job.cell.frames
    ]
    made = {'version': _VERSION, 'model': job.model, 'options': kept, 'frames': frames}
    if stage == 'events':
        made['clouds'] = [content_stamp(frame.cloud) for frame in job.cell.frames]
        made['layouts'] = list(job.layouts)
    return made


def _slices(job: Job) -> list[Path]:
    """Return the images that were cut from this cell, by whatever run."""
    name = re.escape(job.cell.name)
    event = re.compile(rf'{name}_\d{{5}}')
    flat = re.compile(rf'{name}_\d{{5}}_\d{{2,}}\.png')
    folders = list_folders(job.out / 'events') if (job.out / 'events').is_dir() else []
    found = [
        path
        for folder in folders
        if event.fullmatch(folder.name)
        for path in list_files(folder, ('.png',))
    ]
    for kind in ('img1', 'img2', 'mask'):
        files = list_files(job.out / 'flat' / kind, ('.png',))
        found += [path for path in files if flat.fullmatch(path.name)]
    return found


def _summarise(jobs, out: Path, notes: list[str], failed: Mapping, page: bool) -> dict:
    """Join the events of all cells into the table, the GeoPackage and the page."""
    results = {
        job.cell.name: job.marker('events').facts() for job in jobs if job.cell.name not in failed
    }
    rows = [row for result in results.values() for row in result['rows']]
    for name, result in results.items():
        notes += [f'{name}: {note}' for note in result['notes']]
    write_table(out / 'events.csv', rows)
    write_geopackage(out / 'events.gpkg', rows, {n: r['place'] for n, r in results.items()})
    if page:
        from rsmm.visualization.pages.events import write_event_page

        pictured = [{**row, **slice_paths(row, jobs[0].layouts)} for row in rows]
        write_event_page(out / 'events.html', pictured)
    if failed:
        error = next(iter(failed.values()))
        raise type(error)(
            f'{error.what} ({len(failed)} of {len(jobs)} cells failed, the others are done)',
            where=error.where,
            fix=error.fix,
        )
    return {'rows': rows, 'notes': notes, 'cells': len(results), 'events': len(rows)}
