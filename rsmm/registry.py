"""Registries of rsmm: children of MMEngine's roots that load their entries on demand.

An entry is any class or function decorated with ``@<REGISTRY>.register_module()`` somewhere under
``rsmm/``. When a config names one, the registry reads the package's source for the decorator and
imports only the module that holds it. Contributors list nothing anywhere, ``import rsmm`` stays
cheap, and a classification run never imports the detection stack.

Entries of sibling packages are reached by prefix (``mmpretrain.ResNet``, ``mmdet.DeformableDETR``).
"""

from __future__ import annotations

import ast
import contextlib
import functools
import importlib
import inspect
import re
import sys
import threading
import traceback
from collections.abc import Iterator, Mapping
from pathlib import Path

from mmengine import registry as roots
from mmengine.registry import Registry as MMEngineRegistry

from rsmm.errors import ConfigError, did_you_mean
from rsmm.neighbours import watch, without_mmdet

SCOPE = 'rsmm'
_import_lock = threading.RLock()


@functools.cache
def entry_index() -> dict[tuple[str, str], str]:
    """Map ``(registry variable, entry name)`` to the module that registers it.

    Read from the source of the package, so nothing is imported.

    Raises:
        ConfigError: Two modules register one name.
    """
    package = Path(__file__).parent
    index: dict[tuple[str, str], str] = {}
    for file in sorted(package.rglob('*.py')):
        if file == Path(__file__):
            continue
        parts = ('rsmm', *file.relative_to(package).with_suffix('').parts)
        module = '.'.join(parts).removesuffix('.__init__')
        for entry, force in registered(file.read_text(encoding='utf-8')):
            if entry in index and not force:
                raise ConfigError(
                    f"{entry[0]} has two entries '{entry[1]}', in {index[entry]} and in {module}",
                    where=str(file),
                    fix='Give one of them another name=, or force=True',
                )
            index[entry] = module
    return index


def registered(source: str) -> Iterator[tuple[tuple[str, str], bool]]:
    """Find what a module registers by ``@REGISTRY.register_module(...)``.

    Args:
        source: Text of a module.

    Yields:
        ``(registry variable, entry name)``, and whether it may replace another entry.
    """
    if '.register_module' not in source:  # most modules: parsing them takes ten times as long
        return
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.ClassDef | ast.FunctionDef):
            continue
        for decorator in node.decorator_list:
            match decorator:
                case ast.Call(
                    func=ast.Attribute(value=ast.Name(id=registry), attr='register_module')
                ):
                    settings = {word.arg: word.value for word in decorator.keywords}
                    settings |= dict(zip(('name', 'force'), decorator.args, strict=False))
                    force = ast.literal_eval(settings.get('force', ast.Constant(False)))
                    for name in _entry_names(settings.get('name'), node.name):
                        yield (registry, name), bool(force)


def _entry_names(given: ast.expr | None, default: str) -> list[str]:
    """Names under which a decorator registers: one, several, or that of the class."""
    names = None if given is None else ast.literal_eval(given)
    if names is None:
        return [default]
    return [names] if isinstance(names, str) else list(names)


class Registry(MMEngineRegistry):
    """A child registry that imports an entry's module when the entry is first asked for.

    Args:
        variable: Name under which this module exposes the registry, e.g. ``'MODELS'``.
        parent: Root registry of MMEngine; its name and builder carry over.
    """

    def __init__(self, variable: str, parent: MMEngineRegistry) -> None:
        self.variable = variable
        super().__init__(parent.name, parent=parent, scope=SCOPE, locations=['rsmm.registry'])

    def build(self, cfg: dict, *args, **kwargs):
        """Build an object from its config.

        Raises:
            ConfigError: An entry or one of its settings does not exist.
        """
        with unexpected_keys_explained():
            return super().build(cfg, *args, **kwargs)

    def entries(self) -> list[str]:
        """Names of all entries of this registry, loaded or not."""
        lazy = {name for variable, name in entry_index() if variable == self.variable}
        return sorted(lazy | set(self.module_dict))

    def get(self, key: str):
        """Return the entry, importing its module if that has not happened yet.

        Raises:
            ConfigError: The name is unknown; the message offers the closest known one.
        """
        scope, name = self.split_scope_key(key)
        if scope in (None, SCOPE) and name not in self.module_dict:
            module = entry_index().get((self.variable, name))
            if module is not None:
                with _import_lock:
                    importlib.import_module(module)
        elif scope is not None and scope != SCOPE:
            without_mmdet(scope)
        try:
            entry = super().get(key)
        except RuntimeError:
            entry = None
        if entry is None:
            wanted = name if scope == SCOPE else key
            raise ConfigError(
                f"'{key}' is not an entry of the {self.name} registry."
                f'{did_you_mean(wanted, self._all_names(scope))}',
                where=f"type='{key}'",
                fix='Entries of other packages need their prefix, e.g. mmpretrain.ResNet; your own '
                "need custom_imports=dict(imports=['module'])",
            )
        return entry

    def _all_names(self, scope: str | None) -> list[str]:
        """Names as they stand in a config: a sibling package's with its prefix."""
        if scope not in (None, SCOPE):
            sibling = self.parent.children.get(scope)
            return [f'{scope}.{name}' for name in (sibling.module_dict if sibling else ())]
        return [*self.entries(), *self.parent.module_dict]


