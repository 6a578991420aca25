"""Strong augmentation: which changes, how far, and how a row of random numbers chooses them.

A policy turns uniform numbers into changes; it draws nothing itself. Whoever loads the sample draws
the numbers, so that they depend on seed, epoch and sample only, and the change itself happens in
the worker or on the device, wherever the images are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from rsmm.errors import ConfigError, did_you_mean
from rsmm.ops import augment

GEOMETRIC = ('rotate', 'shear_x', 'shear_y', 'translate_x', 'translate_y')
#: Uniform numbers per change (which, how far, second draw) and for the box cut out.
DRAWS_PER_OP, DRAWS_CUT = 3, 3


@dataclass(frozen=True)
class Change:
    """One row of a policy's table.

    Attributes:
        name: Function of :mod:`rsmm.ops.augment`, or ``'identity'``.
        low: Value at the uniform number 0.
        high: Value at 1.
        whole: Cut the value to an integer.
        coin: Half of the draws set the value to 0.
    """

    name: str
    low: float = 0.0
    high: float = 0.0
    whole: bool = False
    coin: bool = False

    def values(self, draws: torch.Tensor) -> torch.Tensor:
        """Values ``(N,)`` of uniform numbers ``(N, 2)``."""
        values = self.low + draws[:, 0] * (self.high - self.low)
        if self.whole:
            values = values.trunc()
        return values * (draws[:, 1] < 0.5) if self.coin else values


@dataclass(frozen=True)
class Policy:
    """A table of changes and how the images are treated at their borders.

    Attributes:
        changes: Drawn uniformly with replacement.
        cut: Largest side of the box cut out, as share of the image; 0 cuts nothing.
        fill: Values in the box, per band; None takes each image's own means.
        shifted_cut: The published box: shifted inside at the low border, cut at the high one.
        mode: Interpolation of warps.
        padding: Beyond the border of warps.
        corner: Shear about the upper left corner.
    """

    changes: tuple[Change, ...]
    cut: float = 0.0
    fill: tuple[float, ...] | None = None
    shifted_cut: bool = False
    mode: str = 'bilinear'
    padding: str = 'reflection'
    corner: bool = False

    def photometric(self) -> Policy:
        """The same without what moves pixels or removes them, for dense targets."""
        kept = tuple(change for change in self.changes if change.name not in GEOMETRIC)
        return Policy(kept, 0.0, None, False, self.mode, self.padding, self.corner)


def _changes(rows: dict[str, tuple]) -> tuple[Change, ...]:
    return tuple(Change(name, *values) for name, values in rows.items())


#: Symmetric signs, moves in shares of the side, products for brightness, at least 4 bits.
SANE = Policy(
    _changes(
        {
            'identity': (),
            'auto_contrast': (),
            'equalise': (),
            'brightness': (0.1, 1.9),
            'colour': (0.1, 1.9),
            'contrast': (0.1, 1.9),
            'sharpness': (0.1, 1.9),
            'posterise': (4, 9, True),
            'solarise': (0, 1),
            'rotate': (-30, 30),
            'shear_x': (-0.3, 0.3),
            'shear_y': (-0.3, 0.3),
            'translate_x': (-0.3, 0.3),
            'translate_y': (-0.3, 0.3),
        }
    ),
    cut=0.5,
)
#: The table of the published EuroSAT runs (USB's RandAugment): Pillow on 8-bit RGB.
EUROSAT = Policy(
    _changes(
        {
            'auto_contrast': (),
            'brightness': (0.05, 0.95),
            'colour': (0.05, 0.95),
            'contrast': (0.05, 0.95),
            'equalise': (),
            'identity': (),
            'posterise': (4, 8, True),
            'rotate': (-30, 30),
            'sharpness': (0.05, 0.95),
            'shear_x': (-0.3, 0.3),
            'shear_y': (-0.3, 0.3),
            'solarise': (0, 256 / 255),
            'translate_x': (-0.3, 0.3),
            'translate_y': (-0.3, 0.3),
        }
    ),
    cut=0.5,
    fill=(125 / 255, 123 / 255, 114 / 255),
    shifted_cut=True,
    mode='nearest',
    padding='zeros',
    corner=True,
)
#: The table of the published BigEarthNet runs (a tensor library's RandAugment at m = 5 of 30), with
#: its faults: posterising to no bits at all (black images), turns to one side only, moves of a
#: sixtieth of a pixel, brightness that subtracts 0.6.
BIGEARTHNET = Policy(
    _changes(
        {
            'auto_contrast': (),
            'equalise': (),
            'invert': (),
            'rotate': (5, 5, False, True),
            'posterise': (0, 0),
            'solarise': (1 / 6, 1 / 6),
            'solarise_add': (0, 1),  # the threshold
            'saturation': (0.4, 0.4),
            'scale': (0.4, 0.4),
            'add': (-0.6, -0.6),
            'sharpness': (0.4, 0.4),
            'shear_x': (0.15838444, 0.15838444, False, True),  # the tangent of 9 degrees
            'shear_y': (0.15838444, 0.15838444, False, True),
            'nudge_x': (0.1 / 6, 0.1 / 6, False, True),
            'nudge_y': (0.1 / 6, 0.1 / 6, False, True),
        }
    ),
    padding='zeros',
)
#: What the published BigEarthNet table adds before it inverts.
_SOLARISE_ADD = 0.43 / 6
_REFERENCES = {'eurosat': EUROSAT, 'bigearthnet': BIGEARTHNET}


def get_policy(policy: str = 'sane', table: str | None = None) -> Policy:
    """Return a policy by name.

    Args:
        policy: ``'sane'`` or ``'reference'``.
        table: Which published table ``'reference'`` means: ``'eurosat'`` or ``'bigearthnet'``.

    Raises:
        ConfigError: There is no such policy, or ``table`` does not go with it.
    """
    if policy == 'sane' and table is None:
        return SANE
    if policy == 'reference' and table in _REFERENCES:
        return _REFERENCES[table]
    known = ['sane', 'reference']
    raise ConfigError(
        f'policy={policy!r} with table={table!r} does not exist.{did_you_mean(policy, known)}',
        where='views',
        fix="policy='sane', or policy='reference' with table='eurosat' or table='bigearthnet'",
    )


@dataclass(frozen=True)
class StrongAugment:
    """Apply ``num_ops`` changes of a policy, then cut out a box.

    Attributes:
        policy: Table of changes.
        num_ops: Changes per image, drawn with replacement.
        weights: Share of each band in the grey image ``(C,)``; None weighs all alike.
    """

    policy: Policy = SANE
    num_ops: int = 3
    weights: tuple[float, ...] | None = None

    @property
    def num_draws(self) -> int:
        """Uniform numbers that an image needs."""
        return self.num_ops * DRAWS_PER_OP + DRAWS_CUT

    def __call__(self, images: torch.Tensor, draws: torch.Tensor) -> torch.Tensor:
        """Change images.

        Args:
            images: ``(N, C, H, W)`` float in [0, 1], on any device.
            draws: Uniform numbers ``(N, num_draws)`` on the CPU: which images take which change is
                decided there, so that a GPU is not waited for.

        Returns:
            A new batch.
        """
        bands = images.shape[1]
        weights = images.new_tensor(self.weights or [1 / bands] * bands)
        images = images.clamp(0, 1)
        for step in range(self.num_ops):
            images = self._round(images, draws[:, DRAWS_PER_OP * step :], weights)
        return self._cut(images, draws[:, self.num_ops * DRAWS_PER_OP :])

    def _round(
        self, images: torch.Tensor, draws: torch.Tensor, weights: torch.Tensor
    ) -> torch.Tensor:
        """Give every image one change; those that warp are warped together."""
        changes = self.policy.changes
        choice = (draws[:, 0] * len(changes)).long().clamp_(max=len(changes) - 1)
        result = images.clone()
        rows, matrices = [], []
        for number, change in enumerate(changes):
            index = (choice == number).nonzero()[:, 0]
            if not len(index) or change.name == 'identity':
                continue
            values = change.values(draws[index, 1:3])
            if change.name in GEOMETRIC or change.name.startswith('nudge'):
                rows.append(index)
                matrices.append(self._matrices(change.name, values, images.shape[2:]))
                continue
            there = index.to(images.device)
            changed = _apply(change.name, images[there], values.to(images), weights)
            result.index_copy_(0, there, changed)
        if rows:
            there = torch.cat(rows).to(images.device)
            theta = torch.cat(matrices).to(images)
            warped = augment.affine(images[there], theta, self.policy.mode, self.policy.padding)
            result.index_copy_(0, there, warped)
        return result

    def _matrices(self, name: str, values: torch.Tensor, shape: Any) -> torch.Tensor:
        if name.startswith('nudge'):  # a share that was taken for pixels
            axis = name[-1]
            side = shape[1] if axis == 'x' else shape[0]
            return augment.affine_matrices(f'translate_{axis}', values / side)
        return augment.affine_matrices(name, values, self.policy.corner)

    def _cut(self, images: torch.Tensor, draws: torch.Tensor) -> torch.Tensor:
        if not self.policy.cut:
            return images
        boxes = cut_boxes(draws, images.shape[2:], self.policy.cut, self.policy.shifted_cut)
        fill = images.mean((2, 3))
        if self.policy.fill is not None:
            if len(self.policy.fill) != images.shape[1]:
                raise ConfigError(
                    f'the published fill is a colour, the images have {images.shape[1]} bands',
                    where='views',
                    fix="Use policy='sane'",
                )
            fill = images.new_tensor(self.policy.fill)
        return augment.cut_out(images, boxes, fill)


def cut_boxes(draws: torch.Tensor, shape: Any, cut: float, shifted: bool) -> torch.Tensor:
    """First column, first row, last column, last row ``(N, 4)`` of the boxes to cut out.

    Args:
        draws: Uniform numbers ``(N, 3)``: side, centre column, centre row.
        shape: Height and width in pixels.
        cut: Largest side as share of the width.
        shifted: The published box, see :class:`Policy`.
    """
    height, width = shape
    side = draws[:, 0] * cut * width
    if not shifted:
        half = side / 2
        x, y = draws[:, 1] * width, draws[:, 2] * height
        # Pixels whose centre lies in the box.
        first = [torch.ceil(x - half - 0.5), torch.ceil(y - half - 0.5)]
        last = [torch.ceil(x + half - 0.5) - 1, torch.ceil(y + half - 0.5) - 1]
        return torch.stack([*first, *last], dim=1).long()
    x, y = 1 + draws[:, 1] * (width - 1), 1 + draws[:, 2] * (height - 1)
    x0, y0 = ((value - side / 2).clamp_min(0).floor() for value in (x, y))
    x1, y1 = (x0 + side).clamp_max(width), (y0 + side).clamp_max(height)
    return torch.stack([x0, y0, x1.floor(), y1.floor()], dim=1).long()


def _apply(
    name: str, images: torch.Tensor, values: torch.Tensor, weights: torch.Tensor
) -> torch.Tensor:
    """Call one photometric change of :mod:`rsmm.ops.augment`."""
    if name in ('auto_contrast', 'equalise', 'invert'):
        return getattr(augment, name)(images)
    if name in ('colour', 'contrast'):
        return getattr(augment, name)(images, values, weights)
    if name == 'scale':  # called contrast where it was published
        return augment.brightness(images, values)
    if name == 'solarise_add':
        brighter = augment.add(images, torch.full_like(values, _SOLARISE_ADD))
        return augment.solarise(brighter, values)
    return getattr(augment, name)(images, values)
