"""From SpaceNet files to images, footprints and target channels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform

from rsmm.datasets.transforms.formatting import to_chw
from rsmm.datasets.transforms.gaps import MISSING, keep_missing, missing_of, pack_missing
from rsmm.datasets.transforms.geometry import dihedral
from rsmm.errors import ConfigError, DataError
from rsmm.geo.band_names import ALPHA
from rsmm.geo.io import binary_mask, integer_ids, read_vector
from rsmm.geo.label_raster import check_label_place, read_label
from rsmm.geo.polygons import polygonal
from rsmm.geo.raster import open_raster, opened
from rsmm.geo.rasterize import (
    as_affine,
    boundary_mask,
    contact_mask,
    footprint_mask,
    to_pixels,
)
from rsmm.geo.vector_files import check_on_image
from rsmm.registry import TRANSFORMS
from rsmm.sensors import RGB_CAMERA

CHANNELS = ('footprint', 'boundary', 'contact')
#: Target value of pixels that do not count.
IGNORE = 255
#: Identity of footprints whose file gives none.
NO_IDENTITY = -1


def read_mosaic(path: str | Path, udm: str | Path | None = None) -> tuple[np.ndarray, dict]:
    """Read a monthly mosaic and where it has data.

    Args:
        path: RGB GeoTIFF; alpha, mask, nodata tag and values that are not finite say what has no
            data.
        udm: Mask of unusable pixels (255), or None.

    Returns:
        The image (H, W, 3) in its stored dtype, and a dict of ``bands``, ``valid`` (H, W) bool,
        ``crs`` (WKT), ``transform`` (6 numbers) and ``nodata``.

    Raises:
        DataError: Another number of bands, or a mask of another size.
    """
    colours = RGB_CAMERA.band_names
    with opened(path) as source:
        count = source.count
    if count not in (len(colours), len(colours) + 1):
        raise DataError(f'expected RGB or RGBA, found {count} bands', where=path)
    with open_raster(path, colours, assume=(*colours, ALPHA)) as raster:
        image, missing = raster.read()
        found = raster.about()
    valid = np.ones(image.shape[:2], bool) if missing is None else ~missing
    if udm is not None:
        stored = read_label(udm)
        unusable = binary_mask(stored.values, udm)
        if unusable.shape != valid.shape:
            raise DataError(
                f'size {unusable.shape} differs from the image {valid.shape}', where=udm
            )
        check_label_place(stored, {**found, 'img_path': path}, valid.shape, udm)
        valid = valid & ~unusable
    return image, {**found, 'valid': valid}


def read_footprints(
    path: str | Path,
    crs: str | None = None,
    transform: Sequence[float] | None = None,
    pixels: bool = False,
    shape: tuple[int, int] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Read the footprints of one image in pixel coordinates.

    Args:
        path: Any format of :func:`rsmm.geo.io.read_vector`; z is dropped, rows without geometry
            are left out.
        crs: Coordinate system of the image (labels in lon/lat are brought into it).
        transform: Affine of the image.
        pixels: Whether the coordinates are pixels already.
        shape: (H, W) of the image, which the footprints must meet.

    Returns:
        Polygons (N,) and identities (N,) int64: the attribute ``Id``, -1 where there is none.

    Raises:
        DataNotFoundError, DataError: As :func:`rsmm.geo.io.read_vector`; a geometry that is no
            polygon, an identity that is no integer; footprints that miss the image altogether or
            lie on an image that has no place.
    """
    shapes, columns, _ = read_vector(path, crs=None if pixels else crs)
    placed = not pixels and transform is not None
    shapes = polygonal(shapes, where=str(path))
    if placed:
        shapes = to_pixels(shapes, transform)
    if shape is not None:
        if len(shapes) and not pixels and not placed:
            raise DataError(
                'the image has no place on the map, so map coordinates cannot be put on it',
                where=path,
                fix='Give the image its place, or set label_pixels=True if these are its pixels',
            )
        check_on_image(shapes, shape, path, transform if placed else None)
    ids = integer_ids(columns.get('Id', [None] * len(shapes)), path, missing=NO_IDENTITY)
    present = np.array([not shape.is_empty for shape in shapes], bool)
    return shapes[present], ids[present]


