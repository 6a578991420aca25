"""The analysis tools from the command line to their pictures."""

from __future__ import annotations

import importlib.util
import json

import numpy as np
import pytest
from PIL import Image

from rsmm.apis.cli import guarded
from rsmm.toy.writers.eurosat import write_eurosat


@pytest.fixture
def run(repo_root, monkeypatch, capsys):
    """Call a tool with arguments in this process; return exit status, output and errors."""

    def call(tool, *arguments):
        path = repo_root / 'tools' / 'analysis_tools' / f'{tool}.py'
        spec = importlib.util.spec_from_file_location(f'tool_{tool}', path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        monkeypatch.chdir(repo_root)
        monkeypatch.setattr('sys.argv', [str(path), *map(str, arguments)])
        return guarded(module.main), *capsys.readouterr()

    return call


@pytest.fixture(scope='module')
def toy(tmp_path_factory):
    root = tmp_path_factory.mktemp('toy') / 'eurosat'
    write_eurosat(root, chips_per_class=3, products=('rgb',))
    return root


@pytest.fixture(scope='module')
def dump(toy):
    samples = []
    for label, folder in enumerate(sorted((toy / '2750').iterdir())):
        for path in sorted(folder.glob('*.jpg')):
            scores = np.eye(10)[label] * 0.9 + 0.01
            samples.append(
                dict(
                    img_path=str(path), gt_label=label, pred_label=label, pred_score=scores.tolist()
                )
            )
    samples[0]['pred_label'] = 3
    path = toy.parent / 'results.json'
    path.write_text(json.dumps(samples))
    return path


def _is_picture(path) -> bool:
    pixels = np.asarray(Image.open(path).convert('L'))
    return min(pixels.shape) > 200 and pixels.std() > 5


def test_confusion_matrix_and_page(run, dump, tmp_path):
    matrix, page = tmp_path / 'c.png', tmp_path / 'p.png'
    assert run('confusion_matrix', dump, '--out', matrix, '--page', page)[0] == 0
    assert _is_picture(matrix)
    assert _is_picture(page)


def test_class_report(run, dump, tmp_path):
    status, output, _ = run('class_report', dump, '--markdown', '--out', tmp_path / 'report.md')
    assert status == 0
    assert 'accuracy 96.67% of 30 samples' in output
    assert '| AnnualCrop ' in (tmp_path / 'report.md').read_text()


@pytest.mark.parametrize('method', ['tsne', 'pca'])
def test_embedding(run, toy, tmp_path, method):
    status, *_ = run(
        'embedding', 'configs/quickstart/3_knn_probe.py', 'random', '--method', method,
        '--split', 'train', '--num', 20, '--out', tmp_path / 'sub' / 'map.png',
        '--cfg-options', f'data_root={toy}',
    )  # fmt: skip
    assert status == 0
    assert _is_picture(tmp_path / 'sub' / 'map.png')


def test_model_complexity(run):
    status, output, _ = run(
        'model_complexity', 'configs/quickstart/4_finetune.py', '--shape', 3, 32, 32
    )
    assert status == 0
    assert '11,181,642' in output


def test_log_curves(run, tmp_path):
    log = tmp_path / 'run' / '20260101_000000' / 'vis_data' / 'scalars.json'
    log.parent.mkdir(parents=True)
    log.write_text('\n'.join(json.dumps(dict(loss=1 / k, iter=k, step=k)) for k in range(1, 9)))
    assert run('log_curves', tmp_path / 'run', '--out', tmp_path / 'l.png')[0] == 0
    assert _is_picture(tmp_path / 'l.png')


@pytest.mark.parametrize('tool', ['confusion_matrix', 'class_report', 'log_curves'])
def test_absent_input_is_one_line_and_an_error(run, tool, tmp_path):
    status, _, errors = run(tool, tmp_path / 'absent')
    assert status == 1
    assert errors.startswith('DataNotFoundError')
