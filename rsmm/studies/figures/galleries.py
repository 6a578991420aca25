"""Rows of pictures: what lies in a cluster of features, and events through time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from rsmm.errors import DataError, DataNotFoundError
from rsmm.evaluation.functional.clustering import fit_kmeans
from rsmm.geo.io import read_event_mask
from rsmm.geo.raster import read_raster
from rsmm.inference.folder_features import load_features
from rsmm.utils import atomic_write
from rsmm.utils.listing import list_files, list_folders

_GAP, _LINE = 4, 16  # pixels between pictures, and of a line of text
_OUTLINE = (255, 60, 0)


def picture_rows(
    rows: Sequence[tuple[str, Sequence[np.ndarray]]], side: int = 96, columns: int = 1
) -> np.ndarray:
    """Set rows of pictures with a line of text above each, in columns beside each other.

    Args:
        rows: Text, and images (H, W, 3) uint8 of any size; they are brought to ``side``.
        side: Of each picture in pixels.
        columns: Rows beside each other.

    Returns:
        ``(H, W, 3)`` uint8.
    """
    longest = max((len(images) for _, images in rows), default=0)
    width, height = longest * (side + _GAP) + _GAP, side + _LINE + _GAP
    columns = max(1, min(columns, len(rows)))
    lines = -(-len(rows) // columns)
    sheet = Image.new('RGB', (columns * width, lines * height + _GAP), 'white')
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(11)
    for number, (text, images) in enumerate(rows):
        column, line = divmod(number, lines)
        x, y = column * width + _GAP, line * height
        draw.text((x, y + 2), text, 'black', font)
        for image in images:
            mode = cv2.INTER_AREA if image.shape[0] > side else cv2.INTER_NEAREST
            shown = cv2.resize(np.ascontiguousarray(image), (side, side), interpolation=mode)
            sheet.paste(Image.fromarray(shown), (x, y + _LINE))
            x += side + _GAP
    return np.asarray(sheet)


def cluster_gallery(
    features: str | Path,
    folder: str | Path,
    out: str | Path,
    k: int = 40,
    shown: int = 4,
    seed: int = 42,
) -> list[str]:
    """Draw the images nearest to the centre of each cluster.

    Clusters are those of :func:`rsmm.evaluation.functional.kmeans_scores`, the largest first.

    Args:
        features: File of ``extract_features.py``.
        folder: Folder that it was made of.
        out: PNG to write.
        k: Clusters.
        shown: Images of each.
        seed: Of k-means.

    Returns:
        The lines of text above the rows: size, commonest label and its share.
    """
    names, vectors, labels = load_features(features)
    model = fit_kmeans(vectors, k, seed)
    rows = []
    sizes = np.bincount(model.labels_, minlength=k)
    for cluster in np.argsort(-sizes, kind='stable'):
        members = np.flatnonzero(model.labels_ == cluster)
        distance = np.linalg.norm(vectors[members] - model.cluster_centers_[cluster], axis=1)
        nearest = members[np.argsort(distance, kind='stable')[:shown]]
        label, count = Counter(labels[members].tolist()).most_common(1)[0]
        text = f'{len(members)}: {label} {100 * count / len(members):.0f} %'
        rows.append((text, [_picture(Path(folder) / str(names[place])) for place in nearest]))
    _save(out, picture_rows(rows, columns=max(1, k // 10)))
    return [text for text, _ in rows]


def event_gallery(
    events: str | Path, out: str | Path, names: Sequence[str] | None = None, num: int = 12
) -> list[str]:
    """Draw events through time: every image in order, outlined what changed since the one before.

    Args:
        events: Folder of events, a folder each (``OUT/events`` of the discovery).
        out: PNG to write.
        names: Events to draw; None: the first ``num`` by name.
        num: How many.

    Returns:
        Names of those drawn.

    Raises:
        DataNotFoundError: There is no such event, or none at all.
        DataError: An event without images.
    """
    root = Path(events)
    folders = list_folders(root) if names is None else [root / name for name in names]
    rows = [(folder.name, _frames(folder)) for folder in folders[:num]]
    if not rows:
        raise DataNotFoundError('holds no events', where=root, fix='Give OUT/events')
    _save(out, picture_rows(rows))
    return [name for name, _ in rows]


def _frames(folder: Path) -> list[np.ndarray]:
    if not folder.is_dir():
        raise DataNotFoundError('there is no such event', where=folder)
    files = {path.stem: path for path in list_files(folder)}
    images = sorted(name for name in files if name.endswith('_img'))
    if not images:
        raise DataError('holds no images', where=folder, fix="Run with layouts 'per_event'")
    frames = []
    for number, name in enumerate(images):
        image = _picture(files[name])
        mask = files.get(f'{number - 1:02d}_mask')
        frames.append(image if mask is None else _outlined(image, read_event_mask(mask)))
    return frames


def _outlined(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    lines, _ = cv2.findContours(
        np.ascontiguousarray(mask, np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
    )
    return cv2.drawContours(np.ascontiguousarray(image), lines, -1, _OUTLINE, 1)


def _picture(path: Path) -> np.ndarray:
    """Read an image as (H, W, 3) uint8: its first three bands, stretched unless 8-bit."""
    image, _ = read_raster(path)
    image = image[..., :3] if image.shape[2] >= 3 else np.repeat(image[..., :1], 3, axis=2)
    if image.dtype == np.uint8:
        return image
    low, high = np.nanpercentile(image, (2, 98))
    scaled = (np.nan_to_num(image.astype(np.float32)) - low) / max(high - low, 1e-6)
    return (255 * np.clip(scaled, 0, 1)).astype(np.uint8)


def _save(out: str | Path, picture: np.ndarray) -> None:
    Path(out).parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(out) as file:
        Image.fromarray(picture).save(file, 'PNG')
