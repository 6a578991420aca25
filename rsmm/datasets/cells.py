"""Places seen at many dates: folders of dated images read as series."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from rsmm.datasets.dates import date_of, read_dates
from rsmm.errors import DataError, DataNotFoundError
from rsmm.geo.io import read_mask
from rsmm.geo.raster import opened, read_raster
from rsmm.sensors import resolve_bands
from rsmm.utils.listing import images_by_stem, list_files, list_folders, plain_stem

#: Sub-folders of a cell that hold its images, in the order in which they are sought.
IMAGE_FOLDERS = ('images_masked', 'images')
_CLOUD = re.compile(r'[-_]clouds?(?![a-z])|(?<![a-z])clouds?[-_]', re.IGNORECASE)
_CAIRO = re.compile(r'^bbox(-?\d+)_(-?\d+)_\d{4}_\d{2}$')
#: Side of a cell of the Cairo grid in degrees.
CAIRO_SIDE = 0.05
# Stored number that counts as 1, by dtype; floats are taken as they are.
_FULL_SCALE = {'uint8': 255.0, 'uint16': 10_000.0, 'int16': 10_000.0}


@dataclass(frozen=True)
class CellFrame:
    """One date of one cell.

    Attributes:
        date: Day; months count as their first.
        image: Raster of any band count.
        cloud: Cloud probability of the same size, 0..255, or None.
        unusable: Mask of unusable pixels (255), or None.
    """

    date: dt.date
    image: Path
    cloud: Path | None = None
    unusable: Path | None = None

    @property
    def month(self) -> str:
        """``YYYY-MM``."""
        return self.date.strftime('%Y-%m')


@dataclass(frozen=True)
class Cell:
    """One place at many dates.

    Attributes:
        name: Of its folder.
        frames: In the order of their dates, which differ.
        notes: What was left out of the folder, in words.
    """

    name: str
    frames: tuple[CellFrame, ...]
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.frames)

    @property
    def months(self) -> list[str]:
        """``YYYY-MM`` of each frame."""
        return [frame.month for frame in self.frames]

    @property
    def has_clouds(self) -> bool:
        """Whether any frame has a cloud image."""
        return any(frame.cloud is not None for frame in self.frames)

    def read(self, index: int, bands: Sequence[str] | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Read one frame.

        Args:
            index: Position of the frame.
            bands: Bands by name, of files that name theirs; None: all.

        Returns:
            ``(C, H, W)`` float32, 8-bit values divided by 255, 16-bit ones by 10,000, floats as
            they are, 0 where there is no data; and ``(H, W)`` bool, where there is.

        Raises:
            DataError: It cannot be read, or lacks a band.
        """
        frame = self.frames[index]
        image, found = read_raster(
            frame.image, bands=None if bands is None else resolve_bands(bands)
        )
        missing = found.get('missing')
        valid = np.ones(image.shape[:2], bool) if missing is None else ~missing
        if bands is None and image.dtype == np.uint8 and image.shape[2] in (2, 4):
            valid &= image[..., -1] > 0  # transparency
            image = image[..., :-1]
        if frame.unusable is not None:
            mask = read_mask(frame.unusable)
            if mask.shape != valid.shape:
                raise DataError(
                    f'size {mask.shape} differs from its image {valid.shape}', where=frame.unusable
                )
            valid &= ~mask
        values = image.astype(np.float32) / _FULL_SCALE.get(str(image.dtype), 1.0)
        return np.ascontiguousarray(np.where(valid, values.transpose(2, 0, 1), 0)), valid

    def read_clouds(self, index: int, shape: tuple[int, int]) -> np.ndarray:
        """Read the cloud image of one frame, ``(H, W)`` uint8; 0 where it has none.

        Raises:
            DataError: It is of another size than the frame.
        """
        path = self.frames[index].cloud
        if path is None:
            return np.zeros(shape, np.uint8)
        image, _ = read_raster(path)
        if image.shape[:2] != tuple(shape):
            raise DataError(
                f'cloud image of {image.shape[0]}x{image.shape[1]}, its frame is '
                f'{shape[0]}x{shape[1]}',
                where=path,
                fix='Resample it to the frame, or leave it out',
            )
        return image[..., 0].astype(np.uint8)

    def place(self) -> dict:
        """Return ``crs`` (WKT or name) and ``transform`` (6 numbers) of the first frame, or None.

        Cells of the Cairo grid have them in their name: the south-western corner in thousandths of
        a degree, 0.05 degrees a side.
        """
        path = self.frames[0].image
        corner = _CAIRO.match(path.stem)
        with opened(path, sidecars=True) as source:
            shape = source.height, source.width
        if corner:
            west, south = int(corner[1]) / 1000, int(corner[2]) / 1000
            steps = CAIRO_SIDE / shape[1], CAIRO_SIDE / shape[0]
            transform = (steps[0], 0.0, west, 0.0, -steps[1], south + CAIRO_SIDE)
            return {'crs': 'EPSG:4326', 'transform': transform}
        _, found = read_raster(path, sidecars=True, window=(0, 0, 1, 1))
        return {key: found[key] for key in ('crs', 'transform')}


