"""The worked examples of the documentation do what they say."""

from __future__ import annotations

import json
import os

import pytest

from rsmm.toy import get_writer
from tests.docs.blocks import REPO, Block, blocks_of, copy_tree, run_page

#: Page to a command output and a file that following it must give.
PAGES = {
    'README.md': ('epoch', 'work_dirs/moco-v2_resnet18_20e_eurosat-4bands/epoch_1.pth'),
    'docs/add_dataset.md': ('accuracy/top1: ', 'work_dirs/crop_tiles.json'),
    'docs/own_data.md': ('change/f1: ', 'work_dirs/own_boxes/epoch_1.pth'),
    'docs/add_transform.md': ('NDVI', 'work_dirs/ndvi/epoch_1.pth'),
    'docs/add_metric.md': ('classification/kappa: ', 'work_dirs/resnet18_kappa_eurosat-rgb'),
    'docs/add_method.md': ('accuracy/top1: ', 'work_dirs/vicreg/epoch_1.pth'),
    'docs/run_experiment.md': ('accuracy/top1: ', 'work_dirs/first/predictions.json'),
    'docs/data.md': ('packed=data/packed/eurosat-small', 'data/packed/eurosat-small/pack.json'),
    'docs/checkpoints.md': ('sha256', 'work_dirs/published'),
    'docs/probes.md': ('online probe after 1 epochs: knn', 'work_dirs/finetune/epoch_1.pth'),
    'docs/crime_maps.md': ('crime/majority', 'work_dirs/crime-mae/epoch_2.pth'),
    'docs/discovery.md': ('events in 5 cells', 'work_dirs/discovery/events.html'),
    'docs/ripples.md': ('work_dirs/clusters.png', 'work_dirs/random.npz'),
    'docs/coming_from_openmmlab.md': ('accuracy/top1: ', 'work_dirs/habits/from/iter_3.pth'),
    'docs/model_zoo.md': ('resnet18_knn_eurosat-rgb', 'configs'),
    'docs/predict.md': ('2 scenes, written to', 'work_dirs/maps/index.html'),
}


@pytest.fixture(scope='module')
def toy(tmp_path_factory):
    """The toy EuroSAT that the pages write, written once."""
    root = tmp_path_factory.mktemp('toy') / 'eurosat-small'
    get_writer('eurosat')(root, chips_per_class=12)
    return root


@pytest.fixture
def tree(tmp_path, toy):
    """A copy of the repository in which the toy data is there already."""
    copy_tree(tmp_path)
    (tmp_path / 'data/toy').mkdir()
    os.symlink(toy, tmp_path / 'data/toy/eurosat-small')
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize('page', PAGES)
def test_page_can_be_followed(page, tree):
    says, leaves = PAGES[page]
    printed = run_page(REPO / page, tree)
    assert says in printed
    assert (tree / leaves).exists()
    if page == 'docs/add_dataset.md':
        predictions = json.loads((tree / leaves).read_text())
        assert len(predictions) == 12
        right = sum(p['gt_label'] == p['pred_label'] for p in predictions)
        assert right >= 9  # chance is 4; three spectra far apart are learnt in four epochs


def test_the_config_of_the_readme_is_in_the_tree():
    (block,) = [block for block in blocks_of(REPO / 'README.md') if block.file]
    shown = block.text.partition('\n')[2]
    assert (REPO / block.file).read_text(encoding='utf-8').endswith(shown)


def test_blocks_are_found(tmp_path):
    page = tmp_path / 'page.md'
    page.write_text(
        'Text\n\n```python\n# a/b.py\nx = 1\n```\n\n```bash\nls\n```\n\n```text\n# a/c.py\n```\n'
    )
    assert blocks_of(page) == [
        Block('python', '# a/b.py\nx = 1\n', 'a/b.py', 'page.md', 3),
        Block('bash', 'ls\n', None, 'page.md', 8),
        Block('text', '# a/c.py\n', 'a/c.py', 'page.md', 12),
    ]


def test_failing_block_is_reported(tmp_path):
    page = tmp_path / 'page.md'
    page.write_text('```bash\nfalse\n```\n')
    with pytest.raises(AssertionError, match=r'page\.md:1 failed'):
        run_page(page, tmp_path)
