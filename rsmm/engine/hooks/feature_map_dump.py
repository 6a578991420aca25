"""Feature maps of tested images as files, one per tile."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.dist import barrier, is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import Tensor, nn

from rsmm.errors import ConfigError, DataError
from rsmm.models.layers.wrapped import bare_model
from rsmm.registry import HOOKS
from rsmm.utils import atomic_write

#: Describes how the maps of a folder were made.
RECORD = 'maps.json'


@HOOKS.register_module()
class FeatureMapDumpHook(Hook):
    """Write a feature map of every tested image to ``{out_dir}/{tile}.npz``.

    A module of the model is watched while the model predicts, so any model serves that
    ``tools/test.py`` can test. A file holds ``feat`` (C, h, w) float16 without padding, ``level``
    and, for detectors, ``boxes`` (N, 4), ``scores`` and ``labels`` (N,) in pixels of the tile.

    No file is written twice. ``maps.json`` notes from which weights and module the maps come; the
    same command again adds the absent ones, other weights need another folder.

    Args:
        out_dir: Folder of the maps. Sub-folders of the images are kept.
        module: Path of the module in the model: ``'encoder'`` of a Deformable DETR, ``'backbone'``,
            ``'neck'``. Its output is a map (N, C, h, w), several of them, or the tokens (N, L, C)
            of an encoder that is called with ``spatial_shapes``.
        level: Which map of several, 0 being the first.
        score_threshold: Detections below are left out.

    Raises:
        ConfigError: There is no such module or level; the folder holds other maps.
        DataError: Two images would have the same file, or a map is not finite.
    """

    def __init__(
        self,
        out_dir: str,
        module: str = 'encoder',
        level: int = 0,
        score_threshold: float = 0.3,
    ) -> None:
        self.out_dir = Path(out_dir)
        self.module = module
        self.level = level
        self.score_threshold = score_threshold
        self.seen: tuple | None = None

    def before_test(self, runner: Runner) -> None:
        """Watch the module and see that the folder is fit for these maps."""
        model = bare_model(runner)
        try:
            module = model.get_submodule(self.module)
        except AttributeError as error:
            parts = ', '.join(name for name, _ in model.named_children())
            raise ConfigError(
                f'the model has no module {self.module!r}; its parts are {parts}',
                where='FeatureMapDumpHook',
            ) from error
        dataset = runner.test_dataloader.dataset
        self.root = Path(getattr(dataset, 'image_dir', None) or dataset.data_root)
        self._check_names(dataset)
        if is_main_process():
            self._check_folder(
                {'module': self.module, 'level': self.level, 'weights': _hash(model)}
            )
        barrier()
        self.handle = module.register_forward_hook(self._keep, with_kwargs=True)

    def _keep(self, module: nn.Module, args: tuple, kwargs: Mapping, output: object) -> None:
        self.seen = (output, kwargs.get('spatial_shapes'))

    def after_test_iter(
        self, runner: Runner, batch_idx: int, data_batch=None, outputs: Sequence = ()
    ) -> None:
        """Write the maps of a batch."""
        if self.seen is None:
            raise ConfigError(
                f'the model predicts without its {self.module!r}', where='FeatureMapDumpHook'
            )
        output, shapes = self.seen
        maps = select_map(output, shapes, self.level)
        self.seen = None
        for features, sample in zip(maps, outputs, strict=True):
            path = self.file_of(sample.img_path)
            if not path.exists():
                path.parent.mkdir(parents=True, exist_ok=True)
                self._write(path, without_padding(features, sample.metainfo), sample)

    def after_test_epoch(self, runner: Runner, metrics: dict | None = None) -> None:
        """Let go of the module."""
        self.handle.remove()
        runner.logger.info(f'feature maps are in {self.out_dir}')

    def file_of(self, img_path: str | Path) -> Path:
        """File of the map of an image."""
        return self.out_dir / Path(img_path).relative_to(self.root).with_suffix('.npz')

    def _check_names(self, dataset) -> None:
        owners: dict[Path, str] = {}
        for index in range(len(dataset)):
            image = dataset.get_data_info(index)['img_path']
            file = self.file_of(image)
            if file in owners:
                raise DataError(
                    f'would have the same map file as {owners[file]}',
                    where=image,
                    fix='Every image needs a path of its own and is tested once',
                )
            owners[file] = image

    def _check_folder(self, record: dict) -> None:
        path = self.out_dir / RECORD
        if path.is_file():
            known = json.loads(path.read_text(encoding='utf-8'))
            differing = [key for key in record if known.get(key) != record[key]]
            if differing:
                raise ConfigError(
                    f'holds maps made with another {", ".join(differing)}',
                    where=self.out_dir,
                    fix='Give these maps a folder of their own',
                )
        elif self.out_dir.is_dir() and any(self.out_dir.rglob('*.npz')):
            raise ConfigError(f'holds npz files but no {RECORD}', where=self.out_dir)
        self.out_dir.mkdir(parents=True, exist_ok=True)
        with atomic_write(path, 'w', encoding='utf-8') as file:
            json.dump(record, file, indent=1)

    def _write(self, path: Path, features: Tensor, sample) -> None:
        arrays: dict[str, Any] = {'feat': features.half().numpy(), 'level': np.int64(self.level)}
        if not np.isfinite(arrays['feat']).all():
            raise DataError(
                f'the map of {self.module!r} is not finite in 16 bits', where=sample.img_path
            )
        found = sample.get('pred_instances')
        if found is not None:
            found = found[found.scores >= self.score_threshold].cpu()
            arrays['boxes'] = found.bboxes.float().numpy()
            arrays['scores'] = found.scores.float().numpy()
            arrays['labels'] = found.labels.numpy()
        with atomic_write(path) as file:
            np.savez_compressed(file, **arrays)


def select_map(output: object, spatial_shapes: Tensor | None, level: int) -> Tensor:
    """Return one map ``(N, C, h, w)``, float32 on the CPU, of what a module gave.

    Args:
        output: A map (N, C, h, w), a sequence of maps, or tokens (N, L, C) level after level.
        spatial_shapes: (levels, 2) heights and widths of the tokens.
        level: Which map.

    Raises:
        ConfigError: The output is none of these, or has fewer levels.
    """
    if isinstance(output, Tensor) and output.ndim == 3 and spatial_shapes is not None:
        shapes = [tuple(shape) for shape in spatial_shapes.tolist()]
        parts = output.split([h * w for h, w in shapes], dim=1)
        maps = [
            part.transpose(1, 2).unflatten(2, shape)
            for part, shape in zip(parts, shapes, strict=True)
        ]
    else:
        maps = list(output) if isinstance(output, tuple | list) else [output]
    if not all(isinstance(item, Tensor) and item.ndim == 4 for item in maps):
        raise ConfigError('the module gives no feature maps', where='FeatureMapDumpHook')
    if not 0 <= level < len(maps):
        raise ConfigError(
            f'level={level}: the module gives {len(maps)} maps', where='FeatureMapDumpHook'
        )
    return maps[level].detach().float().cpu()


def without_padding(features: Tensor, meta: Mapping) -> Tensor:
    """Cut a map ``(C, h, w)`` to the part that shows the image, by the shapes mmdet notes."""
    padded, shape = meta.get('batch_input_shape'), meta.get('img_shape')
    if padded is None or shape is None:
        return features
    height, width = (
        -(-side * shape[axis] // padded[axis]) for axis, side in enumerate(features.shape[1:])
    )
    return features[:, :height, :width]


def _hash(model: nn.Module) -> str:
    """Short hash of all weights."""
    digest = hashlib.sha256()
    for name, value in model.state_dict().items():
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
    return digest.hexdigest()[:16]
