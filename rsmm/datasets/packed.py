"""Datasets packed into one memory-mapped array.

Opening a small file costs far more than reading its bytes, so a dataset of chips is packed once and
then read at memory speed. A pack is a folder of

- ``images.bin``: all images (H, W, C) behind one another in their stored dtype,
- ``index.npz``: where each starts, its height and width, its affine transform and CRS number,
- ``names.txt``: one path per image, relative to the root it came from,
- ``pack.json``: format version, dtype, bands, nodata and the list of CRSs.

Splits, labels and transforms are untouched: dataset classes take ``packed=FOLDER``.
"""

from __future__ import annotations

import functools
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from rsmm.datasets.transforms.loading import LoadRaster
from rsmm.errors import DataError, DataNotFoundError
from rsmm.registry import DATASETS
from rsmm.sensors import band_indices
from rsmm.utils import track

VERSION = 1
PACK_COMMAND = 'python tools/dataset_converters/pack_dataset.py'


class Pack:
    """Read-only view of a packed dataset.

    Args:
        folder: Folder written by :func:`write_pack`.

    Attributes:
        names: Relative path of each image.
        bands: Band names, aligned with the last axis of every image.

    Raises:
        DataNotFoundError: The folder is not a pack.
        DataError: The pack is of another format version, or cut off.
    """

    def __init__(self, folder: str | Path) -> None:
        folder = Path(folder)
        if not (folder / 'pack.json').is_file():
            raise DataNotFoundError(
                'there is no packed dataset', where=folder, fix=f'Make one with {PACK_COMMAND}'
            )
        about = json.loads((folder / 'pack.json').read_text(encoding='utf-8'))
        if about['version'] != VERSION:
            raise DataError(
                f'pack format {about["version"]}, this release reads {VERSION}',
                where=folder,
                fix=f'Pack the dataset again with {PACK_COMMAND}',
            )
        self.bands: tuple[str, ...] = tuple(about['bands'])
        self.nodata: float | None = about['nodata']
        self.crs: list[str] = about['crs']
        self.names = (folder / 'names.txt').read_text(encoding='utf-8').splitlines()
        with np.load(folder / 'index.npz', allow_pickle=False) as index:
            self._starts = index['starts']
            self._shapes = index['shapes']
            self._transforms = index['transforms']
            self._crs_numbers = index['crs']
        self._images = _map_images(folder / 'images.bin', about['dtype'], int(self._starts[-1]))

    def __len__(self) -> int:
        return len(self.names)

    def read(self, row: int, bands: Sequence[str] | None = None) -> tuple[np.ndarray, dict]:
        """Return a writable copy of an image (H, W, C) and its bands, nodata, crs and transform.

        Args:
            row: Position in :attr:`names`.
            bands: Names to return, in this order; None returns all.
        """
        height, width = self._shapes[row].tolist()
        flat = self._images[self._starts[row] : self._starts[row + 1]]
        image = flat.reshape(height, width, len(self.bands))
        names = self.bands
        if bands is not None and tuple(bands) != names:
            names = tuple(bands)
            image = image[..., band_indices(self.bands, names, where=self.names[row])]
        number = self._crs_numbers[row]
        transform = self._transforms[row].tolist()
        return np.array(image, order='C'), {
            'bands': names,
            'nodata': self.nodata,
            'crs': self.crs[number] if number >= 0 else None,
            'transform': None if transform[0] != transform[0] else tuple(transform),
        }


def _map_images(path: Path, dtype: str, count: int) -> np.ndarray:
    expected = count * np.dtype(dtype).itemsize
    found = path.stat().st_size if path.is_file() else 0
    if found != expected:
        raise DataError(
            f'expected {expected} bytes, found {found}',
            where=path,
            fix=f'Copy it again, or pack the dataset again with {PACK_COMMAND}',
        )
    # A plain view: indexing np.memmap itself costs several microseconds per read.
    return np.asarray(np.memmap(path, dtype=dtype, mode='r'))


@functools.lru_cache(maxsize=16)
def open_pack(folder: str) -> Pack:
    """Open a pack once per process; loader workers share its pages through the system's cache."""
    return Pack(folder)


