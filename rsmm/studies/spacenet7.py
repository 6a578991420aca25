"""From a folder of monthly images to tracked building footprints and their SCOT score.

Every area of interest is one unit of work: a finished one leaves ``done.json`` behind
(:mod:`rsmm.utils.done_marker`) and is not done again, so an interrupted run goes on where it
stopped, and several processes share the list.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import warnings
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np

from rsmm.apis.model import build_model
from rsmm.datasets.spacenet7 import Frame, find_cubes
from rsmm.datasets.transforms.footprints import NO_IDENTITY, read_footprints, read_mosaic
from rsmm.errors import ConfigError, DataError, DataNotFoundError
from rsmm.evaluation.functional.change_tracking import scot
from rsmm.geo.collapse import logits_to_polygons, logits_to_score, sigmoid, temporal_collapse
from rsmm.geo.cubes import (
    Cube,
    building_history,
    clip_to_valid,
    fill_gaps,
    filter_tracks,
    make_cube,
)
from rsmm.geo.io import write_raster, write_vector
from rsmm.geo.raster import raster_shape, read_raster
from rsmm.geo.rasterize import as_affine
from rsmm.geo.submission import read_submission, write_submission
from rsmm.geo.tracking import track_footprints
from rsmm.geo.windows import predict_windows
from rsmm.inference.mapping import tile_predictor
from rsmm.studies.spacenet7_options import PipelineOptions
from rsmm.utils import atomic_write, sha256_file, track
from rsmm.utils.done_marker import DoneMarker, content_stamp
from rsmm.utils.leftovers import remove_leftovers
from rsmm.utils.listing import is_clutter
from rsmm.utils.lock import fresh_folder, hold_folder

DONE = 'done.json'
#: What an area's folder holds of its own, whatever the options: all of it goes before a new start.
_OWN = ('probabilities/*.tif', 'masks/*.tif', 'polygons/*', 'buildings.*', 'submission.csv')
_JOINED = ('summary.json', 'submission.csv')
Predict = Callable[[np.ndarray], np.ndarray]


def predict_frame(
    frame: Frame, predict: Predict, options: PipelineOptions
) -> tuple[np.ndarray, dict]:
    """Predict one image tile by tile.

    Returns:
        Logits (H, W, K) float32, minus infinity where the image has no data, and the georeference
        with ``valid`` (H, W) bool.
    """
    image, place = read_mosaic(frame.image, frame.udm)
    if not place['valid'].all():
        # The network sees the mean where there is nothing, as it does in training.
        image = image.astype(np.float32)
        image[~place['valid']] = np.nan
    logits = predict_windows(
        image,
        image.shape[:2],
        predict,
        tile=options.tile,
        stride=options.stride,
        batch_size=options.batch_size,
        merge=options.merge,
    )
    logits[~place['valid']] = -np.inf
    return logits, place


def find_buildings(
    months: Sequence[str],
    logits: Sequence[np.ndarray],
    valid: Sequence[np.ndarray],
    options: PipelineOptions,
) -> Cube:
    """Turn the logits of all months of one place into footprints with identities.

    Args:
        months: ``YYYY_MM``, in order.
        logits: (H, W, K) per month; minus infinity without data.
        valid: (H, W) bool per month.
        options: Switches.

    Raises:
        DataError: Months of different size (collapse only).
    """
    good = dict(zip(months, valid, strict=True))
    if options.mode == 'collapse':
        if len({frame.shape for frame in logits}) > 1:
            raise DataError('the months differ in size; use mode="track"')
        scores = np.stack([logits_to_score(frame) for frame in logits])
        rows = temporal_collapse(scores, np.stack(list(valid)), options.rule)
        cube: Cube = {month: [*row] for month, row in zip(months, rows, strict=True)}
    else:
        polygons = [
            logits_to_polygons(
                frame, options.threshold, options.min_area, options.simplify, options.watershed
            )
            for frame in logits
        ]
        tracks = track_footprints(
            polygons,
            options.min_iou,
            master=options.master,
            look_ahead=options.look_ahead,
        )
        cube = make_cube(months, polygons, tracks)
    cube = filter_tracks(cube, options.min_months, options.min_presence)
    if options.max_gap:
        cube = fill_gaps(cube, options.max_gap, valid=good)
    return {month: clip_to_valid(rows, good[month]) for month, rows in cube.items()}


def process_aoi(
    aoi: str,
    frames: Sequence[Frame],
    predict: Predict,
    out: Path,
    options: PipelineOptions,
    model: str = '',
) -> Cube:
    """Predict, polygonise and track one area of interest and write all its files.

    Writes ``<out>/<aoi>/{probabilities,masks}/*.tif``, ``polygons/<stem>.<format>`` per month in
    the image's coordinate system, ``buildings.<format>`` with first and last sighting,
    ``submission.csv`` and at last ``done.json``.

    Args:
        aoi: Name of the area.
        frames: Its months, in order.
        predict: Maps tiles (N, h, w, C) to logits (N, h, w, K).
        out: Output folder of all areas.
        options: Switches.
        model: What tells this predictor from others, kept in ``done.json``.

    Returns:
        Footprints with identities in pixel coordinates.

    Raises:
        DataError: Months that lie elsewhere on the map than the first one.
    """
    folder = out / aoi
    folder.mkdir(parents=True, exist_ok=True)
    with area_marker(folder, frames, options, model).renewed(_own_files(folder)) as renewal:
        logits: list[np.ndarray] = []
        places: list = []
        for frame in frames:
            values, place = predict_frame(frame, predict, options)
            _check_place(place, places[:1], frame)
            logits.append(values)
            places.append(place)
            if options.keep_rasters:
                _write_rasters(folder, frame, values, place, options.threshold)
        months = [frame.month for frame in frames]
        cube = find_buildings(months, logits, [place['valid'] for place in places], options)
        _write_vectors(folder, aoi, frames, cube, places, options.format)
        renewal.outputs = _own_files(folder)
    return cube


def _own_files(folder: Path) -> list[Path]:
    found = [path for pattern in _OWN for path in folder.glob(pattern)]
    return [path for path in found if path.is_file() and not is_clutter(path.name)]


def _write_vectors(
    folder: Path, aoi: str, frames: Sequence[Frame], cube: Cube, places: Sequence[dict], suffix: str
) -> None:
    """Write the polygons of each month, their history and the submission of an area."""
    for frame, place in zip(frames, places, strict=True):
        rows = cube[frame.month]
        write_vector(
            folder / 'polygons' / f'{frame.stem}.{suffix}',
            [shape for _, shape in rows],
            {'Id': [name for name, _ in rows], 'area': [shape.area for _, shape in rows]},
            crs=place['crs'],
            transform=place['transform'],
        )
    history = building_history(cube)
    write_vector(
        folder / f'buildings.{suffix}',
        history.pop('geometry'),
        {'Id': history.pop('id'), **history},
        crs=places[-1]['crs'],
        transform=places[-1]['transform'],
    )
    write_submission(folder / 'submission.csv', {aoi: cube})


def _check_place(place: dict, first: Sequence[dict], frame: Frame) -> None:
    """Refuse a month whose pixels are other places than those of the first month."""
    for other in first:
        here, there = (np.array(as_affine(entry['transform'])[:6]) for entry in (place, other))
        half_pixel = abs(there[0]) / 2
        if place['crs'] != other['crs'] or np.abs(here - there).max() > half_pixel:
            raise DataError(
                'the month lies elsewhere on the map than the first month of its area',
                where=frame.image,
                fix='Bring all months to one coordinate system and grid, e.g. with gdalwarp',
            )


def _write_rasters(
    folder: Path, frame: Frame, logits: np.ndarray, place: dict, threshold: float
) -> None:
    where = {'crs': place['crs'], 'transform': place['transform']}
    probabilities = np.where(place['valid'][..., None], sigmoid(logits), np.nan)
    write_raster(
        folder / 'probabilities' / f'{frame.stem}.tif',
        probabilities.astype(np.float32),
        nodata=float('nan'),
        **where,
    )
    write_raster(folder / 'masks' / f'{frame.stem}.tif', logits[..., 0] > threshold, **where)


def run_pipeline(
    config: str,
    checkpoint: str,
    images: str | Path,
    out: str | Path,
    options: PipelineOptions | None = None,
    truth: str | Path | None = None,
    labels: str | None = 'labels_match',
    processes: int = 1,
    device: str = 'cpu',
    cfg_options: Mapping[str, object] | None = None,
) -> dict:
    """Predict, polygonise, track and score all areas of interest in a folder.

    Args:
        config: Config of the model.
        checkpoint: Its weights, ``'random'`` for none.
        images: Folder of AOI folders, or one AOI folder.
        out: Output folder. AOIs finished earlier by the same model and options are not done again.
        options: Switches; the default is the baseline.
        truth: CSV of the truth in pixels; by default the label files beside the images. Only the
            AOIs that have images are scored.
        labels: Label folder for that, None for none.
        processes: AOIs worked on at a time.
        device: ``'cpu'`` or ``'cuda'``.
        cfg_options: Overrides of the config.

    Returns:
        ``aois``, ``buildings`` and, when there is truth, ``scot`` (see
        :func:`rsmm.evaluation.functional.scot`). Written to ``summary.json``; all footprints to
        ``submission.csv``. Months without a footprint are scored without the row that stands for
        them in the CSV.

    Raises:
        RsmmError: What is missing or does not fit, before anything is predicted where possible.
    """
    options = options or PipelineOptions()
    if truth is not None and not Path(truth).is_file():
        raise DataNotFoundError('there is no such file', where=truth)
    if processes < 1:
        raise ConfigError(f'processes={processes}: expected at least 1')
    out = Path(out)
    cubes = find_cubes(images, labels=None if truth is not None else labels)
    reference = read_truth(cubes) if truth is None else _known_aois(read_submission(truth), cubes)
    settings = config, checkpoint, device, dict(cfg_options or {})
    model = model_signature(config, checkpoint, cfg_options)
    with fresh_folder(out), hold_folder(out):
        remove_leftovers(out, deep=True, held=True)
        jobs = [
            (aoi, frames, out, options, model)
            for aoi, frames in cubes.items()
            if area_marker(out / aoi, frames, options, model).facts() is None
        ]
        if jobs:  # what joins all areas is no longer true
            for name in _JOINED:
                (out / name).unlink(missing_ok=True)
        _run(jobs, settings, processes)
        return _summarise(out, cubes, reference)


def _run(jobs: Sequence[tuple], settings: tuple, processes: int) -> None:
    """Do all areas that wait."""
    if processes > 1 and len(jobs) > 1:
        context = multiprocessing.get_context('spawn')
        with ProcessPoolExecutor(processes, context, _start_worker, settings) as pool:
            list(track(pool.map(_work, jobs), 'Areas of interest', total=len(jobs)))
    elif jobs:
        _start_worker(*settings)
        for job in track(jobs, 'Areas of interest'):
            _work(job)


def model_signature(
    config: str, checkpoint: str, cfg_options: Mapping[str, object] | None = None
) -> str:
    """Return what tells a model from others: a digest of its settings and its weights.

    Raises:
        ConfigError, CheckpointError: There is no such config or checkpoint.
    """
    from rsmm.apis.config import load_config, model_settings
    from rsmm.apis.model import RANDOM

    settings = model_settings(load_config(config, cfg_options))
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True, default=str).encode())
    weights = checkpoint
    if checkpoint != RANDOM and Path(checkpoint).is_file():
        weights = sha256_file(checkpoint)
    digest.update(weights.encode())
    return digest.hexdigest()


def area_marker(
    folder: Path, frames: Sequence[Frame], options: PipelineOptions, model: str
) -> DoneMarker:
    """Return the marker of one area's folder."""
    made = {
        'model': model,
        'options': options.to_dict(),
        'months': {
            frame.month: [content_stamp(frame.image), content_stamp(frame.udm)] for frame in frames
        },
    }
    return DoneMarker(folder / DONE, made)


_worker: dict = {}


def _start_worker(
    config: str, checkpoint: str, device: str, cfg_options: Mapping[str, object]
) -> None:
    """Load the model once per process."""
    model = build_model(config, checkpoint, device=device, options=cfg_options)
    _worker['predict'] = tile_predictor(model)


def _work(job: tuple) -> None:
    aoi, frames, out, options, model = job
    process_aoi(aoi, frames, _worker['predict'], out, options, model)


def _summarise(
    out: Path, cubes: Mapping[str, Sequence[Frame]], reference: Mapping[str, Cube]
) -> dict:
    """Join the submissions of all AOIs and score them."""
    proposals: dict[str, Cube] = {}
    for aoi in cubes:
        found = read_submission(out / aoi / 'submission.csv', drop_empty=True)
        proposals[aoi] = found[aoi]
    write_submission(out / 'submission.csv', proposals)
    summary = {
        'aois': sorted(cubes),
        'buildings': {
            aoi: len({name for rows in cube.values() for name, _ in rows})
            for aoi, cube in proposals.items()
        },
    }
    if any(rows for cube in reference.values() for rows in cube.values()):
        summary['scot'] = scot(reference, proposals)
    with atomic_write(out / 'summary.json', 'w', encoding='utf-8') as file:
        json.dump(summary, file, indent=1)
    return summary


def _known_aois(truth: Mapping[str, Cube], cubes: Mapping) -> dict[str, Cube]:
    """Keep the truth of the areas that have images, and say so when there is more."""
    known = {aoi: cube for aoi, cube in truth.items() if aoi in cubes}
    if len(known) < len(truth):
        warnings.warn(
            f'{len(truth) - len(known)} of the {len(truth)} AOIs of the truth have no images here '
            'and are not scored',
            stacklevel=2,
        )
    return known


def read_truth(cubes: Mapping[str, Sequence[Frame]]) -> dict[str, Cube]:
    """Read the labels of all frames that have some, in pixel coordinates.

    Raises:
        DataError: Labels without identities, which SCOT cannot use.
    """
    truth: dict[str, Cube] = {}
    for aoi, frames in cubes.items():
        for frame in frames:
            if frame.label is None:
                continue
            place = {'crs': None, 'transform': None}
            if not frame.pixel_labels:
                place = read_raster(frame.image, window=(0, 0, 1, 1))[1]
            shapes, ids = read_footprints(
                frame.label,
                place['crs'],
                place['transform'],
                frame.pixel_labels,
                raster_shape(frame.image),
            )
            if (ids == NO_IDENTITY).any():
                raise DataError(
                    'the footprints have no identities (attribute Id), so nothing can be tracked',
                    where=frame.label,
                    fix='Take labels_match or labels_match_pix, or none to skip the score',
                )
            truth.setdefault(aoi, {})[frame.month] = list(
                zip(ids.tolist(), shapes.tolist(), strict=True)
            )
    return truth
