"""What surrounds a prediction: progress with the time left, and limits of waiting for a network."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable

from rsmm.utils.progress import progress_bar

#: Of GDAL: a server that stalls or breaks off ends in an error, after a few tries.
NETWORK = {
    'GDAL_HTTP_TIMEOUT': '60',
    'GDAL_HTTP_CONNECTTIMEOUT': '20',
    'GDAL_HTTP_LOW_SPEED_TIME': '30',
    'GDAL_HTTP_LOW_SPEED_LIMIT': '100',
    'GDAL_HTTP_MAX_RETRY': '3',
    'GDAL_HTTP_RETRY_DELAY': '1',
    # Bytes of decoded blocks: without it GDAL keeps a twentieth of the machine's memory.
    'GDAL_CACHEMAX': 128 << 20,
}


class Bars(contextlib.AbstractContextManager):
    """Progress over scenes and over the tiles of one, with the time left."""

    def __init__(self, scenes: int) -> None:
        self._bar = progress_bar()
        self._scenes = self._bar.add_task('Scenes', total=scenes, visible=scenes > 1)

    def __enter__(self) -> Bars:
        self._bar.__enter__()
        return self

    def __exit__(self, *error) -> None:
        self._bar.__exit__(*error)

    def starter(self, name: str) -> Callable:
        """Return what :func:`rsmm.inference.map_files.write_scene` calls with its tiles."""

        def start(total: int) -> Callable:
            task = self._bar.add_task(name, total=total)
            return lambda: self._bar.advance(task)

        return start

    def finished(self) -> None:
        """Count a scene."""
        self._bar.advance(self._scenes)


@contextlib.contextmanager
def network_limits():
    """Set limits of waiting for GDAL's network files, unless the environment has its own."""
    import rasterio

    options = {key: value for key, value in NETWORK.items() if key not in os.environ}
    with rasterio.Env(**options):
        yield
