"""Weak and strong views of a batch, from uniform numbers that came with each sample.

Semi-supervised learning trains on two views of an unlabelled image: a *weak* one (a shifted crop,
flips), on which the pseudo-label is read, and a *strong* one (drawn anew, then changed much), which
has to agree with it. A loader worker calls this with a batch of one, the data preprocessor with the
whole batch on its device; the same numbers give the same views.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch.nn import functional as F

from rsmm.errors import ConfigError, DataError
from rsmm.ops.augment_policies import StrongAugment, get_policy
from rsmm.sensors import resolve_bands, rgb_positions

#: Uniform numbers of a weak view: top, left, flip left-right, flip top-bottom.
WEAK_DRAWS = 4
_RESIZES = ('antialias', 'corners')
#: Luma weights of red, green and blue (ITU-R BT.601), as Pillow turns colour into grey.
_LUMA = (0.299, 0.587, 0.114)


class Views:
    """Makes weak and strong views; holds settings only.

    Args:
        size: Height and width of a view in pixels.
        padding: Mirrored pixels around the image before the crop; an eighth of ``size`` by default.
        resize: ``'antialias'`` shrinks as Pillow does, ``'corners'`` interpolates between aligned
            corners without smoothing (the published BigEarthNet runs).
        scale: Stored value that counts as 1 in strong views: 255 for bytes, 10000 for reflectance.
            Strong views are clipped to [0, scale].
        policy: ``'sane'`` or ``'reference'`` (a published table, faults included).
        table: ``'eurosat'`` or ``'bigearthnet'``, with ``policy='reference'``.
        num_ops: Strong changes per image.
        cut: Largest side of the box cut out of strong views; the policy's own by default, 0 for
            none.
        strong_on: ``'image'`` draws crop and flips of a strong view anew; ``'weak'`` takes those of
            the weak view and changes values only, so that labels per pixel stay in place.
        bands: Names of the bands, or of an order. Red, green and blue weigh as luma in the grey
            image, other combinations alike.

    Raises:
        ConfigError: A setting that does not exist.
    """

    def __init__(
        self,
        size: int,
        padding: int | None = None,
        resize: str = 'antialias',
        scale: float = 255.0,
        policy: str = 'sane',
        table: str | None = None,
        num_ops: int = 3,
        cut: float | None = None,
        strong_on: str = 'image',
        bands: str | Sequence[str] | None = None,
    ) -> None:
        chosen = get_policy(policy, table)
        for name, value, known in (
            ('resize', resize, _RESIZES),
            ('strong_on', strong_on, ('image', 'weak')),
        ):
            if value not in known:
                raise ConfigError(
                    f'{name}={value!r} is not one of {", ".join(known)}', where='views'
                )
        if strong_on == 'weak':
            chosen = chosen.photometric()
        elif cut is not None:
            chosen = type(chosen)(**{**vars(chosen), 'cut': cut})
        self.size = size
        self.padding = size // 8 if padding is None else padding
        self.resize = resize
        self.scale = float(scale)
        self.strong_on = strong_on
        self.strong = StrongAugment(chosen, num_ops, _luma(bands))

    def draw(self, weak: int = 1, strong: int = 1) -> dict[str, np.ndarray]:
        """Draw the numbers of views from NumPy's global generator, which is seeded per sample.

        Args:
            weak: Number of weak views.
            strong: Number of strong views.

        Returns:
            Float32 numbers by name: ``weak``, ``weak_2``, ..., ``strong``, ``strong_2``, ...
        """
        draws = {view_name('weak', i): np.random.rand(WEAK_DRAWS) for i in range(weak)}
        for i in range(strong):
            name = view_name('strong', i)
            draws[name] = np.random.rand(WEAK_DRAWS + self.strong.num_draws)
            if self.strong_on == 'weak':
                draws[name][:WEAK_DRAWS] = draws[view_name('weak', min(i, weak - 1))]
        return {name: values.astype(np.float32) for name, values in draws.items()}

    def __call__(self, images: torch.Tensor, draws: torch.Tensor) -> torch.Tensor:
        """Make one view of every image.

        Args:
            images: ``(N, C, H, W)`` in stored units.
            draws: Numbers of :meth:`draw` on the CPU, ``(N, K)``; how many there are says whether
                the view is weak or strong.

        Returns:
            ``(N, C, size, size)``; weak views of images that have the size keep their dtype, others
            are float32.
        """
        view = crop_and_flip(self.fit(images), draws[:, :WEAK_DRAWS], self.size, self.padding)
        if draws.shape[1] == WEAK_DRAWS:
            return view
        unit = view.to(torch.float32) / self.scale
        return self.strong(unit, draws[:, WEAK_DRAWS:]) * self.scale

    def fit(self, images: torch.Tensor) -> torch.Tensor:
        """Bring the shorter side to ``size``; images that have it are returned as they are."""
        height, width = images.shape[2:]
        if min(height, width) == self.size:
            return images
        factor = self.size / min(height, width)
        shape = [max(self.size, round(side * factor)) for side in (height, width)]
        corners = self.resize == 'corners'
        return F.interpolate(
            images.to(torch.float32), shape, mode='bilinear', align_corners=corners or None,
            antialias=not corners,
        )  # fmt: skip

    def centre(self, images: torch.Tensor) -> torch.Tensor:
        """The unchanged view for validation: :meth:`fit`, then the middle square."""
        images = self.fit(images)
        top, left = ((side - self.size) // 2 for side in images.shape[2:])
        return images[..., top : top + self.size, left : left + self.size]


def view_name(kind: str, number: int) -> str:
    """Name of the ``number``-th view of a kind: ``weak``, ``weak_2``, ``weak_3``."""
    return kind if number == 0 else f'{kind}_{number + 1}'


def _luma(bands: str | Sequence[str] | None) -> tuple[float, ...] | None:
    """Weights of the bands in the grey image; None where they are not red, green and blue."""
    bands = () if bands is None else resolve_bands(bands)
    try:
        positions = rgb_positions(bands)
    except DataError:
        return None
    weights = [0.0, 0.0, 0.0]
    for position, weight in zip(positions, _LUMA, strict=True):
        weights[position] = weight
    return tuple(weights)


def crop_and_flip(
    images: torch.Tensor, draws: torch.Tensor, size: int, padding: int
) -> torch.Tensor:
    """Crop each image at its own place out of its mirrored surroundings, and flip half of them.

    Args:
        images: ``(N, C, H, W)`` of any dtype.
        draws: Uniform numbers ``(N, 4)`` on the CPU.
        size: Side of the crop in pixels.
        padding: Mirrored pixels at each side.

    Returns:
        ``(N, C, size, size)``, same dtype.
    """
    rows = _positions(draws[:, 0], draws[:, 3], images.shape[2], size, padding)
    columns = _positions(draws[:, 1], draws[:, 2], images.shape[3], size, padding)
    rows, columns = rows.to(images.device), columns.to(images.device)
    if images.dtype == torch.uint16:  # torch moves its bits, but only under another name
        moved = crop_at(images.view(torch.int16), rows, columns)
        return moved.view(torch.uint16)
    return crop_at(images, rows, columns)


def crop_at(images: torch.Tensor, rows: torch.Tensor, columns: torch.Tensor) -> torch.Tensor:
    """Take rows and columns ``(N, size)`` of each image, ``(N, C, H, W)`` in and out."""
    size = rows.shape[1]
    bands = images.shape[1]
    rows = rows[:, None, :, None].expand(-1, bands, -1, images.shape[3])
    columns = columns[:, None, None, :].expand(-1, bands, size, -1)
    return images.gather(2, rows).gather(3, columns)


def _positions(
    start: torch.Tensor, flip: torch.Tensor, side: int, size: int, padding: int
) -> torch.Tensor:
    """Source positions ``(N, size)`` along one axis, mirrored at the borders."""
    span = side + 2 * padding - size
    if span < 0 or padding >= side:
        raise ConfigError(
            f'a crop of {size} with padding {padding} does not fit {side} pixels', where='views'
        )
    first = (start * (span + 1)).long().clamp_(max=span) - padding
    positions = first[:, None] + torch.arange(size)
    positions = torch.where((flip < 0.5)[:, None], positions.flip(1), positions)
    positions = positions.abs()
    return torch.where(positions >= side, 2 * (side - 1) - positions, positions)
