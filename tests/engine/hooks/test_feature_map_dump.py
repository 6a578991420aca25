"""Feature maps as files: from a detector's encoder and from an MAE's, none written twice."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from rsmm.apis import run
from rsmm.apis.cli import test_main as command_line  # not to be collected
from rsmm.apis.config import load_config
from rsmm.engine.hooks.feature_map_dump import (
    FeatureMapDumpHook,
    select_map,
    without_padding,
)
from rsmm.engine.runner import Runner
from rsmm.errors import ConfigError, DataError
from rsmm.registry import MODELS
from rsmm.toy.writers.aerial import write_urban_tiles

CONFIGS = Path(__file__).parents[3] / 'configs/crime'
DETR, MAE = CONFIGS / 'maps_deformable-detr_r18-narrow_toy.py', CONFIGS / 'maps_mae-vit-tiny_toy.py'
SMALL_DETR = {'model.encoder.num_layers': 1, 'model.decoder.num_layers': 1, 'scale': (128, 128)}


@pytest.fixture(scope='module')
def tiles(tmp_path_factory) -> Path:
    """Five tiles, two of them in a sub-folder."""
    source = tmp_path_factory.mktemp('urban') / 'all'
    write_urban_tiles(source, tiles_per_city=6)
    root = source.parent / 'some'
    (root / 'north').mkdir(parents=True)
    for number, path in enumerate(sorted((source / 'tiles').glob('*.tif'))[:5]):
        shutil.copy(path, root / 'north' / path.name if number > 2 else root / path.name)
    return root


def dump(
    config: Path, tiles: Path, out: Path, seed: int = 0, checkpoint: str = 'random', **options
) -> None:
    small = SMALL_DETR if config == DETR else {}
    run.test(
        config,
        checkpoint,
        work_dir=out.parent / 'log',
        options={
            'data_root': str(tiles),
            'maps_dir': str(out),
            'num_workers': 0,
            'test_dataloader.batch_size': 2,
            'randomness.seed': seed,
            **small,
            **options,
        },
    )


def test_detector_maps_are_those_of_the_encoder(tiles: Path, tmp_path: Path) -> None:
    options = {'data_root': str(tiles), 'num_workers': 0, **SMALL_DETR}
    runner = Runner.from_cfg(load_config(DETR, {**options, 'work_dir': str(tmp_path / 'again')}))
    model = runner.model.eval()
    model.init_weights()
    torch.save({'state_dict': model.state_dict()}, tmp_path / 'weights.pth')
    dump(DETR, tiles, tmp_path / 'maps', checkpoint=str(tmp_path / 'weights.pth'))
    files = sorted(path.relative_to(tmp_path / 'maps') for path in tmp_path.rglob('*.npz'))
    images = sorted(path.relative_to(tiles).with_suffix('.npz') for path in tiles.rglob('*.tif'))
    assert files == images
    record = json.loads((tmp_path / 'maps/maps.json').read_text())
    assert record['module'] == 'encoder'

    batch = runner.test_dataloader.dataset[3]
    data = model.data_preprocessor(
        {'inputs': [batch['inputs']], 'data_samples': [batch['data_samples']]}, False
    )
    with torch.no_grad():
        feats = model.extract_feat(data['inputs'])
        inputs, _ = model.pre_transformer(feats, data['data_samples'])
        memory = model.forward_encoder(**inputs)['memory']
    expected = memory[0, : 16 * 16].T.reshape(128, 16, 16)
    with np.load(tmp_path / 'maps' / images[3]) as file:
        assert file['feat'].dtype == np.float16
        assert file['level'] == 0
        assert file['boxes'].shape == (len(file['scores']), 4)
        np.testing.assert_allclose(file['feat'], expected.numpy(), atol=4e-3, rtol=2e-3)


def test_mae_maps_from_the_command_line(tiles: Path, tmp_path: Path) -> None:
    """The checkpoint of a pretraining gives the maps, through tools/test.py's own entry."""
    settings = load_config(CONFIGS.parent / 'mae/mae_vit-tiny_20e_toy.py').model
    mae = MODELS.build(settings)
    mae.init_weights()
    checkpoint = tmp_path / 'mae.pth'
    torch.save({'state_dict': mae.state_dict(), 'meta': {}}, checkpoint)
    out = tmp_path / 'maps'
    arguments = [str(MAE), str(checkpoint), '--work-dir', str(tmp_path / 'log'), '--cfg-options']
    arguments += [f'data_root={tiles}', f'maps_dir={out}', 'num_workers=0', 'img_size=128']
    assert command_line(arguments) == 0
    paths = sorted(out.rglob('*.npz'))
    assert len(paths) == 5
    from rsmm.geo.raster import read_raster

    image = read_raster(next(tiles.glob(f'{paths[0].stem}.tif')))[0]
    batch = mae.data_preprocessor({'inputs': [torch.from_numpy(image).permute(2, 0, 1)]}, False)
    mae.backbone.out_type = 'featmap'
    with torch.no_grad():
        expected = mae.eval().extract_feat(batch['inputs'])[-1][0]
    with np.load(paths[0]) as file:
        assert file['feat'].shape == (192, 16, 16)
        assert set(file) == {'feat', 'level'}
        np.testing.assert_allclose(file['feat'], expected.numpy(), atol=4e-3, rtol=2e-3)


