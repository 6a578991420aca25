"""The one way from a config and a checkpoint to a model."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from os import PathLike
from typing import TYPE_CHECKING

from mmengine.config import Config

from rsmm.apis.config import default_scope, load_config, model_settings
from rsmm.apis.zoo_files import with_zoo_files, zoo_checkpoint
from rsmm.errors import ConfigError

if TYPE_CHECKING:
    from torch import nn

#: Stands for "no checkpoint, the weights of initialisation" wherever a checkpoint is named.
RANDOM = 'random'


def build_model(
    config: str | PathLike | Config,
    checkpoint: str | PathLike | None = None,
    part: str | None = None,
    device: str = 'cpu',
    options: Mapping[str, object] | None = None,
) -> nn.Module:
    """Build the model of a config as the runner does, with the weights of a checkpoint.

    Args:
        config: Config file or zoo name, or a loaded config.
        checkpoint: File or address; ``'zoo'`` takes the weights that the zoo has for the config;
            ``'random'`` runs the config's own initialisation, pretrained
            backbones included, as a training does at its start. None leaves the weights as the
            layers were built: for counting, for converting, for a runner that initialises later.
        part: Name of the part that alone is filled from the checkpoint, e.g. ``'backbone'``; the
            file may then be of another method.
        device: ``'cpu'``, ``'cuda'``, ``'cuda:1'`` and so on.
        options: Dotted config keys to override.

    Returns:
        The model on its device; in evaluation mode if a checkpoint was given, else as built. What
        the checkpoint says of its data set (classes, palette) is its ``dataset_meta``, and what it
        was trained on its ``input_facts``, see :func:`rsmm.engine.input_facts.input_facts`.

    Raises:
        ConfigError: The config cannot be read, the model has no such part, or there is no such
            device.
        CheckpointError: The checkpoint cannot be read or belongs to another model.
    """
    from rsmm.models.channels import check_bands
    from rsmm.registry import MODELS

    if checkpoint is not None:
        checkpoint = zoo_checkpoint(_name_of(config), checkpoint)
    if not isinstance(config, Config):
        config = load_config(config, options)
    elif options:
        raise ConfigError('options change a config file, this one is loaded already')
    _check_device(device)
    with default_scope(config), _quiet():
        settings = model_settings(config)
        if str(checkpoint) == RANDOM:
            settings = with_zoo_files(settings)
        model = MODELS.build(settings)
        check_bands(model, config.filename)
        if part is not None and not hasattr(model, part):
            raise ConfigError(
                f'{type(model).__name__} has no {part}',
                where=config.filename,
                fix=f'Its parts: {", ".join(name for name, _ in model.named_children())}',
            )
        if checkpoint is not None and str(checkpoint) == RANDOM:
            if hasattr(model, 'init_weights'):
                model.init_weights()
        elif checkpoint is not None:
            _fill(model, checkpoint, part)
    if checkpoint is not None:
        model.eval()
    return _moved(model, device)


def _name_of(config: str | PathLike | Config) -> str | PathLike:
    return (config.filename or '') if isinstance(config, Config) else config


def _fill(model: nn.Module, checkpoint: str | PathLike, part: str | None) -> None:
    from rsmm.checkpoints.files import load_checkpoint_file
    from rsmm.checkpoints.weights import load_weights

    state = load_checkpoint_file(checkpoint)
    target = model if part is None else getattr(model, part)
    load_weights(target, state, 'model', prefix=part, where=checkpoint)
    if isinstance(state.get('meta'), Mapping):
        model.dataset_meta = state['meta'].get('dataset_meta')
        model.input_facts = state['meta'].get('input')


def _check_device(device: str) -> None:
    if not device.startswith('cuda'):
        return
    import torch

    if not torch.cuda.is_available():
        raise ConfigError('there is no CUDA device', where=f'device={device}')


def _moved(model: nn.Module, device: str) -> nn.Module:
    try:
        return model.to(device)
    except RuntimeError as error:
        reason = str(error).partition('\n')[0]
        raise ConfigError(f'device {device!r} cannot be used ({reason})') from error


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep mmengine from printing how it initialised each weight."""
    from mmengine.logging import MMLogger

    logger = MMLogger.get_current_instance()
    level = logger.level
    logger.setLevel('WARNING')
    try:
        yield
    finally:
        logger.setLevel(level)
