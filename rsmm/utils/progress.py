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
    if int(os.environ.get('RANK', 0)) != 0:
        yield from iterable
        return
    from rich.console import Console
    from rich.progress import track as rich_track

    yield from rich_track(iterable, description, total=total, console=Console(stderr=True))
