import json

import pytest

from rsmm.studies import quickstart
from rsmm.studies.quickstart import Quickstart, Scale


@pytest.mark.slow
def test_tour_runs_resumes_and_draws(tmp_path, monkeypatch, repo_root):
    (tmp_path / 'configs').symlink_to(repo_root / 'configs')
    monkeypatch.chdir(tmp_path)
    lines = []
    tiny = Scale('tiny', chips_per_class=12, pretrain_epochs=1, probe_epochs=1, finetune_epochs=1)
    results = Quickstart(tiny, say=lines.append)()
    assert len(results) == 6
    assert all(0 <= value <= 100 for value in results.values())
    folder = tmp_path / 'work_dirs' / 'tiny'
    assert json.loads((folder / 'results.json').read_text()) == results
    for name in ('confusion_matrix.png', 'predictions.png'):
        assert (folder / name).stat().st_size > 10_000

    def forbidden(*args, **kwargs):
        raise AssertionError('a finished step ran again')

    monkeypatch.setattr(quickstart.run, 'train', forbidden)
    monkeypatch.setattr(quickstart.run, 'test', forbidden)
    assert Quickstart(tiny, say=lines.append)() == results
