"""What an image lacks, on its way from the file to the network.

A loader fills missing pixels with the mean of their band, so that no transform meets a marker, and
keeps where they are as ``results['missing']``, one of the ``seg_fields`` that geometry moves along.
Packing turns that into ``missing`` of the sample and into labels that do not count, and the
preprocessor puts 0, the mean after normalisation, where pixels are missing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch

from rsmm.geo.missing import missing_pixels, present_values

#: Key of what is missing, (H, W) or (H, W, T) uint8, 0 where a pixel is there; absent without gaps.
MISSING = 'missing'
#: Label of pixels that do not count.
IGNORE = 255


def keep_missing(results: dict, missing: np.ndarray | None) -> dict:
    """Note which pixels an image lacks.

    Args:
        results: Changed in place.
        missing: (H, W), (H, W, T) for dates, bool; None for none.
    """
    if missing is None and MISSING not in results:
        return results
    results.pop(MISSING, None)
    fields = [field for field in results.get('seg_fields', ()) if field != MISSING]
    if missing is not None and missing.any():
        results[MISSING] = missing.astype(np.uint8)
        fields.append(MISSING)
    if fields or 'seg_fields' in results:
        results['seg_fields'] = fields
    return results


def field_fill(field: str) -> int:
    """Value with which geometry extends a field: what it adds to an image is not missing in it."""
    return 0 if field == MISSING else IGNORE


def missing_of(results: Mapping) -> np.ndarray | None:
    """Return which pixels of ``img`` are missing, bool (H, W) or (H, W, T); None for none."""
    missing = results.get(MISSING)
    if missing is None or MISSING not in results.get('seg_fields', ()):
        return None
    missing = missing != 0
    return missing if missing.any() else None


def present_pixels(results: Mapping) -> np.ndarray:
    """Return the pixels (K, C) of ``img`` (H, W, C) that count in its statistics."""
    image, missing = results['img'], missing_of(results)
    if missing is None and MISSING not in results:
        missing = missing_pixels(image, results.get('nodata'))
    return present_values(image, missing)


def blanked(label: np.ndarray, missing: np.ndarray | None) -> np.ndarray:
    """Return a label (H, W[, K]) with 255 where a date lacks the pixel."""
    if missing is None:
        return label
    missing = missing if missing.ndim == 2 else np.asarray(missing.any(axis=2))
    where = missing if label.ndim == 2 else missing[..., None]
    return np.where(where, np.asarray(IGNORE, label.dtype), label)


def pack_missing(sample, missing: np.ndarray | None) -> None:
    """Keep in a data sample what its image lacks: ``missing`` (T, H, W) bool, T = 1 for one."""
    if missing is None:
        return
    from mmengine.structures import PixelData

    dates = missing[None] if missing.ndim == 2 else missing.transpose(2, 0, 1)
    sample.missing = PixelData(data=torch.from_numpy(np.ascontiguousarray(dates)))


def zero_missing(
    inputs: torch.Tensor | list[torch.Tensor], samples: Sequence | None
) -> torch.Tensor | list[torch.Tensor]:
    """Set normalised inputs (N, C, H, W), a list of them for dates, to 0 where they are missing.

    Args:
        inputs: Changed in place.
        samples: Data samples, of which those with gaps have ``missing``.
    """
    for number, sample in enumerate(samples if isinstance(samples, (list, tuple)) else ()):
        found = getattr(sample, MISSING, None)
        if found is None:
            continue
        dates = inputs if isinstance(inputs, list) else [inputs]
        if len(dates) == len(found.data):
            for date, missing in zip(dates, found.data, strict=True):
                date[number].masked_fill_(missing, 0)
    return inputs
