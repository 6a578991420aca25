"""The bill of materials names what is installed, and nothing that is not needed."""

from __future__ import annotations

import json
from importlib import metadata

import pytest

from rsmm.errors import MissingDependencyError
from rsmm.utils.bill import bill_of_materials, installed_for, write_bill


def test_the_bill(tmp_path):
    count = write_bill(tmp_path / 'sbom.json')
    bill = json.loads((tmp_path / 'sbom.json').read_text())
    parts = {part['name']: part for part in bill['components']}
    assert count == len(parts) > 20
    assert {'torch', 'numpy', 'rasterio', 'onedl-mmengine'} <= set(parts)
    assert 'pytest' not in parts
    for name, part in parts.items():
        assert part['version'] == metadata.version(name)
        assert part['purl'] == f'pkg:pypi/{name}@{part["version"]}'
    assert all(
        len(part['hashes'][0]['content']) == 64 for part in parts.values() if 'hashes' in part
    )
    known = {bill['metadata']['component']['purl'], *(part['purl'] for part in parts.values())}
    for entry in bill['dependencies']:
        assert entry['ref'] in known
        assert set(entry['dependsOn']) <= known


def test_what_a_package_needs():
    needs = installed_for('geopandas')
    assert {'geopandas', 'shapely', 'pandas', 'numpy'} <= set(needs)
    assert 'torch' not in needs
    assert 'shapely' in needs['geopandas']
    assert bill_of_materials('geopandas')['metadata']['component']['name'] == 'geopandas'


def test_what_is_not_there():
    with pytest.raises(MissingDependencyError, match='is not installed'):
        installed_for('no-such-distribution-here')