def find_cells(
    root: str | Path, clouds: str | Path | None = None, dates: str | Path | None = None
) -> list[Cell]:
    """List the cells of a folder: itself and its sub-folders, as far as they hold dated images.

    A cell's images lie in its folder or in ``images_masked`` or ``images`` below it (SpaceNet 7).
    A name with ``_cloud`` in it is the cloud probability of the image without; masks
    ``UDM_masks/<name>_UDM.tif`` are read. Sub-folders without dated images are passed over.

    Args:
        root: Folder of cell folders, or one of them.
        clouds: Parallel tree of cloud images, ``<cell>/<same name>``.
        dates: Table of dates (``file,date``) for names that hold none; default: ``dates.csv`` in
            ``root`` where there is one.

    Returns:
        Cells by name, frames by date.

    Raises:
        DataNotFoundError: There is no such folder.
        DataError: No dated images at all, or a date twice in a cell.
    """
    root = Path(root)
    for folder in (root, *([] if clouds is None else [Path(clouds)])):
        if not folder.is_dir():
            raise DataNotFoundError('there is no such folder', where=folder)
    table = root / 'dates.csv' if dates is None and (root / 'dates.csv').is_file() else dates
    known = {} if table is None else read_dates(table)
    folders = [root, *list_folders(root)]
    cells = []
    for folder in folders:
        if clouds is not None and folder.resolve() == Path(clouds).resolve():
            continue
        cell = _read_folder(folder, known, clouds)
        if cell is not None:
            cells.append(cell)
    if not cells:
        raise DataError(
            'no images with a date in their name, here or one folder below',
            where=root,
            fix='Name them like bbox31750_30050_2018_00.jpg or place_2018-01-31.tif, or give a '
            'table file,date',
        )
    return cells


def _read_folder(
    folder: Path, known: Mapping[str, dt.date], clouds: str | Path | None
) -> Cell | None:
    home = next((folder / n for n in IMAGE_FOLDERS if (folder / n).is_dir()), folder)
    files = list_files(home)
    siblings = {_CLOUD.sub('', path.stem): path for path in files if _CLOUD.search(path.stem)}
    images = [path for path in files if not _CLOUD.search(path.stem)]
    dated = {path: _lookup(path, folder, known) for path in images}
    frames = [_frame(path, date, folder, siblings, clouds) for path, date in dated.items() if date]
    if not frames:
        return None
    frames.sort(key=lambda frame: frame.date)
    for first, second in pairwise(frames):
        if first.date == second.date:
            raise DataError(
                f'a second image of {second.date}, beside {first.image.name}',
                where=second.image,
                fix='Remove one of them',
            )
    return Cell(folder.name, tuple(frames), tuple(_notes(images, dated, siblings, frames)))


def _lookup(path: Path, folder: Path, known: Mapping[str, dt.date]) -> dt.date | None:
    for name in (f'{folder.name}/{path.name}', path.name):
        if name in known:
            return known[name]
    return date_of(path)


def _frame(path, date, folder: Path, siblings: Mapping[str, Path], clouds) -> CellFrame:
    cloud = siblings.get(path.stem)
    if cloud is None and clouds is not None:
        cloud = images_by_stem(Path(clouds) / folder.name).get(plain_stem(path))
    masks = images_by_stem(folder / 'UDM_masks')
    return CellFrame(date, path, cloud, masks.get(f'{plain_stem(path)}_UDM'))


def _notes(images, dated, siblings, frames):
    """Yield what was left out, with a count and the first of each."""
    undated = [path.name for path in images if dated[path] is None]
    stems = {path.stem for path in images}
    lonely = [path.name for stem, path in siblings.items() if stem not in stems]
    with_cloud = sum(frame.cloud is not None for frame in frames)
    if undated:
        yield f'{len(undated)} images without a date left out ({undated[0]})'
    if lonely:
        yield f'{len(lonely)} cloud images without an image left out ({lonely[0]})'
    if 0 < with_cloud < len(frames):
        yield f'{len(frames) - with_cloud} images without a cloud image count as clear'
