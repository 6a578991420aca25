"""What the visualizer of a config needs: its backends, and the packages behind them."""

from __future__ import annotations

import ast
import importlib.util
from collections.abc import Mapping, Sequence

from rsmm.errors import ConfigError, MissingDependencyError

#: Packages of which a backend needs one; the first is the one to install.
_PACKAGES = {
    'TensorboardVisBackend': ('tensorboard', 'tensorboardX'),
    'WandbVisBackend': ('wandb',),
    'MLflowVisBackend': ('mlflow',),
    'ClearMLVisBackend': ('clearml',),
    'NeptuneVisBackend': ('neptune',),
    'DVCLiveVisBackend': ('dvclive',),
    'AimVisBackend': ('aim',),
}


def checked_backends(backends: object) -> list:
    """Bring the backends of a visualizer into the form that mmengine takes.

    Args:
        backends: One or several dicts with ``type``, names, or their text as the command line
            gives it (``"dict(type='TensorboardVisBackend')"``); built ones are passed on.

    Returns:
        Dicts with ``type``.

    Raises:
        ConfigError: Something that is no backend.
        MissingDependencyError: The package of a backend is not installed.
    """
    if isinstance(backends, str | Mapping) or not isinstance(backends, Sequence):
        backends = [backends]
    found = [_as_settings(backend) for backend in backends]
    for settings in found:
        name = str(settings.get('type')) if isinstance(settings, Mapping) else ''
        packages = _PACKAGES.get(name.rpartition('.')[2], ())
        if packages and not any(importlib.util.find_spec(package) for package in packages):
            raise MissingDependencyError(
                f'{name} needs the package {packages[0]}, which is not installed',
                where='visualizer.vis_backends',
                fix=f'pip install {packages[0]}, or leave the backend out',
            )
    return found


def _as_settings(backend: object) -> object:
    if not isinstance(backend, str):
        return backend
    try:
        tree = ast.parse(backend.strip(), mode='eval').body
        if (
            isinstance(tree, ast.Call)
            and getattr(tree.func, 'id', None) == 'dict'
            and not tree.args
        ):
            return {word.arg: ast.literal_eval(word.value) for word in tree.keywords}
        settings = {'type': backend} if isinstance(tree, ast.Name) else ast.literal_eval(tree)
    except (SyntaxError, ValueError, TypeError):
        settings = None
    if not isinstance(settings, Mapping):
        raise ConfigError(
            f'{backend!r} is no backend',
            where='visualizer.vis_backends',
            fix='Write "[TensorboardVisBackend]" or "[dict(type=\'TensorboardVisBackend\')]"',
        )
    return settings
