"""Changes of images in [0, 1], a whole batch at once, each image by its own amount.

One implementation serves a loader worker (a batch of one) and the device (the whole batch). All
functions take images ``(N, C, H, W)`` float in [0, 1] of any band count and one value per image
``(N,)``, and return a new batch of the same shape. Where the arithmetic is that of 8-bit images
(equalise, posterise) it works on 256 levels, whatever the depth the values came from.
"""

from __future__ import annotations

import torch
from torch.nn import functional as F


def _column(values: torch.Tensor) -> torch.Tensor:
    """Bring one value per image into the shape that broadcasts over a batch."""
    return values.view(-1, 1, 1, 1)


def blend(images: torch.Tensor, other: torch.Tensor, factor: torch.Tensor) -> torch.Tensor:
    """Move images from another version of them: factor 0 is the other, 1 the image itself."""
    return torch.lerp(other.expand_as(images), images, _column(factor)).clamp_(0, 1)


def brightness(images: torch.Tensor, factor: torch.Tensor) -> torch.Tensor:
    """Multiply all values."""
    return (images * _column(factor)).clamp_(0, 1)


def add(images: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    """Add a value everywhere."""
    return (images + _column(value)).clamp_(0, 1)


def grey(images: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Weighted sum over bands ``(N, 1, H, W)``; the weights ``(C,)`` sum to 1."""
    return torch.einsum('nchw,c->nhw', images, weights.to(images))[:, None]


def colour(images: torch.Tensor, factor: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Blend with the grey image."""
    return blend(images, grey(images, weights), factor)


def saturation(images: torch.Tensor, factor: torch.Tensor) -> torch.Tensor:
    """Scale the saturation of the HSV model at constant hue and value, for factors up to 1."""
    return blend(images, images.amax(1, keepdim=True), factor)


def contrast(images: torch.Tensor, factor: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Blend with the mean of the grey image."""
    return blend(images, grey(images, weights).mean((2, 3), keepdim=True), factor)


def sharpness(images: torch.Tensor, factor: torch.Tensor) -> torch.Tensor:
    """Blend with the image smoothed by a 3 x 3 filter; the outermost pixels are left alone."""
    # Sums along one axis, then the other: ten times as fast as a convolution by channel.
    rows = images[..., :-2, :] + images[..., 1:-1, :] + images[..., 2:, :]
    sums = rows[..., :-2] + rows[..., 1:-1] + rows[..., 2:]
    smooth = images.clone()
    # Pillow's filter: the centre counts five times.
    smooth[..., 1:-1, 1:-1] = sums.add_(images[..., 1:-1, 1:-1], alpha=4).div_(13)
    return blend(images, smooth, factor)


def auto_contrast(images: torch.Tensor) -> torch.Tensor:
    """Stretch each band of each image to [0, 1]; constant bands stay."""
    low, high = images.amin((2, 3), keepdim=True), images.amax((2, 3), keepdim=True)
    span = high - low
    return torch.where(span > 0, (images - low) / span.clamp_min(1e-12), images)


def equalise(images: torch.Tensor) -> torch.Tensor:
    """Flatten the histogram of each band of each image, in Pillow's integer arithmetic."""
    count, channels, height, width = images.shape
    levels = (images * 255).round_().long().reshape(count * channels, -1)
    counts = torch.zeros(count * channels, 256, dtype=torch.long, device=images.device)
    counts.scatter_add_(1, levels, torch.ones_like(levels))
    bins = torch.arange(256, device=images.device)
    brightest = ((counts > 0) * bins).amax(1, keepdim=True)
    step = (height * width - counts.gather(1, brightest)) // 255
    below = counts.cumsum(1) - counts
    table = ((step // 2 + below) // step.clamp_min(1)).clamp_(max=255)
    flat = table.gather(1, levels).to(images) / 255
    return torch.where(step > 0, flat, images.reshape(flat.shape)).view(images.shape)


def invert(images: torch.Tensor) -> torch.Tensor:
    """Turn dark into bright."""
    return 1 - images


def solarise(images: torch.Tensor, threshold: torch.Tensor) -> torch.Tensor:
    """Invert what is at least as bright as a threshold."""
    return torch.where(images >= _column(threshold), 1 - images, images)


def posterise(images: torch.Tensor, bits: torch.Tensor) -> torch.Tensor:
    """Keep the upper bits of the 8-bit value; 0 bits make an image black."""
    step = _column(torch.exp2(8 - bits.to(images)))
    return ((images * 255).round_() / step).floor_().mul_(step).div_(255)


def affine_matrices(kind: str, values: torch.Tensor, corner: bool = False) -> torch.Tensor:
    """Matrices ``(N, 2, 3)`` from output to input positions, in widths and heights.

    Positions run from -0.5 to 0.5 around the centre, so images that are not square need the
    correction of :func:`affine`.

    Args:
        kind: ``'rotate'`` (degrees, counter-clockwise), ``'shear_x'``, ``'shear_y'`` (tangents),
            ``'translate_x'``, ``'translate_y'`` (shares of the side).
        values: One per image ``(N,)``.
        corner: Shear about the upper left corner, as Pillow's transform does (square images).
    """
    matrices = torch.eye(2, 3, dtype=values.dtype, device=values.device).repeat(len(values), 1, 1)
    if kind == 'rotate':
        sine, cosine = torch.sin(torch.deg2rad(values)), torch.cos(torch.deg2rad(values))
        matrices[:, 0, 0], matrices[:, 0, 1] = cosine, -sine
        matrices[:, 1, 0], matrices[:, 1, 1] = sine, cosine
        return matrices
    move, axis = kind.split('_')
    row, other = (0, 1) if axis == 'x' else (1, 0)
    if move == 'translate':
        matrices[:, row, 2] = values
    else:
        matrices[:, row, other] = values
        matrices[:, row, 2] = values / 2 if corner else 0
    return matrices


def affine(
    images: torch.Tensor, matrices: torch.Tensor, mode: str = 'bilinear', padding: str = 'border'
) -> torch.Tensor:
    """Warp images by matrices of :func:`affine_matrices`.

    Args:
        images: ``(N, C, H, W)``.
        matrices: ``(N, 2, 3)``.
        mode: ``'bilinear'`` or ``'nearest'``.
        padding: ``'zeros'``, ``'border'`` or ``'reflection'``: what lies beyond the image.
    """
    height, width = images.shape[2:]
    # Positions of pixel centres from -1 to 1, as grid_sample counts. Written out: affine_grid is
    # a product of thin matrices and takes longer than the sampling.
    x = (2 * torch.arange(width, device=images.device) + 1) / width - 1
    y = ((2 * torch.arange(height, device=images.device) + 1) / height - 1)[:, None]
    theta = matrices.to(images)[..., None, None]
    grid = torch.stack(
        [
            theta[:, 0, 0] * x + theta[:, 0, 1] * (height / width) * y + 2 * theta[:, 0, 2],
            theta[:, 1, 0] * (width / height) * x + theta[:, 1, 1] * y + 2 * theta[:, 1, 2],
        ],
        dim=-1,
    )
    return F.grid_sample(images, grid, mode, padding, align_corners=False)


def cut_out(images: torch.Tensor, boxes: torch.Tensor, fill: torch.Tensor) -> torch.Tensor:
    """Fill a box of each image.

    Args:
        images: ``(N, C, H, W)``.
        boxes: First column, first row, last column, last row, inclusive, ``(N, 4)`` integers; an
            image whose last lies before its first stays.
        fill: ``(C,)`` or ``(N, C)``.
    """
    height, width = images.shape[2:]
    rows = torch.arange(height, device=images.device)
    columns = torch.arange(width, device=images.device)
    boxes = boxes.to(images.device)
    inside_x = (columns >= boxes[:, 0:1]) & (columns <= boxes[:, 2:3])
    inside_y = (rows >= boxes[:, 1:2]) & (rows <= boxes[:, 3:4])
    inside = (inside_y[:, :, None] & inside_x[:, None, :])[:, None]
    return torch.where(inside, fill.to(images).view(-1, images.shape[1], 1, 1), images)
