"""Reading mmengine's logs and drawing them."""

from __future__ import annotations

import json

import numpy as np
import pytest

from rsmm.errors import DataError, DataNotFoundError
from rsmm.visualization.curves import draw_curves, read_log


def _epochs(first, last, per_epoch=10, every=5):
    """Rows of an epoch-based run as mmengine writes them."""
    for epoch in range(first, last + 1):
        for k in range(every, per_epoch + 1, every):
            iteration = (epoch - 1) * per_epoch + k
            yield dict(
                lr=0.1, loss=1 / iteration, time=0.1, data_time=0.0, memory=3,
                epoch=epoch, iter=iteration, step=iteration,
            )  # fmt: skip
        yield {'accuracy/top1': 10.0 * epoch, 'time': 0.1, 'data_time': 0.0, 'step': epoch}


def _write(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text('\n'.join(json.dumps(row) for row in rows) + '\n')
    return path


def test_training_and_validation_share_the_epoch_axis(tmp_path):
    log = read_log(_write(tmp_path / 'scalars.json', _epochs(1, 3)))
    assert log.axis == 'epoch'
    np.testing.assert_allclose(log.curves['loss'][0], [0.5, 1, 1.5, 2, 2.5, 3])
    np.testing.assert_allclose(log.curves['accuracy/top1'][0], [1, 2, 3])
    assert log.validated == {'accuracy/top1'}
    assert set(log.curves) == {'lr', 'loss', 'accuracy/top1'}


def test_iteration_based_runs(tmp_path):
    rows = [dict(loss=1.0, iter=50, step=50), dict(loss=0.5, iter=100, step=100)]
    rows.append({'mIoU': 40.0, 'step': 100})
    log = read_log(_write(tmp_path / 'scalars.json', rows))
    assert log.axis == 'iteration'
    np.testing.assert_allclose(log.curves['loss'][0], [50, 100])
    np.testing.assert_allclose(log.curves['mIoU'][0], [100])


def test_a_resumed_run_goes_on(tmp_path):
    _write(tmp_path / '20260101_000000' / 'vis_data' / 'scalars.json', _epochs(1, 2))
    _write(tmp_path / '20260102_000000' / 'vis_data' / 'scalars.json', _epochs(2, 4))
    log = read_log(tmp_path)
    np.testing.assert_allclose(log.curves['accuracy/top1'][1], [10, 20, 30, 40])


def test_half_a_last_line_is_skipped_but_not_others(tmp_path):
    path = _write(tmp_path / 'scalars.json', _epochs(1, 1))
    path.write_text(path.read_text() + '{"loss": 0.')
    assert len(read_log(path).curves['loss'][0]) == 2
    path.write_text('{"loss": 0.\n' + path.read_text())
    with pytest.raises(DataError, match='line 1 is no JSON'):
        read_log(path)


def test_refusals(tmp_path):
    with pytest.raises(DataNotFoundError, match='work-dir'):
        read_log(tmp_path)
    with pytest.raises(DataError, match='no scalars'):
        read_log(_write(tmp_path / 'scalars.json', [{'step': 1, 'time': 2.0}]))
    log = read_log(_write(tmp_path / 'a.json', _epochs(1, 1)))
    with pytest.raises(
        DataError, match="nothing called 'acuracy/top1'.*Did you mean 'accuracy/top1'"
    ):
        draw_curves({'a': log}, ['acuracy/top1'])


def test_figure_has_a_panel_per_scalar_and_a_line_per_run(tmp_path):
    logs = {
        name: read_log(_write(tmp_path / f'{name}.json', _epochs(1, last)))
        for name, last in (('a', 2), ('b', 4))
    }
    figure = draw_curves(logs)
    panels = [axes for axes in figure.axes if axes.axison]
    assert [axes.get_title(loc='left') for axes in panels] == ['loss', 'accuracy/top1']
    assert [len(axes.lines) for axes in panels] == [2, 2]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ['a', 'b']
    assert len(draw_curves({'a': logs['a']}, ['lr']).axes) == 1
