"""The command lines that look at and convert data, as a user calls them."""

import os
import subprocess
import sys

import pytest
from PIL import Image

from tests.datasets.chips import s2_chip, write_tif


@pytest.fixture
def chips(tmp_path):
    root = tmp_path / 'eurosat'
    for number, name in enumerate(('Forest', 'River', 'SeaLake')):
        for chip in range(1, 5):
            write_tif(root / 'tif' / name / f'{name}_{chip}.tif', s2_chip(4 * number + chip))
    return root


@pytest.fixture
def tool(repo_root, tmp_path):
    """Run a tool from an empty folder and return the finished process."""

    def run(script, *arguments):
        environment = {**os.environ, 'PYTHONPATH': str(repo_root), 'OMP_NUM_THREADS': '1'}
        return subprocess.run(
            [sys.executable, str(repo_root / 'tools' / script), *map(str, arguments)],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    return run


@pytest.fixture
def config(repo_root):
    return repo_root / 'configs/_base_/datasets/eurosat_ms.py'


def test_pack_then_browse_the_pack(tool, config, chips, tmp_path):
    pack, page = tmp_path / 'pack', tmp_path / 'page.png'
    packing = ('dataset_converters/pack_dataset.py', config, '--out', pack)
    done = tool(*packing, '--cfg-options', f'data_root={chips}')
    assert done.returncode == 0, done.stderr
    assert '12 images' in done.stdout
    again = tool(*packing, '--cfg-options', f'data_root={chips}')
    assert again.returncode == 1
    assert 'exists already' in again.stderr
    assert 'Traceback' not in again.stderr
    browsing = ('visualizations/browse_dataset.py', config, '--out', page, '--bands')
    done = tool(*browsing, 'B8A', 'B4', 'B3', '--cfg-options', f'packed={pack}')
    assert done.returncode == 0, done.stderr
    assert 'B10' in done.stdout
    with Image.open(page) as picture:
        assert picture.format == 'PNG'


def test_errors_name_file_and_mend_and_write_nothing(tool, config, chips, tmp_path):
    page = tmp_path / 'page.png'
    browsing = ('visualizations/browse_dataset.py', config, '--out', page)
    done = tool(*browsing, '--cfg-options', f'data_root={tmp_path / "nowhere"}')
    assert done.returncode == 1
    assert 'make_toy_data.py eurosat' in done.stderr
    bad = chips / 'tif/River/River_2.tif'
    bad.write_bytes(bad.read_bytes()[:3000])
    packing = ('dataset_converters/pack_dataset.py', config, '--out', tmp_path / 'pack')
    done = tool(*packing, '--cfg-options', f'data_root={chips}')
    assert done.returncode == 1
    assert f'DataError: {bad}: cannot be read' in done.stderr
    assert not page.exists()
    assert not (tmp_path / 'pack').exists()
