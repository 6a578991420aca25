import numpy as np
import pytest
import torch
from mmpretrain.structures import DataSample
from PIL import Image

from rsmm.datasets.seeded import SampleIndex, SeededDataset
from rsmm.errors import ConfigError, DataError
from rsmm.sensors import RGB, band_order
from rsmm.visualization.browse import browse_config, draw_samples, save_page, value_table
from rsmm.visualization.composite import composite, default_composite


def test_composites_by_name():
    order = band_order('eurosat')
    image = np.zeros((8, 8, 13), np.uint16)
    image[:4, :, order.index('B8A')] = 1000
    picture = composite(image, order, ['B8A', 'B04', 'B03'])
    assert picture.dtype == np.uint8
    assert (picture[0, 0] == [255, 0, 0]).all()
    assert (picture[7, 7] == 0).all()
    gray = composite(image, order, ['b8a'])
    assert (gray[0, 0] == 255).all()
    assert composite(image, order).max() == 0


def test_bytes_are_shown_unchanged():
    image = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    np.testing.assert_array_equal(composite(image, RGB), image)
    np.testing.assert_array_equal(composite(image[..., ::-1], RGB[::-1]), image)


def test_nan_and_flat_images_do_not_break():
    image = np.full((4, 4, 1), 3.0)
    assert composite(image, ('X',)).max() == 0
    image[0, 0] = np.nan
    image[1, 1] = 5
    assert composite(image, ('X',), quantiles=(0, 1))[1, 1, 0] == 255


@pytest.mark.parametrize(
    ('bands', 'shown'),
    [
        (band_order('eurosat'), RGB),
        (('G', 'B', 'R', 'NIR'), ('R', 'G', 'B')),
        (('B08', 'B8A'), ('B08',)),
        (('B08', 'B8A', 'B11', 'B12'), ('B08', 'B8A', 'B11')),
    ],
)
def test_default_composite(bands, shown):
    assert default_composite(bands) == shown


def test_bad_composites():
    image = np.zeros((2, 2, 3), np.uint8)
    with pytest.raises(ConfigError, match='1 or 3 bands, not 2'):
        composite(image, RGB, ['B04', 'B03'])
    with pytest.raises(DataError, match='B08'):
        composite(image, RGB, ['B08'])


class Samples(torch.utils.data.Dataset):
    """Ten packed samples whose single value is drawn from the global generator."""

    metainfo = {'classes': ('a', 'b'), 'bands': RGB}

    def __init__(self, views=0):
        self.views = views

    def __len__(self):
        return 10

    def __getitem__(self, index):
        image = torch.full((3, 6, 6), np.random.randint(255), dtype=torch.uint8)
        sample = DataSample(metainfo={'bands': RGB}).set_gt_label(index % 2)
        return {'inputs': [image] * self.views or image, 'data_samples': sample}


def test_samples_are_those_of_the_run():
    seen = draw_samples(Samples(), 4, epoch=3, seed=7)
    run = [SeededDataset(Samples())[SampleIndex(index, 3, 7)] for index in (0, 3, 6, 9)]
    for one, two in zip(seen, run, strict=True):
        torch.testing.assert_close(one['inputs'], two['inputs'])
    assert len(draw_samples(Samples(), 99)) == 10


@pytest.mark.parametrize('views', [0, 2])
def test_page_and_table(tmp_path, views):
    samples = draw_samples(Samples(views), 5)
    save_page(samples, Samples.metainfo, tmp_path / 'new' / 'page.png')
    with Image.open(tmp_path / 'new' / 'page.png') as page:
        assert page.size[0] > 500
        assert np.asarray(page.convert('L')).std() > 1
    settings = dict(type='MultiSpectralPreprocessor', scale=255)
    table = value_table(samples, Samples.metainfo, settings).splitlines()
    assert [line.split()[0] for line in table[1:4]] == list(RGB)
    before, after = (float(table[row].split()[-1]) for row in (1, 5))
    assert after == pytest.approx(before / 255, abs=1e-3)


def test_config_without_the_split(tmp_path):
    with pytest.raises(ConfigError, match='no val_dataloader'):
        browse_config({}, tmp_path / 'a.png', split='val')
    assert list(tmp_path.iterdir()) == []
