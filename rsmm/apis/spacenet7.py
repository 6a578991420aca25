"""From a folder of monthly images to tracked building footprints and their SCOT score.

Every area of interest is one unit of work: a finished one leaves ``done.json`` behind and is not
done again, so an interrupted run goes on where it stopped, and several processes share the list.
"""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from rsmm.datasets.spacenet7 import Frame, find_cubes
from rsmm.datasets.transforms.footprints import read_footprints, read_mosaic
from rsmm.errors import ConfigError, DataError, did_you_mean
from rsmm.evaluation.functional.change_tracking import scot
from rsmm.geo.collapse import CollapseRule, separate_body, temporal_collapse, watershed_instances
from rsmm.geo.cubes import (
    Cube,
    building_history,
    clip_to_valid,
    fill_gaps,
    filter_tracks,
    make_cube,
)
from rsmm.geo.io import write_raster, write_vector
from rsmm.geo.polygons import mask_to_polygons, regions_to_polygons
from rsmm.geo.scene import network_predictor, sigmoid
from rsmm.geo.submission import read_submission, write_submission
from rsmm.geo.tracking import track_footprints
from rsmm.geo.windows import predict_windows
from rsmm.utils import atomic_write, track

DONE = 'done.json'
MODES = ('track', 'collapse')
Predict = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class PipelineOptions:
    """What happens between the logits and the submission. The defaults are the baseline.

    Attributes:
        tile, step: Sliding window in pixels.
        merge: ``'mean'`` or ``'linear'`` blending of logits where tiles overlap.
        batch_size: Tiles per forward pass.
        threshold: Logits above it are building.
        min_area: Smallest polygon in square pixels.
        simplify: Tolerance of the outlines in pixels, None for exact.
        watershed: ``(seed, region)`` probabilities: separate touching buildings, using boundary
            and contact channels where the model has them.
        mode: ``'track'``: polygons of each month, then identities. ``'collapse'``: buildings from
            the mean of all months, then the month of each.
        min_iou, master, look_ahead: See :func:`rsmm.geo.track_footprints`.
        min_months, min_presence: See :func:`rsmm.geo.filter_tracks`.
        max_gap: Fill gaps up to so many months, see :func:`rsmm.geo.fill_gaps`; 0 fills none.
        collapse: Thresholds of :class:`rsmm.geo.collapse.CollapseRule` that differ.
        keep_rasters: Write probabilities and masks as GeoTIFF.
        format: ``'geojson'`` or ``'gpkg'`` for the polygons of each month.
    """

    tile: int = 512
    step: int = 512
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
        if self.mode not in MODES:
            raise ConfigError(f'mode={self.mode!r}: expected one of {", ".join(MODES)}')
        if self.format not in ('geojson', 'gpkg'):
            raise ConfigError(f"format={self.format!r}: expected 'geojson' or 'gpkg'")


def make_options(settings: Mapping[str, object]) -> PipelineOptions:
    """Build options from names and values, e.g. of a command line.

    Raises:
        ConfigError: An unknown name; the message offers the closest one.
    """
    known = PipelineOptions.__dataclass_fields__
    for name in settings:
        if name not in known:
            raise ConfigError(
                f'no pipeline option {name!r}.{did_you_mean(name, known)}',
                fix=f'Known options: {", ".join(known)}',
            )
    return PipelineOptions(**settings)


