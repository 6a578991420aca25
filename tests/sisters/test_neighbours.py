"""What has to be in place before a sister package is imported."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from mmengine.registry import MODELS as ROOT
from mmengine.registry import DefaultScope

from rsmm.apis.config import load_config
from rsmm.errors import ConfigError
from rsmm.registry import DATASETS, MODELS


def in_new_process(code: str, folder: Path, **environment: str) -> str:
    """Run Python code in ``folder`` and return what it prints."""
    import os

    done = subprocess.run(
        [sys.executable, '-W', 'ignore', '-c', textwrap.dedent(code)],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def test_importing_rsmm_touches_no_neighbour(tmp_path) -> None:
    code = """
        import sys
        before = list(sys.meta_path)
        import rsmm
        print(before == sys.meta_path, {'torch', 'mmcv', 'mmengine'} & set(sys.modules))
    """
    assert in_new_process(code, tmp_path).strip() == 'True set()'


@pytest.mark.parametrize(
    'first', ['import mmpretrain.models', 'import mmdet.models', 'import mmseg.models']
)
def test_mmdet_imports_whoever_asks_for_it(first, tmp_path) -> None:
    code = f"""
        import rsmm.registry
        {first}
        import mmdet.models, mmcv.ops
        import torch
        from rsmm.ops import mmcv_fallback
        boxes = torch.tensor([[0., 0, 10, 10], [0, 0, 10, 9], [20, 20, 30, 30]])
        print(mmcv.ops.nms(boxes, torch.tensor([.9, .8, .7]), 0.5)[1].tolist())
        if mmcv_fallback.choose() == 'fallback':
            assert mmcv.ops.roi_align is mmcv_fallback.roi_align
    """
    assert in_new_process(code, tmp_path).strip() == '[0, 2]'


def stand_in_transformers(folder: Path, version: str) -> None:
    """A package that says which version it is and breaks mmpretrain's multimodal models."""
    (folder / 'transformers').mkdir()
    (folder / 'transformers' / '__init__.py').write_text(f"__version__ = '{version}'\n")
    for name in (f'transformers-{version}', 'pycocotools-2.0.8'):
        info = folder / f'{name}.dist-info'
        info.mkdir()
        package, _, number = name.partition('-')
        info.joinpath('METADATA').write_text(
            f'Metadata-Version: 2.1\nName: {package}\nVersion: {number}\n'
        )


def test_transformers_5_switches_the_multimodal_models_off(tmp_path) -> None:
    stand_in_transformers(tmp_path, '5.0.1')
    code = """
        from rsmm.registry import MODELS
        print(MODELS.get('mmpretrain.ResNet').__name__)
        import mmpretrain.utils.dependency as dependency
        print(dependency.satisfy_requirement('transformers>=4.28.0'), dependency.WITH_MULTIMODAL)
    """
    printed = in_new_process(code, tmp_path, PYTHONPATH=_path(tmp_path)).split()
    # The package is there and new enough for mmpretrain, which is why it has to be told.
    assert printed == ['ResNet', 'True', 'False']


def _path(*folders: Path) -> str:
    root = Path(__file__).parents[2]
    return ':'.join(map(str, (*folders, root)))


@pytest.mark.parametrize('scope', ['mmpretrain', 'mmseg', 'mmdet'])
def test_a_bare_name_is_the_sisters_or_else_rsmms(scope) -> None:
    with (
        DefaultScope.overwrite_default_scope(scope),
        ROOT.switch_scope_and_registry(None) as registry,
    ):
        assert registry.scope == scope
        assert registry.get('MultiSpectralPreprocessor').__module__.startswith('rsmm.')
        own = {'mmpretrain': 'MoCo', 'mmseg': 'EncoderDecoder', 'mmdet': 'RetinaNet'}[scope]
        assert registry.get(own).__module__.startswith(f'{scope}.')
        assert registry.get('NoSuchThing') is None
        assert registry.get(f'{scope}.NoSuchThing') is None
    assert MODELS.get('MoCo').__module__.startswith('rsmm.')
    assert DATASETS.get('EuroSAT').__module__ == 'rsmm.datasets.eurosat'


@pytest.mark.parametrize(
    ('base', 'message'),
    [
        ('rsmm::_base_/models/resnet18_clasifier.py', 'did you mean.*resnet18_classifier'),
        ('mmseg::_base_/models/no_such.py', 'mmseg/.mim/configs/_base_/models/no_such.py'),
        ('mmpretrain::_base_/models/no_such.py', 'mmpretrain/.mim/configs/_base_/models/no_such'),
        ('elsewhere::_base_/models/x.py', 'elsewhere'),
    ],
)
def test_a_base_that_is_not_there_is_named(base, message, tmp_path) -> None:
    path = tmp_path / 'experiment.py'
    path.write_text(f"_base_ = '{base}'\n")
    with pytest.raises(ConfigError, match=f'(?i){message}'):
        load_config(path)


def test_two_bases_that_set_one_name_are_explained(tmp_path) -> None:
    path = tmp_path / 'experiment.py'
    bases = ['mmseg::_base_/models/fcn_unet_s5-d16.py', 'rsmm::_base_/datasets/gid5.py']
    path.write_text(f'_base_ = {bases!r}\n')
    with pytest.raises(ConfigError, match=r"set the same: {'data_preprocessor'}\. Keep one"):
        load_config(path)


@pytest.mark.parametrize('form', ['yaml', 'json'])
def test_variables_of_data_files_take_effect(form, tmp_path) -> None:
    path = tmp_path / f'experiment.{form}'
    bases = '"_base_": ["rsmm::_base_/datasets/eurosat_rgb.py"]'
    path.write_text(f'{{{bases}, "data_root": "/a", "batch_size": 3}}')
    config = load_config(path)
    assert config.train_dataloader.dataset.data_root == '/a'
    assert config.train_dataloader.batch_size == config.batch_size == 3
    config = load_config(path, {'batch_size': 5})
    assert config.train_dataloader.dataset.data_root == '/a'
    assert config.test_dataloader.batch_size == config.batch_size == 5
