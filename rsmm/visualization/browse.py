"""Looking at a dataset as the model sees it: after the pipeline, every view of a sample."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch

from rsmm.datasets.seeded import SampleIndex, SeededDataset
from rsmm.datasets.transforms.labels import index_to_colours
from rsmm.errors import ConfigError
from rsmm.registry import DATASETS, MODELS
from rsmm.utils import atomic_write
from rsmm.visualization.composite import composite, default_composite

#: Dates of a series that are drawn.
SHOWN_DATES = 4


def browse_config(
    config: dict,
    out: str | Path,
    split: str = 'train',
    num: int = 16,
    show: Sequence[str] | None = None,
    epoch: int = 0,
    seed: int = 0,
) -> str:
    """Draw samples of a config's dataset and tabulate the values that reach the model.

    Args:
        config: A loaded config.
        out: PNG to write.
        split: Which dataloader: ``'train'``, ``'val'`` or ``'test'``.
        num: Number of samples, spread evenly over the dataset.
        show: Bands to show, one or three names; None takes natural colour.
        epoch: Epoch whose augmentations are drawn.
        seed: Seed of the run whose augmentations are drawn.

    Returns:
        A table of minimum, mean, deviation and maximum per band, before and after the data
        preprocessor.

    Raises:
        ConfigError: The config has no such dataloader.
    """
    key = f'{split}_dataloader'
    if not config.get(key):
        raise ConfigError(f'the config has no {key}', fix='Use --split train, val or test')
    dataset = DATASETS.build(config[key]['dataset'])
    samples = draw_samples(dataset, num, epoch, seed)
    save_page(samples, dataset.metainfo, out, show)
    settings = config.get('data_preprocessor') or (config.get('model') or {}).get(
        'data_preprocessor'
    )
    return value_table(samples, dataset.metainfo, settings)


def draw_samples(dataset, num: int, epoch: int = 0, seed: int = 0) -> list[dict]:
    """Return ``num`` samples spread evenly over a dataset, augmented as in the given epoch."""
    num = min(num, len(dataset))
    rows = np.linspace(0, len(dataset) - 1, num).round().astype(int)
    seeded = SeededDataset(dataset)
    return [seeded[SampleIndex(int(row), epoch, seed)] for row in rows]


def views_of(sample: Mapping) -> list[torch.Tensor]:
    """Return the views or dates (C, H, W) of a packed sample; a single image is one view.

    Of a long series the first, the last and two between are taken.
    """
    inputs = sample['inputs']
    if isinstance(inputs, torch.Tensor) and inputs.ndim == 4:
        dates = np.linspace(0, len(inputs) - 1, min(SHOWN_DATES, len(inputs))).round().astype(int)
        return [inputs[date] for date in dates]
    return list(inputs) if isinstance(inputs, (list, tuple)) else [inputs]


def bands_of(sample: Mapping, metainfo: Mapping) -> tuple[str, ...]:
    """Return the band names of a packed sample, or numbers when nothing names them."""
    names = sample['data_samples'].metainfo.get('bands') or metainfo.get('bands')
    count = views_of(sample)[0].shape[0]
    if names is None or len(names) != count:
        return tuple(f'BAND{number}' for number in range(1, count + 1))
    return tuple(names)


def save_page(
    samples: Sequence[dict], metainfo: Mapping, out: str | Path, show: Sequence[str] | None = None
) -> None:
    """Write a page of composites to a PNG, one cell per view or date, titled with the class.

    A label map has a cell of its own after them, in the palette of the dataset, white where pixels
    do not count; boxes are drawn on the image.

    Args:
        samples: Packed samples.
        metainfo: Of the dataset; ``classes`` gives the titles.
        out: PNG to write.
        show: One or three band names.
    """
    from rsmm.visualization.style import PlainFigure

    num_cells = max(map(_num_cells, samples))
    per_row = max(num_cells, (8 // num_cells) * num_cells)
    rows = -(-len(samples) * num_cells // per_row)
    figure = PlainFigure(figsize=(1.5 * per_row, 1.7 * rows + 0.4))
    axes = figure.subplots(rows, per_row, squeeze=False).ravel()
    for axis in axes:
        axis.set_axis_off()
    for number, sample in enumerate(samples):
        first = number * num_cells
        bands = bands_of(sample, metainfo)
        _draw_sample(axes[first : first + num_cells], sample, metainfo, bands, show)
    shown = tuple(show) if show else default_composite(bands)
    figure.suptitle(f'{", ".join(shown)} after the pipeline', fontsize=9)
    figure.tight_layout()
    Path(out).parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(out) as file:
        figure.savefig(file, format='png', dpi=150)


def _num_cells(sample: Mapping) -> int:
    return len(views_of(sample)) + ('gt_sem_seg' in sample['data_samples'])


def _draw_sample(axes, sample: Mapping, metainfo: Mapping, bands: Sequence[str], show) -> None:
    views, title = views_of(sample), _title(sample, metainfo)
    for view, (axis, image) in enumerate(zip(axes, views, strict=False)):
        axis.imshow(composite(image.permute(1, 2, 0).numpy(), bands, show))
        axis.set_title(f'{title} {view + 1}' if len(views) > 1 else title, fontsize=7)
        _draw_boxes(axis, sample['data_samples'], metainfo)
    if 'gt_sem_seg' in sample['data_samples']:
        label = sample['data_samples'].gt_sem_seg.data[0].numpy().astype(np.uint8)
        axes[len(views)].imshow(index_to_colours(label, _palette(metainfo).tolist()))
        axes[len(views)].set_title('label', fontsize=7)


def _palette(metainfo: Mapping) -> np.ndarray:
    """Colours of the classes, those of a qualitative map where the dataset has none."""
    if metainfo.get('palette'):
        return np.asarray(metainfo['palette'], np.uint8)
    from matplotlib import colormaps

    count = len(metainfo.get('classes') or ()) or 20
    return (colormaps['tab20'](np.arange(count) % 20)[:, :3] * 255).astype(np.uint8)


def _draw_boxes(axis, sample, metainfo: Mapping) -> None:
    if 'gt_instances' not in sample:
        return
    from matplotlib.patches import Rectangle

    objects, colours = sample.gt_instances, _palette(metainfo) / 255
    boxes = getattr(objects.bboxes, 'tensor', objects.bboxes)
    for (x1, y1, x2, y2), label in zip(boxes.tolist(), objects.labels.tolist(), strict=True):
        size = x2 - x1, y2 - y1
        axis.add_patch(Rectangle((x1, y1), *size, fill=False, lw=0.8, ec=colours[label]))


def _title(sample: Mapping, metainfo: Mapping) -> str:
    label = sample['data_samples'].get('gt_label')
    if label is None:
        about = sample['data_samples'].metainfo
        return about.get('name') or Path(about.get('img_path', '')).stem
    classes = metainfo.get('classes')
    return ', '.join(classes[i] if classes else str(i) for i in label.tolist())


def value_table(
    samples: Sequence[dict], metainfo: Mapping, preprocessor: dict | None = None
) -> str:
    """Tabulate the values per band after the pipeline and after the data preprocessor.

    A normalised band has a mean near 0 and a deviation near 1; anything else is worth a look.

    Args:
        samples: Packed samples.
        metainfo: Of the dataset.
        preprocessor: Config of the data preprocessor, or None.
    """
    images = [view.double() for sample in samples for view in views_of(sample)]
    lines = _table_part('after the pipeline', images, bands_of(samples[0], metainfo))
    if preprocessor is not None:
        module = MODELS.build(preprocessor)
        views = [view for sample in samples for view in views_of(sample)]
        images = [_normalised(module, view).double() for view in views]
        lines += _table_part('after the preprocessor', images, bands_of(samples[0], metainfo))
    return '\n'.join(lines)


def _normalised(module, view: torch.Tensor) -> torch.Tensor:
    if hasattr(module, 'normalise'):  # dates of a series cannot go in one by one
        return module.normalise(view[None])[0]
    return module({'inputs': [view]})['inputs'][0]


def _table_part(title: str, images: Sequence[torch.Tensor], bands: Sequence[str]) -> list[str]:
    lines = [f'{title:24s}{"min":>10s}{"mean":>10s}{"std":>10s}{"max":>10s}']
    pixels = torch.cat([image.flatten(1) for image in images], dim=1)
    for band, values in zip(bands, pixels, strict=True):
        figures = (values.min(), values.mean(), values.std(), values.max())
        lines.append(f'  {band:22s}' + ''.join(f'{float(value):10.3f}' for value in figures))
    return lines
