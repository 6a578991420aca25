"""The weights that travel with the tree give what their cards say."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from rsmm.apis import entries, get_model, run
from rsmm.apis.zoo_cli import carried, verify
from rsmm.apis.zoo_files import file_name

REPO = Path(__file__).resolve().parents[2]
NAME = 'zoo_eurosat-rgb'
CARRIED = [name for name, entry in entries.zoo_entries().items() if carried(entry)]
GOLDEN = REPO / 'tests' / 'data' / f'{NAME}.json'


def made_chip(number: int) -> torch.Tensor:
    """A chip of smooth waves, (3, 64, 64) uint8, the same on every machine."""
    rows, columns = np.mgrid[:64, :64]
    waves = [rows * (band + 1) + columns * (number + 2) for band in range(3)]
    levels = [60 + 25 * band + wave % 64 for band, wave in enumerate(waves)]
    return torch.from_numpy(np.stack(levels).astype(np.uint8))


def scores() -> np.ndarray:
    model = get_model(NAME, pretrained=True)
    chips = torch.stack([made_chip(number) for number in range(3)])
    with torch.no_grad():
        inputs = model.data_preprocessor({'inputs': chips})['inputs']
        return torch.stack([sample.pred_score for sample in model.predict(inputs)]).numpy()


def test_what_is_in_the_folder_is_listed_small_and_whole():
    files = {path.name for path in (REPO / 'zoo').glob('*.safetensors')}
    known = {name: entries.find_model(name) for name in CARRIED}
    assert files == {file_name(entry) for entry in known.values()}
    assert sum((REPO / 'zoo' / name).stat().st_size for name in files) < 60e6
    for name, entry in known.items():
        card = (REPO / 'zoo' / f'{name}.md').read_text(encoding='utf-8')
        assert entry.sha256 in card
        assert file_name(entry) in card
        assert 'licence' in card
        for result in entry.results:  # none of an encoder that was trained elsewhere
            assert f'**{result["Metrics"]["Top 1 Accuracy"]:.2f} %**' in card
        verify(entry)
    assert known[NAME].results


def test_scores_of_made_chips():
    expected = np.array(json.loads(GOLDEN.read_text(encoding='utf-8')))
    np.testing.assert_allclose(scores(), expected, atol=2e-3)


@pytest.mark.realdata
def test_a_hundred_held_out_chips(real_data, tmp_path):
    options = {
        'data_root': str(real_data / 'eurosat'),
        'num_workers': 0,
        'views': 1,
        'test_dataloader.dataset.indices': list(range(0, 2160, 21)),
    }
    metrics = run.test(NAME, 'zoo', work_dir=tmp_path, options=options)
    assert metrics['accuracy/top1'] > 96


@pytest.mark.slow
@pytest.mark.realdata
def test_the_metric_of_the_card(real_data, tmp_path):
    options = {'data_root': str(real_data / 'eurosat'), 'num_workers': 0}
    metrics = run.test(NAME, 'zoo', work_dir=tmp_path, options=options)
    card = (REPO / 'zoo' / f'{NAME}.md').read_text(encoding='utf-8')
    stated = float(re.search(r'\*\*([\d.]+) %\*\*', card)[1])
    assert metrics['accuracy/top1'] == pytest.approx(stated, abs=0.06)  # one chip is 0.046
