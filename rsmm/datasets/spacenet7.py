"""SpaceNet 7: monthly mosaics of 4 m with building footprints that keep their identity."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from mmengine.logging import print_log

from rsmm.datasets.base import RSDataset
from rsmm.datasets.classes import CLASSES, PALETTES
from rsmm.datasets.spacenet7_splits import select_aois
from rsmm.errors import ConfigError, DataError, DataNotFoundError, did_you_mean
from rsmm.geo.submission import STEM, parse_stem
from rsmm.registry import DATASETS
from rsmm.utils.listing import GEOJSON, by_stem, list_files, list_folders

#: Label folders, and whether their coordinates are pixels of the image.
LABELS = {'labels_match': False, 'labels_match_pix': True, 'labels': False}
#: Image folders in the order in which they are sought.
IMAGES = ('images_masked', 'images')


@dataclass(frozen=True)
class Frame:
    """One month of one area of interest.

    Attributes:
        aoi: Name of the area.
        month: ``YYYY_MM``.
        image: GeoTIFF, RGBA or RGB.
        label: GeoJSON of the footprints, None where there is none.
        udm: Mask of unusable pixels (255), None where all are usable.
        pixel_labels: Whether the label's coordinates are pixels.
    """

    aoi: str
    month: str
    image: Path
    label: Path | None = None
    udm: Path | None = None
    pixel_labels: bool = False

    @property
    def stem(self) -> str:
        return self.image.stem


def find_cubes(
    folder: str | Path, images: str | None = None, labels: str | None = 'labels_match'
) -> dict[str, list[Frame]]:
    """List the months of every area of interest, in order.

    Args:
        folder: Folder of AOI folders (``<root>/train``), or one AOI folder.
        images: Name of the image folder; by default the masked images, else the plain ones.
        labels: Name of the label folder, None for none. Months without a label file have none.

    Returns:
        ``{aoi: [Frame, ...]}`` sorted by AOI and month. Gaps between months are normal.

    Raises:
        DataNotFoundError: There is no such folder.
        ConfigError: An unknown label folder.
        DataError: No images of SpaceNet 7, or a month twice in an AOI.
    """
    if labels is not None and labels not in LABELS:
        raise ConfigError(
            f'labels={labels!r}.{did_you_mean(labels, LABELS)}', fix=f'Known: {", ".join(LABELS)}'
        )
    root = Path(folder)
    if not root.is_dir():
        raise DataNotFoundError('there is no such folder', where=root)
    cubes: dict[str, list[Frame]] = {}
    for aoi_folder in [root, *list_folders(root)]:
        image_folder = _image_folder(aoi_folder, images)
        if image_folder is None:
            continue
        frames = _frames(aoi_folder, image_folder, labels)
        for frame in sorted(frames, key=lambda frame: frame.month):
            months = cubes.setdefault(frame.aoi, [])
            if months and months[-1].month == frame.month:
                raise DataError(f'a second image of {frame.month}', where=frame.image)
            months.append(frame)
    if not cubes:
        raise DataError(
            'no images global_monthly_YYYY_MM_mosaic_<AOI>.tif',
            where=root,
            fix=f'Expected <AOI>/{" or ".join(IMAGES)}/*.tif below it',
        )
    return cubes


def _image_folder(aoi_folder: Path, images: str | None) -> Path | None:
    for name in (images,) if images else IMAGES:
        if (aoi_folder / name).is_dir():
            return aoi_folder / name
    return None


def _frames(aoi_folder: Path, image_folder: Path, labels: str | None) -> list[Frame]:
    images = by_stem(list_files(image_folder))
    other = [stem for stem in images if not STEM.search(stem)]
    if 0 < len(other) < len(images):
        raise DataError(
            f'is no month of SpaceNet 7 ({len(other)} of {len(images)} images)',
            where=images[other[0]],
            fix='Call it global_monthly_YYYY_MM_mosaic_<AOI>, or remove it',
        )
    truth = by_stem(list_files(aoi_folder / labels, GEOJSON)) if labels else {}
    masks = by_stem(list_files(aoi_folder / 'UDM_masks'))
    return [
        Frame(
            *parse_stem(stem),
            path,
            truth.get(f'{stem}_Buildings'),
            masks.get(f'{stem}_UDM'),
            LABELS.get(labels, False),
        )
        for stem, path in images.items()
        if not other
    ]


@DATASETS.register_module()
class SpaceNet7Dataset(RSDataset):
    """Frames of SpaceNet 7 in the published layout.

    ``<root>/<split>/<AOI>/{images_masked,images,labels_match,labels_match_pix,labels,UDM_masks}``.
    Images are 8-bit RGBA, nominally 1024 pixels wide, some 1023. Months have gaps. Every sample
    names its AOI and month; :func:`find_cubes` gives the same files as ordered months per AOI.

    Source: Van Etten et al., "The Multi-Temporal Urban Development SpaceNet Dataset", CVPR 2021.

    Args:
        data_root: Folder with ``train`` and ``test_public``.
        split: Folder below the root.
        subset: ``'all'``, ``'train'`` or ``'val'``. AOIs that are neighbours stay together, because
            they show the same place.
        val_aois: AOIs (or their beginnings, ``'L15-0387E-1276N'``) of the subset ``'val'``. None
            draws ``val_fraction`` of the AOIs.
        val_fraction: Share of the AOIs drawn for ``'val'``.
        leaky_frames: Draw ``val_fraction`` of the *frames* instead, as the baseline did. The same
            places are then seen in training; only for faithful comparison.
        labels: Label folder, or None for imagery alone.
        images: Image folder; by default the masked images, else the plain ones.
        need_labels: Leave out months without a label file; a few frames have none.
        seed: Of the drawn subsets.
        **kwargs: Arguments of mmengine's ``BaseDataset``.

    Raises:
        DataNotFoundError: The root is missing.
        DataError: No images, or no frames left.
    """

    METAINFO = {'classes': CLASSES['spacenet7'], 'palette': PALETTES['spacenet7']}
    TOY_NAME = 'spacenet7'

    def __init__(
        self,
        data_root: str = '',
        split: str = 'train',
        subset: str = 'all',
        val_aois: Sequence[str] | None = None,
        val_fraction: float = 0.1,
        leaky_frames: bool = False,
        labels: str | None = 'labels_match',
        images: str | None = None,
        need_labels: bool = True,
        seed: int = 0,
        **kwargs,
    ) -> None:
        if subset not in ('all', 'train', 'val'):
            raise ConfigError(f"subset={subset!r}: expected 'all', 'train' or 'val'")
        self.split = split
        self.subset = subset
        self.val_aois = val_aois
        self.val_fraction = val_fraction
        self.leaky_frames = leaky_frames
        self.labels = labels
        self.images = images
        self.need_labels = need_labels and labels is not None
        self.seed = seed
        super().__init__(data_root=data_root, **kwargs)

    def load_data_list(self) -> list[dict]:
        """List the frames of the subset, ordered by AOI and month."""
        folder = Path(self.data_root) / self.split
        if not folder.is_dir():
            raise self.not_found('there is no such split', folder)
        cubes = find_cubes(folder, self.images, self.labels)
        aois = sorted(cubes)
        chosen = aois
        if not self.leaky_frames:
            chosen = select_aois(aois, self.subset, self.val_aois, self.val_fraction, self.seed)
        frames = [frame for aoi in chosen for frame in cubes[aoi]]
        if self.leaky_frames:
            frames = _random_frames(frames, self.subset, self.val_fraction, self.seed)
        usable = [frame for frame in frames if frame.label is not None or not self.need_labels]
        if len(usable) < len(frames):
            print_log(
                f'{len(frames) - len(usable)} of {len(frames)} frames have no labels and are left '
                'out',
                logger='current',
            )
        if not usable:
            raise DataError(
                f'no frames{" with labels" if self.need_labels else ""} in subset {self.subset!r}',
                where=folder,
                fix='labels=None takes images without labels' if self.need_labels else '',
            )
        return [_entry(frame) for frame in usable]


def _random_frames(frames: list[Frame], subset: str, fraction: float, seed: int) -> list[Frame]:
    if subset == 'all':
        return frames
    order = np.random.default_rng(seed).permutation(len(frames))
    held = set(order[: max(1, round(fraction * len(frames)))].tolist())
    return [frame for k, frame in enumerate(frames) if (k in held) == (subset == 'val')]


def _entry(frame: Frame) -> dict:
    return {
        'img_path': str(frame.image),
        'aoi': frame.aoi,
        'month': frame.month,
        'label_path': None if frame.label is None else str(frame.label),
        'label_pixels': frame.pixel_labels,
        'udm_path': None if frame.udm is None else str(frame.udm),
        'seg_fields': [],
    }
