"""Two datasets as one: hidden labels, batches by stream, views in the worker or on the device."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from mmengine.dataset import BaseDataset
from mmengine.registry import init_default_scope

from rsmm.datasets.streams import HideLabels, TwoStreams, two_stream_collate
from rsmm.engine.runner import Runner
from rsmm.errors import ConfigError, DataError
from rsmm.registry import DATASETS, MODELS, TRANSFORMS

CLASSES = ('water', 'forest', 'town')
VIEWS = dict(size=16, scale=255, bands=('B04', 'B03', 'B02'))


@DATASETS.register_module(force=True)
class NoisyChips(BaseDataset):
    """Chips of noise, made from their number; ``labels`` gives one per chip."""

    def __init__(self, labels, bands=3, size=20, dtype='uint8', classes=CLASSES, **kwargs):
        self.labels, self.bands, self.size, self.dtype = labels, bands, size, dtype
        pipeline = [TRANSFORMS.build(step) for step in kwargs.pop('pipeline', ())]
        super().__init__(metainfo={'classes': classes}, pipeline=pipeline, **kwargs)

    def load_data_list(self):
        return [
            {'img_path': f'{i}.tif', 'latitude': 40.0 + i, 'longitude': None, **label}
            for i, label in enumerate(
                label if isinstance(label, dict) else {'gt_label': label} for label in self.labels
            )
        ]

    def get_data_info(self, idx):
        info = super().get_data_info(idx)
        rng = np.random.default_rng(info['sample_idx'])
        shape = (self.size, self.size, self.bands)
        info['img'] = rng.integers(0, np.iinfo(self.dtype).max, shape).astype(self.dtype)
        return info


def pipeline(where: str, weak: int = 1, strong: int = 1, views=VIEWS) -> list[dict]:
    settings = dict(weak=weak, strong=strong, where=where, views=views)
    return [dict(type='WeakStrong', **settings), dict(type='PackViews')]


def loader(where: str, strong: int = 0, workers: int = 0, counts=(2, 6), seed=0, **chips):
    init_default_scope('rsmm')
    labels = [0, 1, 2, 0, 1, 2]
    chips = dict(type='NoisyChips', **chips)
    views = chips.pop('views', VIEWS)
    return Runner.build_dataloader(
        dict(
            batch_size=sum(counts),
            num_workers=workers,
            sampler=dict(type='TwoStreamSampler', labelled=counts[0], unlabelled=counts[1]),
            collate_fn=dict(type='rsmm.two_stream_collate'),
            dataset=dict(
                type='TwoStreams',
                labelled=dict(**chips, labels=labels, pipeline=pipeline(where, 1, strong, views)),
                unlabelled=dict(**chips, labels=labels * 5, pipeline=pipeline(where, 1, 1, views)),
            ),
        ),
        seed=seed,
    )


def first_batches(loader, count: int = 3) -> list[dict]:
    iterator = iter(loader)
    return [next(iterator) for _ in range(count)]


def test_batch_keeps_the_streams_apart() -> None:
    batch = first_batches(loader('loader', strong=1), 1)[0]
    shapes = {name: tuple(view.shape) for name, view in batch['inputs'].items()}
    assert shapes == {
        'labelled': (2, 3, 16, 16),
        'labelled_strong': (2, 3, 16, 16),
        'weak': (6, 3, 16, 16),
        'strong': (6, 3, 16, 16),
    }
    labelled, unlabelled = (batch['data_samples'][key] for key in ('labelled', 'unlabelled'))
    assert all('gt_label' in sample for sample in labelled)
    for sample in unlabelled:
        assert 'gt_label' not in sample
        assert 'gt_score' not in sample
        assert sample.hidden_label.item() in (0, 1, 2)
        assert sample.longitude is None
        assert sample.day_of_year is None
        assert sample.latitude == 40.0 + sample.sample_idx


def test_labels_alone() -> None:
    batch = first_batches(loader('loader', counts=(4, 0)), 1)[0]
    assert list(batch['inputs']) == ['labelled']
    assert not batch['data_samples']['unlabelled']


@pytest.mark.parametrize(('bands', 'dtype', 'scale'), [(3, 'uint8', 255), (13, 'uint16', 65535)])
def test_views_are_the_same_in_the_worker_and_on_the_device(bands, dtype, scale) -> None:
    """Integers are rounded in the worker; equalising may move such a value to another level."""
    settings = dict(size=20, scale=scale)
    preprocessor = MODELS.build(
        dict(type='rsmm.TwoStreamPreprocessor', views=settings, scale=scale)
    )
    batches = {
        where: first_batches(loader(where, 1, bands=bands, dtype=dtype, views=settings))
        for where in ('loader', 'device')
    }
    assert list(batches['device'][0]['inputs']) == ['labelled', 'unlabelled']
    for first, second in zip(*batches.values(), strict=True):
        first, second = preprocessor(first, True), preprocessor(second, True)
        assert list(first['inputs']) == list(second['inputs'])
        assert [s.sample_idx for s in first['data_samples']['unlabelled']] == [
            s.sample_idx for s in second['data_samples']['unlabelled']
        ]
        for name, view in first['inputs'].items():
            difference = (view - second['inputs'][name]).abs()
            assert (
                difference.gt(1 / scale).float().mean() < (0.0 if 'weak' in name else 0.01) + 1e-9
            )


@pytest.mark.parametrize('where', ['loader', 'device'])
def test_number_of_workers_changes_nothing(where: str) -> None:
    for first, second in zip(
        first_batches(loader(where, 1)), first_batches(loader(where, 1, workers=2)), strict=True
    ):
        for key in ('inputs', 'draws'):
            for name, values in first.get(key, {}).items():
                assert torch.equal(values, second[key][name])


def test_numbers_differ_between_samples_passes_and_streams() -> None:
    draws = [batch['draws'] for batch in first_batches(loader('device'), 20)]
    weak = torch.cat([d['weak'] for d in draws] + [d['labelled'] for d in draws])
    strong = torch.cat([d['strong'][:, :4] for d in draws])
    rows = torch.cat([weak, strong])
    assert len(rows.unique(dim=0)) == len(rows)


def test_hidden_scores_and_forwarded_attributes() -> None:
    data = NoisyChips([{'gt_score': [1.0, -1.0, 0.0]}], pipeline=pipeline('device'))
    hidden = HideLabels(data)
    sample = hidden[0]['data_samples']
    assert 'gt_score' not in sample
    assert sample.hidden_label.tolist() == [1, -1, 0]
    assert hidden.metainfo['classes'] == CLASSES
    assert len(hidden) == 1
    with pytest.raises(AttributeError):
        _ = hidden.nothing


def test_label_counts() -> None:
    single = TwoStreams(NoisyChips([0, 1, 1, 2]))
    assert single.label_counts().tolist() == [1, 2, 1]
    assert single.sizes == (4, 0)
    scores = [{'gt_score': [1.0, 1.0, -1.0]}, {'gt_score': [0.0, 1.0, 1.0]}]
    assert TwoStreams(NoisyChips(scores)).label_counts().tolist() == [1, 2, 1]


@pytest.mark.parametrize('label', [-1, 'forest', None, 3.5])
def test_labelled_samples_need_labels(label) -> None:
    with pytest.raises(DataError, match='unlabelled stream'):
        TwoStreams(NoisyChips([0, 1, 2, label]))


def test_a_class_without_labels_is_an_error_or_a_warning() -> None:
    with pytest.raises(DataError, match='no labelled sample of 2 of 3 classes: forest, town'):
        TwoStreams(NoisyChips([0, 0]))
    assert TwoStreams(NoisyChips([0, 0]), absent='warn').label_counts().tolist() == [2, 0, 0]


def test_streams_of_other_classes() -> None:
    with pytest.raises(ConfigError, match='classes differ'):
        TwoStreams(NoisyChips([0, 1, 2]), NoisyChips([0], classes=('a', 'b', 'c')))


def test_images_of_other_sizes_need_views_from_the_loader() -> None:
    rows = [
        {
            **NoisyChips([0], size=size, pipeline=pipeline('device'))[0],
            'stream': 'unlabelled',
        }
        for size in (20, 24)
    ]
    with pytest.raises(DataError, match='where=.loader'):
        two_stream_collate(rows)


def test_batch_size_that_no_ratio_fits() -> None:
    init_default_scope('rsmm')
    with pytest.raises(ConfigError, match='batch_size=8 is not 2 labelled . 7'):
        Runner.build_dataloader(
            dict(
                batch_size=8,
                sampler=dict(type='TwoStreamSampler', labelled=2, unlabelled=7),
                collate_fn=dict(type='rsmm.two_stream_collate'),
                dataset=dict(
                    type='TwoStreams',
                    labelled=dict(type='NoisyChips', labels=[0, 1, 2]),
                    unlabelled=dict(type='NoisyChips', labels=[0] * 9),
                ),
            ),
            seed=0,
        )


def test_validation_sees_the_plain_image() -> None:
    init_default_scope('rsmm')
    data = NoisyChips([0, 1], size=32, pipeline=[dict(type='PackViews')])
    preprocessor = MODELS.build(dict(type='rsmm.TwoStreamPreprocessor', views=VIEWS, scale=255))
    batch = preprocessor(
        {
            'inputs': [data[0]['inputs'], data[1]['inputs']],
            'data_samples': [data[0]['data_samples'], data[1]['data_samples']],
        }
    )
    assert batch['inputs'].shape == (2, 3, 16, 16)
    assert batch['data_samples'][1].gt_label.item() == 1
    fitted = NoisyChips(
        [0], size=31, pipeline=[dict(type='FitSize', views=VIEWS), dict(type='PackViews')]
    )
    assert fitted[0]['inputs'].shape == (3, 16, 16)
    assert fitted[0]['inputs'].dtype == torch.uint8
