"""The urban-features chain: order and resuming of its steps, its tables, and a small real run."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from rsmm.engine.hooks.feature_map_dump import RECORD as MAP_RECORD
from rsmm.errors import ConfigError
from rsmm.evaluation.functional import binary_report
from rsmm.studies import urban
from rsmm.studies.urban import SHORT, UrbanChain, make_scale
from rsmm.studies.urban_report import city_table, crime_table, detection_table, markdown_table
from tests.docs.blocks import blocks_of

TINY = make_scale(
    SHORT,
    dict(
        unlabelled=8,
        labelled=10,
        tiles_per_city=6,
        label_fraction=1.0,
        swav_epochs=1,
        detreg_epochs=1,
        detector_epochs=1,
        mae_epochs=3,
        crime_epochs=1,
        workers=0,
    ),
)
PARTS = ('backbone.a', 'neck.a', 'encoder.a', 'decoder.a', 'bbox_head.reg_branches.a')


def crime_metrics(seed: int = 0) -> dict[str, float]:
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 2, 40)
    groups = ['Eastwick', 'Farrow'] * 20
    report = binary_report(truth, rng.random(40), groups, resamples=50)
    return {f'crime/{key}': value for key, value in report.items()}


class Fake:
    """Stands for the runs; notes which were asked for."""

    value = 0.0

    def __init__(self, monkeypatch) -> None:
        self.trained: list[str] = []
        self.tested: list[str] = []
        self.configs: dict[str, object] = {}
        monkeypatch.setattr(urban.run, 'train', self.train)
        monkeypatch.setattr(urban.run, 'test', self.test)
        monkeypatch.setattr('rsmm.studies.figures.reconstruction.draw_reconstructions', self.draw)
        monkeypatch.setattr(urban, 'get_writer', lambda name: lambda *args, **kwargs: True)

    def train(self, config, work_dir, resume) -> None:
        work_dir = Path(work_dir)
        self.trained.append(work_dir.name)
        self.configs[work_dir.name] = config
        state = {f'{name}.weight': torch.full((1,), self.value) for name in PARTS}
        state['bbox_head.embedding_branch.0.weight'] = torch.zeros(1)
        name = f'epoch_{config.train_cfg.max_epochs}.pth'
        torch.save({'state_dict': state}, work_dir / name)
        if 'crime' in work_dir.name:
            torch.save({'state_dict': state}, work_dir / 'best_crime_accuracy_epoch_1.pth')

    def test(self, config, checkpoint, work_dir) -> dict[str, float]:
        self.tested.append(f'{Path(work_dir).parent.name} {Path(checkpoint).name}')
        if 'coco' in str(config.test_evaluator).lower():
            return {'coco/bbox_mAP': 0.1, 'coco/bbox_mAP_50': 0.2, 'coco/AR@100': 0.3}
        for hook in config.get('custom_hooks', ()):
            if hook.type == 'FeatureMapDumpHook':
                maps = Path(hook.out_dir)
                maps.mkdir(parents=True, exist_ok=True)
                (maps / MAP_RECORD).write_text('{}')
                (maps / 'tile.npz').write_bytes(b'maps')
        return crime_metrics() if config.test_evaluator else {}

    def draw(self, config, checkpoint, out, **kwargs) -> None:
        Path(out).touch()


def test_steps_their_order_and_what_they_start_from(tmp_path, monkeypatch, repo_root) -> None:
    monkeypatch.chdir(repo_root)
    fake = Fake(monkeypatch)
    lines: list[str] = []
    results = UrbanChain(tmp_path, TINY, say=lines.append)()
    assert fake.trained == [
        'swav',
        'detreg',
        'detector-random-weights',
        'detector-swav-backbone',
        'detector-detreg',
        'mae',
        'crime-raw-tiles',
        'crime-detr-maps',
        'crime-mae-maps',
        'crime-mae-maps-random-weights',
    ]
    config = fake.configs
    swav = str(tmp_path / 'swav/epoch_1.pth')
    assert config['detreg'].model.teacher.checkpoint == swav
    assert config['detreg'].model.backbone.init_cfg.checkpoint == swav
    assert config['detector-swav-backbone'].model.backbone.init_cfg.checkpoint == swav
    assert config['detector-detreg'].load_from == str(tmp_path / 'detreg/detector.pth')
    assert config['detector-random-weights'].load_from is None
    assert 'init_cfg' not in config['detector-random-weights'].model.backbone
    maps = {n: c.train_dataloader.dataset.maps_dir for n, c in config.items() if 'crime' in n}
    assert maps['crime-raw-tiles'] is None
    assert maps['crime-detr-maps'] == str(tmp_path / 'maps/detr')
    assert maps['crime-mae-maps-random-weights'] == str(tmp_path / 'maps/mae-random')
    assert 'detr-log epoch_1.pth' in fake.tested
    assert 'mae-random-log random' in fake.tested
    for name in ('crime-raw-tiles', 'crime-raw-tiles-within'):
        assert fake.tested.count(f'{name} best_crime_accuracy_epoch_1.pth') == 1
    saved = json.loads((tmp_path / 'results.json').read_text())
    assert saved == results
    report = (tmp_path / 'report.md').read_text()
    assert report == lines[-1]
    for row in ('| constant', '| raw tiles', '| DETR maps', '| MAE maps', '| DETReg', 'Farrow'):
        assert row in report


def test_finished_steps_do_not_run_again(tmp_path, monkeypatch, repo_root) -> None:
    monkeypatch.chdir(repo_root)
    fake = Fake(monkeypatch)
    UrbanChain(tmp_path, TINY, say=str)()
    fake.trained.clear()
    fake.tested.clear()
    assert UrbanChain(tmp_path, TINY, say=str)() == json.loads(
        (tmp_path / 'results.json').read_text()
    )
    assert fake.trained == fake.tested == []
    # A step whose output is gone, or damaged, is done again; what stands on it came out the same.
    (tmp_path / 'mae/epoch_3.pth').unlink()
    swav = tmp_path / 'swav/epoch_1.pth'
    swav.write_bytes(swav.read_bytes()[:-9])
    (tmp_path / 'maps/detr/tile.npz').write_bytes(b'spam')
    UrbanChain(tmp_path, TINY, say=str)()
    assert fake.trained == ['swav', 'mae']
    assert [name for name in fake.tested if 'log' in name] == ['detr-log epoch_1.pth']
    # Another result of a step is another input of those that stand on it.
    fake.trained.clear()
    fake.value = 1.0
    swav.unlink()
    UrbanChain(tmp_path, TINY, say=str)()
    assert fake.trained[:3] == ['swav', 'detreg', 'detector-swav-backbone']
    (tmp_path / 'results.json').write_text('{"scale": {')
    fake.trained.clear()
    UrbanChain(tmp_path, TINY, say=str)()
    assert fake.trained == []
    with pytest.raises(ConfigError, match='another seed'):
        UrbanChain(tmp_path, make_scale(TINY, {'seed': 1}))
    UrbanChain(tmp_path, make_scale(TINY, {'seed': 1}), fresh=True)
    assert not (tmp_path / 'swav').exists()


def test_settings() -> None:
    assert make_scale(SHORT, {'swav_epochs': 7}).swav_epochs == 7
    with pytest.raises(ConfigError, match="Did you mean 'swav_epochs'"):
        make_scale(SHORT, {'swav_epoch': 7})


def test_functions_on_the_page(repo_root) -> None:
    blocks = [b for b in blocks_of(repo_root / 'docs/urban.md') if b.language == 'python']
    assert blocks
    for block in blocks:
        exec(compile(block.text, f'{block.page}:{block.line}', 'exec'), {})


def test_tables() -> None:
    table = markdown_table(['a', 'bb'], [['long name', '1'], ['x', '22.0']]).splitlines()
    assert len({len(line) for line in table}) == 1
    assert table[1] == '| --------- | ---: |'
    text = detection_table({'DETReg': {'coco/bbox_mAP': 0.123}, 'other': {'coco/AR@100': 0.5}})
    assert [cell.strip() for cell in text.splitlines()[2].split('|')[1:-1]] == [
        'DETReg',
        '12.3',
        '-',
        '-',
        '29.1',
    ]
    metrics = crime_metrics() | {'within/crime/accuracy': 61.0, 'within/crime/majority': 52.0}
    rows = [
        [cell.strip() for cell in line.split('|')[1:-1]]
        for line in crime_table({'raw tiles': metrics}).splitlines()
    ]
    assert rows[2][1] == f'{metrics["crime/majority"]:.1f}'
    assert rows[2][4] == '52.0'
    assert rows[3][0] == 'raw tiles'
    assert rows[3][1] == (
        f'{metrics["crime/accuracy"]:.1f} '
        f'[{metrics["crime/accuracy_low"]:.0f}, {metrics["crime/accuracy_high"]:.0f}]'
    )
    assert rows[3][5] == '41.0, 39.0'
    cities = city_table({'raw tiles': metrics}).splitlines()
    assert 'Eastwick' in cities[0]
    assert f'{metrics["crime/accuracy/Farrow"]:.1f}' in cities[3]


@pytest.mark.slow
def test_chain_runs_on_toy_data(tmp_path, repo_root) -> None:
    """The tool itself, at the least scale that every step accepts."""
    (tmp_path / 'configs').symlink_to(repo_root / 'configs')
    settings = [
        'unlabelled=40',
        'labelled=20',
        'tiles_per_city=8',
        'label_fraction=1.0',
        'swav_epochs=1',
        'detreg_epochs=1',
        'detector_epochs=1',
        'mae_epochs=3',
        'crime_epochs=2',
        'workers=0',
    ]
    command = [sys.executable, str(repo_root / 'tools/pipelines/urban.py'), '--short']
    done = subprocess.run(
        [*command, '--work-dir', 'out', '--set', *settings],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    assert '| constant' in done.stdout
    results = json.loads((tmp_path / 'out/results.json').read_text())
    assert list(results['crime']) == [
        'raw tiles',
        'DETR maps',
        'MAE maps',
        'MAE maps, random weights',
    ]
    assert len(list((tmp_path / 'out/maps/detr').glob('*.npz'))) == 48
    assert (tmp_path / 'out/reconstructions.png').stat().st_size > 10_000
    assert (tmp_path / 'out/report.md').read_text() in done.stdout + '\n'
