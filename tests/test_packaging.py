"""What a wheel carries, and that OpenMMLab's ``mim`` works on the installed package."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
import zipfile
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch
import yaml
from packaging.requirements import Requirement

from rsmm.apis import get_model, publish
from rsmm.version import __version__
from tests.datasets.chips import write_jpg_chips

REPO = Path(__file__).resolve().parents[1]
NAME = 'resnet18_scratch-12e_eurosat-rgb'


def lines(name: str) -> list[str]:
    text = (REPO / 'requirements' / f'{name}.txt').read_text(encoding='utf-8')
    return [line for line in text.splitlines() if line and not line.startswith('#')]


@pytest.mark.parametrize('name', ['runtime', 'tests', 'docs', 'optional'])
def test_every_bound_has_its_reason(name):
    for line in lines(name):
        requirement, _, reason = line.partition('  #')
        assert len(Requirement(requirement.strip()).specifier) == 1, line
        assert len(reason) > 10, line


def test_constraints_are_exact_and_cover_the_requirements():
    pinned: dict[str, list[Requirement]] = {}
    for line in lines('constraints'):
        requirement = Requirement(line)
        (version,) = requirement.specifier
        assert version.operator == '==', line
        assert '+' not in version.version, line
        pinned.setdefault(requirement.name, []).append(requirement)
    for python in ('3.10', '3.11', '3.12'):
        environment = {'python_version': python}
        for name, pins in pinned.items():
            active = [p for p in pins if p.marker is None or p.marker.evaluate(environment)]
            assert len(active) <= 1, (name, python)
    for group in ('runtime', 'tests', 'docs'):
        for line in lines(group):
            wanted = Requirement(line.partition('  #')[0].strip())
            for pin in pinned[wanted.name]:
                (version,) = pin.specifier
                assert wanted.specifier.contains(version.version), (str(wanted), str(pin))
    assert str(pinned['torch'][0].specifier) == '==2.12.1'
    assert str(pinned['torchvision'][0].specifier) == '==0.27.1'  # the pair of torch 2.12


def pip(*arguments: str, **options) -> None:
    subprocess.run([sys.executable, '-m', 'pip', '-q', *arguments], check=True, **options)


@pytest.fixture(scope='module')
def wheel(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp('wheel')
    pip('wheel', '--no-deps', '--no-build-isolation', '-w', str(folder), str(REPO))
    (path,) = folder.glob('*.whl')
    return path


def test_wheel_carries_configs_and_tools(wheel):
    assert wheel.name == f'rsmm-{__version__}-py3-none-any.whl'
    names = zipfile.ZipFile(wheel).namelist()
    assert 'rsmm/py.typed' in names  # the types are part of what is shipped
    for carried in ('model-index.yml', f'configs/eurosat/{NAME}.py', 'tools/train.py'):
        assert f'rsmm/.mim/{carried}' in names
    weights = [name for name in names if name.endswith('.safetensors')]
    assert weights, 'the zoo is left behind'
    assert all(name.startswith('rsmm/.mim/zoo/') for name in weights), 'carried twice'
    assert not [name for name in names if name.endswith('.pyc') or '__pycache__' in name]
    tops = {name.split('/')[0] for name in names}
    assert tops == {'rsmm', f'rsmm-{__version__}.dist-info'}
    assert not (REPO / 'build').exists()


def test_metadata_of_the_wheel(wheel):
    archive = zipfile.ZipFile(wheel)
    metadata = archive.read(f'rsmm-{__version__}.dist-info/METADATA').decode()
    required = re.findall(r'^Requires-Dist: ([\w-]+)', metadata, re.MULTILINE)
    for line in lines('runtime'):
        assert Requirement(line.partition('  #')[0].strip()).name in required
    assert set(re.findall(r'^Provides-Extra: (\w+)', metadata, re.MULTILINE)) == {
        'tests',
        'docs',
        'optional',
    }


class Installed:
    """An installation beside the checkout, in which ``mim`` is run."""

    def __init__(self, site: Path, home: Path, path: tuple[Path, ...]) -> None:
        self.site, self.home = site, home
        search = os.pathsep.join(str(entry) for entry in path)
        self.environment = {
            **os.environ,
            'PYTHONPATH': search,
            'HOME': str(home),
            'OMP_NUM_THREADS': '1',
        }

    def run(self, *arguments: str) -> str:
        result = subprocess.run(
            [sys.executable, *arguments],
            cwd=self.home,
            env=self.environment,
            capture_output=True,
            text=True,
        )
        assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-3000:]
        return result.stdout

    def mim(self, *arguments: str) -> str:
        return self.run('-m', 'mim', *arguments)


@pytest.fixture(scope='module')
def installed(wheel, tmp_path_factory) -> Installed:
    site, home = tmp_path_factory.mktemp('site'), tmp_path_factory.mktemp('home')
    pip('install', '--no-deps', '--target', str(site), str(wheel))
    return Installed(site, home, (site,))


@pytest.fixture(scope='module')
def editable(tmp_path_factory) -> Installed:
    site, home = tmp_path_factory.mktemp('site'), tmp_path_factory.mktemp('home')
    options = ('--no-deps', '--no-build-isolation', '--target', str(site))
    pip('install', *options, '-e', str(REPO))
    return Installed(site, home, (site, REPO))


def test_installed_package_finds_its_configs(installed):
    code = (
        'import rsmm; from rsmm.apis import list_models, find_model;'
        f'print(rsmm.__file__, find_model({NAME!r}).config, len(list_models()))'
    )
    module, config, _ = installed.run('-c', code).split()
    assert Path(module).is_relative_to(installed.site)
    assert Path(config).is_relative_to(installed.site / 'rsmm' / '.mim')


@pytest.mark.parametrize('kind', ['installed', 'editable'])
def test_mim_search(kind, request):
    output = request.getfixturevalue(kind).mim('search', 'rsmm', '--model', 'simclr')
    assert re.search(r'parameters +11505472', output)


def test_mim_download(installed, tmp_path, monkeypatch):
    """With an address in the metafile, as it will be once weights are released."""
    torch.save({'state_dict': get_model(NAME).state_dict()}, tmp_path / 'a.pth')
    published = publish(tmp_path / 'a.pth', tmp_path / 'server', name='net')
    monkeypatch.setattr(SimpleHTTPRequestHandler, 'log_message', lambda *_: None)
    handler = partial(SimpleHTTPRequestHandler, directory=str(published.path.parent))
    server = ThreadingHTTPServer(('127.0.0.1', 0), handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    address = f'http://127.0.0.1:{server.server_address[1]}/{published.path.name}'
    for metafile in installed.site.rglob('eurosat/metafile.yml'):
        content = yaml.safe_load(metafile.read_text())
        content['Models'][0]['Weights'] = address
        metafile.write_text(yaml.safe_dump(content))
    try:
        installed.mim('download', 'rsmm', '--config', NAME, '--dest', str(tmp_path / 'got'))
    finally:
        server.shutdown()
        server.server_close()
    assert (tmp_path / 'got' / published.path.name).read_bytes() == published.path.read_bytes()
    assert (tmp_path / 'got' / f'{NAME}.py').is_file()


@pytest.mark.slow
def test_mim_train_and_test(installed, tmp_path):
    write_jpg_chips(tmp_path, per_class=4)
    settings = [f'data_root={tmp_path}', 'epochs=1', 'batch_size=8', 'num_workers=0']
    work_dir = tmp_path / 'run'
    options = ('--work-dir', str(work_dir), '--cfg-options', *settings)
    installed.mim('train', 'rsmm', f'{NAME}.py', *options)
    checkpoint = str(work_dir / 'epoch_1.pth')
    output = installed.mim('test', 'rsmm', f'{NAME}.py', '--checkpoint', checkpoint, *options)
    assert 'accuracy/top1' in output


@pytest.mark.slow
@pytest.mark.parametrize('kind', ['installed', 'editable'])
def test_mim_run_and_gridsearch(kind, request, tmp_path):
    place = request.getfixturevalue(kind)
    toy = tmp_path / 'toy'
    place.mim(
        'run', 'rsmm', 'make_toy_data', 'eurosat', '--out', str(toy), '--chips-per-class', '1'
    )
    assert len(list(toy.glob('2750/*/*.jpg'))) == 10
    write_jpg_chips(tmp_path, per_class=4)
    config = tmp_path / 'mine.py'
    config.write_text(
        f"_base_ = 'rsmm::eurosat/{NAME}.py'\ndata_root = '{tmp_path}'\n"
        'epochs = 1\nbatch_size = 8\nnum_workers = 0\n'
    )
    dumped = tmp_path / 'whole.py'
    place.run(
        '-c',
        'import sys; from rsmm.apis.config import load_config;'
        'load_config(sys.argv[1]).dump(sys.argv[2])',
        str(config),
        str(dumped),
    )
    options = ('--work-dir', str(tmp_path / 'work'), '--gpus', '0')
    values = ('--search-args', '--optim_wrapper.optimizer.lr 0.01 0.02')
    place.mim('gridsearch', 'rsmm', str(dumped), *options, *values)
    runs = sorted(path.parent.name for path in tmp_path.glob('work_search_*/epoch_1.pth'))
    assert runs == [f'work_search_optim_wrapper.optimizer.lr_{lr}' for lr in (0.01, 0.02)]
