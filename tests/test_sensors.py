import pytest

from rsmm.errors import DataError
from rsmm.sensors import (
    BAND_ORDERS,
    RGB,
    SENSORS,
    SENTINEL2,
    band_indices,
    band_order,
    band_stats,
    canonical_band,
    resolve_bands,
)


@pytest.mark.parametrize(
    ('spelling', 'canonical'),
    [
        ('B4', 'B04'),
        ('b04', 'B04'),
        ('B12', 'B12'),
        ('b8a', 'B8A'),
        ('B08A', 'B8A'),
        ('B8A.tif', 'B8A'),
        ('B1.tif', 'B01'),
        ('nir', 'NIR'),
    ],
)
def test_canonical_band(spelling, canonical):
    assert canonical_band(spelling) == canonical


def test_eurosat_keeps_b8a_last():
    order = band_order('eurosat')
    assert order[:8] == ('B01', 'B02', 'B03', 'B04', 'B05', 'B06', 'B07', 'B08')
    assert order[8:] == ('B09', 'B10', 'B11', 'B12', 'B8A')


def test_orders_of_products():
    assert 'B10' not in band_order('seco')
    assert len(band_order('seco')) == 12
    assert band_order('pastis') == (
        *('B02', 'B03', 'B04', 'B05', 'B06', 'B07', 'B08', 'B8A', 'B11', 'B12'),
    )
    assert band_order('oscd') == SENTINEL2.band_names


def test_every_order_uses_bands_of_a_sensor():
    known = {name for sensor in SENSORS.values() for name in sensor.band_names}
    for name, order in BAND_ORDERS.items():
        assert set(order) <= known, name
        assert len(set(order)) == len(order), name


def test_gsd_and_wavelength():
    assert SENTINEL2['b8'].gsd == 10
    assert {band.name for band in SENTINEL2.bands if band.gsd == 60} == {'B01', 'B09', 'B10'}
    waves = [SENTINEL2[name].wavelength for name in SENTINEL2.band_names]
    assert waves == sorted(waves)


def test_radar_bands():
    assert resolve_bands('sentinel1') == resolve_bands(['vv', 'VH']) == ('VV', 'VH')
    assert SENSORS['sentinel-1']['vh'].gsd == 10
    mean, std = band_stats('bigearthnet-s1', ['VH', 'VV'])
    assert mean[0] < mean[1] < 0  # decibels; the crossed polarisation is the weaker echo
    assert min(std) > 0


def test_indices_follow_the_names_asked_for():
    assert band_indices(band_order('eurosat'), RGB) == [3, 2, 1]
    assert band_indices(['B8A', 'B4'], ['B04', 'b8a']) == [1, 0]


def test_missing_band_names_file_and_band():
    with pytest.raises(DataError, match=r'chip\.tif: band B10 not among'):
        band_indices(band_order('seco'), ['B04', 'B10'], where='chip.tif')


def test_stats_are_addressed_by_name():
    mean, std = band_stats('eurosat', ['B8A', 'B04'])
    assert mean == [2594.14080798, 947.62620298]
    assert std == [1231.58581042, 593.75055589]


@pytest.mark.parametrize(
    ('dataset', 'bands', 'match'),
    [('eurosatt', ['B04'], "Did you mean 'eurosat'"), ('bigearthnet', ['B10'], 'band B10')],
)
def test_unknown_stats(dataset, bands, match):
    with pytest.raises(DataError, match=match):
        band_stats(dataset, bands)


def test_resolve_bands():
    assert resolve_bands('s2-rgb') == RGB
    assert resolve_bands(['B4', 'B8']) == ('B04', 'B08')
    with pytest.raises(DataError, match='no band order'):
        resolve_bands('landsat')
