"""Real image series brought into the layout of PASTIS: loading them and a step of U-TAE."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from rsmm.errors import DataError
from rsmm.registry import DATASETS, MODELS

SERIES = [
    dict(type='LoadSeries', drop_duplicates=True),
    dict(type='NormalizeSeries'),
    dict(type='LoadSeriesLabel'),
    dict(type='PackMap'),
]


def write_series(root: Path, patches: list[tuple], days: list[str]) -> None:
    """Write (fold, series (T, C, H, W), label (H, W)) as patches of one list of dates."""
    for folder in ('DATA_S2', 'ANNOTATIONS'):
        (root / folder).mkdir(parents=True)
    dates = {str(k): int(day[:10].replace('-', '')) for k, day in enumerate(days)}
    features, norm = [], {}
    for number, (fold, series, label) in enumerate(patches):
        np.save(root / 'DATA_S2' / f'S2_{number}.npy', series)
        np.save(root / 'ANNOTATIONS' / f'TARGET_{number}.npy', label[None])
        about = {'ID_PATCH': number, 'Fold': fold, 'dates-S2': dates}
        features.append({'properties': about, 'geometry': None})
        norm[f'Fold_{fold}'] = {
            'mean': series.mean((0, 2, 3), dtype=np.float64).tolist(),
            'std': series.std((0, 2, 3), dtype=np.float64).tolist(),
        }
    (root / 'metadata.geojson').write_text(json.dumps({'features': features}))
    (root / 'NORM_S2_patch.json').write_text(json.dumps(norm))


def read(root: Path, fold: int, bands: tuple, classes: int, pipeline=SERIES):
    return DATASETS.build(
        dict(
            type='PASTIS',
            data_root=str(root),
            folds=(fold,),
            norm_folds=(1,),
            file_bands=bands,
            ignore_void=False,
            pipeline=pipeline,
            metainfo=dict(
                classes=[str(k) for k in range(classes)],
                palette=[[9 * k] * 3 for k in range(classes)],
            ),
        )
    )


def losses(samples: list[dict], bands: int, classes: int, steps: int = 8) -> list[float]:
    """Train a narrow U-TAE on one batch."""
    torch.manual_seed(0)
    model = MODELS.build(
        dict(
            type='RasterSegmentor',
            multiple=8,
            backbone=dict(
                type='UTAE', in_channels=bands, encoder=(16, 16, 32), decoder=(16, 16, 32), heads=8,
                width=64,
            ),
            decode_head=dict(type='OutputHead', in_channels=16, num_classes=classes),
            loss=dict(type='SegLoss'),
            data_preprocessor=dict(type='SeriesPreprocessor'),
        )
    )  # fmt: skip
    optimiser = torch.optim.Adam(model.parameters(), 1e-2)
    batch = {key: [sample[key] for sample in samples] for key in ('inputs', 'data_samples')}
    found = []
    for _ in range(steps):
        data = model.data_preprocessor(batch, training=True)
        loss = model(**data, mode='loss')['loss_ce']
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        found.append(loss.item())
    return found


@pytest.mark.realdata
def test_eolearn_patch(real_data: Path, tmp_path: Path) -> None:
    """68 images of a vegetation index, one day twice, and land cover; the east is held out."""
    folder = real_data / 'eolearn_testpatch'
    values = np.load(folder / 'data' / 'NDVI.npy')
    assert values.shape == (68, 101, 100, 1)
    assert np.isfinite(values).all()
    cover = np.load(folder / 'mask_timeless' / 'LULC.npy')[..., 0]
    days = json.loads((folder / 'timestamps.json').read_text())
    series = values.transpose(0, 3, 1, 2)
    halves = [(fold, series[..., part], cover[:, part])
              for fold, part in ((1, slice(0, 50)), (5, slice(50, 100)))]  # fmt: skip
    write_series(tmp_path, halves, days)
    west, east = (read(tmp_path, fold, ('NDVI',), 9) for fold in (1, 5))
    with pytest.raises(DataError, match='S2_0.npy: has 2 images of 2015-12-08'):
        read(tmp_path, 1, ('NDVI',), 9, [dict(type='LoadSeries')])[0]
    sample = west[0]
    once = [k for k, day in enumerate(days) if day[:10] not in {d[:10] for d in days[:k]}]
    assert sample['inputs'].shape == (len(once), 1, 101, 50) == (67, 1, 101, 50)
    # Normalised by the west, dates in days since September 2018.
    np.testing.assert_allclose(
        sample['inputs'].numpy(),
        (series[once][..., :50] - west._norm[0]) / west._norm[1],
        atol=1e-5,
    )
    assert sample['data_samples'].days[0] == -1148
    assert sorted(sample['data_samples'].days) == list(sample['data_samples'].days)
    label = east[0]['data_samples'].gt_sem_seg.data[0]
    np.testing.assert_array_equal(label.numpy(), cover[:, 50:])
    small = sample['inputs'][::4, :, 20:52, 8:40]
    about = sample['data_samples'].new(metainfo={'days': sample['data_samples'].days[::4]})
    about.gt_sem_seg = sample['data_samples'].gt_sem_seg.new(
        data=sample['data_samples'].gt_sem_seg.data[:, 20:52, 8:40]
    )
    found = losses([{'inputs': small, 'data_samples': about}], 1, 9)
    assert found[-1] < 0.7 * found[0]


@pytest.mark.realdata
def test_temporalcnn_pixels(real_data: Path, tmp_path: Path) -> None:
    """260 series of one pixel, 149 dates and three bands, as rows of a map by polygon."""
    table = np.loadtxt(
        real_data / 'temporalcnn_sits' / 'train_dataset.csv', delimiter=',', dtype=np.float32
    )
    assert table.shape == (260, 2 + 149 * 3)
    assert np.bincount(table[:, 0].astype(int)).tolist() == [20] * 13
    # One class per column of a map of 20 x 13 pixels.
    order = np.argsort(table[:, 0], kind='stable')
    grid = table[order].reshape(13, 20, -1)
    series = grid[..., 2:].reshape(13, 20, 149, 3).transpose(2, 3, 1, 0)
    label = grid[..., 0].T.astype(np.uint8)
    first = np.datetime64('2015-12-01')
    days = [str(first + 3 * k) for k in range(149)]
    write_series(tmp_path, [(1, np.ascontiguousarray(series), label)], days)
    data = read(tmp_path, 1, ('NIR', 'R', 'G'), 13)
    sample = data[0]
    assert sample['inputs'].shape == (149, 3, 20, 13)
    raw = table[order[20]]  # the first series of class 1 lies in row 0, column 1
    mean, std = (np.float32(v) for v in data._norm)
    np.testing.assert_allclose(
        sample['inputs'][7, :, 0, 1], (raw[2 + 21 : 5 + 21] - mean) / std, rtol=1e-5, atol=1e-5
    )
    assert sample['data_samples'].gt_sem_seg.data[0, 0].tolist() == list(range(13))
    thin = {'inputs': sample['inputs'][::8], 'data_samples': sample['data_samples']}
    thin['data_samples'].set_metainfo({'days': sample['data_samples'].days[::8]})
    found = losses([thin], 3, 13)
    assert found[-1] < found[0]
