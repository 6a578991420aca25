"""Features of events, their retrieval by both tools, and the metrics of tools/test.py."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest
import torch
from PIL import Image

from rsmm.apis import build_model, run
from rsmm.apis.cli import guarded
from rsmm.datasets.change_events import ChangeEventPairs
from rsmm.datasets.event_labels import read_event_labels
from rsmm.datasets.transforms.event_pair import ResizeEventPair
from rsmm.errors import ConfigError, DataError, DataNotFoundError
from rsmm.evaluation.functional import event_means, kmeans_scores, retrieval_scores
from rsmm.inference.event_features import event_features
from rsmm.inference.folder_features import load_features
from rsmm.models.layers.pair_vectors import pair_vectors
from tests.datasets.chips import write_jpg_chips

OURS = 'configs/ripples/ripples_resnet18_ours_20e.py'
RETRIEVAL = 'configs/ripples/resnet18_retrieval_events.py'
PURITY = 'configs/ripples/resnet18_purity_eurosat-rgb.py'
NARROW = {'model.backbone.base_channels': 4, 'model.backbone.stem_channels': 4}


@pytest.fixture(scope='module')
def events(tmp_path_factory):
    """Roads and fields of two pairs each, an event without a label, and the table."""
    root, rng = tmp_path_factory.mktemp('labelled'), np.random.default_rng(0)
    kinds = ['road', 'field'] * 3 + ['']
    for number, kind in enumerate(kinds):
        folder = root / f'events/c_{number:05d}'
        folder.mkdir(parents=True)
        for t in range(3):
            image = rng.integers(0, 80, (40, 40, 3)) + 150 * (kind == 'road' and t > 0)
            Image.fromarray(image.astype(np.uint8)).save(folder / f'{t:02d}_img.png')
            if t < 2:
                mask = np.zeros((40, 40), np.uint8)
                mask[10:20, :25] = 255
                Image.fromarray(mask).save(folder / f'{t:02d}_mask.png')
    lines = [f'c_{number:05d},{kind}' for number, kind in enumerate(kinds)]
    (root / 'labels.csv').write_text('\n'.join(['event,label', *lines, '']))
    return root


def test_vectors_by_hand():
    maps = torch.arange(16.0).view(1, 1, 4, 4)
    weights = torch.zeros(1, 8, 8)
    weights[0, :2, :2] = 1  # exactly the first cell of the map
    found = pair_vectors(lambda images: (None, images), [maps, maps + 100], weights)
    assert found.tolist() == [[0, 100]]
    assert pair_vectors(lambda images: images, [maps], weights + 1).shape == (1, 2)


@pytest.mark.parametrize('side', [40, 112, 300])
def test_a_tested_pair_is_whole(side):
    mask = np.zeros((side, side), bool)
    mask[: side // 2] = True
    image = np.repeat(mask[..., None].astype(np.uint8) * 200, 3, axis=2)
    results = ResizeEventPair(56)({'img': np.stack([image, image], 2), 'event_mask': mask})
    assert [view.shape for view in results['img']] == [(56, 56, 3)] * 2
    weights = results['event_weights']
    np.testing.assert_allclose(weights - 0.01, results['img'][0][..., 0] / 200, atol=0.51)
    assert weights.min() == pytest.approx(0.01)
    assert (weights - 0.01).mean() == pytest.approx(0.5, abs=0.01)


def test_tool_and_test_agree_and_count_what_has_no_label(
    repo_root, events, tmp_path, monkeypatch, capsys
):
    def call(name, *arguments):
        path = repo_root / 'tools' / 'analysis_tools' / f'{name}.py'
        spec = importlib.util.spec_from_file_location(name, path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        monkeypatch.setattr('sys.argv', [name, *map(str, arguments)])
        return guarded(module.main), *capsys.readouterr()

    torch.manual_seed(0)
    model = build_model(repo_root / OURS, 'random', options=NARROW)
    torch.save(model.state_dict(), tmp_path / 'w.pth')
    narrow = [f'{key}={value}' for key, value in NARROW.items()]
    out, table = tmp_path / 'f.npz', events / 'labels.csv'
    status, said, _ = call('extract_features', repo_root / OURS, tmp_path / 'w.pth',
                           events / 'events', '--events', '--out', out,
                           '--cfg-options', *narrow)  # fmt: skip
    assert status == 0
    assert '14 pairs of 7 folders, 32 features each' in said
    names, vectors, labels = load_features(out)
    assert (names[1], labels[1]) == ('c_00000/01_img', 'c_00000')
    scores = tmp_path / 'scores.csv'
    status, said, _ = call('event_retrieval', out, '--labels', table, '--positive', 'road',
                           '--k', 2, '--seeds', 2, '--out', scores)  # fmt: skip
    assert status == 0
    assert '1 events without a label left out (c_00006)' in said
    assert scores.read_text().startswith('features,P@2,mAP,R-precision,chance,queries,knn_ap')

    options = {'data_root': str(events / 'events'), 'labels': str(table), 'num_workers': 0,
               'positive': 'road', 'topk': (2,), **NARROW}  # fmt: skip
    found = run.test(repo_root / RETRIEVAL, tmp_path / 'w.pth', work_dir=tmp_path, options=options)
    known = [label != 'c_00006' for label in labels]
    kinds = [read_event_labels(table)[label] for label in labels[known]]
    means, kinds, _ = event_means(vectors[known], labels[known], kinds)
    expected = retrieval_scores(means, kinds, (2,), 'road')
    for name, value in expected.items():
        scale = 1 if name == 'queries' else 100
        assert found[f'events/{name}'] == pytest.approx(scale * value), name
    assert 0 <= found['events/knn_ap'] <= 100
    with pytest.raises(ConfigError, match="positive='fire'"):
        run.test(repo_root / RETRIEVAL, tmp_path / 'w.pth', work_dir=tmp_path,
                 options={**options, 'positive': 'fire'})  # fmt: skip


def test_pairs_and_single_forward_agree(repo_root, events):
    names, found = event_features(repo_root / OURS, 'random', events / 'events', NARROW, 112)
    _, small = event_features(repo_root / OURS, 'random', events / 'events', NARROW, 112,
                              batch_size=3)  # fmt: skip
    np.testing.assert_allclose(found.vectors, small.vectors, rtol=1e-4, atol=1e-5)
    _, whole = event_features(repo_root / OURS, 'random', events / 'events', NARROW, 112,
                              use_mask=False)  # fmt: skip
    assert not np.allclose(found.vectors, whole.vectors)
    assert len(names) == len(found.vectors) == 14


def test_purity_as_a_metric(repo_root, tmp_path):
    write_jpg_chips(tmp_path, per_class=4)
    torch.manual_seed(0)
    options = {'data_root': str(tmp_path), 'num_workers': 0, **NARROW,
               'test_evaluator.k': (2, 5), 'test_evaluator.seeds': 2}  # fmt: skip
    found = run.test(repo_root / PURITY, 'random', work_dir=tmp_path / 'w', options=options)
    assert {f'clusters/{n}@{k}' for k in (2, 5) for n in ('purity', 'nmi', 'ari_std')} <= set(found)
    assert 10 <= found['clusters/purity@2'] <= found['clusters/purity@5'] <= 100


def test_purity_metric_is_the_function():
    from rsmm.registry import METRICS

    rng = np.random.default_rng(0)
    features, labels = rng.normal(size=(40, 3)).astype(np.float32), rng.integers(0, 3, 40)
    metric = METRICS.build(dict(type='ClusterPurity', k=(4,), seeds=1))
    rows = [{'feature': torch.tensor(f), 'gt_label': torch.tensor([int(y)]), 'sample_idx': k}
            for k, (f, y) in enumerate(zip(features, labels, strict=True))]  # fmt: skip
    metric.process({}, rows)
    expected = kmeans_scores(features, labels, 4)
    assert metric.evaluate(40)['clusters/nmi@4'] == pytest.approx(100 * expected['nmi'])
    with pytest.raises(ConfigError, match='seeds=0'):
        METRICS.build(dict(type='ClusterPurity', seeds=0))


def test_tables_of_labels(events, tmp_path):
    labels = read_event_labels(events / 'labels.csv')
    assert len(labels) == 6
    data = ChangeEventPairs(str(events / 'events'), labels=str(events / 'labels.csv'))
    assert data.metainfo['classes'] == ('field', 'road')
    assert len(data) == 12  # of the seventh event no pair
    assert [data[k]['gt_label'] for k in (0, 2)] == [1, 0]
    cases = {
        'event,kind\nc,a\n': "no column 'label'",
        'event,label\nc,a\nc,b\n': 'c is a and b',
        'event,label\nc,\n': 'holds no labels',
        'event,label\nelsewhere,a\n': 'none of 7 events has a label',
    }
    for text, match in cases.items():
        (tmp_path / 'l.csv').write_text(text)
        with pytest.raises(DataError, match=match):
            ChangeEventPairs(str(events / 'events'), labels=str(tmp_path / 'l.csv'))
    with pytest.raises(DataNotFoundError, match='table of labels'):
        read_event_labels(tmp_path / 'none.csv')
