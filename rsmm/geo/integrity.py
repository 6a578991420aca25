"""Whether an image file is whole, where its decoder would not say so."""

from __future__ import annotations

import functools
import os
import struct
import zlib
from pathlib import Path
from typing import Any

from rsmm.errors import DataError

PNG_SIGNATURE = b'\x89PNG\r\n\x1a\n'
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
#: First row and column, and distance of rows and columns, of the passes of an interlaced PNG.
_PASSES = (
    (0, 0, 8, 8),
    (0, 4, 8, 8),
    (4, 0, 8, 4),
    (0, 2, 4, 4),
    (2, 0, 4, 2),
    (0, 1, 2, 2),
    (1, 0, 2, 1),
)
MEND = 'Download or copy it again'


def check_png(path: str | Path) -> None:
    """Refuse a PNG that is cut or changed.

    GDAL reads several bands of such a file without a word and leaves the memory of the lost rows as
    it was. Checksums of all chunks and the length of the unpacked rows are compared; a file is
    looked at once as long as it does not change.

    Raises:
        DataError: It is not whole.
    """
    about = os.stat(path)
    reason = _png_fault(str(path), about.st_size, about.st_mtime_ns)
    if reason is not None:
        raise DataError(f'not a complete PNG ({reason})', where=path, fix=MEND)


@functools.lru_cache(maxsize=65536)
def _png_fault(path: str, size: int, changed: int) -> str | None:
    with open(path, 'rb') as file:
        return png_fault(file.read())


def png_fault(raw: bytes) -> str | None:
    """Say what is wrong with the bytes of a PNG, None where nothing is."""
    if raw[:8] != PNG_SIGNATURE:
        return 'no PNG signature'
    place, header, unpack, found = 8, None, zlib.decompressobj(), 0
    while True:
        if place + 12 > len(raw):
            return f'{len(raw)} bytes, no end mark'
        (length,) = struct.unpack_from('>I', raw, place)
        kind = raw[place + 4 : place + 8]
        data = raw[place + 8 : place + 8 + length]
        if place + 12 + length > len(raw):
            return f'{len(raw)} bytes, cut in {kind!r}'
        (stored,) = struct.unpack_from('>I', raw, place + 8 + length)
        if zlib.crc32(data, zlib.crc32(kind)) != stored:
            return f'checksum of {kind!r} differs'
        if kind == b'IHDR':
            if len(data) != 13:
                return 'damaged header'
            header = struct.unpack('>IIBBBBB', data)
        elif kind == b'IDAT':
            try:
                found += _unpacked(unpack, data)
            except zlib.error as error:
                return f'pixels cannot be unpacked: {error}'
        elif kind == b'IEND':
            break
        place += 12 + length
    expected = None if header is None else _row_bytes(*header)
    if expected is None:
        return 'damaged header'
    return None if found >= expected else f'{found} of {expected} bytes of pixels'


def _unpacked(unpack: Any, data: bytes, step: int = 1 << 20) -> int:
    """Count unpacked bytes a piece at a time, so that a bomb does not fill the memory."""
    count = 0
    while data and not unpack.eof:
        count += len(unpack.decompress(data, step))
        data = unpack.unconsumed_tail
    return count


def _row_bytes(
    width: int,
    height: int,
    depth: int,
    colour: int,
    packing: int,
    filtering: int,
    interlaced: int,
) -> int | None:
    """Bytes of all rows with their filter bytes; None for a header that says nothing sensible."""
    if colour not in _CHANNELS or depth not in (1, 2, 4, 8, 16) or not width or not height:
        return None
    bits = depth * _CHANNELS[colour]
    passes = _PASSES if interlaced else ((0, 0, 1, 1),)
    total = 0
    for top, left, down, right in passes:
        columns, rows = -(-(width - left) // right), -(-(height - top) // down)
        if columns > 0 and rows > 0:
            total += rows * (1 + (columns * bits + 7) // 8)
    return total


def may_have_mask(path: str | Path) -> bool:
    """Whether a TIFF has more than one directory, of which one may be a mask.

    Asking GDAL for the flags of thirteen bands takes longer than opening a chip.
    """
    with open(path, 'rb') as file:
        head = file.read(16)
        order = '<' if head[:2] == b'II' else '>'
        big = head[2:4] in (b'+\0', b'\0+')
        try:
            file.seek(
                struct.unpack_from(order + 'Q' if big else order + 'I', head, 8 if big else 4)[0]
            )
            (count,) = struct.unpack(order + ('Q' if big else 'H'), file.read(8 if big else 2))
            file.seek(count * (20 if big else 12), os.SEEK_CUR)
            following = file.read(8 if big else 4)
        except (struct.error, OSError, OverflowError, ValueError):
            return True
    return any(following) or len(following) < 4


def jpeg_end(raw: bytes) -> int | None:
    """Return where the image of a JPEG ends, None for a file that is cut.

    The end mark is looked for behind the start of the pixels: a thumbnail in the head of a cut file
    has an end mark, too.
    """
    if raw[-2:] == b'\xff\xd9' and raw[:2] == b'\xff\xd8':
        return len(raw)
    place = 2
    while place + 4 <= len(raw) and raw[place] == 0xFF:
        mark = raw[place + 1]
        if mark == 0xFF or mark == 0x01 or 0xD0 <= mark <= 0xD8:
            place += 1 if mark == 0xFF else 2
            continue
        if mark == 0xDA:
            end = raw.find(b'\xff\xd9', place)
            return None if end < 0 else end + 2
        place += 2 + int.from_bytes(raw[place + 2 : place + 4], 'big')
    return None
