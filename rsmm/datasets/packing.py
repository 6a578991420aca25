"""Writing packs of chips and shards of dated scenes, which ``packed`` and ``scene_shards`` read."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from rsmm.datasets.packed import PACK_FILES, PACK_VERSION, Pack, open_pack, pack_marker
from rsmm.datasets.scene_shards import (
    SHARD_VERSION,
    open_shards,
    read_plan,
    shard_marker,
    shard_path,
)
from rsmm.datasets.transforms.loading import LoadRaster
from rsmm.datasets.transforms.scenes import LoadScenes
from rsmm.errors import DataError
from rsmm.registry import DATASETS
from rsmm.utils import atomic_write, track
from rsmm.utils.done_marker import folder_stamp
from rsmm.utils.leftovers import SUFFIX, remove_leftovers, sweep_once, temporary_prefix
from rsmm.utils.lock import hold_folder
from rsmm.utils.outputs import names_as_lines


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
    sweep_once(out.parent)
    with tempfile.TemporaryDirectory(
        prefix=temporary_prefix(out), suffix=SUFFIX, dir=out.parent
    ) as folder:
        partial = Path(folder, 'new')
        partial.mkdir()
        _write_files(partial, names, load)
        if out.exists():  # moved aside whole: no moment shows half of it
            os.replace(out, Path(folder, 'old'))
        os.replace(partial, out)
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
    (folder / 'names.txt').write_text(names_as_lines(names, folder), encoding='utf-8')
    (folder / 'pack.json').write_text(json.dumps(index.about(), indent=1), encoding='utf-8')
    pack_marker(folder).write(folder / name for name in PACK_FILES)


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
            'version': PACK_VERSION,
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


def write_shards(
    out: str | Path,
    names: Sequence[str],
    load: Callable[[str], np.ndarray],
    *,
    bands: Sequence[str],
    size: int,
    resample: str,
    scenes_per_shard: int = 1024,
    stamp: Callable[[str], object] = str,
) -> int:
    """Pack scenes, or finish packing them.

    Args:
        out: Folder to write.
        names: ``<place>/<product id>`` of the scenes, sorted by place and date.
        load: Returns a scene ``(size, size, C)`` by name.
        bands: Canonical names aligned with the last axis.
        size: Height and width in pixels.
        resample: How ``load`` brings bands to the grid; kept for the reader.
        scenes_per_shard: Scenes per file.
        stamp: Tells the files of a scene from later versions of them, by its name: a shard with a
            scene that has changed is written again.

    Returns:
        Number of shards written now; complete and undamaged ones of the same scenes are kept.

    Raises:
        DataError: The folder holds something else, or scenes of another dtype or size.
    """
    out = Path(out)
    first = load(names[0])
    about = {
        'version': SHARD_VERSION,
        'dtype': first.dtype.str,
        'bands': list(bands),
        'size': size,
        'resample': resample,
        'scenes_per_shard': scenes_per_shard,
    }
    out.mkdir(parents=True, exist_ok=True)
    with hold_folder(out):
        remove_leftovers(out, held=True)
        _write_plan(out, about, names)
        missing = []
        for number, start in enumerate(range(0, len(names), scenes_per_shard)):
            part = names[start : start + scenes_per_shard]
            marker = shard_marker(out, number, about, part, [stamp(name) for name in part])
            if marker.facts() is None:
                missing.append((shard_path(out, number), part, marker))
        check_space(out, sum(len(part) for _, part, _ in missing) * first.nbytes)
        for path, part, marker in track(missing, 'Packing shards'):
            with marker.renewed() as renewal:
                _write_shard(path, part, load, first)
                renewal.outputs = [path]
    open_shards.cache_clear()
    return len(missing)


def _write_shard(
    path: Path, names: Sequence[str], load: Callable[[str], np.ndarray], first: np.ndarray
) -> None:
    """Write scenes behind one another; each must be like the first of all."""
    with atomic_write(path) as file:
        for name in names:
            scene = load(name)
            if scene.shape != first.shape or scene.dtype != first.dtype:
                raise DataError(
                    f'expected {first.shape} {first.dtype}, found {scene.shape} {scene.dtype}',
                    where=name,
                    fix='Pack archives of one dtype only: uint8 and uint16 differ in scale',
                )
            file.write(np.ascontiguousarray(scene).data)


def _write_plan(out: Path, about: dict, names: Sequence[str]) -> None:
    """Write the plan, or check that the one that is there is the same."""
    text = names_as_lines(names, out)
    found = read_plan(out)
    if found is not None or _strangers(out):
        same = found == about
        if not same or (out / 'names.txt').read_text(encoding='utf-8') != text:
            raise DataError(
                'holds other scenes or another pack',
                where=out,
                fix='Choose another --out, or remove the folder',
            )
        return
    # The names first: a folder with a plan always has them.
    with atomic_write(out / 'names.txt', 'w', encoding='utf-8') as file:
        file.write(text)
    with atomic_write(out / 'shards.json', 'w', encoding='utf-8') as file:
        json.dump(about, file, indent=1)


def _strangers(out: Path) -> bool:
    """Whether a folder without a plan holds more than a killed run leaves while it writes one."""
    return any(path.name not in ('names.txt', '.lock') for path in out.iterdir())


def pack_scenes(
    dataset, out: str | Path, *, size: int, resample: str = 'auto', scenes_per_shard: int = 1024
) -> int:
    """Pack every scene of a dataset of dated scenes, in the bands that it asks for.

    Args:
        dataset: A :class:`rsmm.datasets.seco.SeCoDataset` on files, ``split=None``.
        out: Folder to write.
        size: Height and width in pixels that all bands are brought to.
        resample: As in :class:`~rsmm.datasets.transforms.scenes.LoadScenes`.
        scenes_per_shard: Scenes per file.

    Returns:
        Number of shards written now.
    """
    loader = LoadScenes(size=size, resample=resample)
    names = [scene.name for place in dataset.all_places().values() for scene in place]

    def load(name: str) -> np.ndarray:
        return loader.read({'name': name, 'folder': f'{dataset.data_root}/{name}'}, dataset.bands)

    def stamp(name: str) -> list:
        return folder_stamp(Path(dataset.data_root, name))

    return write_shards(
        out,
        names,
        load,
        bands=dataset.bands,
        size=size,
        resample=resample,
        scenes_per_shard=scenes_per_shard,
        stamp=stamp,
    )