@TRANSFORMS.register_module()
class LoadMosaic(BaseTransform):
    """Load a SpaceNet 7 image without its alpha, and the mask of usable pixels.

    Required Keys: img_path; udm_path (optional)

    Added Keys: img (H, W, 3), bands, valid (H, W) bool, img_shape, ori_shape, crs, transform,
    nodata

    Args:
        blank: Set unusable pixels to 0, as the published ``images_masked`` are, and keep them from
            the network: where it looks, they are the mean, 0 after normalisation.
    """

    def __init__(self, blank: bool = True) -> None:
        self.blank = blank

    def transform(self, results: dict) -> dict:
        """Read image and masks."""
        image, found = read_mosaic(results['img_path'], results.get('udm_path'))
        results.update(found)
        if self.blank:
            missing = ~found['valid']
            image[missing] = 0
            keep_missing(results, missing)
        results['img'] = image
        results['img_shape'] = results['ori_shape'] = image.shape[:2]
        return results

    def __repr__(self) -> str:
        return f'LoadMosaic(blank={self.blank})'


@TRANSFORMS.register_module()
class LoadFootprints(BaseTransform):
    """Load building footprints in pixel coordinates.

    Required Keys: label_path (None: no footprints), crs, transform; label_pixels and img_shape
    (optional)

    Added Keys: footprints (N,) polygons, footprint_ids (N,) int64 (-1 without identity)
    """

    def transform(self, results: dict) -> dict:
        """Read the label file."""
        if results.get('label_path') is None:
            shapes, ids = np.zeros(0, object), np.zeros(0, np.int64)
        else:
            shapes, ids = read_footprints(
                results['label_path'],
                results.get('crs'),
                results.get('transform'),
                results.get('label_pixels', False),
                results.get('img_shape'),
            )
        results['footprints'], results['footprint_ids'] = shapes, ids
        return results

    def __repr__(self) -> str:
        return 'LoadFootprints()'


@TRANSFORMS.register_module()
class RasterizeFootprints(BaseTransform):
    """Burn footprints into target channels.

    Required Keys: footprints, img_shape; transform, valid (optional)

    Added Keys: gt_seg_map (H, W, K) uint8 of 0, 1 and 255 (does not count)

    Modified Keys: seg_fields

    Args:
        channels: Among ``footprint, boundary, contact``, in the order wanted.
        boundary_width_px: See :func:`rsmm.geo.rasterize.boundary_mask`.
        boundary_kind: ``'inner'`` or ``'outer'``.
        contact_spacing: Largest gap that counts as contact.
        contact_unit: ``'m'`` (map units of the image) or ``'px'``.
        ignore_nodata: Mark pixels without data as not counting. The baseline does not.
    """

    def __init__(
        self,
        channels: Sequence[str] = ('footprint',),
        boundary_width_px: int = 5,
        boundary_kind: str = 'inner',
        contact_spacing: float = 10.0,
        contact_unit: str = 'm',
        ignore_nodata: bool = False,
    ) -> None:
        unknown = set(channels) - set(CHANNELS)
        if unknown or contact_unit not in ('m', 'px'):
            raise ConfigError(
                f'channels={list(channels)}, contact_unit={contact_unit!r}',
                where="type='RasterizeFootprints'",
                fix=f"Channels are {', '.join(CHANNELS)}; units 'm' and 'px'",
            )
        self.channels = tuple(channels)
        self.boundary: dict[str, Any] = {'width_px': boundary_width_px, 'kind': boundary_kind}
        self.contact_spacing = contact_spacing
        self.contact_unit = contact_unit
        self.ignore_nodata = ignore_nodata

    def transform(self, results: dict) -> dict:
        """Make the target."""
        shape = tuple(results['img_shape'][:2])
        polygons = results['footprints']
        footprint = footprint_mask(polygons, shape)
        made = {'footprint': footprint}
        if 'boundary' in self.channels:
            made['boundary'] = boundary_mask(footprint, **self.boundary)
        if 'contact' in self.channels:
            spacing = self.contact_spacing
            if self.contact_unit == 'm':
                spacing /= abs(as_affine(results['transform']).a)
            made['contact'] = contact_mask(polygons, shape, spacing, footprint)
        target = np.stack([made[name] for name in self.channels], axis=-1).astype(np.uint8)
        if self.ignore_nodata and 'valid' in results:
            target[~results['valid']] = IGNORE
        elif self.ignore_nodata and results.get(MISSING) is not None:
            target[results[MISSING] != 0] = IGNORE
        results['gt_seg_map'] = target
        results['seg_fields'] = [*results.get('seg_fields', ()), 'gt_seg_map']
        return results

    def __repr__(self) -> str:
        return f'RasterizeFootprints(channels={self.channels}, ignore_nodata={self.ignore_nodata})'