def write_pack(
    out: str | Path,
    names: Sequence[str],
    load: Callable[[int], dict],
    *,
    overwrite: bool = False,
) -> Path:
    """Pack images into one folder, which appears only when it is complete.

    Args:
        out: Folder to write.
        names: Relative path per image.
        load: Returns the results dict of image ``i`` after ``LoadRaster``: ``img``, ``bands``,
            ``nodata``, ``crs``, ``transform``.
        overwrite: Replace an existing pack.

    Returns:
        ``out``.

    Raises:
        DataError: ``out`` exists, images differ in bands or dtype, or the disk is too small.
    """
    out = Path(out)
    if out.exists() and not (overwrite and (out / 'pack.json').is_file()):
        raise DataError(
            'exists already', where=out, fix='Choose another --out, or --overwrite a pack'
        )
    out.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f'.{out.name}.', dir=out.parent))
    try:
        _write_files(partial, names, load)
        if out.exists():
            shutil.rmtree(out)
        partial.chmod(0o755)
        os.replace(partial, out)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    open_pack.cache_clear()
    return out


def _write_files(folder: Path, names: Sequence[str], load: Callable[[int], dict]) -> None:
    index = _Index()
    with open(folder / 'images.bin', 'wb') as file:
        for row in track(range(len(names)), 'Packing'):
            results = load(row)
            if row == 0:
                check_space(folder, results['img'].nbytes * len(names))
            index.add(results, names[row])
            file.write(np.ascontiguousarray(results['img']).data)
        file.flush()
        os.fsync(file.fileno())
    np.savez(
        folder / 'index.npz',
        starts=np.array(index.starts, np.int64),
        shapes=np.array(index.shapes, np.int32),
        transforms=np.array(index.transforms, np.float64),
        crs=np.array(index.crs_numbers, np.int16),
    )
    (folder / 'names.txt').write_text('\n'.join(names) + '\n', encoding='utf-8')
    (folder / 'pack.json').write_text(json.dumps(index.about(), indent=1), encoding='utf-8')


def check_space(folder: Path, needed: int) -> None:
    """Raise :class:`DataError` when the disk of a folder has fewer bytes free than needed."""
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise DataError(
            f'{needed / 2**20:.0f} MiB needed, {free / 2**20:.0f} MiB free',
            where=folder.parent,
            fix='Free space or choose another --out',
        )


class _Index:
    """What a pack remembers of its images while they are written."""

    def __init__(self) -> None:
        self.starts = [0]
        self.shapes: list[tuple[int, int]] = []
        self.transforms: list[Sequence[float]] = []
        self.crs_numbers: list[int] = []
        self.crs: dict[str, int] = {}
        self.kind: tuple | None = None

    def add(self, results: dict, name: str) -> None:
        image = results['img']
        kind = (image.dtype.str, tuple(results['bands']), results['nodata'])
        if self.kind is None:
            self.kind = kind
        if kind != self.kind:
            raise DataError(
                f'dtype, bands, nodata {kind} differ from {self.kind} of the images before',
                where=name,
                fix='Pack images of one kind; select bands by name in the config',
            )
        self.starts.append(self.starts[-1] + image.size)
        self.shapes.append(image.shape[:2])
        self.transforms.append(results['transform'] or [np.nan] * 6)
        crs = results['crs']
        self.crs_numbers.append(-1 if crs is None else self.crs.setdefault(crs, len(self.crs)))

    def about(self) -> dict:
        dtype, bands, nodata = self.kind
        return {
            'version': VERSION,
            'dtype': dtype,
            'bands': bands,
            'nodata': nodata,
            'crs': list(self.crs),
        }


def pack_dataset(dataset, out: str | Path, *, overwrite: bool = False) -> Path:
    """Pack the images of a dataset, in the bands that it asks for.

    Args:
        dataset: A dataset whose samples carry ``img_path``; its first ``LoadRaster`` reads them.
        out: Folder to write.
        overwrite: Replace an existing pack.

    Returns:
        ``out``.
    """
    load = next(
        (step for step in dataset.pipeline.transforms if isinstance(step, LoadRaster)), LoadRaster()
    )
    root = Path(dataset.data_root)
    infos = [dataset.get_data_info(index) for index in range(len(dataset))]
    names = [Path(info['img_path']).relative_to(root).as_posix() for info in infos]
    return write_pack(out, names, lambda row: load(infos[row]), overwrite=overwrite)


def pack_from_config(config: dict, out: str | Path, *, overwrite: bool = False) -> Pack:
    """Pack every chip of the dataset that a config trains on.

    Args:
        config: A loaded config with ``train_dataloader``.
        out: Folder to write.
        overwrite: Replace an existing pack.

    Returns:
        The pack, opened.
    """
    settings = {**config['train_dataloader']['dataset'], 'packed': None}
    if 'split' in settings:
        settings['split'] = 'all'
    return open_pack(str(pack_dataset(DATASETS.build(settings), out, overwrite=overwrite)))
