"""Georeferenced input and output, tiled inference, polygons from masks, identity tracking."""

from rsmm.utils.lazy import lazy_exports

__getattr__, __dir__, _index = lazy_exports(__name__, __file__)
