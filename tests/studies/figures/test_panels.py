"""Panels of whole scenes with one column per checkpoint."""

from __future__ import annotations

from pathlib import Path

import cv2
import pytest

from rsmm.errors import ConfigError
from rsmm.studies.figures.panels import Column, change_panels, parse_columns
from rsmm.toy.writers.oscd import write_oscd


def test_columns() -> None:
    found = parse_columns('c.py', ['random', 'runs/a.pth', 'x=b.pth', 'y=other.py:d.pth'])
    assert found == [
        Column('random', 'c.py', 'random'),
        Column('a', 'c.py', 'runs/a.pth'),
        Column('x', 'c.py', 'b.pth'),
        Column('y', 'other.py', 'd.pth'),
    ]
    with pytest.raises(ConfigError, match='a, a have one name'):
        parse_columns('c.py', ['1/a.pth', '2/a.pth'])


def test_a_panel_per_city(tmp_path: Path, repo_root: Path) -> None:
    data = tmp_path / 'oscd'
    write_oscd(data, train=2, test=1, size=64)
    config = str(repo_root / 'configs' / 'oscd' / 'seco_resnet18_100e_oscd-rgb.py')
    fc = str(repo_root / 'configs' / 'oscd' / 'fc-siam-diff_100e_oscd-rgb.py')
    options = {'data_root': str(data), 'test_dataloader.dataset.split': 'all'}
    columns = parse_columns(config, ['seco=random', f'fc={fc}:random'])
    written = change_panels(columns, tmp_path / 'out', options)
    assert len(written) == 3
    # Five squares in a row: two dates, the truth, two models.
    height, width = cv2.imread(str(written[0])).shape[:2]
    assert 3 < width / height < 5
    one = change_panels(columns, tmp_path / 'one', options, include=[written[0].stem])
    assert [path.name for path in one] == [written[0].name]
    bare = change_panels(
        columns, tmp_path / 'bare', options, include=[written[0].stem], images=False
    )
    assert cv2.imread(str(bare[0])).shape[1] == pytest.approx(0.6 * width, abs=2)
