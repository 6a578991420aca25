import cv2
import numpy as np
import pytest

from tests.datasets.chips import s2_chip, write_tif

CHIP_CLASSES = ('AnnualCrop', 'Forest', 'River')


@pytest.fixture
def tiny_eurosat(tmp_path):
    """Eight chips in each of three classes, JPEG and 13-band GeoTIFF, in the published layout."""
    root = tmp_path / 'eurosat'
    rng = np.random.default_rng(0)
    for name in CHIP_CLASSES:
        (root / '2750' / name).mkdir(parents=True)
        for number in range(1, 9):
            stem = f'{name}_{number}'
            colour = rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)
            assert cv2.imwrite(str(root / '2750' / name / f'{stem}.jpg'), colour)
            write_tif(root / 'tif' / name / f'{stem}.tif', s2_chip(number))
    return root
