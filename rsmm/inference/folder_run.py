"""Scenes to a folder, one by one: what is there with the same settings is not done again."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from rsmm.errors import ConfigError
from rsmm.inference.box_files import box_names, detect, write_scene_boxes
from rsmm.inference.detect_files import Detector
from rsmm.inference.map_files import Job, file_names, write_scene
from rsmm.inference.places import Scene, is_address
from rsmm.inference.records import TEMPORARY, Records, run_key
from rsmm.inference.running import Bars
from rsmm.inference.summary import write_summary
from rsmm.utils.lock import hold_folder
from rsmm.utils.outputs import keep_inputs

#: Settings on which no output of a scene depends, or which stand in the job.
_NOT_IN_KEY = ('out', 'confusion')


def write_folder(
    job: Job, detector: Detector | None, scenes: Sequence[Scene], out: Path, settings: Mapping
) -> list[dict]:
    """Write the files of scenes and ``summary.csv``.

    Args:
        job: What to do.
        detector: For boxes, else None.
        scenes: The images.
        out: Folder, made if need be; held while this runs.
        settings: Everything that outputs depend on beside the files of a scene.

    Returns:
        The record of each scene with ``files``, their paths.

    Raises:
        ConfigError: Another call is at work there, a file would replace an input or a foreign one.
        DataError: A scene cannot be mapped; those before it are kept.
    """
    if out.is_file():
        raise ConfigError('is a file; results go to a folder', where=out)
    out.mkdir(parents=True, exist_ok=True)
    suffix, found = vector_suffix(settings.get('vector')), []
    counts = None if job.confusion is None else job.confusion.tolist()
    about = {k: v for k, v in settings.items() if k not in _NOT_IN_KEY} | {'counts': counts}
    with hold_folder(out), Bars(len(scenes)) as bar:
        records = Records(out)
        records.clear_leftovers()
        names = {
            one.name: box_names(one, suffix) if detector else list(file_names(job, one).values())
            for one in scenes
        }
        _check_targets(records, scenes, names)
        for scene in scenes:
            key = run_key(scene, about)
            record = records.done(scene.name, key)
            if record is None:
                start = bar.starter(scene.name)
                with tempfile.TemporaryDirectory(prefix=TEMPORARY, dir=out) as folder:
                    files, record = _write(job, detector, scene, Path(folder), start, settings)
                    records.move_in(scene.name, key, files, record)
            bar.finished()
            found.append({**record, 'files': [str(out / name) for name in names[scene.name]]})
        finished = [one['record'] for one in records.scenes.values() if one['done']]
        write_summary(out / 'summary.csv', finished)
    return found


def _check_targets(
    records: Records, scenes: Sequence[Scene], names: Mapping[str, Sequence[str]]
) -> None:
    """Refuse to replace inputs and foreign files, before any work."""
    inputs = [path for scene in scenes for path in scene.paths if not is_address(path)]
    for scene in scenes:
        for name in names[scene.name]:
            keep_inputs(records.folder / name, inputs)
        records.check_foreign(scene.name, names[scene.name])


def _write(job: Job, detector, scene: Scene, folder: Path, start: Callable, settings: Mapping):
    if detector is None:
        return write_scene(job, scene, folder, start)
    found, shape, place = detect(job, detector, scene, start, *box_limits(settings))
    suffix = vector_suffix(settings.get('vector'))
    return write_scene_boxes(job, scene, folder, found, shape, place, suffix)


def box_limits(settings: Mapping) -> tuple[float, float]:
    """Least score and overlap at which boxes merge."""
    score, iou = settings.get('score'), settings.get('iou')
    return 0.3 if score is None else score, 0.5 if iou is None else iou


def vector_suffix(vector: str | None) -> str:
    """Suffix of a vector format.

    Raises:
        ConfigError: An unknown one.
    """
    if vector not in (None, 'gpkg', 'geojson'):
        raise ConfigError(f'vector={vector!r} is not one of gpkg, geojson')
    return f'.{vector or "gpkg"}'
