"""Detection on scenes of any size, and its results as COCO, GeoJSON or GeoPackage and pictures."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torchvision.ops import batched_nms

from rsmm.datasets.tiling import tile_windows
from rsmm.errors import ConfigError, DataError
from rsmm.geo.windows import Window
from rsmm.utils import atomic_write, track


class Detections(NamedTuple):
    """Objects found in one image.

    Attributes:
        boxes: ``(N, 4)`` float32, x1, y1, x2, y2 in pixels of the image.
        scores: ``(N,)`` float32, falling.
        labels: ``(N,)`` int64.
    """

    boxes: np.ndarray
    scores: np.ndarray
    labels: np.ndarray


#: Maps a list of images (H, W, C) to detections in their pixels.
Predictor = Callable[[list[np.ndarray]], list[Detections]]


def model_predictor(model: Any, scale: tuple[int, int] | None = None) -> Predictor:
    """Wrap a detector of mmdet's form as a function of images in their stored dtype.

    Args:
        model: The detector, on its device.
        scale: Longest and shortest side to which images are resized first, as the test pipeline
            does; boxes come back in pixels of the image given. None keeps the size.

    Raises:
        DataError: When called, images of another number of bands than the model takes.
    """
    from rsmm.datasets.transforms.formatting import to_chw
    from rsmm.ops.mmcv_fallback import install

    install()
    from mmdet.structures import DetDataSample

    mean = getattr(model.data_preprocessor, 'mean', None)

    @torch.no_grad()
    def predict(images: list[np.ndarray]) -> list[Detections]:
        inputs, samples = [], []
        for image in images:
            if mean is not None and image.shape[2] != mean.numel():
                raise DataError(
                    f'images of {image.shape[2]} bands, but the detector takes {mean.numel()}',
                    fix='Choose bands by name: --bands, or bands=[...]',
                )
            resized, factor = _resized(image, scale)
            meta = dict(
                img_shape=resized.shape[:2],
                ori_shape=image.shape[:2],
                scale_factor=factor,
                img_id=0,
            )
            inputs.append(to_chw(resized))
            samples.append(DetDataSample(metainfo=meta))
        batch = dict(inputs=inputs, data_samples=samples)
        found = [sample.pred_instances.cpu() for sample in model.eval().test_step(batch)]
        return [
            Detections(f.bboxes.float().numpy(), f.scores.float().numpy(), f.labels.numpy())
            for f in found
        ]

    return predict


def _resized(
    image: np.ndarray, scale: tuple[int, int] | None
) -> tuple[np.ndarray, tuple[float, float]]:
    """Resize (H, W, C) as mmdet's Resize with its aspect kept; also the factors of x and y."""
    if scale is None:
        return image, (1.0, 1.0)
    from mmcv import imrescale

    height, width = image.shape[:2]
    resized = imrescale(image, tuple(scale))
    resized = resized.reshape(*resized.shape[:2], -1)
    return resized, (resized.shape[1] / width, resized.shape[0] / height)


