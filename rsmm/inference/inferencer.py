"""Any checkpoint over any scene, in mmengine's form: :class:`Inferencer`."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.infer import BaseInferencer

from rsmm.apis.config import load_config
from rsmm.apis.entries import zoo_entries
from rsmm.apis.model import RANDOM, build_model
from rsmm.apis.zoo_files import ZOO, zoo_checkpoint
from rsmm.errors import ConfigError, DataError
from rsmm.inference.area_table import AreaCounter, area_table, read_confusion
from rsmm.inference.box_files import detect
from rsmm.inference.check_input import CHECKS, check_input
from rsmm.inference.chip_maps import as_map_model
from rsmm.inference.detect_files import detector_of
from rsmm.inference.folder_run import box_limits, vector_suffix, write_folder
from rsmm.inference.inputs import array_file, find_scenes
from rsmm.inference.map_files import (
    DEPTHS,
    Job,
    open_scene,
    scene_rows,
)
from rsmm.inference.mapping import Tiling
from rsmm.inference.places import Scene
from rsmm.inference.running import Bars, network_limits
from rsmm.inference.scene_pages import write_page
from rsmm.inference.tasks import reading_of, task_of
from rsmm.registry import DATASETS


class Inferencer(BaseInferencer):
    """Map scenes with a trained model: classes, change, seasons, footprints, boxes.

    What is made of a scene is what the model declares, see :class:`rsmm.inference.tasks.Task`,
    here ``self.task``.

    Args:
        config: Config file, loaded config, or name of the zoo.
        checkpoint: File or address; None or ``'zoo'`` takes the weights that the zoo has for the
            config, ``'random'`` none.
        device: ``'cpu'``, ``'cuda'``, ...; None takes a GPU where there is one.
        options: Dotted config keys to override.

    Raises:
        ConfigError: The config cannot be read, has no weights in the zoo, or makes no maps.
        CheckpointError: The checkpoint cannot be read or belongs to another model.
    """

    preprocess_kwargs = {'bands', 'check', 'gsd'}
    forward_kwargs = {'tile', 'stride', 'merge', 'tta', 'score', 'iou'}
    visualize_kwargs = {'html'}
    postprocess_kwargs = {'out', 'polygons', 'probabilities', 'confusion', 'vector'}

    def __init__(
        self,
        config: str | os.PathLike | Config,
        checkpoint: str | os.PathLike | None = None,
        device: str | None = None,
        options: Mapping[str, object] | None = None,
    ) -> None:
        name = config.filename if isinstance(config, Config) else os.fspath(config)
        self.device = device or ('cuda' if torch.cuda.is_available() else 'cpu')
        self.cfg = config if isinstance(config, Config) else load_config(config, options)
        weights = zoo_checkpoint(name or '', ZOO if checkpoint is None else checkpoint)
        model = build_model(self.cfg, weights, device=self.device)
        self.task = task_of(model, self.cfg)
        self.facts = getattr(model, 'input_facts', None) or _published_facts(name, weights)
        self.detector = detector_of(model, self.cfg) if self.task.kind == 'boxes' else None
        self.model = model if self.detector else as_map_model(model)
        self.reading = reading_of(self.cfg, self.facts)
        if self.task.kind == 'season' and self.reading.norm is None:
            self.reading = replace(self.reading, norm=_norm_of(self.cfg))
        self.name = Path(name or 'config').stem
        self.weights = RANDOM if weights == RANDOM else Path(str(weights)).name
        self._identity = _identity(weights)

    def __call__(
        self, inputs, return_datasamples: bool = False, batch_size: int | None = None, **kwargs
    ) -> dict:
        """Map scenes.

        Args:
            inputs: A path, address, array (H, W, C), or a list of them; see
                :func:`rsmm.inference.inputs.find_scenes`. Two arrays are a pair for models of
                change.
            return_datasamples: Not offered; kept for mmengine's contract.
            batch_size: Tiles per call; halved where the device lacks memory. Default 4, 16 on a
                GPU.
            **kwargs: For reading: ``bands``, names of the files' bands in order where they do not
                name them; ``check``, see :func:`rsmm.inference.check_input.check_input`;
                ``gsd``, metres of the pixels to bring scenes to, or ``'model'``.
                For the network: ``tile``, ``stride``, ``merge`` (see
                :class:`rsmm.inference.mapping.Tiling`), ``tta`` (average eight symmetries);
                ``score``, ``iou`` of boxes.
                For results: ``out``, the folder to write, and with it ``polygons`` (True, or a
                dict of settings), ``probabilities`` (True, ``'uint8'`` or ``'float16'``),
                ``confusion`` (file or (K, K) array of a validation), ``vector`` (``'gpkg'`` or
                ``'geojson'``), ``html`` (write ``index.html``).

        Returns:
            ``predictions``: per scene a dict. With ``out``: ``scene``, ``kind``, ``areas`` (a row
            per class), ``warnings``, ``files`` (paths) and facts of the image. Without:
            ``labels`` (H, W) uint8, 255 where there is no data, ``probabilities`` (H, W, K)
            float32 if asked for, ``areas``; for boxes ``boxes``, a
            :class:`rsmm.inference.detection.Detections`. ``visualization``: the page's path, or
            None.

        Raises:
            ConfigError: An unknown keyword, an impossible setting, or foreign files in ``out``.
            DataError: An image cannot be read or does not fit the model.
        """
        if return_datasamples:
            raise ConfigError('return_datasamples: results are maps and files, no samples')
        reading, forward, visual, post = self._dispatch_kwargs(**kwargs)
        if self.detector and (visual.get('html') or post.get('polygons')):
            raise ConfigError(
                'a detector makes boxes, neither polygons nor a page of maps',
                fix='tools/predict_boxes.py draws them into pictures',
            )
        if not post.get('out') and (visual.get('html') or post.get('polygons')):
            raise ConfigError('html and polygons are files', fix='Name a folder: out=...')
        with contextlib.ExitStack() as stack:
            temporary = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            stack.enter_context(network_limits())
            scenes = self.preprocess(inputs, temporary)
            settings = {**reading, **forward, **post}
            job = self._job(batch_size, **settings)
            if not post.get('out'):
                bar = stack.enter_context(Bars(len(scenes)))
                wanted = bool(post.get('probabilities'))
                found = [self._in_memory(job, one, bar, wanted, forward) for one in scenes]
                return {'predictions': found, 'visualization': None}
            out = Path(post['out'])
            text = json.dumps(self.cfg.to_dict(), default=str)
            about = {**settings, 'config': text, 'weights': self._identity}
            found = write_folder(job, self.detector, scenes, out, about)
            page = self.visualize(scenes, found, job=job, out=out, **visual)
        return self.postprocess(found, page)

    def preprocess(self, inputs, temporary: Path) -> list[Scene]:
        """Turn inputs into scenes; arrays and joined bands are written to ``temporary``."""
        listed = list(inputs) if isinstance(inputs, list | tuple) else [inputs]
        written = [array_file(one, temporary, k) for k, one in enumerate(listed)]
        bands = getattr(self.model.data_preprocessor, 'bands', None)
        return find_scenes(written, self.task.dates, bands, temporary / 'joined')

    def _init_pipeline(self, cfg: Config) -> None:
        """Scenes are read by windows, not by a pipeline."""

    def _job(self, batch_size: int | None, **settings) -> Job:
        tiling = Tiling(
            settings.get('tile'),
            settings.get('stride'),
            batch_size or (1 if self.detector else 16 if self.device.startswith('cuda') else 4),
            settings.get('merge') or 'linear',
            bool(settings.get('tta')),
        )
        if self.task.kind == 'boxes' and tiling.tta:
            raise ConfigError('boxes are not averaged over views', fix='Leave out tta')
        depth = settings.get('probabilities') or None
        depth = DEPTHS[0] if depth is True else depth
        if depth not in (None, *DEPTHS):
            raise ConfigError(f'probabilities={depth!r} is not one of {", ".join(DEPTHS)}')
        polygons = settings.get('polygons') or None
        if polygons is not None:
            polygons = {} if polygons is True else dict(polygons)
            polygons.setdefault('suffix', vector_suffix(settings.get('vector')))
        confusion = settings.get('confusion')
        if confusion is not None:
            is_file = isinstance(confusion, str | os.PathLike)
            classes = self.task.classes
            confusion = read_confusion(confusion, classes) if is_file else np.asarray(confusion)
        tags = {'RSMM_MODEL': self.name, 'RSMM_WEIGHTS': self.weights}
        bands = settings.get('bands')
        mode = settings.get('check') or CHECKS[0]
        preprocessor: Any = self.model.data_preprocessor

        def check(stack, limits) -> list[str]:
            return check_input(stack, limits, self.facts, preprocessor, mode)

        return Job(
            self.model, self.task, self.reading, bands, tiling, depth, confusion, polygons, tags,
            check, self._gsd(settings.get('gsd')),
        )  # fmt: skip

    def _gsd(self, gsd: float | str | None) -> float | None:
        """Metres of the pixels to bring scenes to; ``'model'`` are those of training."""
        if gsd is None:
            return None
        if self.detector:
            raise ConfigError('gsd: boxes are found in images as they are')
        if gsd == 'model':
            gsd = self.facts.get('gsd')
            if gsd is None:
                raise ConfigError(
                    'the checkpoint does not say on which pixel size it was trained',
                    fix='Give it in metres: gsd=10 (--gsd 10)',
                )
        try:
            return float(gsd)
        except ValueError as error:
            raise ConfigError(f'gsd={gsd!r} is no number of metres and not model') from error

    def _in_memory(self, job: Job, scene: Scene, bar: Bars, wanted: bool, forward: dict) -> dict:
        start = bar.starter(scene.name)
        if self.detector:
            found, *_ = detect(job, self.detector, scene, start, *box_limits(forward))
            return {'scene': scene.name, 'kind': 'boxes', 'boxes': found, 'warnings': []}
        with open_scene(job, scene) as (stack, limits):
            warnings = job.check(stack, limits)
            rows = list(scene_rows(job, scene, stack, limits, start, wanted))
            counter = AreaCounter(stack.shape, stack.place)
        for row in rows:
            counter.add(row.start, row.labels)
        found = {
            'scene': scene.name,
            'kind': self.task.kind,
            'labels': np.concatenate([row.labels for row in rows]),
            'areas': area_table(counter, self.task.classes, self.task.ignored, job.confusion),
            'warnings': warnings,
        }
        if wanted:
            found['probabilities'] = np.concatenate([row.probabilities for row in rows])
        return found

    def visualize(
        self,
        scenes: Sequence[Scene],
        preds: Sequence[dict],
        job: Job | None = None,
        out: Path | None = None,
        html: bool = False,
    ) -> str | None:
        """Write the page of a folder if asked to; returns its path."""
        if not html:
            return None
        page = out / 'index.html'
        write_page(page, job, scenes, preds, f'{self.name}: {self.task.kind}')
        return str(page)

    def postprocess(self, preds: list[dict], visualization: str | None = None) -> dict:
        """Join results as :meth:`__call__` returns them."""
        return {'predictions': preds, 'visualization': visualization}


def _published_facts(name: str | None, weights) -> dict:
    """What an entry of the zoo says of its training data, for its own weights."""
    entry = zoo_entries().get(Path(name or '').stem)
    own = entry is not None and Path(str(entry.weights)).name == Path(str(weights)).name
    return dict(entry.metadata.get('Input') or {}) if own else {}


def _identity(weights) -> str:
    """Tells whether weights are the same as those of an earlier call."""
    from rsmm.utils import sha256_file

    path = Path(str(weights))
    return sha256_file(path) if path.is_file() else str(weights)


def _norm_of(config: Config) -> tuple | None:
    """Statistics of a series data set, None where its folder is not there."""
    settings = (config.get('test_dataloader') or {}).get('dataset')
    try:
        return DATASETS.build(settings).get_data_info(0).get('norm') if settings else None
    except DataError:
        return None