def test_nothing_is_written_twice(tiles: Path, tmp_path: Path) -> None:
    out = tmp_path / 'maps'
    dump(MAE, tiles, out)
    paths = sorted(out.rglob('*.npz'))
    before = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in paths}
    paths[1].unlink()
    dump(MAE, tiles, out)
    for path in paths:
        assert path.read_bytes() == before[path][1]
        assert (path.stat().st_mtime_ns == before[path][0]) == (path != paths[1])
    with pytest.raises(ConfigError, match='made with another weights'):
        dump(MAE, tiles, out, seed=1)
    (out / 'maps.json').unlink()
    with pytest.raises(ConfigError, match=r'npz files but no maps\.json'):
        dump(MAE, tiles, out)


def test_images_that_would_share_a_file(tiles: Path, tmp_path: Path) -> None:
    root = tmp_path / 'tiles'
    shutil.copytree(tiles, root)
    image = next(root.glob('*.tif'))
    shutil.copy(image, image.with_suffix('.tiff'))
    with pytest.raises(DataError, match='would have the same map file as'):
        dump(MAE, root, tmp_path / 'maps')
    assert not list(tmp_path.rglob('*.npz'))


def test_settings_that_do_not_fit(tiles: Path, tmp_path: Path) -> None:
    hook = 'custom_hooks.0.module'
    with pytest.raises(ConfigError, match="no module 'neck'; its parts are data_preprocessor, ba"):
        dump(MAE, tiles, tmp_path / 'a', **{hook: 'neck'})
    with pytest.raises(ConfigError, match='gives no feature maps'):
        dump(MAE, tiles, tmp_path / 'b', **{hook: 'backbone.layers.0'})
    with pytest.raises(ConfigError, match='level=2: the module gives 1 maps'):
        dump(MAE, tiles, tmp_path / 'c', **{'custom_hooks.0.level': 2})
    idle = FeatureMapDumpHook(str(tmp_path), module='neck')
    with pytest.raises(ConfigError, match="predicts without its 'neck'"):
        idle.after_test_iter(None, 0)


def test_levels_of_tokens() -> None:
    """Tokens go back to their place: level after level, row after row."""
    maps = [torch.randn(2, 5, 4, 6), torch.randn(2, 5, 2, 3)]
    tokens = torch.cat([m.flatten(2).transpose(1, 2) for m in maps], dim=1)
    shapes = torch.tensor([[4, 6], [2, 3]])
    for level, expected in enumerate(maps):
        torch.testing.assert_close(select_map(tokens, shapes, level), expected)
        torch.testing.assert_close(select_map(tuple(maps), None, level), expected)


def test_padding_is_cut_off() -> None:
    features = torch.arange(60.0).view(1, 6, 10)
    cut = without_padding(features, {'img_shape': (33, 80), 'batch_input_shape': (48, 80)})
    assert cut.shape == (1, 5, 10)
    assert without_padding(features, {'img_shape': (33, 80)}).shape == (1, 6, 10)
