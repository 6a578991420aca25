import os
import signal
import subprocess
import sys
import time

import pytest
import torch

from rsmm.apis import cli
from rsmm.apis.cli import guarded, train_main
from rsmm.errors import DataError


def test_error_is_one_line_and_status_one(capsys):
    def command():
        try:
            raise DataError('truncated', where='a.tif')
        except DataError as error:
            raise RuntimeError('worker died') from error

    assert guarded(command) == 1
    assert 'DataError: a.tif: truncated' in capsys.readouterr().err


def test_error_of_a_loader_worker_is_one_line(capsys):
    class Broken(torch.utils.data.Dataset):
        def __len__(self):
            return 1

        def __getitem__(self, index):
            raise DataError('truncated', where='a.tif', fix='Copy it again')

    assert guarded(lambda: list(torch.utils.data.DataLoader(Broken(), num_workers=1))) == 1
    assert capsys.readouterr().err.splitlines()[0] == 'DataError: a.tif: truncated. Copy it again'


def test_other_errors_keep_their_traceback():
    with pytest.raises(ZeroDivisionError):
        guarded(lambda: 1 / 0)


@pytest.mark.parametrize(('name', 'more'), [('train_main', []), ('test_main', ['random'])])
def test_missing_config(name, more, capsys, tmp_path):
    assert getattr(cli, name)([str(tmp_path / 'none.py'), *more]) == 1
    assert 'no such config' in capsys.readouterr().err


def test_misspelt_option(repo_root, capsys):
    config = repo_root / 'configs' / 'eurosat' / 'resnet18_scratch-12e_eurosat-rgb.py'
    assert train_main([str(config), '--cfg-options', 'data_rot=x']) == 1
    assert "Did you mean 'data_root'" in capsys.readouterr().err


def test_interrupt_leaves_a_resumable_run(tmp_path, repo_root):
    from tests.datasets.chips import write_jpg_chips
    from tests.engine.test_runs import CONFIG

    write_jpg_chips(tmp_path / 'chips', per_class=8)
    config = tmp_path / 'tiny.py'
    config.write_text(CONFIG.format(repo=repo_root))
    work_dir = tmp_path / 'run'
    options = [f'data_root={tmp_path / "chips"}', 'batch_size=16', 'num_workers=0', 'epochs=500']
    command = [sys.executable, 'tools/train.py', str(config), '--work-dir', str(work_dir)]
    process = subprocess.Popen(
        [*command, '--cfg-options', *options],
        cwd=repo_root,
        env={**os.environ, 'OMP_NUM_THREADS': '1'},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        # A test run started in the background ignores Ctrl-C, and its children would too.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    try:
        deadline = time.monotonic() + 300
        while not (work_dir / 'last_checkpoint').exists() and time.monotonic() < deadline:
            time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=300)
    finally:
        process.kill()
    assert process.returncode == 130, errors[-2000:]
    assert 'Interrupted' in errors
    pointed = (work_dir / 'last_checkpoint').read_text().strip()
    assert os.path.exists(pointed)
    assert not list(work_dir.glob('*.tmp'))
