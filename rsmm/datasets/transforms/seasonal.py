"""Views of dated scenes: which date is seen under which augmentation, per method."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import cv2
import numpy as np
from mmcv.transforms import BaseTransform, Compose

from rsmm.datasets.date_rules import RECIPES, DateRule, date_rule
from rsmm.datasets.transforms.geometry import dihedral
from rsmm.datasets.transforms.photometric import affine_values, band_means, jitter_factor
from rsmm.errors import ConfigError, DataError
from rsmm.registry import TRANSFORMS
from rsmm.sensors import RGB, canonical_band

#: Quantiles (2 %, 98 %) of 3000 SeCo samples per band, in stored units of its uint8 files, and of
#: OSCD's RGB bands in digital numbers.
QUANTILES: dict[str, dict[str, tuple[float, float]]] = {
    'seco': {'B04': (0, 129), 'B03': (2, 103), 'B02': (3, 88)},
    'oscd': {'B04': (426, 3698), 'B03': (667, 2969), 'B02': (885, 2620)},
}


def quantile_stretch(
    image: np.ndarray, low: Sequence[float] | np.ndarray, high: Sequence[float] | np.ndarray
) -> np.ndarray:
    """Map ``low..high`` of each band to 0..255, clipped and cut to uint8.

    Args:
        image: (H, W, C), any dtype.
        low: Per-band value that becomes 0, in stored units.
        high: Per-band value that becomes 255.
    """
    low, high = np.asarray(low, np.float64), np.asarray(high, np.float64)
    if image.dtype == np.uint8:
        levels = np.arange(256, dtype=np.float64)[:, None]
        table = np.clip((levels - low) / (high - low) * 255, 0, 255).astype(np.uint8)
        return cv2.LUT(np.ascontiguousarray(image), table[None]).reshape(image.shape)
    return np.clip((image - low) / (high - low) * 255, 0, 255).astype(np.uint8)


@TRANSFORMS.register_module()
class QuantileStretch(BaseTransform):
    """Stretch each band from a pair of fixed quantiles to 8 bit.

    Required Keys: img (an array or a list of arrays), bands

    Modified Keys: img (uint8)

    Args:
        quantiles: ``'seco'``, ``'oscd'``, or a dict of band name to (low, high) in stored units.

    Raises:
        ConfigError: Unknown preset, or a low quantile that is not below the high one.
        DataError: The image has a band without quantiles, or has more than 255 under ``'seco'``.
    """

    def __init__(self, quantiles: str | dict[str, Sequence[float]] = 'seco') -> None:
        # Digital numbers would all be above the quantiles of bytes and come out white.
        self.bytes_only = quantiles == 'seco'
        if isinstance(quantiles, str):
            if quantiles not in QUANTILES:
                raise ConfigError(
                    f'no quantiles called {quantiles!r}', fix=f'Known: {", ".join(QUANTILES)}'
                )
            chosen: Mapping[str, Sequence[float]] = QUANTILES[quantiles]
        else:
            chosen = quantiles
        for band, (low, high) in chosen.items():
            if not low < high:
                raise ConfigError(f'quantiles of {band} must rise, found {low} and {high}')
        self.quantiles = {canonical_band(band): pair for band, pair in chosen.items()}

    def transform(self, results: dict) -> dict:
        """Stretch one image or all."""
        missing = [band for band in results['bands'] if band not in self.quantiles]
        if missing:
            raise DataError(
                f'no quantiles for band {", ".join(missing)}',
                where='QuantileStretch',
                fix='Give them in quantiles, or load other bands',
            )
        low, high = zip(*(self.quantiles[band] for band in results['bands']), strict=True)
        image = results['img']
        if isinstance(image, list):
            results['img'] = [self.stretch(one, low, high) for one in image]
        else:
            results['img'] = self.stretch(image, low, high)
        return results

    def stretch(self, image: np.ndarray, low: Sequence[float], high: Sequence[float]) -> np.ndarray:
        """:func:`quantile_stretch`, once the image is of the kind that the quantiles are of."""
        if self.bytes_only and image.dtype != np.uint8 and image.max(initial=0) > 255:
            raise DataError(
                f"the quantiles 'seco' are those of uint8 archives, found {image.dtype} up to "
                f'{image.max()}',
                where='QuantileStretch',
                fix="Give the archive's own: quantiles=dict(B04=(low, high), ...)",
            )
        return quantile_stretch(image, low, high)

    def __repr__(self) -> str:
        return f'QuantileStretch({self.quantiles})'


@TRANSFORMS.register_module()
class SharedGeometricAug(BaseTransform):
    """Rotate, flip, zoom and re-light all bands of an image alike.

    Every change is drawn with its own probability once per image, so bands keep one footprint.
    Rotation is by whole degrees about the centre with mirrored borders.

    Required Keys: img

    Modified Keys: img (same shape and dtype)

    Args:
        rotate: Probability of a rotation by 0 to 359 degrees.
        flip: Probability of a left-right flip.
        crop: Probability of zooming into the centre.
        crop_size: Share of height and width that a zoom keeps.
        light: Probability of a change of brightness and contrast.
        brightness: Its factor is drawn from [1 - brightness, 1 + brightness].
        contrast: As brightness, about the mean of each band.
    """

    def __init__(
        self,
        rotate: float = 0.5,
        flip: float = 0.5,
        crop: float = 0.5,
        crop_size: float = 0.5,
        light: float = 0.5,
        brightness: float = 0.1,
        contrast: float = 0.1,
    ) -> None:
        self.rotate = rotate
        self.flip = flip
        self.crop = crop
        self.crop_size = crop_size
        self.light = light
        self.brightness = brightness
        self.contrast = contrast

    def transform(self, results: dict) -> dict:
        """Draw with NumPy's global generator and warp once."""
        image = results['img']
        angle = int(np.random.randint(360)) if np.random.rand() < self.rotate else 0
        flip = np.random.rand() < self.flip
        zoom = 1 / self.crop_size if np.random.rand() < self.crop else 1.0
        if angle or zoom != 1:
            image = rotate_and_zoom(image, angle, zoom)
        if flip:
            image = dihedral(image, 1)
        if np.random.rand() < self.light:
            brightness, contrast = jitter_factor(self.brightness), jitter_factor(self.contrast)
            shift = brightness * (1 - contrast) * band_means(image)
            image = affine_values(image, brightness * contrast, shift)
        results['img'] = image
        return results

    def __repr__(self) -> str:
        return f'SharedGeometricAug(rotate={self.rotate}, crop={self.crop}, light={self.light})'


