"""Dated images of places with one label map each, in folders of one's own."""

from __future__ import annotations

from pathlib import Path

from rsmm.datasets.dates import date_of
from rsmm.datasets.map_folder import MapFolder
from rsmm.errors import DataError
from rsmm.registry import DATASETS
from rsmm.utils.listing import list_files, list_folders


@DATASETS.register_module()
class StackFolder(MapFolder):
    """Places with several dates: one folder of dated images and one label per place.

    ``<root>/images/<place>/2018-04-17.tif`` with ``<root>/labels/<place>.tif`` (or a vector file);
    a file's name holds its date, see :func:`rsmm.datasets.dates.date_of`. The dates of a place lie
    on one grid; places may have other dates, and other numbers of them.

    Arguments, splits and labels are those of :class:`rsmm.datasets.map_folder.MapFolder`.

    Raises:
        DataError: A file without a date, or two of one day, beside those of ``MapFolder``.
    """

    def pictures(self, images: Path) -> dict[str, Path]:
        """Map places to the earliest image of each."""
        places = {path.name: stack_of(path) for path in list_folders(images)}
        self._stacks = {**getattr(self, '_stacks', {}), **places}
        return {name: stack[0][1] for name, stack in places.items() if stack}

    def scene(self, name: str, image: Path, label: Path, shared: bool) -> dict:
        """Return the record of a place, with its dates and files."""
        days, files = zip(*self._stacks[name], strict=True)
        return {
            **super().scene(name, image, label, shared),
            'dates': tuple(day.isoformat() for day in days),
            'date_files': [str(path) for path in files],
        }


def stack_of(folder: Path) -> list[tuple]:
    """Return date and file of the images of a folder in order of time.

    Raises:
        DataError: A name without a date, or two images of one day.
    """
    found: dict = {}
    for path in list_files(folder):
        day = date_of(path)
        if day is None:
            raise DataError(
                'has no date in its name', where=path, fix='Name it by date, such as 2018-04-17.tif'
            )
        if day in found:
            raise DataError(f'is of {day}, as {found[day].name}', where=path, fix='Keep one')
        found[day] = path
    return sorted(found.items())