def detect_scene(
    read: np.ndarray | Callable[[Window], np.ndarray],
    shape: tuple[int, int],
    predict: Predictor,
    *,
    tile: int = 1024,
    stride: int | None = None,
    batch_size: int = 1,
    score_threshold: float = 0.3,
    iou_threshold: float = 0.5,
) -> Detections:
    """Detect tile by tile and merge.

    Args:
        read: The scene ``(H, W, C)``, or a function that reads one window of it, so that scenes
            larger than memory work.
        shape: (H, W) of the scene.
        predict: See :data:`Predictor`.
        tile: Side of the tiles in pixels.
        stride: Distance of tiles, default four fifths of a tile; the overlap should exceed the
            largest object.
        batch_size: Tiles per call.
        score_threshold: Least score kept.
        iou_threshold: See :func:`merge_detections`.

    Raises:
        ConfigError: A stride of more than a tile, or another impossible setting.
    """
    if batch_size < 1:
        raise ConfigError(f'batch_size={batch_size} is less than 1')
    reader = read if callable(read) else (lambda window: read[window.slices])
    stride = max(1, tile * 4 // 5) if stride is None else stride
    windows = tile_windows(shape, tile, stride, border='shift')
    parts: list[Detections] = []
    cut: list[np.ndarray] = []
    for start in track(range(0, len(windows), batch_size), 'Detecting'):
        some = windows[start : start + batch_size]
        results = predict([reader(window) for window in some])
        for window, found in zip(some, results, strict=True):
            kept = found.scores >= score_threshold
            offset = np.array([window.column, window.row] * 2, np.float32)
            boxes = found.boxes[kept] + offset
            parts.append(Detections(boxes, found.scores[kept], found.labels[kept]))
            cut.append(_end_at_a_seam(boxes, window, shape))
    return merge_detections(parts, iou_threshold, cut)


def _end_at_a_seam(boxes: np.ndarray, window: Window, shape: tuple[int, int]) -> np.ndarray:
    """Whether boxes (N, 4) reach an edge of their tile beyond which the scene goes on."""
    row, column, height, width = window
    near = max(2.0, max(height, width) / 100)
    low, high = np.array([column, row]), np.array([column + width, row + height])
    starts = (boxes[:, :2] < low + near) & (low > 0)
    ends = (boxes[:, 2:] > high - near) & (high < np.array(shape[::-1]))
    return np.asarray((starts | ends).any(axis=1))


def merge_detections(
    parts: Sequence[Detections],
    iou_threshold: float = 0.5,
    cut: Sequence[np.ndarray] | None = None,
) -> Detections:
    """Join the detections of overlapping tiles: of boxes of one class the best survives.

    Args:
        parts: Detections in pixels of the scene.
        iou_threshold: Boxes of the same class that overlap a better one by more are dropped.
        cut: Per part ``(N,)``, which boxes end where their tile does and may show a piece of an
            object. They give way to any other box of their class that overlaps them by more, or
            of which they are a piece: that is larger and covers more than this share of them.

    Raises:
        ConfigError: The threshold is not in [0, 1].
    """
    if not 0 <= iou_threshold <= 1:
        raise ConfigError(f'iou_threshold={iou_threshold} is not in [0, 1]')
    if not parts:
        return Detections(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, int))
    boxes, scores, labels = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    pieces = np.zeros(len(boxes), bool) if cut is None else np.concatenate(cut)
    # Whole objects first, then pieces, the largest first.
    priority = np.where(pieces, -1 / (1 + _areas(boxes)), scores)
    kept = batched_nms(
        torch.as_tensor(boxes).float(),
        torch.as_tensor(priority).float(),
        torch.as_tensor(labels),
        iou_threshold,
    ).numpy()
    kept = kept[np.argsort(-scores[kept], kind='stable')]
    boxes, scores, labels, pieces = (column[kept] for column in (boxes, scores, labels, pieces))
    parts_of_others = _pieces_of_others(boxes, labels, np.flatnonzero(pieces), iou_threshold)
    boxes, scores, labels = (np.delete(c, parts_of_others, axis=0) for c in (boxes, scores, labels))
    return Detections(boxes, scores, labels)


def _pieces_of_others(
    boxes: np.ndarray, labels: np.ndarray, pieces: np.ndarray, threshold: float
) -> np.ndarray:
    """Positions among ``pieces`` that a larger box of their class covers by more than a share."""
    import shapely

    tree = shapely.STRtree(shapely.box(*boxes.T))
    which, others = tree.query(shapely.box(*boxes[pieces].T))
    own = pieces[which]
    low = np.maximum(boxes[own, :2], boxes[others, :2])
    high = np.minimum(boxes[own, 2:], boxes[others, 2:])
    area, other_area = _areas(boxes[own]), _areas(boxes[others])
    covered = (high - low).clip(min=0).prod(axis=1) > threshold * area
    return np.unique(own[covered & (other_area > area) & (labels[own] == labels[others])])


def _areas(boxes: np.ndarray) -> np.ndarray:
    return (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)