def rotate_and_zoom(image: np.ndarray, angle: float, zoom: float) -> np.ndarray:
    """Rotate counter-clockwise by degrees and enlarge about the centre; borders are mirrored."""
    height, width = image.shape[:2]
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), angle, zoom)
    warped = cv2.warpAffine(
        np.ascontiguousarray(image), matrix, (width, height), borderMode=cv2.BORDER_REFLECT_101
    )
    return warped.reshape(image.shape)


@TRANSFORMS.register_module()
class SeasonalViews(BaseTransform):
    """Make the views that a method compares from the dates that it drew.

    ``crop`` is a random resized crop; ``aug`` is the photometric or (``shared_geometry``) geometric
    augmentation. Which view gets what the date rule says (:mod:`rsmm.datasets.date_rules`).

    Required Keys: img (list of arrays, one per role), bands, mode (unless set here)

    Modified Keys: img (list of views, the query first), img_shape

    Args:
        mode: Name of a date rule; that of the dataset if left out.
        size: Output of the crop in pixels.
        scale: Range of the share of the area that the crop keeps.
        aug: Transforms to use instead of the method's own.
        compat: None, or ``'reference'`` for SACo's augmentation as released, which moves every band
            on its own (:class:`~rsmm.datasets.transforms.per_band.PerBandAug`).
    """

    def __init__(
        self,
        mode: str | None = None,
        size: int = 224,
        scale: Sequence[float] = (0.2, 1.0),
        aug: Sequence[dict] | None = None,
        compat: str | None = None,
    ) -> None:
        self.rules: dict[str, DateRule] = {}
        if mode is not None:
            self.rule(mode)
        if compat not in (None, 'reference'):
            raise ConfigError(
                f"compat={compat!r} is neither None nor 'reference'", where='SeasonalViews'
            )
        self.mode = mode
        self.aug = aug
        self.compat = compat
        self.crop = [{'type': 'RandomResizedCrop', 'size': size, 'scale': tuple(scale)}]
        self.built: dict[tuple, dict[str, Compose]] = {}

    def rule(self, mode: str) -> DateRule:
        """Rule of a name, looked up once."""
        if mode not in self.rules:
            self.rules[mode] = date_rule(mode, 'SeasonalViews')
        return self.rules[mode]

    def pipelines(self, mode: str, bands: tuple[str, ...]) -> dict[str, Compose]:
        """Built recipes for a method and bands."""
        key = mode, bands
        if key not in self.built:
            aug = self.aug
            if aug is None:
                aug = default_aug(self.rule(mode).shared_geometry, bands, self.compat)
            parts = {'crop': self.crop, 'aug': aug}
            self.built[key] = {
                name: Compose([TRANSFORMS.build(dict(t)) for part in recipe for t in parts[part]])
                for name, recipe in RECIPES.items()
            }
        return self.built[key]

    def transform(self, results: dict) -> dict:
        """Run each view's recipe on a copy of its date."""
        mode = self.mode or results['mode']
        pipelines = self.pipelines(mode, tuple(results['bands']))
        views = []
        for role, recipe in self.rule(mode).views:
            if role >= len(results['img']):
                raise ConfigError(
                    f'a view of {mode!r} shows date {role} of {len(results["img"])} drawn',
                    where='SeasonalViews',
                    fix='Count roles from 0, and give SampleDates the same mode',
                )
            view = {**results, 'img': results['img'][role].copy()}
            views.append(pipelines[recipe](view)['img'])
        results['img'] = views
        results['img_shape'] = views[0].shape[:2]
        return results

    def __repr__(self) -> str:
        return f'SeasonalViews(mode={self.mode!r})'


def default_aug(
    shared_geometry: bool, bands: Sequence[str] = RGB, compat: str | None = None
) -> list[dict]:
    """The published augmentation of a method; without changes of colour for other bands than RGB.

    MoCo v2, SeCo, CACo: colour jitter, gray, blur, flip. SACo: one geometry for all bands.
    """
    if shared_geometry:
        return [{'type': 'PerBandAug' if compat == 'reference' else 'SharedGeometricAug'}]
    if tuple(bands) == RGB:
        colour = [
            {'type': 'RandomColorJitter', 'brightness': 0.4, 'contrast': 0.4, 'saturation': 0.4,
             'hue': 0.1, 'prob': 0.8},
            {'type': 'RandomGray', 'prob': 0.2},
        ]  # fmt: skip
    else:
        colour = [{'type': 'RandomBrightnessContrast', 'brightness': 0.4, 'contrast': 0.4}]
    return [
        *colour,
        {'type': 'RandomGaussianBlur', 'sigma': (0.1, 2.0), 'prob': 0.5},
        {'type': 'mmcv.RandomFlip', 'prob': 0.5},
    ]
