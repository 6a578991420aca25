"""Figures of the contrastive family are drawn from real objects."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from rsmm.apis.config import load_config, model_settings
from rsmm.errors import CheckpointError, ConfigError
from rsmm.models.selfsup.saco import BandGrouper
from rsmm.registry import MODELS
from rsmm.sensors import band_order
from rsmm.studies.figures.contrastive import draw_neighbours, draw_ratios, draw_views
from rsmm.toy.writers.eurosat import write_eurosat
from rsmm.visualization.contrastive import plot_groups, plot_neighbours, plot_ratios
from tests.datasets.archives import DAYS, OLD_DAYS, write_archive

CONFIGS = Path(__file__).parents[3] / 'configs'


def is_picture(path: Path) -> bool:
    """More than one colour, and not tiny."""
    image = np.asarray(Image.open(path).convert('RGB'))
    return min(image.shape[:2]) > 100 and len(np.unique(image.reshape(-1, 3), axis=0)) > 20


@pytest.mark.parametrize('method', ['moco_tp', 'seco', 'caco'])
def test_views_of_a_config(method: str, tmp_path) -> None:
    archive = write_archive(tmp_path / 'caco', places=4, days=OLD_DAYS + DAYS)
    options = {
        'mode': method, 'archive': 'CACoDataset', 'data_root': str(archive), 'scene_size': 24,
        'view_size': 24,
    }  # fmt: skip
    config = CONFIGS / 'seco' / 'seco_resnet18_200e_seco-100k.py'
    draw_views(config, tmp_path / 'views.png', options)
    assert is_picture(tmp_path / 'views.png')
    with pytest.raises(ConfigError, match='no dated scenes'):
        draw_views(CONFIGS / 'moco' / 'moco-v2_resnet18_20e_eurosat-rgb.py', tmp_path / 'x.png')


def test_groups(tmp_path) -> None:
    out = tmp_path / 'groups.png'
    plot_groups(torch.rand(12, 32, 32), BandGrouper(band_order('seco'), texture=True), out)
    assert is_picture(out)


@pytest.mark.parametrize('known', [True, False])
def test_ratios(tmp_path, known: bool) -> None:
    rng = np.random.default_rng(0)
    ratios = np.concatenate([rng.normal(1, 0.1, 80), rng.normal(3, 0.3, 20)])
    plot_ratios(ratios, tmp_path / 'ratios.png', np.arange(100) >= 80 if known else None)
    assert is_picture(tmp_path / 'ratios.png')


def test_ratios_of_a_checkpoint(tmp_path) -> None:
    state = {
        'change_flags.ratio': torch.rand(20) + 1,
        'change_flags.seen': torch.arange(20) < 18,
    }
    torch.save({'state_dict': state}, tmp_path / 'caco.pth')
    draw_ratios(tmp_path / 'caco.pth', tmp_path / 'ratios.png')
    assert is_picture(tmp_path / 'ratios.png')
    truth = tmp_path / 'truth.csv'
    rows = [f'{place:06d},{0.2 * (place % 2)}' for place in range(10)]
    truth.write_text('\n'.join(['place,built_up_share', *rows]))
    draw_ratios(tmp_path / 'caco.pth', tmp_path / 'told.png', truth)
    assert (tmp_path / 'told.png').read_bytes() != (tmp_path / 'ratios.png').read_bytes()
    truth.write_text('\n'.join(['place,built_up_share', *rows[1:]]))
    with pytest.raises(ConfigError, match='9 places, the run had 10'):
        draw_ratios(tmp_path / 'caco.pth', tmp_path / 'told.png', truth)
    torch.save({'state_dict': {}}, tmp_path / 'moco.pth')
    with pytest.raises(CheckpointError, match='no change ratios'):
        draw_ratios(tmp_path / 'moco.pth', tmp_path / 'x.png')


def test_neighbours(tmp_path) -> None:
    images = list(torch.rand(12, 3, 16, 16))
    features = {'random': torch.randn(12, 4), 'pretrained': torch.randn(12, 4)}
    plot_neighbours(images, features, tmp_path / 'near.png', queries=(0, 5), k=4)
    assert is_picture(tmp_path / 'near.png')


def test_neighbours_of_images_as_they_are(tmp_path, monkeypatch) -> None:
    """Normalised as in training, and not augmented: the same again from the encoder itself."""
    drawn = {}
    monkeypatch.setattr(
        'rsmm.visualization.contrastive.plot_neighbours',
        lambda images, features, out, queries: drawn.update(images=images, **features),
    )
    write_eurosat(tmp_path / 'toy', chips_per_class=3)
    config = CONFIGS / 'moco/moco-v2_resnet18_60e_toy-eurosat.py'
    options = {'data_root': str(tmp_path / 'toy')}
    model = MODELS.build(model_settings(load_config(config, options)))
    model.init_weights()
    torch.save({'state_dict': model.state_dict()}, tmp_path / 'moco.pth')
    draw_neighbours(config, tmp_path / 'moco.pth', tmp_path / 'x.png', options)
    data = model.eval().data_preprocessor({'inputs': drawn['images'][:4]}, False)
    expected = model.extract_feat(data['inputs'])[-1].mean((2, 3))
    torch.testing.assert_close(drawn['pretrained'][:4], expected)
    assert drawn['images'][0].shape == (3, 64, 64)
    assert not torch.allclose(drawn['random'], drawn['pretrained'])