def write_coco_results(
    path: str | Path,
    found: Sequence[Detections],
    classes: Sequence[str],
    names: Sequence[str],
    shapes: Sequence[tuple[int, int]] | None = None,
) -> None:
    """Write detections as a COCO file with images, categories and annotations with scores.

    Args:
        path: File to write.
        found: Detections per image.
        classes: Class names in label order; their ids count from 1.
        names: File name per image.
        shapes: (H, W) per image, with which the file can serve as a dataset's labels.
    """
    annotations: list[dict] = []
    for image, detections in enumerate(found, start=1):
        for (x1, y1, x2, y2), score, label in zip(
            *(column.tolist() for column in detections), strict=True
        ):
            annotations.append(
                {
                    'id': len(annotations) + 1,
                    'image_id': image,
                    'category_id': label + 1,
                    'bbox': [x1, y1, x2 - x1, y2 - y1],
                    'area': (x2 - x1) * (y2 - y1),
                    'iscrowd': 0,
                    'score': score,
                }
            )
    images: list[dict] = [{'id': k, 'file_name': name} for k, name in enumerate(names, start=1)]
    for entry, (height, width) in zip(images, shapes or (), strict=False):
        entry.update(height=height, width=width)
    table = {
        'images': images,
        'categories': [{'id': k, 'name': name} for k, name in enumerate(classes, start=1)],
        'annotations': annotations,
    }
    with atomic_write(path, 'w', encoding='utf-8') as file:
        json.dump(table, file, indent=1)


def write_boxes(
    path: str | Path,
    found: Detections,
    classes: Sequence[str],
    *,
    crs: str | None = None,
    transform: Sequence[float] | None = None,
    gcps: Sequence[Sequence[float]] = (),
    rpcs: Mapping[str, str] | None = None,
) -> None:
    """Write the boxes of a scene as GeoJSON or GeoPackage with the columns class and score.

    Args:
        path: ``.geojson`` or ``.gpkg``.
        found: Detections.
        classes: Class names in label order.
        crs: Coordinate system of the scene; None leaves pixels.
        transform: Six affine numbers of the scene.
        gcps, rpcs: Control points or coefficients of a scene without an affine, see
            :class:`rsmm.geo.raster.Raster`.
    """
    import shapely

    from rsmm.geo.io import write_vector
    from rsmm.geo.place import to_map_by_points

    columns = {
        'class': [classes[label] for label in found.labels.tolist()],
        'score': np.round(found.scores.astype(float), 4).tolist(),
    }
    boxes = shapely.box(*found.boxes.T.astype(float))
    if gcps or rpcs:
        boxes, crs = to_map_by_points(boxes, crs, gcps, rpcs)
    write_vector(path, boxes, columns, crs=crs, transform=transform)


def draw_detections(
    image: np.ndarray, found: Detections, classes: Sequence[str], width: int = 2
) -> np.ndarray:
    """Return a copy of an RGB image ``(H, W, 3)`` uint8 with boxes, class names and scores.

    Names that would cover another object or another name are left out: colours tell classes apart.
    """
    import cv2

    canvas = np.ascontiguousarray(image).copy()
    corners = np.rint(found.boxes).astype(int)
    colours = [_class_colour(int(label)) for label in found.labels]
    for (x1, y1, x2, y2), colour in zip(corners.tolist(), colours, strict=True):
        cv2.rectangle(canvas, (x1, y1), (x2, y2), colour, width)
    font = (cv2.FONT_HERSHEY_SIMPLEX, 0.4)
    occupied = corners.copy()
    for index, (x1, y1, *_) in enumerate(corners.tolist()):
        text = f'{classes[int(found.labels[index])]} {found.scores[index]:.2f}'
        (length, height), _ = cv2.getTextSize(text, *font, 1)
        base = max(y1 - 3, height)
        place = np.array([x1, base - height, x1 + length, base])
        others = np.delete(occupied, index, axis=0)
        if ((place[:2] < others[:, 2:]) & (others[:, :2] < place[2:])).all(axis=1).any():
            continue
        cv2.putText(canvas, text, (x1, base), *font, colours[index], 1)
        occupied = np.vstack([occupied, place])
    return canvas


def _class_colour(label: int) -> list[int]:
    """Red, green and blue; hues far apart for neighbouring labels."""
    import cv2

    hue = np.array([[[label * 110 % 180, 220, 255]]], np.uint8)
    return cv2.cvtColor(hue, cv2.COLOR_HSV2RGB)[0, 0].tolist()
