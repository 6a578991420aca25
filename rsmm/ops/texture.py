"""Local binary patterns, batched, on CPU and CUDA, equal to scikit-image bit for bit.

A bit of the pattern compares a pixel with one of ``P`` neighbours on a circle of radius ``R``,
interpolated bilinearly between pixels. Ties are common in integer images and are decided by the
rounding of the interpolation, so equality with scikit-image needs its arithmetic: 64-bit products
and sums in its order, with weights taken from rounded positions (they differ in the last digit
from row to row). On a CPU this is done only where it matters: one 32-bit pass decides all pixels
whose neighbours differ from them by more than its error bound, and the rest is computed exactly.

Source: Ojala, Pietikainen, Maenpaa, Multiresolution gray-scale and rotation invariant texture
classification with local binary patterns, TPAMI 2002.
"""

from __future__ import annotations

import functools
import itertools
import math
import threading
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from rsmm.errors import ConfigError, DataError

Images = TypeVar('Images', np.ndarray, Tensor)
METHODS = ('default', 'ror', 'uniform', 'nri_uniform')
# Elements per block: the buffers of a CPU block stay in its cache; a CUDA block bounds memory.
_BLOCK = {'cpu': 1 << 16, 'cuda': 1 << 24}
# Relative error bound of the 32-bit pass: 6 roundings of 2**-24, doubled and rounded up.
_SCREEN = 1e-6
_EXACT_IN_FLOAT32 = 1 << 24
# Patterns of up to so many bits are looked up in a table.
_TABLE_POINTS = 16
# Beyond this share of undecided comparisons the exact pass over the block is the faster one.
_SPARSE = 0.05


@dataclass(frozen=True)
class _Axis:
    """Where the neighbours of ``n`` pixels lie along one axis, at one offset.

    Attributes:
        start: Offset of the lower of the two pixels between which a neighbour lies.
        weight: Weight of the upper one per pixel ``(n,)``, float64.
        on_grid: The neighbours are pixels themselves; all weights are 0.
    """

    start: int
    weight: Tensor
    on_grid: bool


@functools.lru_cache(maxsize=64)
def _geometry(size: int, points: int, radius: float, along_rows: bool) -> tuple[_Axis, ...]:
    """Position of each neighbour along an axis of ``size`` pixels, scikit-image's rounding."""
    angle = 2 * np.pi * np.arange(points, dtype=np.float64) / points
    radius = float(np.float32(radius))
    offsets = np.round(-radius * np.sin(angle) if along_rows else radius * np.cos(angle), 5)
    axes = []
    for offset in offsets:
        position = np.arange(size, dtype=np.float64) + offset
        below = np.floor(position)
        weight = position - below
        axes.append(_Axis(int(below[0]), torch.from_numpy(weight), not weight.any()))
    return tuple(axes)


def lbp(images: Images, P: int = 16, R: float = 2.0, method: str = 'uniform') -> Images:
    """Local binary patterns of a batch of single bands.

    Args:
        images: Whole numbers ``(..., H, W)`` of any dtype; every band is treated on its own,
            outside counts as 0.
        P: Neighbours on the circle, 2 to 24.
        R: Radius in pixels.
        method: ``'default'`` (``P`` bits), ``'ror'`` (least rotation of the bits), ``'uniform'``
            (number of ones, ``P + 1`` for patterns with more than two changes) or
            ``'nri_uniform'`` (uniform patterns told apart by rotation).

    Returns:
        int32 codes of the same shape, kind (array or tensor) and device. ``uniform`` codes lie in
        ``0..P + 1``.

    Raises:
        DataError: Values that are not whole numbers, or less than two-dimensional input.
        ConfigError: Unknown method, ``P`` or ``R`` out of range.
    """
    if not isinstance(images, Tensor):
        images = np.asarray(images)
    _check(images, P, R, method)
    tensor = images if isinstance(images, Tensor) else torch.from_numpy(_native(images))
    shape = tensor.shape
    stack = tensor.reshape(math.prod(shape[:-2]), *shape[-2:])
    codes = _codes(stack, P, float(R), method).view(shape)
    return codes if isinstance(images, Tensor) else codes.numpy()


def _check(images: np.ndarray | Tensor, points: int, radius: float, method: str) -> None:
    if not _integral(images):
        raise DataError(
            f'LBP compares integers, found {images.dtype}: rounding noise would make patterns',
            fix='Pass stored digital numbers, or round first: (255 * x).round().to(torch.uint8)',
        )
    if images.ndim < 2:
        raise DataError(f'expected (..., H, W), found shape {tuple(images.shape)}')
    if method not in METHODS:
        raise ConfigError(f'unknown LBP method {method!r}; known are {", ".join(METHODS)}')
    if not 2 <= points <= 24 or not 0 < radius <= 1024:
        raise ConfigError(f'expected 2 <= P <= 24 and 0 < R <= 1024, found P={points}, R={radius}')


