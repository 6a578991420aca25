"""The FAQ quotes errors word for word: provoke each and look it up."""

from __future__ import annotations

import re
import sys
import types
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.registry import DefaultScope

from rsmm.apis import load_config, train
from rsmm.apis.config import model_settings
from rsmm.checkpoints.files import load_checkpoint_file
from rsmm.checkpoints.pretrained import adapt_first_conv
from rsmm.checkpoints.weights import load_weights
from rsmm.datasets.eurosat import EuroSAT, check_order
from rsmm.datasets.splits import listed_split
from rsmm.datasets.transforms.loading import LoadRaster
from rsmm.engine.runner import Runner
from rsmm.errors import RsmmError
from rsmm.geo.raster import read_raster
from rsmm.models.data_preprocessors.multispectral import MultiSpectralPreprocessor
from rsmm.models.selfsup.contrastive_core import check_queue_length
from rsmm.registry import DATASETS, MODELS
from rsmm.sensors import band_order
from tests.datasets.chips import s2_chip, write_tif
from tests.docs.blocks import REPO

CHIP = Path('data/eurosat/tif/River/River_9.tif')
CONFIG = REPO / 'configs/eurosat/resnet18_scratch-12e_eurosat-rgb.py'


def write_chip(image: np.ndarray) -> None:
    CHIP.parent.mkdir(parents=True)
    write_tif(CHIP, image)


def missing_root():
    EuroSAT('data/eurosat')


def twelve_bands():
    write_chip(s2_chip(seed=0)[..., :12])
    read_raster(CHIP, band_order('eurosat'))


def swapped_bands():
    order = band_order('eurosat')
    native = band_order('sentinel2-l1c')
    write_chip(s2_chip(seed=0)[..., [order.index(band) for band in native]])
    check_order([str(CHIP)], order)


def nan_pixels():
    image = np.ones((64, 64, 13), np.float32)
    image[:2, :5] = np.nan
    write_chip(image)
    LoadRaster()(dict(img_path=str(CHIP)))


def cut_file():
    path = Path('data/eurosat/2750/River/River_9.jpg')
    path.parent.mkdir(parents=True)
    path.write_bytes(cv2.imencode('.jpg', np.zeros((64, 64, 3), np.uint8))[1].tobytes()[:300])
    read_raster(path)


def absent_files():
    Path('lists').mkdir()
    Path('lists/val.txt').write_text('River_9.jpg\nRiver_10.jpg\n')
    listed_split('lists/val.txt', ['River_10'])


def another_band_count():
    preprocessor = MultiSpectralPreprocessor(bands='eurosat-rgb', stats='eurosat-rgb')
    preprocessor({'inputs': torch.zeros(2, 13, 8, 8)})


def unknown_entry():
    DATASETS.build(dict(type='EuroSatt'))


def unknown_setting():
    Path('data/eurosat/2750').mkdir(parents=True)
    DATASETS.build(dict(type='EuroSAT', data_root='data/eurosat', splitt='val'))


def unknown_option():
    load_config(CONFIG, {'optim_wraper.optimizer.lr': 0.1})


def used_folder():
    folder = Path('work_dirs/first')
    folder.mkdir(parents=True)
    (folder / 'epoch_2.pth').touch()
    train(CONFIG, work_dir=str(folder))


def large_batch():
    dataset = torch.utils.data.TensorDataset(torch.zeros(90))
    sampler = dict(type='EpochSampler', shuffle=True)
    loader = dict(dataset=dataset, sampler=sampler, batch_size=128, drop_last=True)
    with DefaultScope.overwrite_default_scope('rsmm'):
        Runner.build_dataloader(loader, seed=0)


class Carried:
    """Stands for any class that a training script pickles by the way."""


def file_with_code():
    Carried.__module__, Carried.__qualname__ = 'project.utils', 'AverageMeter'
    module = types.ModuleType('project.utils')
    module.AverageMeter = Carried
    sys.modules['project'], sys.modules['project.utils'] = types.ModuleType('project'), module
    try:
        torch.save({'state_dict': {}, 'meter': Carried()}, 'model.pth')
    finally:
        del sys.modules['project'], sys.modules['project.utils']
    load_checkpoint_file('model.pth')


def another_network():
    # The smallest pair: a ResNet-18 in the file, a ResNet-50 in the config.
    small, large = (MODELS.build(dict(type='mmpretrain.ResNet', depth=depth)) for depth in (18, 50))
    load_weights(large, small.state_dict(), 'model', where='work_dirs/first/epoch_2.pth')


def another_stem():
    state = {'conv1.weight': torch.zeros(64, 3, 7, 7)}
    module = torch.nn.ModuleDict({'conv1': torch.nn.Conv2d(13, 64, 7, bias=False)})
    adapt_first_conv(state, module, where='work_dirs/pretrain/epoch_20.pth')


def queue_and_batch():
    check_queue_length(4096, 100)


def one_view():
    settings = model_settings(
        load_config(REPO / 'configs/simclr/simclr_resnet18_20e_eurosat-rgb.py')
    )
    MODELS.build(settings).loss(torch.zeros(2, 3, 32, 32))


PROVOKED = [
    missing_root,
    twelve_bands,
    swapped_bands,
    nan_pixels,
    cut_file,
    absent_files,
    another_band_count,
    unknown_entry,
    unknown_setting,
    unknown_option,
    used_folder,
    large_batch,
    file_with_code,
    another_network,
    another_stem,
    queue_and_batch,
    one_view,
]


def quotes() -> list[str]:
    """The messages that the FAQ quotes, each on one line; ``[...]`` stands for any text."""
    page = (REPO / 'docs/faq.md').read_text(encoding='utf-8')
    blocks = re.findall(r'^```text\n(\w+Error: .*?)^```$', page, re.MULTILINE | re.DOTALL)
    return [' '.join(block.split()) for block in blocks]


def message_of(provoke) -> str:
    """The line that a tool would print."""
    with pytest.raises(RsmmError) as caught:
        provoke()
    text = f'{type(caught.value).__name__}: {caught.value}'
    return ' '.join(text.replace(f'{REPO}/', '').split())


@pytest.mark.parametrize('provoke', PROVOKED, ids=lambda function: function.__name__)
def test_error_is_quoted(provoke, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    message = message_of(provoke)
    patterns = [re.escape(quote).replace(re.escape('[...]'), '.*') for quote in quotes()]
    assert [p for p in patterns if re.fullmatch(p, message)], f'docs/faq.md lacks: {message}'


def test_nothing_else_is_quoted():
    assert len(quotes()) == len(PROVOKED)
