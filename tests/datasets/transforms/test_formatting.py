import numpy as np
import pytest
import torch
from mmengine.dataset import default_collate

from rsmm.datasets.transforms.formatting import PackRaster, to_chw
from rsmm.datasets.transforms.views import MultiView
from rsmm.sensors import RGB


@pytest.mark.parametrize('dtype', [np.uint8, np.uint16, np.int16, np.float32])
@pytest.mark.parametrize('count', [1, 3, 13])
def test_pack_keeps_dtype_and_bands(count, dtype):
    image = np.arange(4 * 5 * count).reshape(4, 5, count).astype(dtype)
    for view in (image, image[::-1], image.swapaxes(0, 1)):
        tensor = PackRaster()({'img': view})['inputs']
        assert tensor.is_contiguous()
        np.testing.assert_array_equal(tensor.numpy().transpose(1, 2, 0), view)
        assert tensor.numpy().dtype == dtype


def test_pack_keeps_label_and_meta():
    packed = PackRaster()(
        {
            'img': np.zeros((4, 4, 3), np.uint8),
            'gt_label': 7,
            'bands': RGB,
            'crs': None,
            'transform': (10.0, 0, 1, 0, -10, 2),
            'img_path': 'a.tif',
            'secret': 1,
        }
    )
    assert set(packed) == {'inputs', 'data_samples'}
    sample = packed['data_samples']
    assert sample.gt_label.tolist() == [7]
    assert sample.metainfo == {
        'bands': RGB,
        'transform': (10.0, 0, 1, 0, -10, 2),
        'img_path': 'a.tif',
    }


def test_grey_array():
    assert to_chw(np.zeros((4, 5), np.uint8)).shape == (1, 4, 5)


def test_views_are_independent_and_leave_the_source_alone():
    np.random.seed(0)
    image = np.random.default_rng(0).integers(0, 255, (16, 16, 13), dtype=np.uint8)
    source = image.copy()
    pipeline = [
        dict(type='RandomBandDrop', drop_prob=0.5, fill=0),
        dict(type='RandomDihedral'),
        dict(type='RandomBrightnessContrast'),
    ]
    results = MultiView(pipeline, num_views=3)({'img': source, 'gt_label': 1})
    np.testing.assert_array_equal(source, image)
    assert len(results['img']) == 3
    assert results['gt_label'] == 1
    assert not np.array_equal(results['img'][0], results['img'][1])
    packed = PackRaster()(results)
    assert [tuple(view.shape) for view in packed['inputs']] == [(13, 16, 16)] * 3
    batch = default_collate([packed, packed])
    assert [tuple(view.shape) for view in batch['inputs']] == [(2, 13, 16, 16)] * 3


def test_groups_of_views_and_selected_bands():
    results = {'img': np.zeros((32, 32, 3), np.uint8), 'bands': RGB}
    crops = MultiView(
        [[dict(type='RandomResizedCrop', size=16)], [dict(type='RandomResizedCrop', size=8)]],
        num_views=[2, 3],
    )
    assert [view.shape[0] for view in crops(dict(results))['img']] == [16, 16, 8, 8, 8]
    red = MultiView([dict(type='SelectBands', bands=['B04'])])(dict(results))
    assert red['bands'] == ('B04',)
    assert red['img'][0].shape == (32, 32, 1)
    with pytest.raises(ValueError, match='2 pipelines'):
        MultiView([[], []], num_views=[1, 2, 3])


def test_stacked_uint16_survives():
    batch = torch.stack([to_chw(np.full((2, 2, 1), 60000, np.uint16))] * 2)
    assert batch.dtype == torch.uint16
    assert batch.float().unique().tolist() == [60000]
