import numpy as np
import pytest
import torch
from mmengine.dataset import default_collate, pseudo_collate
from mmpretrain.structures import DataSample

from rsmm.errors import ConfigError
from rsmm.models.data_preprocessors.multispectral import MultiSpectralPreprocessor
from rsmm.sensors import band_order, band_stats


def items(count, dtype=np.uint16, number=4, views=None):
    rng = np.random.default_rng(0)
    top = 255 if dtype == np.uint8 else 20000

    def image():
        return torch.from_numpy(rng.integers(0, top, (count, 8, 8)).astype(dtype))

    inputs = [image() if views is None else [image() for _ in range(views)] for _ in range(number)]
    return [{'inputs': x, 'data_samples': DataSample().set_gt_label(1)} for x in inputs]


@pytest.mark.parametrize('count', [1, 2, 3, 4, 13])
@pytest.mark.parametrize('dtype', [np.uint8, np.uint16, np.int16, np.float32])
def test_any_band_count_and_dtype(count, dtype):
    mean, std = list(range(count)), [2.0 + i for i in range(count)]
    module = MultiSpectralPreprocessor(mean, std)
    batch = default_collate(items(count, dtype))
    out = module(batch, training=True)
    wanted = batch['inputs'].double() - torch.tensor(mean).view(-1, 1, 1)
    wanted /= torch.tensor(std).view(-1, 1, 1)
    assert out['inputs'].dtype == torch.float32
    torch.testing.assert_close(out['inputs'], wanted.float(), rtol=1e-5, atol=1e-3)
    assert len(out['data_samples']) == 4


@pytest.mark.parametrize('views', [None, 1, 2, 3])
def test_both_collates_give_the_same(views):
    module = MultiSpectralPreprocessor(bands='eurosat', stats='eurosat')
    samples = items(13, views=views)
    one, two = (module(collate(samples))['inputs'] for collate in (default_collate, pseudo_collate))
    torch.testing.assert_close(one, two, rtol=0, atol=0)
    if views is None:
        assert one.shape == (4, 13, 8, 8)
    else:
        assert [tuple(view.shape) for view in one] == [(4, 13, 8, 8)] * views


def test_published_statistics_normalise_to_unit():
    bands = ('B8A', 'B10')
    module = MultiSpectralPreprocessor(bands=bands, stats='eurosat')
    mean, std = (torch.tensor(values).view(1, 2, 1, 1) for values in band_stats('eurosat', bands))
    torch.testing.assert_close(module.normalise(mean), torch.zeros(1, 2, 1, 1), rtol=0, atol=1e-5)
    torch.testing.assert_close(module.normalise(mean + std), torch.ones(1, 2, 1, 1))


def test_scale_comes_before_mean_and_std():
    module = MultiSpectralPreprocessor(mean=[0.5], std=[0.25], scale=200)
    out = module.normalise(torch.tensor([0, 100, 200], dtype=torch.uint8).view(3, 1, 1, 1))
    assert out.ravel().tolist() == pytest.approx([-2, 0, 2], abs=1e-6)
    assert MultiSpectralPreprocessor(scale=255).normalise(torch.full((1, 5, 1, 1), 255)).mean() == 1


def test_without_settings_only_casts():
    values = torch.tensor([60000], dtype=torch.uint16).view(1, 1, 1, 1)
    assert MultiSpectralPreprocessor()({'inputs': values})['inputs'].item() == 60000


def test_input_is_not_changed():
    batch = torch.rand(2, 1, 4, 4)
    before = batch.clone()
    MultiSpectralPreprocessor(mean=[1.0], std=[2.0])({'inputs': batch})
    torch.testing.assert_close(batch, before, rtol=0, atol=0)


def test_wrong_band_count_names_the_bands():
    module = MultiSpectralPreprocessor(bands=['B04', 'B8A'], stats='eurosat')
    with pytest.raises(ConfigError, match=r'2 bands \(B04, B8A\), got a batch of 3'):
        module({'inputs': torch.zeros(1, 3, 4, 4)})


@pytest.mark.parametrize(
    'settings',
    [
        dict(stats='eurosat'),
        dict(stats='eurosat', bands='eurosat', mean=[0.0] * 13, std=[1.0] * 13),
        dict(stats='eurosat', bands='eurosat', scale=2),
        dict(mean=[1.0]),
        dict(mean=[1.0, 2.0], std=[1.0]),
        dict(mean=[1.0], std=[1.0], bands=['B04', 'B03']),
    ],
)
def test_contradicting_settings(settings):
    with pytest.raises(ConfigError, match='data_preprocessor'):
        MultiSpectralPreprocessor(**settings)


def test_nothing_goes_into_checkpoints():
    module = MultiSpectralPreprocessor(bands='eurosat', stats='eurosat')
    assert module.state_dict() == {}
    assert len(band_order('eurosat')) == module.num_bands


def test_batch_augmentation_mixes_images_and_labels_in_training_only():
    settings = dict(augments=[dict(type='Mixup', alpha=1.0)])
    module = MultiSpectralPreprocessor(batch_augments=settings, num_classes=3)
    samples = [DataSample().set_gt_label(label) for label in (0, 2)]
    data = {'inputs': torch.eye(2).view(2, 2, 1, 1), 'data_samples': samples}
    assert torch.equal(module(data)['inputs'], data['inputs'])
    torch.manual_seed(1)  # a permutation that exchanges the two
    mixed = module(data, training=True)
    scores = torch.stack([sample.gt_score for sample in mixed['data_samples']])
    assert 0 < scores[0, 2] < 1
    # Images and labels share one ratio: what is in the pixels is in the scores.
    torch.testing.assert_close(mixed['inputs'][:, :, 0, 0], scores[:, [0, 2]])


@pytest.mark.gpu
def test_moves_stored_dtype_to_the_device():
    if not torch.cuda.is_available():
        pytest.skip('no CUDA device')
    module = MultiSpectralPreprocessor(bands='eurosat', stats='eurosat')
    batch = default_collate(items(13))
    on_cpu = module(batch)['inputs']
    out = module.cuda()(batch)
    assert out['inputs'].device.type == 'cuda'
    assert out['data_samples'][0].gt_label.device.type == 'cuda'
    torch.testing.assert_close(out['inputs'].cpu(), on_cpu, rtol=1e-5, atol=1e-5)
