"""What all rsmm datasets share: a root that exists, and errors that help when it does not."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from mmengine.dataset import BaseDataset

from rsmm.errors import ConfigError, DataNotFoundError
from rsmm.registry import TRANSFORMS


class RSDataset(BaseDataset):
    """Base of the datasets: mmengine's contract plus a checked data root.

    Subclasses set ``TOY_NAME`` to the name under which ``tools/misc/make_toy_data.py`` writes a toy
    copy in the same layout, and implement ``load_data_list``.

    Args:
        data_root: Folder in the published layout.
        pipeline: Transforms or their configs, looked up in rsmm's registry whatever the default
            scope is, so that a dataset also works outside a runner.
        metainfo: What is known of the data as a whole (``classes``, ``palette``, ...).
        facts: The same as the settings of a subclass decide it (``bands``); stronger.
        **kwargs: Arguments of :class:`mmengine.dataset.BaseDataset`.

    Raises:
        DataNotFoundError: The root is missing or holds no files.
    """

    TOY_NAME: str | None = None

    def __init__(
        self,
        data_root: str = '',
        pipeline: Sequence[dict | Callable] = (),
        metainfo: Mapping | None = None,
        facts: Mapping | None = None,
        **kwargs,
    ) -> None:
        self.check_root(data_root)
        steps = [TRANSFORMS.build(step) if isinstance(step, dict) else step for step in pipeline]
        known = {**(metainfo or {}), **(facts or {})}
        super().__init__(data_root=str(data_root), pipeline=steps, metainfo=known, **kwargs)

    def note(self, **facts: object) -> None:
        """Add to ``metainfo`` what only the files tell, such as the classes of a table."""
        self._metainfo.update(facts)

    @classmethod
    def check_root(cls, data_root: str) -> None:
        """Raise :class:`DataNotFoundError` unless ``data_root`` is a folder that is not empty."""
        root = Path(data_root)
        if not data_root or not root.is_dir():
            raise cls.not_found('there is no such folder', data_root or 'data_root', data_root)
        if not any(root.iterdir()):
            raise cls.not_found('the folder is empty', data_root, data_root)

    @classmethod
    def not_found(
        cls, what: str, where: str | Path, out: str | Path | None = None
    ) -> DataNotFoundError:
        """Build the error for absent data, with the command that makes toy data.

        Args:
            what: What is wrong.
            where: Folder or file to name.
            out: Folder free for toy data; default ``data/toy/<dataset>``.
        """
        fix = 'Set it with --cfg-options data_root=DIR'
        if cls.TOY_NAME:
            fix += (
                ', or make toy data: '
                f'python tools/misc/make_toy_data.py {cls.TOY_NAME} '
                f'--out {out or f"data/toy/{cls.TOY_NAME}"}'
            )
        return DataNotFoundError(what, where=where, fix=fix)


def leaf_datasets(dataset) -> Iterator:
    """The datasets in a wrapper (repeated, joined, seeded, two streams), or the dataset itself."""
    parts = getattr(dataset, 'datasets', None)
    if parts is None and getattr(dataset, 'dataset', None) is not None:
        parts = [dataset.dataset]
    if parts is None:
        yield dataset
        return
    for part in parts.values() if isinstance(parts, Mapping) else parts:
        yield from leaf_datasets(part)


def check_same_classes(train, other) -> None:
    """Refuse two datasets of one kind with other classes: a label would mean two things.

    Classes that a file gives (COCO) differ where one of two files lacks a category.

    Raises:
        ConfigError: Names the classes that only one of them has.
    """
    for one in leaf_datasets(train):
        for two in leaf_datasets(other):
            classes = [(data.metainfo.get('classes') or ()) for data in (one, two)]
            if type(one) is type(two) and tuple(classes[0]) != tuple(classes[1]):
                lone = sorted(set(classes[0]) ^ set(classes[1])) or ['in another order']
                raise ConfigError(
                    f'training and validation have other classes ({", ".join(lone[:8])})',
                    where=type(one).__name__,
                    fix='Give both datasets the same classes=[...]',
                )
