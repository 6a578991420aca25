"""One scene to its boxes: vector file and table of counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

from rsmm.geo.ground import pixel_metres
from rsmm.inference.area_table import table_text
from rsmm.inference.detect_files import Detector, open_image
from rsmm.inference.detection import Detections, detect_scene, model_predictor, write_boxes
from rsmm.inference.map_files import Job, crs_name
from rsmm.inference.places import Scene


def detect(job: Job, detector: Detector, scene: Scene, start: Callable, score: float, iou: float):
    """Detect in a scene.

    Args:
        job: Bands and tiling.
        detector: Of :func:`rsmm.inference.detect_files.load_detector`.
        scene: One image.
        start: Called with the number of steps, here one; returns what is called when it is done.
        score, iou: See :func:`rsmm.inference.detection.detect_scene`.

    Returns:
        Detections in pixels, (H, W) and place of the image.
    """
    tile = job.tiling.tile or detector.tile
    step = start(1)
    read, shape, place = open_image(scene.paths[0], job.order, whole=tile is None)
    found = detect_scene(
        read, shape, model_predictor(detector.model, detector.scale),
        tile=max(shape) if tile is None else tile, stride=job.tiling.stride,
        batch_size=job.tiling.batch_size, score_threshold=score, iou_threshold=iou,
    )  # fmt: skip
    step()
    return found, shape, place


def write_scene_boxes(
    job: Job, scene: Scene, folder: Path, found: Detections, shape, place, suffix: str = '.gpkg'
) -> tuple[dict, dict]:
    """Write the boxes of a scene; returns files by final name and the record, as for maps."""
    classes = job.task.classes
    paths = {name: folder / name for name in box_names(scene, suffix)}
    vector, table = paths.values()
    write_boxes(vector, found, classes, **place)
    counts = Counter(found.labels.tolist())
    rows = [{'class': name, 'objects': counts[label]} for label, name in enumerate(classes)]
    table.write_text(table_text(rows, ('class', 'objects')), encoding='utf-8')
    record = {
        'scene': scene.name, 'kind': 'boxes', 'height': shape[0], 'width': shape[1],
        'crs': crs_name(place.get('crs')), 'gsd': pixel_metres(shape, place), 'valid': None,
        'warnings': [], 'objects': sum(counts.values()), 'areas': [], 'images': scene.paths,
        'dates': [None],
    }  # fmt: skip
    return paths, record


def box_names(scene: Scene, suffix: str = '.gpkg') -> list[str]:
    """Names of the files of a scene."""
    return [f'{scene.name}_boxes{suffix}', f'{scene.name}_counts.csv']
