"""What a model makes of a scene, and how its files are read: said by the model and its config."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from matplotlib.colors import to_rgb
from mmengine.config import Config
from torch import nn

from rsmm.errors import ConfigError
from rsmm.inference.chip_maps import as_map_model
from rsmm.inference.detect_files import box_head
from rsmm.models.base import MapModel
from rsmm.registry import DATASETS
from rsmm.visualization.style import CATEGORIES

#: What maps show whose value 1 is an object or an event on ground of no interest.
YES_OR_NO = ('change', 'footprints')
_LOADERS = ('LoadPair', 'LoadRaster', 'LoadPicture')


@dataclass(frozen=True)
class Task:
    """What a model makes of a scene.

    Attributes:
        kind: ``'chips'`` (classes over a grid of chips), ``'classes'``, ``'season'`` (classes from
            a series of dates), ``'change'``, ``'footprints'`` or ``'boxes'``.
        classes: Names of the values of a map, or of the labels of boxes.
        palette: (R, G, B) per class.
        ignored: Values that a map never has, because training did not count them.
        dates: Images per scene: 1, 2, or None for a series.
    """

    kind: str
    classes: tuple[str, ...]
    palette: tuple[tuple[int, int, int], ...]
    ignored: tuple[int, ...] = ()
    dates: int | None = 1

    @property
    def wanted(self) -> tuple[int, ...]:
        """Values that become polygons and rows of tables."""
        if self.kind in YES_OR_NO:
            return (1,)
        return tuple(k for k in range(len(self.classes)) if k not in self.ignored)


@dataclass(frozen=True)
class Reading:
    """How files are read, as in the tests of the config.

    Attributes:
        scale: Transform of whole images, see
            :func:`rsmm.inference.thumbnails.scene_limits`.
        nodata: Value of missing pixels in files without a tag.
        scaled: Whether scale and offset tags are applied.
        norm: Mean and deviation per band of a series, None where the preprocessor normalises.
    """

    scale: Mapping | None = None
    nodata: float | None = None
    scaled: bool = False
    norm: tuple | None = field(default=None, compare=False)


def task_of(model: nn.Module, config: Config) -> Task:
    """Return what a model makes of scenes.

    Args:
        model: Built from ``config``; its ``dataset_meta``, from the checkpoint, names the classes.
        config: With the data set that it is tested on.

    Raises:
        ConfigError: It makes neither maps nor boxes.
    """
    head = box_head(config)
    if head is not None:
        names = _names(model, config, int(head['num_classes']))
        return Task('boxes', names, palette_of(None, len(names)))
    model = as_map_model(model)
    if not isinstance(model, MapModel):
        raise ConfigError(
            f'{type(model).__name__} makes neither maps nor boxes',
            where=config.filename,
            fix='Take a classifier of chips, a segmentor, a change detector or a detector',
        )
    kind = 'season' if model.num_dates is None else getattr(model, 'map_kind', 'classes')
    if kind in YES_OR_NO:
        names = ('no change', 'change') if kind == 'change' else ('ground', 'building')
        return Task(kind, names, ((235, 235, 235), (207, 34, 46)), dates=model.num_dates)
    names = _names(model, config, _outputs(model))
    colours = palette_of(_meta(model, config).get('palette'), len(names))
    ignored = ignored_classes(model, config)
    return Task(kind, names, colours, ignored, model.num_dates)


def _dataset(config: Config) -> Mapping:
    return (config.get('test_dataloader') or {}).get('dataset') or {}


def _kind_of(dataset: Mapping):
    kind = dataset.get('type')
    return DATASETS.get(kind) if isinstance(kind, str) else kind


def _meta(model: nn.Module, config: Config) -> dict:
    """Classes and palette: those of the checkpoint, of the config, of the data set's class."""
    dataset = _dataset(config)
    own = {**_published(dataset), **getattr(_kind_of(dataset), 'METAINFO', {})}
    given = getattr(model, 'dataset_meta', None) or {}
    return {**own, **(dataset.get('metainfo') or {}), **{k: v for k, v in given.items() if v}}


def _published(dataset: Mapping) -> dict:
    """Classes and colours of a data set with several schemes, such as GID's 5 and 15 classes."""
    kind, count = dataset.get('type'), dataset.get('num_classes')
    if not (isinstance(kind, str) and count):
        return {}
    from rsmm.datasets.classes import CLASSES, PALETTES

    key = f'{kind.lower()}{count}'
    return {k: v[key] for k, v in (('classes', CLASSES), ('palette', PALETTES)) if key in v}


def _names(model: nn.Module, config: Config, count: int | None) -> tuple[str, ...]:
    """Names of all outputs; a data set of another number of classes does not name them."""
    names = tuple(map(str, _meta(model, config).get('classes') or ()))
    count = len(names) if count is None else count
    return names if len(names) == count else tuple(f'class {k}' for k in range(count))


def _outputs(model: nn.Module) -> int | None:
    """Number of values that a map model gives a pixel, None where it does not say."""
    model = getattr(model, 'classifier', model)
    head = getattr(model, 'head', None) or getattr(model, 'decode_head', None)
    return getattr(head, 'num_classes', None)


def palette_of(palette, count: int) -> tuple[tuple[int, int, int], ...]:
    """Return a palette of so many colours, made up where there is none."""
    if palette is not None and len(palette) == count:
        return tuple((int(red), int(green), int(blue)) for red, green, blue in palette)
    colours = []
    for k in range(count):
        turn, place = divmod(k, len(CATEGORIES))
        shade = np.array(to_rgb(CATEGORIES[place])) * 0.72**turn  # later turns are darker
        red, green, blue = (int(part) for part in np.rint(shade * 255))
        colours.append((red, green, blue))
    return tuple(colours)


def ignored_classes(model: nn.Module, config: Config) -> tuple[int, ...]:
    """Return the classes that neither training nor test count, so that no map may show them."""
    facts = getattr(model, 'input_facts', None) or {}
    found = set(facts.get('void') or ())
    dataset = _dataset(config)
    kind = _kind_of(dataset)
    if kind is not None:
        void = inspect.signature(kind.__init__).parameters.get('void')
        default = () if void is None or void.default is void.empty else void.default
        found |= set(dataset.get('void', default))
    for name in ('val_evaluator', 'test_evaluator'):
        evaluators = config.get(name) or ()
        for one in [evaluators] if isinstance(evaluators, Mapping) else evaluators:
            found |= set(one.get('void') or ())
    return tuple(sorted(int(label) for label in found))


def reading_of(config: Config, facts: Mapping | None = None) -> Reading:
    """Return how a config's test reads its images.

    Args:
        config: With a ``test_dataloader``, or without one for plain reading.
        facts: What the checkpoint says of its training data.
    """
    dataset = _dataset(config)
    steps = [step for step in dataset.get('pipeline') or () if step['type'] in _LOADERS]
    said = {key: value for step in steps for key, value in step.items() if value is not None}
    nodata = said.get('nodata', getattr(_kind_of(dataset), 'NODATA', None))
    return Reading(
        scale=dict(said['scale']) if said.get('scale') else None,
        nodata=nodata,
        scaled=bool(said.get('scaled', False)),
        norm=(facts or {}).get('norm') or None,
    )
