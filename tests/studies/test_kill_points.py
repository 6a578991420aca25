"""Every chain that resumes, killed at many moments: the next call makes what an unbroken one does.

Each case begins over the finished result of other options, the worst start there is: what is left
of it must never count as part of the new one.
"""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch

from rsmm.datasets.packed import Pack, open_pack
from rsmm.datasets.packing import write_pack, write_shards
from rsmm.datasets.scene_shards import SceneShards, open_shards
from rsmm.datasets.spacenet7 import find_cubes
from rsmm.geo.io import write_raster, write_vector
from rsmm.studies import benchmark, spacenet7
from rsmm.studies.benchmark import run_benchmark
from rsmm.studies.discover import run_discovery
from rsmm.studies.discover_options import DiscoverOptions
from rsmm.studies.spacenet7 import run_pipeline
from rsmm.studies.spacenet7_options import PipelineOptions
from rsmm.studies.urban import UrbanChain
from rsmm.toy.writers.series import write_series
from tests.killing import run_killed, tree
from tests.studies.test_urban import TINY, Fake


@dataclass
class Chain:
    """A chain on small data.

    Attributes:
        run: Takes an output folder and one of the two settings.
        settings: Of the finished result that is there before, and of the call that is killed.
        ignored: Files whose bytes differ from run to run.
    """

    run: Callable[[Path, object], object]
    settings: tuple
    ignored: tuple[str, ...] = ()


def brightness(tiles: np.ndarray) -> np.ndarray:
    """Stands for a network: bright pixels are building."""
    level = tiles.mean(axis=-1, keepdims=True)
    return (level - np.nanmean(level)) / 10


def chain_spacenet7(tmp_path, monkeypatch, request) -> Chain:
    images = request.getfixturevalue('toy_spacenet7') / 'train'
    config = request.getfixturevalue('repo_root') / (
        'configs/spacenet7/toy_xdxd-vgg16-small_60e_spacenet7.py'
    )
    monkeypatch.setattr(spacenet7, '_start_worker', lambda *_: None)
    monkeypatch.setitem(spacenet7._worker, 'predict', brightness)
    monkeypatch.setattr(spacenet7, 'model_signature', lambda *_: 'stub')

    def run(out: Path, settings: dict) -> None:
        options = PipelineOptions(tile=64, stride=64, **settings)
        run_pipeline(str(config), 'random', images, out, options)

    assert len(find_cubes(images)) == 2
    return Chain(run, ({'threshold': 0.0}, {'threshold': 1.0, 'keep_rasters': False}))


def chain_discover(tmp_path, monkeypatch, request) -> Chain:
    cells = tmp_path / 'cells'
    write_series(cells, seed=2, cells=2, static_cells=0, months=8, size=96, events=1, clouds=0)

    def run(out: Path, settings: dict) -> None:
        options = DiscoverOptions(min_dates=3, min_voxels=5, **settings)
        run_discovery(cells, out, options=options, layouts=('per_event', 'flat'))

    return Chain(run, ({}, {'min_change': 0.02}), ('events.gpkg',))


def chain_pack(tmp_path, monkeypatch, request) -> Chain:
    def load(row: int, value: int) -> dict:
        image = np.full((4 + row, 5, 2), value + row, np.uint16)
        return dict(img=image, bands=('B02', 'B8A'), nodata=0.0, crs=None, transform=None)

    def run(out: Path, value: int) -> None:
        out.parent.mkdir(parents=True, exist_ok=True)
        names = [f'{row}.tif' for row in range(5)]
        write_pack(out / 'pack', names, lambda row: load(row, value), overwrite=True)
        open_pack.cache_clear()
        assert Pack(out / 'pack').read(4)[0][0, 0, 0] == value + 4

    return Chain(run, (10, 5000))


def chain_shards(tmp_path, monkeypatch, request) -> Chain:
    names = [f'place{k}/2020010{k}' for k in range(1, 8)]

    def run(out: Path, value: int | None) -> None:
        if value is None:  # another pack is refused, so there is none before
            return
        settings = dict(bands=('B02',), size=6, resample='auto', scenes_per_shard=2)

        def load(name: str) -> np.ndarray:
            return np.full((6, 6, 1), value + int(name[-1]), np.uint8)

        write_shards(out, names, load, **settings)
        open_shards.cache_clear()
        assert SceneShards(out).read(names[-1], ('B02',))[0, 0, 0] == value + 7

    return Chain(run, (None, 20))


