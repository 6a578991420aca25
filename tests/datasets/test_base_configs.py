"""The dataset base configs build loaders whose batches the preprocessor takes."""

import pytest
import torch
from mmengine.registry import DefaultScope

from rsmm.apis.config import load_config
from rsmm.datasets.packing import pack_from_config
from rsmm.engine.runner import Runner
from rsmm.registry import MODELS


@pytest.fixture(autouse=True)
def scope():
    with DefaultScope.overwrite_default_scope('rsmm'):
        yield


def load(repo_root, name, **options):
    options = {'num_workers': 0, 'batch_size': 6, **options}
    return load_config(repo_root / f'configs/_base_/datasets/{name}.py', options)


@pytest.mark.parametrize(('name', 'bands'), [('eurosat_rgb', 3), ('eurosat_ms', 13)])
def test_batches(repo_root, tiny_eurosat, name, bands):
    config = load(repo_root, name, data_root=str(tiny_eurosat))
    preprocess = MODELS.build(config.data_preprocessor)
    sizes = {}
    for part in ('train', 'val', 'test'):
        loader = Runner.build_dataloader(config[f'{part}_dataloader'], seed=0)
        sizes[part] = len(loader.dataset)
        batch = preprocess(next(iter(loader)))
        assert batch['inputs'].shape == (6, bands, 64, 64)
        assert batch['inputs'].dtype == torch.float32
        assert [s.gt_label.numel() for s in batch['data_samples']] == [1] * 6
    assert sizes == {'train': 18, 'val': 6, 'test': 6}


def test_options_reach_the_datasets(repo_root, tiny_eurosat):
    config = load(repo_root, 'eurosat_rgb', data_root=str(tiny_eurosat), test_split='all')
    loader = Runner.build_dataloader(config.test_dataloader, seed=0)
    assert len(loader.dataset) == 24


def test_packing_changes_one_key(repo_root, tiny_eurosat, tmp_path):
    config = load(repo_root, 'eurosat_ms', data_root=str(tiny_eurosat))
    assert len(pack_from_config(config, tmp_path / 'pack')) == 24
    packed = load(repo_root, 'eurosat_ms', packed=str(tmp_path / 'pack'))
    for part in ('train', 'val'):
        plain_batch, packed_batch = (
            next(iter(Runner.build_dataloader(c[f'{part}_dataloader'], seed=3)))['inputs']
            for c in (config, packed)
        )
        torch.testing.assert_close(plain_batch, packed_batch, rtol=0, atol=0)
