"""The one progress bar."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import TypeVar

Item = TypeVar('Item')


def track(iterable: Iterable[Item], description: str, total: float | None = None) -> Iterator[Item]:
    """Iterate with a progress bar on stderr; silent on ranks other than 0.

    Args:
        iterable: What to iterate over.
        description: What is being done, shown beside the bar.
        total: Number of items when ``iterable`` has no length.
    """
    with progress_bar() as bar:
        yield from bar.track(iterable, total=total, description=description)


def progress_bar():
    """Return a :class:`rich.progress.Progress` on stderr, in the one style, for rank 0 only."""
    from rich.console import Console
    from rich.progress import Progress

    return Progress(console=Console(stderr=True), disable=int(os.environ.get('RANK', 0)) != 0)