def chain_benchmark(tmp_path, monkeypatch, request) -> Chain:
    def run_cell(cell, folder, options):
        (folder / 'run').mkdir(exist_ok=True)
        torch.save({'state_dict': {}}, folder / 'run/epoch_1.pth')
        return dict.fromkeys(benchmark.TASKS[cell.task].metrics.values(), 50.0 + cell.seed)

    monkeypatch.setattr(benchmark, 'run_cell', run_cell)

    def run(out: Path, seeds: tuple) -> None:
        found = run_benchmark({'random': None}, out, tasks=['oscd', 'gid'], seeds=seeds)
        assert not found['missing']

    return Chain(run, ((0,), (0, 1)), ('table.png',))


def chain_urban(tmp_path, monkeypatch, request) -> Chain:
    monkeypatch.chdir(request.getfixturevalue('repo_root'))
    Fake(monkeypatch)

    def run(out: Path, begin: bool) -> None:
        if not begin:
            UrbanChain(out, TINY, say=str)()

    # Console logs say what was done when; results.json holds times.
    return Chain(run, (True, False), ('console.log', 'results.json'))


def chain_files(tmp_path, monkeypatch, request) -> Chain:
    def run(out: Path, value: int) -> None:
        import shapely

        write_raster(out / 'map.tif', np.full((40, 40), value, np.uint8), crs='EPSG:32632')
        shape = shapely.box(0, 0, value, value)
        write_vector(out / 'map.geojson', [shape], {'Id': [value]}, crs='EPSG:32632')

    return Chain(run, (3, 4))


CHAINS = {
    name.removeprefix('chain_'): value
    for name, value in list(globals().items())
    if name.startswith('chain_')
}


def check(chain: Chain, tmp_path: Path, count: int) -> None:
    old, new = chain.settings
    before, whole = tmp_path / 'before/out', tmp_path / 'whole/out'
    for folder in (before, whole):
        folder.mkdir(parents=True)
    run_killed(lambda: chain.run(before, old), before, None, False)
    run_killed(lambda: chain.run(whole, new), whole, None, False)
    expected = tree(whole, chain.ignored)
    trial = tmp_path / 'trial/out'
    shutil.copytree(before, trial, symlinks=True)
    changes = run_killed(lambda: chain.run(trial, new), trial.parent, None, False)
    assert tree(trial, chain.ignored) == expected
    assert changes > 0
    moments = sorted(random.Random(count).sample(range(changes), min(count, changes)))
    for number, moment in enumerate(moments):
        shutil.rmtree(trial.parent)
        shutil.copytree(before, trial, symlinks=True)
        run_killed(lambda: chain.run(trial, new), trial.parent, moment, torn=number % 2 == 1)
        run_killed(lambda: chain.run(trial, new), trial.parent, None, False)
        found = tree(trial, chain.ignored)
        where = f'killed before change {moment} of {changes}'
        assert sorted(found) == sorted(expected), where
        assert [name for name in found if found[name] != expected[name]] == [], where


@pytest.fixture(autouse=True)
def one_thread():
    """A fork has but one thread, and those of a pool that was there are gone."""
    import cv2

    threads = torch.get_num_threads(), cv2.getNumThreads()
    torch.set_num_threads(1)
    cv2.setNumThreads(0)
    yield
    torch.set_num_threads(threads[0])
    cv2.setNumThreads(threads[1])


QUICK = {name: make for name, make in CHAINS.items() if name != 'urban'}  # loads 18 configs


@pytest.mark.parametrize('make', QUICK.values(), ids=QUICK)
def test_killed_equals_unbroken(make, tmp_path, monkeypatch, request):
    check(make(tmp_path, monkeypatch, request), tmp_path, count=4)


@pytest.mark.slow
@pytest.mark.parametrize('make', CHAINS.values(), ids=CHAINS)
def test_killed_at_twenty_moments(make, tmp_path, monkeypatch, request):
    check(make(tmp_path, monkeypatch, request), tmp_path, count=20)