def _integral(images: np.ndarray | Tensor) -> bool:
    """Whether all values are whole numbers; only floating-point images need a look at them."""
    if isinstance(images, Tensor):
        if not images.is_floating_point():
            return not images.is_complex()
        return bool((torch.isfinite(images) & (images == images.floor())).all())
    if not np.issubdtype(images.dtype, np.floating):
        return images.dtype == bool or np.issubdtype(images.dtype, np.integer)
    return bool((np.isfinite(images) & (images == np.floor(images))).all())


def _native(images: np.ndarray) -> np.ndarray:
    """The array in a byte order and memory layout that torch takes."""
    return np.ascontiguousarray(images, dtype=images.dtype.newbyteorder('='))


def _codes(images: Tensor, points: int, radius: float, method: str) -> Tensor:
    count, height, width = images.shape
    codes = torch.empty(images.shape, dtype=torch.int32, device=images.device)
    if not images.numel():
        return codes
    rows = _geometry(height, points, radius, along_rows=True)
    columns = _geometry(width, points, radius, along_rows=False)
    pad = _pad(radius)
    on_cpu = images.device.type == 'cpu'
    block = max(1, _BLOCK['cpu' if on_cpu else 'cuda'] // (height * width))
    for start in range(0, count, block):
        part = images[start : start + block]
        padded = _padded(part, pad)
        if on_cpu:
            make = _kept_screen if padded.numel() <= 2 * _BLOCK['cpu'] else _make_screen
            screen = make(threading.get_ident(), len(part), height, width, points, radius)
            bits = screen.bits(padded)
        else:
            bits = _exact_bits(padded, rows, columns, pad)
        # (P, H, N * W) back to (N, H, W)
        encode = _look_up if on_cpu and points <= _TABLE_POINTS else _encode
        coded = encode(bits, method).view(height, len(part), width)
        codes[start : start + block] = coded.transpose(0, 1)
    return codes


def _pad(radius: float) -> int:
    return int(np.ceil(radius)) + 1


def _padded(images: Tensor, pad: int) -> Tensor:
    """``(N, H, W)`` to float64 ``(H + 2 pad, N, W + 2 pad)`` in a frame of zeros.

    Rows come first so that weights per row broadcast over contiguous memory.
    """
    count, height, width = images.shape
    shape = (height + 2 * pad, count, width + 2 * pad)
    padded = torch.zeros(shape, dtype=torch.float64, device=images.device)
    padded[pad : pad + height, :, pad : pad + width] = images.transpose(0, 1)
    return padded


def _centre(padded: Tensor, pad: int, height: int, width: int) -> Tensor:
    return padded[pad : pad + height, :, pad : pad + width].reshape(height, -1)


def _exact_bits(
    padded: Tensor, rows: tuple[_Axis, ...], columns: tuple[_Axis, ...], pad: int
) -> Tensor:
    """All comparisons in scikit-image's arithmetic (no fused multiply-add anywhere)."""
    height, width = len(rows[0].weight), len(columns[0].weight)
    centre = _centre(padded, pad, height, width)
    bits = torch.empty((len(rows), *centre.shape), dtype=torch.bool, device=padded.device)
    value, part = torch.empty_like(centre), torch.empty_like(centre)

    def offset(p: int) -> tuple[int, float]:
        return columns[p].start, float(columns[p].weight[0])

    # Neighbours of one column offset in turn: only one set of interpolated lines is held.
    for _, same in itertools.groupby(sorted(range(len(rows)), key=offset), offset):
        for n, p in enumerate(same):
            if n == 0:
                lines = _between_columns(padded, columns[p], pad, width)
            row, top = rows[p], pad + rows[p].start
            if row.on_grid:
                torch.ge(lines[top : top + height], centre, out=bits[p])
                continue
            weight = row.weight.to(padded.device)[:, None]
            torch.mul(lines[top : top + height], 1 - weight, out=value)
            torch.mul(lines[top + 1 : top + 1 + height], weight, out=part)
            value += part
            torch.ge(value, centre, out=bits[p])
    return bits.view(torch.uint8)


def _between_columns(padded: Tensor, column: _Axis, pad: int, width: int) -> Tensor:
    """Interpolate along rows: ``(H + 2 pad, N * W)``."""
    left = pad + column.start
    value = padded[:, :, left : left + width]
    if not column.on_grid:
        weight = column.weight.to(padded.device)
        value = value * (1 - weight)
        value += padded[:, :, left + 1 : left + 1 + width] * weight
    return value.reshape(len(padded), -1)


class _Screen:
    """Comparisons of a block on the CPU: 32 bit where that decides, exact elsewhere.

    Making buffers and views costs more than the arithmetic, so those of a block are kept. NumPy
    compares fast, torch multiplies and adds in one pass.
    """

    def __init__(
        self, count: int, rows: tuple[_Axis, ...], columns: tuple[_Axis, ...], pad: int
    ) -> None:
        self.count, self.rows, self.columns, self.pad = count, rows, columns, pad
        height, width = len(rows[0].weight), len(columns[0].weight)
        frame, pixels = height + 2 * pad, count * width
        self.padded = torch.empty(frame, count, width + 2 * pad)
        self.inner = self.padded[pad : pad + height, :, pad : pad + width]
        self.slope_x = torch.empty(frame, count, width + 2 * pad - 1)
        self.centre, self.low, self.high, self.value = torch.empty(4, height, pixels)
        self.strict = torch.empty(len(rows), height, pixels, dtype=torch.bool)
        self.undecided = np.zeros((len(rows), height, pixels), dtype=bool)
        # Lines interpolated along rows and their slopes, overwritten by one column offset after
        # the other: so little memory stays in the cache.
        self.lines, self.slopes = torch.empty(frame, count, width), torch.empty(frame - 1, pixels)
        flat = self.lines.view(frame, -1)
        self.upper, self.lower = flat[:-1], flat[1:]
        # Per distinct column offset: inputs, factor, and per neighbour on it whether it is a pixel,
        # its line, slope and factor, and where its comparisons go.
        self.offsets: dict[tuple[int, float], tuple] = {}
        outputs = zip(self.strict.numpy(), self.undecided, strict=True)
        for row, column, output in zip(rows, columns, outputs, strict=True):
            key = column.start, float(column.weight[0])
            if key not in self.offsets:
                at = slice(pad + column.start, pad + column.start + width)
                self.offsets[key] = self.padded[:, :, at], self.slope_x[:, :, at], key[1], []
            at = slice(pad + row.start, pad + row.start + height)
            on_grid, factor = row.on_grid and column.on_grid, float(row.weight[0])
            self.offsets[key][-1].append((on_grid, flat[at], self.slopes[at], factor, *output))

    def bits(self, padded: Tensor) -> Tensor:
        """Comparisons ``(P, H, N * W)`` as uint8 of a float64 block from :func:`_padded`."""
        peak = max(1.0, *(abs(float(extreme)) for extreme in padded.aminmax()))
        if peak >= _EXACT_IN_FLOAT32:
            return _exact_bits(padded, self.rows, self.columns, self.pad)
        self._compare(padded, margin=_SCREEN * peak)
        bits = self.strict.view(torch.uint8)
        where = torch.from_numpy(np.flatnonzero(self.undecided))
        if len(where) > _SPARSE * self.undecided.size:
            return _exact_bits(padded, self.rows, self.columns, self.pad)
        if len(where):
            exact = _exact_bits_at(where, padded, self.rows, self.columns, self.pad)
            bits.view(-1)[where] = exact
        return bits

    def _compare(self, padded: Tensor, margin: float) -> None:
        """Fill ``strict`` and ``undecided``."""
        self.padded.copy_(padded)
        self.centre.view(self.inner.shape).copy_(self.inner)
        torch.sub(self.centre, margin, out=self.low)
        torch.add(self.centre, margin, out=self.high)
        torch.sub(self.padded[:, :, 1:], self.padded[:, :, :-1], out=self.slope_x)
        value, low, high = self.value.numpy(), self.low.numpy(), self.high.numpy()
        for left, slope_x, factor, neighbours in self.offsets.values():
            torch.add(left, slope_x, alpha=factor, out=self.lines)
            torch.sub(self.lower, self.upper, out=self.slopes)
            for on_grid, line, slope, weight, bit, undecided in neighbours:
                if on_grid:
                    np.greater_equal(line.numpy(), self.centre.numpy(), out=bit)
                    continue
                torch.add(line, slope, alpha=weight, out=self.value)
                np.greater_equal(value, high, out=bit)
                np.greater_equal(value, low, out=undecided)
                np.not_equal(undecided, bit, out=undecided)


def _make_screen(
    thread: int, count: int, height: int, width: int, points: int, radius: float
) -> _Screen:
    rows = _geometry(height, points, radius, along_rows=True)
    columns = _geometry(width, points, radius, along_rows=False)
    # Buffers made in inference mode could not be written to outside of it.
    with torch.inference_mode(False):
        return _Screen(count, rows, columns, _pad(radius))


# Per thread: two that compare at the same time must not share buffers.
_kept_screen = functools.lru_cache(maxsize=4)(_make_screen)


def _exact_bits_at(
    where: Tensor, padded: Tensor, rows: tuple[_Axis, ...], columns: tuple[_Axis, ...], pad: int
) -> Tensor:
    """Exact comparisons ``(M,)`` at flat positions ``(M,)`` of ``(P, H, N, W)``, uint8."""
    height, width = len(rows[0].weight), len(columns[0].weight)
    line, step = padded.shape[1] * padded.shape[2], padded.shape[2]
    p, y, n, x = np.unravel_index(where.numpy(), (len(rows), height, padded.shape[1], width))
    flat = padded.view(-1).numpy()
    corner = (y + pad) * line + n * step + x + pad
    centre = flat[corner]
    corner += np.array([r.start * line + c.start for r, c in zip(rows, columns, strict=True)])[p]
    down = np.stack([row.weight.numpy() for row in rows])[p, y]
    right = np.stack([column.weight.numpy() for column in columns])[p, x]
    left = 1 - right
    top = left * flat[corner] + right * flat[corner + 1]
    corner += line
    bottom = left * flat[corner] + right * flat[corner + 1]
    return torch.from_numpy(((1 - down) * top + down * bottom >= centre).view(np.uint8))


def _encode(bits: Tensor, method: str) -> Tensor:
    """Turn comparisons ``(P, ...)`` into codes ``(...)``, int32."""
    if method in ('default', 'ror'):
        codes = _pack(bits)
        return codes if method == 'default' else _least_rotation(codes, len(bits))
    points = len(bits)
    ones = _count(bits)
    broken = (_count(bits[1:] ^ bits[:-1]) > 2).to(torch.uint8)
    if method == 'uniform':
        # A maximum of bytes is many times faster than a masked fill.
        return torch.maximum(ones, broken * (points + 1)).int()
    return torch.where(broken == 0, _uniform_rank(bits, ones), points * (points - 1) + 2)


@functools.lru_cache(maxsize=8)
def _table(points: int, method: str) -> np.ndarray:
    """Code of every pattern of up to 16 bits, int32."""
    patterns = torch.arange(1 << points)
    bits = torch.stack([(patterns >> p) & 1 for p in range(points)])
    return _encode(bits.to(torch.uint8), method).numpy()


def _look_up(bits: Tensor, method: str) -> Tensor:
    """:func:`_encode` on the CPU: pack the bits in bytes and read the code in a table."""
    packed = torch.zeros(*bits.shape[1:], 2, dtype=torch.uint8)
    for byte in range(0, len(bits), 8):
        total = bits[byte].clone()
        for p, bit in enumerate(bits[byte + 1 : byte + 8], start=1):
            total.add_(bit, alpha=1 << p)
        packed[..., byte // 8] = total
    patterns = packed.numpy().view('<u2')[..., 0]
    return torch.from_numpy(_table(len(bits), method).take(patterns))


def _count(bits: Tensor) -> Tensor:
    """Sum over the first axis in uint8."""
    total = bits[0].clone()
    for bit in bits[1:]:
        total += bit
    return total


def _pack(bits: Tensor) -> Tensor:
    codes = bits[0].int()
    for p, bit in enumerate(bits[1:], start=1):
        codes += bit.int() << p
    return codes


def _least_rotation(codes: Tensor, points: int) -> Tensor:
    least, rotated = codes.clone(), codes
    for _ in range(points - 1):
        rotated = (rotated >> 1) | ((rotated & 1) << (points - 1))
        least = torch.minimum(least, rotated)
    return least


def _uniform_rank(bits: Tensor, ones: Tensor) -> Tensor:
    """Rank of a uniform pattern by its number of ones and its rotation, int32."""
    points, ones = len(bits), ones.int()
    first_one, first_zero = bits.argmax(0).int(), (1 - bits).argmax(0).int()
    rotation = torch.where(bits[0] == 1, ones - first_zero, points - first_one)
    rank = 1 + (ones - 1) * points + rotation
    rank = torch.where(ones == 0, 0, rank)
    return torch.where(ones == points, points * (points - 1) + 1, rank).int()