@TRANSFORMS.register_module()
class RandomFlipRot90(BaseTransform):
    """Flip left to right, then turn by 90 degrees, each with its probability.

    Required Keys: img, the fields named in seg_fields (optional)

    Modified Keys: img, the fields named in seg_fields, img_shape

    Args:
        flip_prob: Probability of the flip.
        rot_prob: Probability of a turn by 90, 180 or 270 degrees, equally likely.
    """

    def __init__(self, flip_prob: float = 0.5, rot_prob: float = 0.5) -> None:
        self.flip_prob = flip_prob
        self.rot_prob = rot_prob

    def transform(self, results: dict) -> dict:
        """Flip and turn image and targets alike."""
        flip = np.random.rand() < self.flip_prob
        turns = int(np.random.randint(1, 4)) if np.random.rand() < self.rot_prob else 0
        for key in ('img', *results.get('seg_fields', ())):
            image = dihedral(results[key], 1) if flip else results[key]
            results[key] = np.rot90(image, turns)
        results['img_shape'] = results['img'].shape[:2]
        return results

    def __repr__(self) -> str:
        return f'RandomFlipRot90(flip_prob={self.flip_prob}, rot_prob={self.rot_prob})'


@TRANSFORMS.register_module()
class CropFootprints(BaseTransform):
    """Cut a square; images that are smaller are mirrored, and the new target does not count.

    Required Keys: img, the fields named in seg_fields (optional)

    Modified Keys: img, the fields named in seg_fields, img_shape

    Args:
        size: Side in pixels.
        centre: Cut the middle instead of a random place.
    """

    def __init__(self, size: int = 512, centre: bool = False) -> None:
        self.size = size
        self.centre = centre

    def transform(self, results: dict) -> dict:
        """Cut image and targets at the same place."""
        height, width = results['img'].shape[:2]
        room = [max(0, side - self.size) for side in (height, width)]
        if self.centre:
            top, left = (space // 2 for space in room)
        else:
            top, left = (int(np.random.randint(space + 1)) for space in room)
        window = slice(top, top + self.size), slice(left, left + self.size)
        pad = [(0, max(0, self.size - side)) for side in (height, width)] + [(0, 0)]
        for key in ('img', *results.get('seg_fields', ())):
            cut = results[key][window]
            if any(map(sum, pad)):
                mirrored = key in ('img', MISSING)
                options = {'mode': 'symmetric'} if mirrored else {'constant_values': IGNORE}
                cut = np.pad(cut, pad[: cut.ndim], **options)
            results[key] = cut
        results['img_shape'] = results['img'].shape[:2]
        return results

    def __repr__(self) -> str:
        return f'CropFootprints(size={self.size}, centre={self.centre})'


@TRANSFORMS.register_module()
class PackFootprints(BaseTransform):
    """Pack image and target channels for :class:`FootprintSegmentor`.

    Required Keys: img; gt_seg_map (optional)

    Added Keys:

    - inputs (torch.Tensor): (C, H, W), stored dtype
    - data_samples (SegDataSample): ``gt_sem_seg`` (K, H, W) uint8, and meta keys

    Args:
        footprints: Keep polygons and identities as meta information, for the metrics.
    """

    META_KEYS = (
        'sample_idx', 'img_path', 'ori_shape', 'img_shape', 'bands', 'crs', 'transform',
        'aoi', 'month',
    )  # fmt: skip

    def __init__(self, footprints: bool = False) -> None:
        self.footprints = footprints

    def transform(self, results: dict) -> dict:
        """Return ``inputs`` and ``data_samples`` only."""
        from mmengine.structures import PixelData
        from mmseg.structures import SegDataSample

        sample = SegDataSample()
        pack_missing(sample, missing_of(results))
        if 'gt_seg_map' in results:
            sample.gt_sem_seg = PixelData(data=to_chw(results['gt_seg_map']))
        keys: tuple[str, ...] = self.META_KEYS
        if self.footprints:
            keys = (*keys, 'footprints', 'footprint_ids', 'valid')
        sample.set_metainfo({key: results[key] for key in keys if results.get(key) is not None})
        return {'inputs': to_chw(results['img']), 'data_samples': sample}

    def __repr__(self) -> str:
        return f'PackFootprints(footprints={self.footprints})'
