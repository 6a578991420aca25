"""Features of folders: any backbone, any folder, files that open without pickle."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest
import rasterio
import torch
from PIL import Image

from rsmm.apis import build_model
from rsmm.apis.cli import guarded
from rsmm.errors import ConfigError, DataError, DataNotFoundError
from rsmm.inference.folder_features import folder_features, load_features, save_features
from rsmm.models.layers.pooling import pool

RGB = 'configs/eurosat/resnet18_scratch-12e_eurosat-rgb.py'
MS = 'configs/eurosat/resnet18_scratch-12e_eurosat-ms.py'
PRETRAINING = 'configs/simclr/simclr_resnet18_20e_eurosat-rgb.py'
NARROW = {'model.backbone.base_channels': 4, 'model.backbone.stem_channels': 4}


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """Two classes, two sizes, a name with a space, and clutter."""
    root = tmp_path_factory.mktemp('images')
    rng = np.random.default_rng(0)
    for name, size in (('River/a 1.jpg', 64), ('River/b.JPG', 64), ('Sea/c.png', 48)):
        path = root / name
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(rng.integers(0, 255, (size, size, 3), np.uint8)).save(path)
    (root / 'River' / '._a.jpg').write_bytes(b'clutter')
    return root


@pytest.mark.parametrize('config', [RGB, PRETRAINING])
def test_any_config_reads_any_folder(repo_root, folder, config, tmp_path):
    torch.manual_seed(0)
    model = build_model(repo_root / config, 'random', options=NARROW)
    torch.save(model.state_dict(), tmp_path / 'w.pth')
    names, found = folder_features(repo_root / config, tmp_path / 'w.pth', folder, NARROW)
    assert names == ['River/a 1.jpg', 'River/b.JPG', 'Sea/c.png']
    assert found.labels.tolist() == [0, 0, 1]
    assert found.classes == ('River', 'Sea')
    with torch.no_grad():
        image = torch.from_numpy(np.array(Image.open(folder / 'Sea/c.png'))).permute(2, 0, 1)
        inputs = model.data_preprocessor({'inputs': image[None]})['inputs']
        expected = pool(model.backbone(inputs))[0].numpy()
    np.testing.assert_allclose(found.vectors[2], expected, rtol=1e-5)


def test_bands_by_name(repo_root, tmp_path):
    bands = [f'B{k:02d}' for k in range(1, 13)] + ['B8A']
    for order, name in ((bands, 'a'), (bands[::-1], 'b')):
        path = tmp_path / 'x' / f'{name}.tif'
        path.parent.mkdir(exist_ok=True)
        profile = dict(driver='GTiff', width=8, height=8, count=13, dtype='uint16')
        with rasterio.open(path, 'w', **profile) as file:
            for number, band in enumerate(order, 1):
                file.write(np.full((8, 8), 500 + 10 * bands.index(band), np.uint16), number)
                file.set_band_description(number, band)
    _, found = folder_features(repo_root / MS, 'random', tmp_path / 'x', NARROW)
    np.testing.assert_allclose(found.vectors[0], found.vectors[1])


def test_random_weights_are_seeded(repo_root, folder):
    first, second, other = (
        folder_features(repo_root / RGB, 'random', folder, NARROW, seed=seed)[1].vectors
        for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first, second)
    assert not np.allclose(first, other)


def test_files_open_without_pickle(repo_root, folder, tmp_path):
    names, found = folder_features(repo_root / RGB, 'random', folder, NARROW)
    save_features(tmp_path / 'f.npz', names, found)
    with np.load(tmp_path / 'f.npz', allow_pickle=False) as file:
        assert sorted(file) == ['feats', 'fnames', 'labels']
        assert file['labels'].tolist() == ['River', 'River', 'Sea']
        np.savez(tmp_path / 'old.npz', fnames=file['fnames'], feats=file['feats'])
    for path in ('f.npz', 'old.npz'):  # published files have no labels
        loaded = load_features(tmp_path / path)
        np.testing.assert_array_equal(loaded[1], found.vectors)
        assert loaded[2].tolist() == ['River', 'River', 'Sea']


def test_bad_input(repo_root, folder, tmp_path):
    with pytest.raises(DataNotFoundError, match='no such folder'):
        folder_features(repo_root / RGB, 'random', tmp_path / 'none')
    (tmp_path / 'empty').mkdir()
    with pytest.raises(DataNotFoundError, match='no images'):
        folder_features(repo_root / RGB, 'random', tmp_path / 'empty')
    with pytest.raises(ConfigError, match='has no backbone'):
        folder_features(repo_root / 'configs/oscd/small-data_ensemble_16e_oscd-rgb.py',
                        'random', folder)  # fmt: skip
    np.savez(tmp_path / 'objects.npz', fnames=np.array([{}]), feats=np.zeros((1, 2)))
    np.savez(tmp_path / 'short.npz', fnames=np.array(['a/b']), feats=np.zeros((2, 2)))
    (tmp_path / 'text.npz').write_text('no archive')
    (tmp_path / 'cut.npz').write_bytes((tmp_path / 'short.npz').read_bytes()[:-40])
    for name in ('objects', 'short', 'text', 'cut'):
        with pytest.raises(DataError):
            load_features(tmp_path / f'{name}.npz')
    with pytest.raises(DataError, match=r'text\.npz: is no \.npz file of features'):
        load_features(tmp_path / 'text.npz')


def test_the_tools(repo_root, folder, tmp_path, monkeypatch, capsys):
    def call(name, *arguments):
        path = repo_root / 'tools' / 'analysis_tools' / f'{name}.py'
        spec = importlib.util.spec_from_file_location(name, path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        monkeypatch.setattr('sys.argv', [name, *map(str, arguments)])
        return guarded(module.main), *capsys.readouterr()

    out = tmp_path / 'not yet there/f.npz'
    narrow = [f'{key}={value}' for key, value in NARROW.items()]
    status, said, _ = call('extract_features', repo_root / RGB, 'random', folder, '--out', out,
                           '--cfg-options', *narrow)  # fmt: skip
    assert status == 0
    assert '3 images of 2 folders, 32 features each' in said
    csv = tmp_path / 'nor this/purity.csv'
    status, said, _ = call('cluster_purity', out, '--k', 1, 3, '--seeds', 2, '--out', csv)
    assert status == 0
    assert csv.read_text().splitlines()[2].startswith('f,3,1.0,0.0,')
    assert '66.67 +- 0.00' in said
    status, _, err = call('cluster_purity', out, '--k', 4)
    assert status == 1
    assert '4 clusters of 3 samples' in err
