"""The launch scripts: a paused job is put back, a failing process has the last word."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SRUN = """#!/usr/bin/env bash
echo "$@" >> "{log}"
statuses=({statuses})
count=$(wc -l < "{log}")
exit "${{statuses[$((count - 1))]}}"
"""
SCONTROL = '#!/usr/bin/env bash\necho "scontrol $@" >> "{folder}/scontrol.log"\nexit {status}\n'


def slurm(repo_root: Path, folder: Path, statuses: str, requeue: int = 0, **environment):
    log = folder / 'srun.log'
    for name, text in (
        ('srun', SRUN.format(log=log, statuses=statuses)),
        ('scontrol', SCONTROL.format(folder=folder, status=requeue)),
    ):
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    variables = {k: v for k, v in os.environ.items() if not k.startswith('SLURM')}
    variables |= {'PATH': f'{folder}:{os.environ["PATH"]}', **environment}
    command = ['bash', str(repo_root / 'tools/slurm_train.sh'), 'gpu', 'name', 'config.py']
    done = subprocess.run([*command, '--amp'], env=variables, check=False, timeout=60)
    asked = folder / 'scontrol.log'
    calls = asked.read_text().split('\n')[:-1] if asked.is_file() else []
    return done.returncode, log.read_text().splitlines(), calls


def test_a_paused_batch_job_is_put_back(repo_root, tmp_path):
    status, calls, asked = slurm(repo_root, tmp_path, '75', SLURM_JOB_ID='12')
    assert status == 75
    assert asked == ['scontrol requeue 12']
    assert '--signal=USR1@120' in calls[0]
    assert calls[0].endswith('config.py --launcher slurm --amp')


def test_a_job_put_back_goes_on(repo_root, tmp_path):
    status, calls, asked = slurm(
        repo_root, tmp_path, '0', SLURM_JOB_ID='12', SLURM_RESTART_COUNT='1'
    )
    assert (status, asked) == (0, [])
    assert calls[0].endswith('--amp --resume')


@pytest.mark.parametrize('job', [{}, {'SLURM_JOB_ID': '12'}], ids=['none', 'not requeued'])
def test_without_a_batch_job_it_queues_again(repo_root, tmp_path, job):
    status, calls, _ = slurm(repo_root, tmp_path, '75 75 3', requeue=1, **job)
    assert status == 3
    assert [call.endswith('--resume') for call in calls] == [False, True, True]


TOOL = """
import os, sys, time
from rsmm.apis.cli import guarded
from rsmm.errors import DataError
def command():
    if os.environ['RANK'] == '1':
        {what}
    time.sleep(60)
sys.exit(guarded(command))
"""


@pytest.mark.distributed
@pytest.mark.parametrize(
    ('what', 'last', 'status'),
    [
        (
            "raise DataError('expected 13 bands', where='a.tif', fix='Ask again')",
            'DataError: a.tif: expected 13 bands. Ask again (process 1)',
            1,
        ),
        ("raise KeyError('x')", "KeyError: 'x' (process 1)", 1),
        ('os.kill(os.getpid(), 9)', 'process 1 was ended by SIGKILL, perhaps for want of memory', 137),  # noqa: E501
    ],
    ids=['known', 'unknown', 'killed'],
)  # fmt: skip
def test_the_message_of_a_failing_process_comes_last(repo_root, tmp_path, what, last, status):
    tool = tmp_path / 'tool.py'
    tool.write_text(TOOL.format(what=what))
    script = f'. {repo_root}/tools/_launch.sh; launch "$@"'
    done = subprocess.run(
        ['bash', '-c', script, 'launch', str(tool), '2'],
        env={**os.environ, 'PYTHON': sys.executable, 'OMP_NUM_THREADS': '1'},
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )
    assert done.stderr.rstrip().splitlines()[-1] == last, done.stderr[-2000:]
    assert done.returncode == status