def predict_frame(
    frame: Frame, predict: Predict, options: PipelineOptions
) -> tuple[np.ndarray, dict]:
    """Predict one image tile by tile.

    Returns:
        Logits (H, W, K) float32, minus infinity where the image has no data, and the georeference
        with ``valid`` (H, W) bool.
    """
    image, place = read_mosaic(frame.image, frame.udm)
    image[~place['valid']] = 0
    logits = predict_windows(
        image,
        image.shape[:2],
        predict,
        tile=options.tile,
        step=options.step,
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
        probabilities = np.stack([_score(frame) for frame in logits])
        rule = CollapseRule(**options.collapse)
        rows = temporal_collapse(probabilities, np.stack(list(valid)), rule)
        cube = dict(zip(months, rows, strict=True))
    else:
        polygons = [_polygons(frame, options) for frame in logits]
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


def _score(logits: np.ndarray) -> np.ndarray:
    return separate_body(*(sigmoid(logits[..., k]) for k in range(logits.shape[-1])))


def _polygons(logits: np.ndarray, options: PipelineOptions) -> list:
    if options.watershed is None:
        return mask_to_polygons(
            logits[..., 0], options.threshold, options.min_area, simplify=options.simplify
        )
    labels = watershed_instances(_score(logits), *options.watershed)
    return list(regions_to_polygons(labels, options.min_area, options.simplify).values())


def process_aoi(
    aoi: str, frames: Sequence[Frame], predict: Predict, out: Path, options: PipelineOptions
) -> Cube:
    """Predict, polygonise and track one area of interest and write all its files.

    Writes ``<out>/<aoi>/{probabilities,masks}/*.tif``, ``polygons/<stem>.geojson`` per month in the
    image's coordinate system, ``buildings.<format>`` with first and last sighting, and at last
    ``done.json``.

    Returns:
        Footprints with identities in pixel coordinates.
    """
    folder = out / aoi
    logits, places = [], []
    for frame in frames:
        values, place = predict_frame(frame, predict, options)
        logits.append(values)
        places.append(place)
        if options.keep_rasters:
            _write_rasters(folder, frame, values, place)
    months = [frame.month for frame in frames]
    cube = find_buildings(months, logits, [place['valid'] for place in places], options)
    for frame, place in zip(frames, places, strict=True):
        rows = cube[frame.month]
        write_vector(
            folder / 'polygons' / f'{frame.stem}.{options.format}',
            [shape for _, shape in rows],
            {'Id': [name for name, _ in rows], 'area': [shape.area for _, shape in rows]},
            crs=place['crs'],
            transform=place['transform'],
        )
    history = building_history(cube)
    write_vector(
        folder / f'buildings.{options.format}',
        history.pop('geometry'),
        {'Id': history.pop('id'), **history},
        crs=places[-1]['crs'],
        transform=places[-1]['transform'],
    )
    write_submission(folder / 'submission.csv', {aoi: cube})
    with atomic_write(folder / DONE, 'w', encoding='utf-8') as file:
        json.dump({'options': asdict(options), 'months': months}, file)
    return cube


def _write_rasters(folder: Path, frame: Frame, logits: np.ndarray, place: dict) -> None:
    where = {'crs': place['crs'], 'transform': place['transform']}
    probabilities = np.where(place['valid'][..., None], sigmoid(logits), np.nan)
    write_raster(
        folder / 'probabilities' / f'{frame.stem}.tif',
        probabilities.astype(np.float32),
        nodata=float('nan'),
        **where,
    )
    write_raster(folder / 'masks' / f'{frame.stem}.tif', logits[..., 0] > 0, **where)


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
        out: Output folder. AOIs finished earlier with the same options are not done again.
        options: Switches; the default is the baseline.
        truth: CSV of the truth in pixels; by default the label files beside the images.
        labels: Label folder for that.
        processes: AOIs worked on at a time.
        device: ``'cpu'`` or ``'cuda'``.
        cfg_options: Overrides of the config.

    Returns:
        ``aois``, ``buildings`` and, when there is truth, ``scot`` (see
        :func:`rsmm.evaluation.functional.scot`). Written to ``summary.json``; all footprints to
        ``submission.csv``.
    """
    options = options or PipelineOptions()
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    cubes = find_cubes(images, labels=labels)
    waiting = [aoi for aoi in cubes if not _is_done(out / aoi, cubes[aoi], options)]
    work = (config, checkpoint, device, dict(cfg_options or {}), str(out), options)
    if processes > 1 and len(waiting) > 1:
        context = multiprocessing.get_context('spawn')
        with ProcessPoolExecutor(processes, context, _start_worker, work) as pool:
            jobs = pool.map(_work, [(aoi, cubes[aoi]) for aoi in waiting])
            list(track(jobs, 'Areas of interest', total=len(waiting)))
    elif waiting:
        _start_worker(*work)
        for aoi in track(waiting, 'Areas of interest'):
            _work((aoi, cubes[aoi]))
    return _summarise(out, cubes, truth)


def _is_done(folder: Path, frames: Sequence[Frame], options: PipelineOptions) -> bool:
    if not (folder / DONE).is_file():
        return False
    found = json.loads((folder / DONE).read_text(encoding='utf-8'))
    wanted = {'options': asdict(options), 'months': [frame.month for frame in frames]}
    return found == json.loads(json.dumps(wanted))


_worker: dict = {}


def _start_worker(config, checkpoint, device, cfg_options, out, options) -> None:
    """Load the model once per process."""
    _worker.update(predict=load_predictor(config, checkpoint, device, cfg_options))
    _worker.update(out=Path(out), options=options)


def _work(job: tuple[str, Sequence[Frame]]) -> str:
    aoi, frames = job
    process_aoi(aoi, frames, _worker['predict'], _worker['out'], _worker['options'])
    return aoi


def load_predictor(
    config: str,
    checkpoint: str,
    device: str = 'cpu',
    cfg_options: Mapping[str, object] | None = None,
) -> Predict:
    """Build the model of a config with the weights of a checkpoint, ready for tiles."""
    from rsmm.apis.scene import load_model

    return network_predictor(load_model(config, checkpoint, device, cfg_options))


def _summarise(out: Path, cubes: Mapping[str, Sequence[Frame]], truth) -> dict:
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
    reference = read_truth(cubes) if truth is None else read_submission(truth)
    if any(rows for cube in reference.values() for rows in cube.values()):
        result = scot(reference, {aoi: proposals[aoi] for aoi in proposals if aoi in reference})
        summary['scot'] = result
    with atomic_write(out / 'summary.json', 'w', encoding='utf-8') as file:
        json.dump(summary, file, indent=1)
    return summary


def read_truth(cubes: Mapping[str, Sequence[Frame]]) -> dict[str, Cube]:
    """Read the labels of all frames that have some, in pixel coordinates."""
    truth: dict[str, Cube] = {}
    for aoi, frames in cubes.items():
        for frame in frames:
            if frame.label is None:
                continue
            place = {'crs': None, 'transform': None}
            if not frame.pixel_labels:
                place = _georeference(frame.image)
            shapes, ids = read_footprints(
                frame.label, place['crs'], place['transform'], frame.pixel_labels
            )
            truth.setdefault(aoi, {})[frame.month] = list(
                zip(ids.tolist(), shapes.tolist(), strict=True)
            )
    return truth


def _georeference(path: Path) -> dict:
    import rasterio

    with rasterio.open(path) as source:
        return {
            'crs': source.crs.to_wkt() if source.crs else None,
            'transform': tuple(source.transform)[:6],
        }
