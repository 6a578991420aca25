"""Batched changes of images against Pillow and against their own limits."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image, ImageEnhance, ImageOps

from rsmm.ops import augment

LUMA = torch.tensor([0.299, 0.587, 0.114])
SIZE = 32


@pytest.fixture(scope='module')
def pictures() -> list[Image.Image]:
    """Smooth and noisy pictures, one of them dark, one of a single grey."""
    rng = np.random.default_rng(0)
    ramp = np.linspace(20, 230, SIZE * SIZE).reshape(SIZE, SIZE, 1) + rng.normal(0, 9, 3)
    noise = rng.integers(0, 256, (SIZE, SIZE, 3))
    dark = rng.integers(0, 60, (SIZE, SIZE, 3))
    plain = np.full((SIZE, SIZE, 3), 77)
    arrays = (ramp, noise, dark, plain)
    return [Image.fromarray(np.clip(array, 0, 255).astype(np.uint8)) for array in arrays]


def batch(pictures) -> torch.Tensor:
    arrays = [np.asarray(picture, np.float32) / 255 for picture in pictures]
    return torch.from_numpy(np.stack(arrays)).permute(0, 3, 1, 2)


def each(value: float, count: int = 4) -> torch.Tensor:
    return torch.full((count,), float(value))


PHOTOMETRIC = {
    'auto_contrast': (lambda x: augment.auto_contrast(x), ImageOps.autocontrast),
    'equalise': (lambda x: augment.equalise(x), ImageOps.equalize),
    'invert': (lambda x: augment.invert(x), ImageOps.invert),
    'solarise': (
        lambda x: augment.solarise(x, each(100 / 255)),
        lambda p: ImageOps.solarize(p, 100),
    ),
    'posterise': (lambda x: augment.posterise(x, each(5)), lambda p: ImageOps.posterize(p, 5)),
    'brightness': (
        lambda x: augment.brightness(x, each(1.4)),
        lambda p: ImageEnhance.Brightness(p).enhance(1.4),
    ),
    'colour': (
        lambda x: augment.colour(x, each(0.3), LUMA),
        lambda p: ImageEnhance.Color(p).enhance(0.3),
    ),
    'contrast': (
        lambda x: augment.contrast(x, each(0.4), LUMA),
        lambda p: ImageEnhance.Contrast(p).enhance(0.4),
    ),
    'sharpness': (
        lambda x: augment.sharpness(x, each(0.2)),
        lambda p: ImageEnhance.Sharpness(p).enhance(0.2),
    ),
}


@pytest.mark.parametrize('name', PHOTOMETRIC)
def test_as_pillow_up_to_its_rounding(name: str, pictures) -> None:
    ours, theirs = PHOTOMETRIC[name]
    expected = batch([theirs(picture) for picture in pictures])
    assert torch.allclose(ours(batch(pictures)), expected, atol=2.1 / 255)


AFFINE = {
    'rotate': (20.0, lambda p: p.rotate(20.0)),
    'shear_x': (0.27, lambda p: p.transform(p.size, Image.Transform.AFFINE, (1, 0.27, 0, 0, 1, 0))),
    'shear_y': (
        -0.23,
        lambda p: p.transform(p.size, Image.Transform.AFFINE, (1, 0, 0, -0.23, 1, 0)),
    ),
    'translate_x': (
        0.25,
        lambda p: p.transform(p.size, Image.Transform.AFFINE, (1, 0, 0.25 * SIZE, 0, 1, 0)),
    ),
    'translate_y': (
        -0.25,
        lambda p: p.transform(p.size, Image.Transform.AFFINE, (1, 0, 0, 0, 1, -0.25 * SIZE)),
    ),
}


@pytest.mark.parametrize('name', AFFINE)
def test_warps_as_pillow_but_for_pixels_on_the_edge(name: str, pictures) -> None:
    value, theirs = AFFINE[name]
    matrices = augment.affine_matrices(name, each(value), corner=True)
    ours = augment.affine(batch(pictures), matrices, 'nearest', 'zeros')
    expected = batch([theirs(picture) for picture in pictures])
    assert (ours - expected).abs().gt(1e-6).float().mean() < 0.01


def test_rotation_keeps_shapes_that_are_not_square() -> None:
    """A quarter turn of the middle square of a wide image is the square turned."""
    image = torch.rand(1, 5, 8, 16, generator=torch.Generator().manual_seed(0))
    turned = augment.affine(image, augment.affine_matrices('rotate', torch.tensor([90.0])))
    assert torch.allclose(turned[..., 4:12], image[..., 4:12].rot90(1, (2, 3)), atol=1e-5)


def test_images_of_a_batch_do_not_touch_each_other() -> None:
    images = torch.rand(3, 7, 16, 16, generator=torch.Generator().manual_seed(1))
    weights = torch.full((7,), 1 / 7)
    values = torch.tensor([0.2, 0.9, 1.7])
    together = augment.equalise(augment.contrast(images, values, weights))
    alone = [
        augment.equalise(augment.contrast(images[i : i + 1], values[i : i + 1], weights))
        for i in range(3)
    ]
    assert torch.allclose(together, torch.cat(alone), atol=1 / 255)


def test_saturation_keeps_value_and_hue() -> None:
    import colorsys

    pixel = torch.tensor([0.8, 0.5, 0.2])
    changed = augment.saturation(pixel.view(1, 3, 1, 1), torch.tensor([0.4])).view(3).tolist()
    hue, saturation, value = colorsys.rgb_to_hsv(*pixel.tolist())
    assert changed == pytest.approx(colorsys.hsv_to_rgb(hue, 0.4 * saturation, value))


def test_box_is_inclusive_and_may_be_empty() -> None:
    images = torch.zeros(2, 1, 4, 4)
    boxes = torch.tensor([[1, 0, 2, 0], [3, 3, 2, 2]])
    filled = augment.cut_out(images, boxes, torch.ones(2, 1))
    assert filled[0, 0].tolist() == [[0, 1, 1, 0], [0] * 4, [0] * 4, [0] * 4]
    assert not filled[1].any()
