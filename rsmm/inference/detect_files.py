"""Detection on files: a folder of images or large scenes, to COCO, map layers and pictures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from mmengine.config import Config
from torch import nn

from rsmm.errors import ConfigError, DataError
from rsmm.geo.windows import Window
from rsmm.inference.detection import (
    Detections,
    Predictor,
    detect_scene,
    draw_detections,
    write_boxes,
    write_coco_results,
)
from rsmm.utils import atomic_write
from rsmm.utils.listing import IMAGES, list_files
from rsmm.utils.outputs import keep_inputs

VECTOR_FORMATS = ('geojson', 'gpkg')
#: Longest side of the annotated pictures in pixels.
PICTURE_SIDE = 2048


class Detector(NamedTuple):
    """A detector ready for files.

    Attributes:
        model: The network, in evaluation mode.
        classes: Class names in label order.
        scale: Size to which its test pipeline resizes images, None for none.
        tile: Side of the tiles on which it was trained, None for whole images.
    """

    model: nn.Module
    classes: tuple[str, ...]
    scale: tuple[int, int] | None
    tile: int | None


def load_detector(
    config: str,
    checkpoint: str,
    device: str = 'cpu',
    options: Mapping[str, object] | None = None,
) -> Detector:
    """Build the detector of a config with the weights of a checkpoint.

    Args:
        config: Config file.
        checkpoint: Weights, ``'random'`` for none.
        device: ``'cpu'`` or ``'cuda'``.
        options: Dotted config keys to override.

    Raises:
        CheckpointError: The checkpoint cannot be read or belongs to another model.
        ConfigError: The config's model is no detector, or there is no such device.
    """
    from rsmm.apis.config import load_config
    from rsmm.apis.model import build_model

    settings = load_config(config, options)
    return detector_of(build_model(settings, checkpoint, device=device), settings)


def detector_of(model: nn.Module, config: Config) -> Detector:
    """Describe a built detector by its config.

    Raises:
        ConfigError: The config's model is no detector.
    """
    head = box_head(config)
    if head is None:
        raise ConfigError(
            'its model has no bbox_head, so it detects no objects', where=config.filename
        )
    classes = (getattr(model, 'dataset_meta', None) or {}).get('classes') or ()
    if len(classes) != head['num_classes']:
        classes = [f'class {label}' for label in range(head['num_classes'])]
    dataset = config.get('test_dataloader', {}).get('dataset', {})
    scales = [s['scale'] for s in dataset.get('pipeline', ()) if s['type'].endswith('Resize')]
    return Detector(
        model, tuple(classes), tuple(scales[-1]) if scales else None, dataset.get('tile')
    )


def box_head(config: Config) -> Mapping | None:
    """Settings of the head that puts out boxes, None for models of another kind."""
    model = config.model
    return model.get('bbox_head') or (model.get('roi_head') or {}).get('bbox_head')


def find_images(paths: Sequence[str | Path]) -> list[Path]:
    """Files as given, and those of folders in order of their names.

    Raises:
        DataError: A folder without images, or two images of one name, whose results would be
            written to the same file.
    """
    images: list[Path] = []
    for path in map(Path, paths):
        found = [path]
        if path.is_dir():
            found = list_files(path)
            if not found:
                raise DataError('holds no images', where=path, fix=f'Known: {", ".join(IMAGES)}')
        images += found
    stem, count = Counter(path.stem for path in images).most_common(1)[0]
    if count > 1:
        raise DataError(f'{count} images are called {stem}', fix='Predict them one by one')
    return images


def detect_files(
    predict: Predictor,
    images: Sequence[str | Path],
    out: str | Path,
    classes: Sequence[str],
    *,
    bands: Sequence[str] | None = None,
    tile: int | None = None,
    stride: int | None = None,
    batch_size: int = 1,
    score_threshold: float = 0.3,
    iou_threshold: float = 0.5,
    vector: str = 'geojson',
    pictures: bool = True,
) -> list[Detections]:
    """Detect in every image and write the results.

    ``detections.json`` holds all boxes in COCO's form. ``boxes/NAME.geojson`` (or ``.gpkg``) holds
    those of one image in its coordinate system; in pixels, y downwards, where it has none.
    ``pictures/NAME.png`` shows them, at most 2048 pixels wide or high.

    Args:
        predict: See :func:`rsmm.inference.detection.model_predictor`.
        images: Raster files.
        out: Folder to write.
        classes: Class names in label order.
        bands: Bands by name that the detector takes; None for all.
        tile: Side of the tiles in pixels, which are read one by one; None for whole images.
        stride: Distance of tiles, default four fifths of a tile.
        batch_size: Tiles per call.
        score_threshold: Least score written.
        iou_threshold: See :func:`rsmm.inference.detection.merge_detections`.
        vector: ``'geojson'`` or ``'gpkg'``.
        pictures: Whether to draw.

    Returns:
        Detections per image.

    Raises:
        DataError: An image cannot be read.
        ConfigError: Unknown format, or sizes that leave gaps.
    """
    if vector not in VECTOR_FORMATS:
        raise ConfigError(f'vector={vector!r} is not one of {", ".join(VECTOR_FORMATS)}')
    out = Path(out)
    if out.is_file():
        raise ConfigError('is a file; results go to a folder', where=out)
    out.mkdir(parents=True, exist_ok=True)
    for path in written_files(out, images, vector, pictures):
        keep_inputs(path, images)
    results, shapes = [], []
    for path in map(Path, images):
        read, shape, place = open_image(path, bands, whole=tile is None)
        found = detect_scene(
            read,
            shape,
            predict,
            tile=max(shape) if tile is None else tile,
            stride=stride,
            batch_size=batch_size,
            score_threshold=score_threshold,
            iou_threshold=iou_threshold,
        )
        write_boxes(out / 'boxes' / f'{path.stem}.{vector}', found, classes, **place)
        if pictures:
            draw_file(path, out / 'pictures' / f'{path.stem}.png', found, classes)
        results.append(found)
        shapes.append((int(shape[0]), int(shape[1])))
    names = [Path(path).name for path in images]
    write_coco_results(out / 'detections.json', results, classes, names, shapes)
    return results


def written_files(
    out: Path, images: Sequence[str | Path], vector: str, pictures: bool
) -> list[Path]:
    """All files that :func:`detect_files` writes."""
    stems = [Path(path).stem for path in images]
    files = [out / 'boxes' / f'{stem}.{vector}' for stem in stems]
    files += [out / 'pictures' / f'{stem}.png' for stem in stems if pictures]
    return [*files, out / 'detections.json']


def open_image(path: str | Path, bands: Sequence[str] | None, whole: bool):
    """Reader, (H, W) and place of an image; one that has to be decoded whole is read once."""
    from rsmm.datasets.transforms.pictures import as_rgb
    from rsmm.geo.streaming import Stack

    picture = bands is None
    stack = Stack([path], bands, drop_alpha=picture, trusted=True)
    picture = picture and len(stack.dates[0].bands) == 1

    def read(window: Window) -> np.ndarray:
        image = stack.read(window)[0][0]
        return as_rgb(image, path)[0] if picture else image

    if whole:
        image = read(Window(0, 0, *stack.shape))
        stack.close()
        return (lambda window: image[window.slices]), stack.shape, stack.place
    return read, stack.shape, stack.place


def draw_file(path: Path, out: Path, found: Detections, classes: Sequence[str]) -> None:
    """Write a picture of an image with its boxes, reduced where it is large.

    Args:
        path: Raster file.
        out: PNG file to write.
        found: Detections in pixels of the image.
        classes: Class names in label order.
    """
    picture, factor = _preview(path)
    shown = found._replace(boxes=found.boxes * np.float32(factor))
    out.parent.mkdir(parents=True, exist_ok=True)
    drawn = draw_detections(picture, shown, classes, width=1 if max(picture.shape) < 512 else 2)
    done, png = cv2.imencode('.png', cv2.cvtColor(drawn, cv2.COLOR_RGB2BGR))
    if not done:
        raise DataError('cannot be drawn', where=path)
    with atomic_write(out) as file:
        file.write(png.tobytes())


def _preview(path: Path) -> tuple[np.ndarray, float]:
    """The image as RGB (H, W, 3) uint8, read at reduced size, and its size over the true one."""
    from rsmm.geo.raster import open_raster
    from rsmm.visualization.composite import composite

    with open_raster(path, drop_alpha=True, trusted=True) as raster:
        factor = min(1.0, PICTURE_SIDE / max(raster.shape))
        size = tuple(max(1, round(side * factor)) for side in raster.shape)
        image = raster.read(out_shape=None if factor == 1 else size)[0]
        return composite(image, raster.bands), factor
