"""Every rule of images as a table over every reader: what the network sees of one file.

A reader here is the whole way from a file to the normalised input of the network, in training
(dataset, loader, packing, preprocessor) or in prediction.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
import rasterio.shutil
import torch
from rasterio.enums import ColorInterp

from rsmm.datasets.spacenet7 import Frame
from rsmm.datasets.transforms.dates import read_date
from rsmm.datasets.transforms.gaps import keep_missing, missing_of
from rsmm.datasets.transforms.pictures import LoadPicture
from rsmm.errors import ConfigError, DataError
from rsmm.geo.io import write_raster
from rsmm.inference.detect_files import detect_files
from rsmm.inference.detection import Detections
from rsmm.inference.mapping import tile_predictor
from rsmm.inference.scene import predict_scene
from rsmm.models.segmentors.raster_segmentor import RasterSegmentor
from rsmm.registry import DATASETS, MODELS, TRANSFORMS
from rsmm.studies.spacenet7 import predict_frame
from rsmm.studies.spacenet7_options import PipelineOptions
from tests.raster_files import GAP, GAPS, PLACE, SIDE, scene, with_marker, write

MEAN, STD = (100.0, 110.0, 120.0), (50.0, 60.0, 70.0)
NORM = dict(type='MultiSpectralPreprocessor', mean=MEAN, std=STD)


class Identity(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor]:
        return (x,)


def one_date_model(**settings):
    model = RasterSegmentor(
        backbone=dict(type='FCEncoder'),
        decode_head=dict(type='OutputHead', in_channels=3, num_classes=3),
        loss=dict(type='SegLoss'),
        data_preprocessor={**NORM, **settings},
    )
    model.backbone = Identity()
    model.decode_head = torch.nn.ModuleList()
    model.decode_head.forward = lambda features: features[0]
    return model.eval()


def two_date_model(**settings):
    return MODELS.build(
        dict(
            type='ChangeDetector',
            multiple=16,
            backbone=dict(type='FCEncoder'),
            decode_head=dict(type='FCDecoder', in_channels='auto'),
            loss=dict(type='ChangeLoss', terms=dict(bce=1.0)),
            data_preprocessor={**NORM, **settings},
        )
    ).eval()


def listen(model):
    """Return the list that receives the inputs of a model, (H, W, C) per date."""
    seen, real = [], model.logits

    def logits(inputs):
        dates = inputs if isinstance(inputs, list) else [inputs]
        seen.extend(date[0].permute(1, 2, 0).numpy().copy() for date in dates)
        return real(inputs)

    model.logits = logits
    return seen


def through(sample: dict, **settings) -> tuple[list[np.ndarray], np.ndarray]:
    """Normalise a packed sample; the dates (H, W, C) and the label (H, W)."""
    inputs = sample['inputs']
    batch = [date[None] for date in inputs] if isinstance(inputs, list) else inputs[None]
    data = {'inputs': batch, 'data_samples': [sample['data_samples']]}
    out = MODELS.build({**NORM, **settings})(data)['inputs']
    dates = out if isinstance(out, list) else [out]
    label = sample['data_samples'].gt_sem_seg.data[0].numpy()
    return [date[0].permute(1, 2, 0).numpy() for date in dates], label


def label_of(path: Path) -> str:
    write_raster(path.parent / 'label.tif', np.zeros((SIDE, SIDE), np.uint8))
    return str(path.parent / 'label.tif')


def map_training(path: Path, bands=None, kind='LoadRaster', **load):
    results = {'img_path': str(path), 'classes': 2, 'label_path': label_of(path)}
    bands = ('R', 'G', 'B') if bands is None and kind == 'LoadRaster' else bands
    if bands:
        with rasterio.open(path) as source:
            named = any(source.descriptions) or source.colorinterp[0] == ColorInterp.blue
        results.update({'bands': bands} if named else {'file_bands': bands})
    for step in (dict(type=kind, **load), dict(type='LoadLabelMap'), dict(type='PackMap')):
        results = TRANSFORMS.build(step)(results)
    return through(results)


def pair_training(path: Path, bands=('R', 'G', 'B'), **load):
    folder = path.parent
    for name in 'AB':
        (folder / name).mkdir(exist_ok=True)
        for suffix in ('', '.msk'):
            if Path(f'{path}{suffix}').exists():
                (folder / name / f'x.tif{suffix}').write_bytes(Path(f'{path}{suffix}').read_bytes())
    write_raster(folder / 'label' / 'x.tif', np.zeros((SIDE, SIDE), np.uint8))
    steps = [dict(type='LoadPair', **load), dict(type='PackMap')]
    settings = dict(type='ChangeFolder', data_root=str(folder), bands=bands, pipeline=steps)
    dates, label = through(DATASETS.build(settings)[0])
    np.testing.assert_array_equal(*dates)
    return dates, label


def mosaic_training(path: Path, bands=None):
    results = {'img_path': str(path), 'label_path': None}
    steps = ('LoadMosaic', 'LoadFootprints', 'RasterizeFootprints', 'PackFootprints')
    for kind in steps:
        options = {'ignore_nodata': True} if kind == 'RasterizeFootprints' else {}
        results = TRANSFORMS.build(dict(type=kind, **options))(results)
    return through(results)


def map_prediction(path: Path, bands=('R', 'G', 'B'), model=None, **options):
    model = model or one_date_model(bands=bands)
    seen, out = listen(model), path.parent / 'map.tif'
    images = [path, path] if model.num_dates == 2 else path
    predict_scene(model, images, out, tile=SIDE, **options)
    with rasterio.open(out) as source:
        return seen, source.read(1)


def pair_prediction(path: Path, bands=('R', 'G', 'B'), **options):
    return map_prediction(path, model=two_date_model(bands=bands), **options)


def mosaic_prediction(path: Path, bands=None):
    model = one_date_model()
    seen = listen(model)
    frame = Frame(aoi='a', month='2020_01', image=path, udm=None, label=None, pixel_labels=False)
    logits, _ = predict_frame(frame, tile_predictor(model), PipelineOptions(tile=SIDE, stride=SIDE))
    return seen, np.where(np.isfinite(logits).all(axis=2), 0, 255)


TRAINING = {'map': map_training, 'pair': pair_training, 'mosaic': mosaic_training}
PREDICTION = {'map': map_prediction, 'pair': pair_prediction, 'mosaic': mosaic_prediction}
READERS = {f'{name} training': reader for name, reader in TRAINING.items()} | {
    f'{name} prediction': reader for name, reader in PREDICTION.items()
}


@pytest.mark.parametrize('reader', READERS)
@pytest.mark.parametrize('gap', GAPS)
def test_the_network_sees_the_mean_where_a_pixel_is_missing(tmp_path, gap: str, reader: str):
    """And its label or its place in the map is 255, and only there."""
    path = GAPS[gap](tmp_path / 'x.tif')
    dates, label = READERS[reader](path)
    assert dates
    for date in dates:
        assert np.isfinite(date).all()
        assert not date[GAP].any()
        np.testing.assert_allclose(
            date[~GAP],
            (scene('float32', 4 if gap == 'alpha' else 3)[~GAP][:, :3] - MEAN) / STD,
            rtol=1e-5,
            atol=1e-5,
        )
    np.testing.assert_array_equal(label == 255, GAP)


@pytest.mark.parametrize('gap', GAPS)
@pytest.mark.parametrize('kind', TRAINING)
def test_training_and_prediction_see_the_same_numbers(tmp_path: Path, kind: str, gap: str) -> None:
    path = GAPS[gap](tmp_path / 'x.tif')
    trained, predicted = TRAINING[kind](path)[0], PREDICTION[kind](path)[0]
    for one, other in zip(trained, predicted, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize('gap', GAPS)
def test_boxes_are_found_in_what_they_were_trained_on(tmp_path: Path, gap: str) -> None:
    path = GAPS[gap](tmp_path / 'x.tif')
    bands = ('R', 'G', 'B')
    file_bands = {'file_bands': bands, 'instances': []}
    trained = LoadPicture()({'img_path': str(path), **file_bands})['img']
    seen = []

    def predict(images):
        seen.extend(images)
        empty = np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int64)
        return [Detections(*empty) for _ in images]

    for tile in (None, 64):
        detect_files(predict, [path], tmp_path / 'out', ('a',), bands=bands, tile=tile)
    for image in seen:
        np.testing.assert_array_equal(image, trained)
        assert image.dtype == trained.dtype
        present = image[~GAP]
        assert (image[GAP] >= present.min()).all()
        assert (image[GAP] <= present.max()).all()


@pytest.mark.parametrize('reader', ['map', 'pair'])
def test_zeros_without_a_tag_are_missing_where_the_caller_says_so(tmp_path: Path, reader: str):
    path = with_marker(tmp_path / 'x.tif', 0, 'uint16', None)
    for way in (TRAINING, PREDICTION):
        dates, label = way[reader](path)
        assert (label == 0).all() or way is PREDICTION
        assert not (label == 255).any()
        assert all(date[GAP].any() for date in dates)
        dates, label = way[reader](path, nodata=0)
        np.testing.assert_array_equal(label == 255, GAP)
        assert not any(date[GAP].any() for date in dates)


#: What a file says of its bands, whose k-th band holds 10 (k + 1); asked for are R, G, B.
NAMED = {
    'described B02 B03 B04': dict(names=('B02', 'B03', 'B04'), dtype='uint16'),
    'described Blue Green Red': dict(names=('Blue', 'Green', 'Red'), dtype='uint8'),
    'described with wavelengths': dict(
        names=('B02 (492 nm)', 'B03 (560 nm)', 'B04 (665 nm)'), dtype='float32'
    ),
    'coloured': dict(colours=('blue', 'green', 'red'), dtype='uint8'),
    'among four': dict(names=('B02', 'B03', 'B04', 'B08'), dtype='uint16', count=4),
}


def write_named(path: Path, names=None, colours=None, dtype='uint8', count=3) -> Path:
    values = np.tile(10 * np.arange(1, count + 1), (SIDE, SIDE, 1)).astype(dtype)
    write(path, values, names=names, **PLACE)
    if colours:
        with rasterio.open(path, 'r+') as target:
            target.colorinterp = [ColorInterp[colour] for colour in colours]
    return path


@pytest.mark.parametrize('reader', READERS)
@pytest.mark.parametrize('named', NAMED)
def test_bands_go_by_name(tmp_path: Path, named: str, reader: str) -> None:
    if named == 'among four' and reader.startswith('mosaic'):
        pytest.skip('a mosaic has three bands and alpha')
    path = write_named(tmp_path / 'x.tif', **NAMED[named])
    for date in READERS[reader](path, ('R', 'G', 'B'))[0]:
        found = date[0, 0] * STD + MEAN
        np.testing.assert_allclose(found, [30, 20, 10], atol=1e-4)


@pytest.mark.parametrize('dtype', ['uint8', 'uint16'])
@pytest.mark.parametrize('reader', ['pair', 'map'])
def test_four_bands_of_eight_bits_are_as_of_sixteen(tmp_path: Path, reader: str, dtype: str):
    bands = ('R', 'G', 'B', 'NIR')
    path = write_named(tmp_path / 'x.tif', dtype=dtype, count=4)
    if reader == 'pair':
        folder = tmp_path / 'd'
        for name in 'AB':
            write_named(folder / name / 'x.tif', dtype=dtype, count=4)
        write_raster(folder / 'label' / 'x.tif', np.zeros((SIDE, SIDE), np.uint8))
        settings = dict(type='ChangeFolder', data_root=str(folder), bands=bands)
        sample = DATASETS.build(dict(**settings, pipeline=[dict(type='LoadPair')]))[0]
        assert sample['img'][0, 0, 0].tolist() == [10, 20, 30, 40]
    load = TRANSFORMS.build(dict(type='LoadRaster'))
    found = load({'img_path': str(path), 'file_bands': bands, 'bands': ('NIR', 'R')})
    assert found['img'][0, 0].tolist() == [40, 10]
    assert 'missing' not in found


def complex_file(path: Path) -> Path:
    return write(path, scene('complex64', 3), **PLACE)


def other_tags(path: Path) -> Path:
    image = scene('uint16')
    write(path, image, **PLACE)
    with rasterio.open(path, 'r+') as target:
        target.scales, target.offsets = (1e-4,) * 3, (-0.1,) * 3
    return path


@pytest.mark.parametrize('reader', READERS)
def test_complex_values_are_refused(tmp_path: Path, reader: str) -> None:
    with pytest.raises(DataError, match=r'complex.*amplitude'):
        READERS[reader](complex_file(tmp_path / 'x.tif'))


@pytest.mark.parametrize('reader', READERS)
@pytest.mark.parametrize('keep', [0.3, 0.7, 0.95])
def test_cut_files_are_refused(tmp_path: Path, reader: str, keep: float) -> None:
    path = write(tmp_path / 'x.tif', scene(), **PLACE)
    raw = path.read_bytes()
    path.write_bytes(raw[: int(len(raw) * keep)])
    with pytest.raises(DataError, match='Download or copy it again|expected'):
        READERS[reader](path)


@pytest.mark.parametrize('reader', [*TRAINING])
def test_a_gdal_program_is_no_image(tmp_path: Path, reader: str) -> None:
    """A virtual raster by the name of an image is not opened: it reads files of its choice."""
    inner = write(tmp_path / 'inner.tif', scene(), **PLACE)
    path = tmp_path / 'x.tif'
    rasterio.shutil.copy(str(inner), str(path), driver='VRT')
    with pytest.raises(DataError, match='cannot be read|not recognized'):
        TRAINING[reader](path)


def test_scale_and_offset_tags(tmp_path: Path) -> None:
    tagged = other_tags(tmp_path / 'x.tif')
    plain = write(tmp_path / 'y.tif', scene('uint16'), **PLACE)
    load = TRANSFORMS.build(dict(type='LoadRaster'))
    found = load({'img_path': str(tagged)})
    assert found['scales'] == (1e-4,) * 3
    assert found['offsets'] == (-0.1,) * 3
    with pytest.raises(DataError, match=r'y.tif: its scale and offset tags .*scaled=True'):
        load({'img_path': str(plain)})
    load = TRANSFORMS.build(dict(type='LoadRaster', scaled=True))
    np.testing.assert_allclose(
        load({'img_path': str(tagged)})['img'], scene('uint16') * 1e-4 - 0.1, rtol=1e-5
    )
    np.testing.assert_array_equal(load({'img_path': str(plain)})['img'], scene('uint16'))
    with pytest.raises(DataError, match='scale and offset tags'):
        predict_scene(two_date_model(), [tagged, plain], tmp_path / 'map.tif')
    assert not (tmp_path / 'map.tif').exists()


@pytest.mark.parametrize('kind', ['map', 'pair'])
def test_applied_tags_are_the_same_in_training_and_prediction(tmp_path: Path, kind: str) -> None:
    path = other_tags(tmp_path / 'x.tif')
    trained = TRAINING[kind](path, scaled=True)[0]
    predicted = PREDICTION[kind](path, scaled_values=True)[0]
    np.testing.assert_array_equal(trained[0], predicted[0])
    assert trained[0].max() < 0


def test_an_output_never_replaces_its_input(tmp_path: Path) -> None:
    path = write(tmp_path / 'x.tif', scene(), **PLACE)
    before = path.read_bytes()
    link = tmp_path / 'link.tif'
    link.symlink_to(path)
    for out in (path, link):
        with pytest.raises(ConfigError, match='would replace an input'):
            predict_scene(one_date_model(), path, out)
    assert path.read_bytes() == before


@pytest.mark.parametrize('value', [-9999, 0])
@pytest.mark.parametrize('reader', ['read_date', 'LoadBandFiles'])
def test_resampling_makes_nothing_of_what_is_missing(tmp_path: Path, value: int, reader: str):
    """Bands of 10 and 20 m: beside a gap no value lies outside those that are there."""
    rng = np.random.default_rng(0)
    files = {}
    for band, side in (('B04', SIDE), ('B05', SIDE // 2)):
        image = rng.integers(1000, 1100, (side, side, 1)).astype('int16')
        image[: side // 4, : side // 2] = value
        place = {
            'crs': 'EPSG:32636',
            'transform': rasterio.Affine(320 / side, 0, 0, 0, -320 / side, 0),
        }
        files[band] = str(write(tmp_path / f'{band}.tif', image, nodata=value, **place))
    gap = np.zeros((SIDE, SIDE), bool)
    gap[: SIDE // 4, : SIDE // 2] = True
    if reader == 'read_date':
        image, found = read_date(tuple(files.items()), ('B04', 'B05'))
        assert found['missing'][gap].all()
        assert not found['missing'][SIDE // 4 + 2 :].any()
    else:
        load = TRANSFORMS.build(dict(type='LoadBandFiles', size=SIDE))
        record = {'band_files': files, 'bands': ('B04', 'B05'), 'img_path': str(tmp_path)}
        image = load(record)['img']
    assert image.min() >= 1000
    assert image.max() < 1100


def test_swapped_and_turned_dates_keep_their_own_gaps(tmp_path: Path) -> None:
    """What is missing moves with its date and its pixel through every transform of pairs."""
    stack = np.stack([scene('float32', seed=seed) for seed in (1, 2)], axis=2)
    missing = np.zeros((SIDE, SIDE, 2), bool)
    missing[:4, :6, 0] = missing[9, 20:, 1] = True
    stack[missing] = -1
    for seed in range(12):
        np.random.seed(seed)
        results = {'img': stack, 'gt_seg_map': np.zeros((SIDE, SIDE), np.uint8)}
        results = keep_missing({**results, 'seg_fields': ['gt_seg_map']}, missing)
        for kind in ('SwapDates', 'RandomDihedral', 'RandomFlipRot90'):
            results = TRANSFORMS.build(dict(type=kind))(results)
        results = TRANSFORMS.build(dict(type='RandomCropMap', size=40))(results)
        np.testing.assert_array_equal(missing_of(results), (results['img'] == -1).all(axis=3))
        dates, label = through(TRANSFORMS.build(dict(type='PackMap'))(results))
        for number, date in enumerate(dates):
            np.testing.assert_array_equal(
                (date == 0).all(axis=2), results['missing'][..., number] != 0
            )
        assert (label[missing_of(results).any(axis=2)] == 255).all()


@pytest.mark.parametrize('gap', GAPS)
def test_a_scene_is_stretched_alike_in_training_and_prediction(tmp_path: Path, gap: str) -> None:
    """By quantiles of what is there, whatever stands in the gap."""
    path = GAPS[gap](tmp_path / 'x.tif')
    scale = dict(type='ScaleQuantile', out='uint8')
    trained, _ = pair_training(path, scale=scale)
    predicted, _ = pair_prediction(path, scale=scale)
    np.testing.assert_array_equal(trained[0], predicted[0])
    low, high = np.quantile(
        scene('float32', 4 if gap == 'alpha' else 3)[~GAP], (0.02, 0.98), axis=0
    )
    stretched = (scene('float32', 4 if gap == 'alpha' else 3) - low) / (high - low) * 255
    found = (trained[0] * STD + MEAN)[~GAP]
    assert np.abs(found - np.clip(stretched, 0, 255)[~GAP][:, :3]).max() < 1.01
