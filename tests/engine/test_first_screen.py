"""The first screen of a run says what matters; the log file has the rest."""

from __future__ import annotations

from rsmm.apis import run
from tests.engine.test_runs import chips, config, options  # noqa: F401 (fixtures)


def screen_of(capfd) -> str:
    out, err = capfd.readouterr()
    return out + err


def test_training_says_what_it_does(config, chips, tmp_path, capfd):  # noqa: F811
    run.train(config, work_dir=tmp_path / 'w', options=options(chips, epochs=1))
    screen = screen_of(capfd)
    for line in (
        f'config      {config}',
        f'data        train 60 (EuroSAT, {chips}), val 20 (EuroSAT, {chips})',
        'model       ImageClassifier, 4',
        'device      cpu',
        'schedule    1 epochs of 3 iterations, batches of 16',
        f'output      {tmp_path / "w"}',
    ):
        assert line in screen
    for routine in ('System environment', 'Hooks will be executed', 'param_scheduler = '):
        assert routine not in screen
        (log,) = (tmp_path / 'w').glob('*/*.log')
        assert routine in log.read_text()


def test_a_test_names_its_checkpoint(config, chips, tmp_path, capfd):  # noqa: F811
    run.train(config, work_dir=tmp_path / 'w', options=options(chips, epochs=1))
    capfd.readouterr()
    path = tmp_path / 'w' / 'epoch_1.pth'
    run.test(config, str(path), work_dir=tmp_path / 't', options=options(chips))
    screen = screen_of(capfd)
    assert f'checkpoint  {path}' in screen
    assert 'data        test 20' in screen
    assert 'schedule' not in screen


def test_iterations_are_counted_as_such(config, chips, tmp_path, capfd):  # noqa: F811
    more = {'train_cfg': dict(_delete_=True, type='IterBasedTrainLoop', max_iters=2)}
    run.train(config, work_dir=tmp_path / 'w', options=options(chips, epochs=1) | more)
    assert 'schedule    2 iterations, batches of 16' in screen_of(capfd)


def test_debug_shows_all(config, chips, tmp_path, capfd):  # noqa: F811
    settings = options(chips, epochs=1, log_level='DEBUG')
    run.train(config, work_dir=tmp_path / 'w', options=settings)
    assert 'System environment' in screen_of(capfd)
