"""Encoders of place and date."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from rsmm.errors import ConfigError, DataError
from rsmm.models.semisup.functional import encode_place_time, spherical_harmonics
from rsmm.registry import MODELS

NAN = float('nan')
ENCODERS = ('PlaceTimeEncoder', 'SphericalHarmonics')
both = pytest.mark.parametrize('kind', ENCODERS)


def encoder(kind: str, **settings):
    torch.manual_seed(0)
    return MODELS.build(dict(type=kind, embed_dims=16, **settings))


def test_parameters_of_the_published_encoder():
    built = MODELS.build(dict(type='PlaceTimeEncoder', embed_dims=384, missing='zero'))
    assert sum(p.numel() for p in built.parameters()) == 149_760


def test_features_are_the_specified_ones():
    built = encoder('PlaceTimeEncoder')
    places = torch.tensor([[48.21, 13.72, 164.0], [39.37, -8.22, 355.0]])
    seen = {}
    built.first.register_forward_hook(lambda _, inputs, __: seen.update(x=inputs[0]))
    built(places)
    assert_close(seen['x'], encode_place_time(*places.unbind(1)))


@both
@pytest.mark.parametrize('missing', ['learned', 'zero'])
def test_missing_is_never_nan(kind, missing):
    built = encoder(kind, missing=missing)
    known = torch.tensor([10.0, 20.0, 30.0])
    rows = known.repeat(4, 1)
    rows[1, :2], rows[2, 2], rows[3] = NAN, NAN, NAN
    tokens = built(rows)
    tokens.sum().backward()
    assert tokens.isfinite().all()
    assert all(p.grad.isfinite().all() for p in built.parameters())
    assert len({tuple(row.tolist()) for row in tokens}) == 4, 'each lack is told apart'
    # The other half still counts.
    moved = rows.clone()
    moved[1, 2], moved[2, 0], moved[3] = 200.0, -50.0, NAN
    after = built(moved)
    assert not torch.equal(after[1], tokens[1])
    assert not torch.equal(after[2], tokens[2])
    assert torch.equal(after[3], tokens[3])


@both
def test_what_stands_for_missing_is_learned(kind):
    built = encoder(kind)
    places = torch.tensor([[10.0, 20.0, 30.0], [NAN, NAN, 30.0]])
    built(places[:1]).sum().backward()
    assert (built.no_place.grad == 0).all(), 'in the graph, so that a wrapper does not wait'
    built(places).sum().backward()
    assert (built.no_place.grad != 0).any()
    assert (built.no_date.grad == 0).all()


@both
@pytest.mark.parametrize(
    ('row', 'message'),
    [
        ([139.7, 35.7, 1.0], 'latitude 139.7 lies outside.*swapped'),
        ([0.0, 200.0, 1.0], 'longitude 200'),
        ([0.0, 0.0, 400.0], 'day_of_year 400'),
        ([5.0, NAN, 1.0], 'Give both or neither'),
    ],
)
def test_bad_places(kind, row, message):
    with pytest.raises(DataError, match=message):
        encoder(kind)(torch.tensor([[0.0, 0.0, 1.0], row]))


@both
def test_ignoring(kind):
    built = encoder(kind, ignore=('place', 'date'))
    rows = torch.tensor([[10.0, 20.0, 30.0], [NAN, NAN, 99.0], [0.0, 0.0, 1.0]])
    tokens = built(rows)
    assert_close(tokens[0], tokens[1])
    assert_close(tokens[0], tokens[2])
    assert torch.isnan(rows[1, 0]), 'the input is left as it was'
    with pytest.raises(ConfigError, match='ignore'):
        encoder(kind, ignore='season')


def test_harmonics_are_orthonormal():
    degree = 6
    nodes, weights = np.polynomial.legendre.leggauss(degree + 1)
    angles = np.linspace(-180, 180, 2 * degree + 2, endpoint=False)
    latitude = np.repeat(np.degrees(np.arcsin(nodes)), len(angles))
    longitude = np.tile(angles, len(nodes))
    area = np.repeat(weights, len(angles)) * 2 * np.pi / len(angles)
    values = spherical_harmonics(torch.tensor(latitude), torch.tensor(longitude), degree)
    assert values.shape[1] == (degree + 1) ** 2
    gram = values.T @ (values * torch.tensor(area)[:, None])
    assert_close(gram, torch.eye(len(gram), dtype=gram.dtype), atol=1e-10, rtol=0)


def test_harmonics_join_at_the_date_line_and_the_poles():
    latitude = torch.tensor([20.0, 20.0, 90.0, 90.0], dtype=torch.float64)
    longitude = torch.tensor([-180.0, 180.0, 0.0, 123.0], dtype=torch.float64)
    values = spherical_harmonics(latitude, longitude, 10)
    assert_close(values[0], values[1], atol=1e-12, rtol=0)
    assert_close(values[2], values[3], atol=1e-12, rtol=0)
    single = spherical_harmonics(latitude.float(), longitude.float(), 10)
    assert single.dtype == torch.float32
    assert_close(single.double(), values, atol=1e-4, rtol=0)