def own_entry(sister: MMEngineRegistry, name: str):
    """Return rsmm's entry of a bare name that a sister's registry does not know, None without."""
    for own in vars(sys.modules[__name__]).values():
        if isinstance(own, Registry) and own.parent is sister.parent:
            return own.get(name) if (own.variable, name) in entry_index() else None
    return None


@contextlib.contextmanager
def unexpected_keys_explained() -> Iterator[None]:
    """Turn "got an unexpected keyword argument" into an error that names the closest setting.

    Raises:
        ConfigError: A setting of a config does not exist.
    """
    try:
        yield
    except TypeError as error:
        match = re.match(r"([\w.]+)\(\) got an unexpected keyword argument '(\w+)'", str(error))
        entry = _called_with(match[2], match[1], error) if match else None
        if entry is None:
            raise
        raise unknown_setting(entry, match[2]) from error


def _called_with(key: str, name: str, error: TypeError):
    """Return the class or function that a config with ``key`` was meant for, None if unknown.

    For an entry of a registry it is read from MMEngine's frame in the traceback, because the
    message names the base class when ``**kwargs`` were passed on. Loops, loaders and random seeds
    are called without a registry, under the name in the message.
    """
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    for frame in reversed(frames):
        entry = frame.f_locals.get('obj_cls', frame.f_locals.get('scheduler_cls'))
        if entry is not None and key in frame.f_locals.get('args', ()):
            return entry
    caller = frames[-1]
    if not any(isinstance(v, Mapping) and key in v for v in caller.f_locals.values()):
        return None
    owner, _, method = name.partition('.')
    found = caller.f_globals.get(owner)
    return found if method in ('', '__init__') else getattr(found, method, None)


def unknown_setting(entry, key: str) -> ConfigError:
    """Build the error for a setting that an entry does not have."""
    known = [name for name in _parameters(entry) if name != key]
    return ConfigError(
        f"'{key}' is not a setting of {entry.__name__}.{did_you_mean(key, known)}",
        where=f"type='{entry.__name__}'",
        fix=f'Known settings: {", ".join(known)}',
    )


def _parameters(entry) -> list[str]:
    """Keyword names that a class and its bases accept."""
    names: dict[str, None] = {}
    for cls in inspect.getmro(entry) if inspect.isclass(entry) else (entry,):
        target = cls.__dict__.get('__init__') if inspect.isclass(cls) else cls
        if not inspect.isfunction(target):
            continue
        for parameter in inspect.signature(target).parameters.values():
            if parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
                names[parameter.name] = None
    names.pop('self', None)
    return list(names)


RUNNERS = Registry('RUNNERS', roots.RUNNERS)
RUNNER_CONSTRUCTORS = Registry('RUNNER_CONSTRUCTORS', roots.RUNNER_CONSTRUCTORS)
LOOPS = Registry('LOOPS', roots.LOOPS)
HOOKS = Registry('HOOKS', roots.HOOKS)
LOG_PROCESSORS = Registry('LOG_PROCESSORS', roots.LOG_PROCESSORS)
DATASETS = Registry('DATASETS', roots.DATASETS)
DATA_SAMPLERS = Registry('DATA_SAMPLERS', roots.DATA_SAMPLERS)
TRANSFORMS = Registry('TRANSFORMS', roots.TRANSFORMS)
MODELS = Registry('MODELS', roots.MODELS)
MODEL_WRAPPERS = Registry('MODEL_WRAPPERS', roots.MODEL_WRAPPERS)
WEIGHT_INITIALIZERS = Registry('WEIGHT_INITIALIZERS', roots.WEIGHT_INITIALIZERS)
OPTIMIZERS = Registry('OPTIMIZERS', roots.OPTIMIZERS)
OPTIM_WRAPPERS = Registry('OPTIM_WRAPPERS', roots.OPTIM_WRAPPERS)
OPTIM_WRAPPER_CONSTRUCTORS = Registry(
    'OPTIM_WRAPPER_CONSTRUCTORS', roots.OPTIM_WRAPPER_CONSTRUCTORS
)
PARAM_SCHEDULERS = Registry('PARAM_SCHEDULERS', roots.PARAM_SCHEDULERS)
METRICS = Registry('METRICS', roots.METRICS)
EVALUATOR = Registry('EVALUATOR', roots.EVALUATOR)
TASK_UTILS = Registry('TASK_UTILS', roots.TASK_UTILS)
VISUALIZERS = Registry('VISUALIZERS', roots.VISUALIZERS)
VISBACKENDS = Registry('VISBACKENDS', roots.VISBACKENDS)
INFERENCERS = Registry('INFERENCERS', roots.INFERENCERS)
FUNCTIONS = Registry('FUNCTIONS', roots.FUNCTIONS)
# Which dates of a place a contrastive method compares; MMEngine has no such registry.
DATE_RULES = Registry('DATE_RULES', MMEngineRegistry('date rule', scope='mmengine'))

watch(own_entry)
