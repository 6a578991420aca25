"""Metrics as pure functions: ``from rsmm.evaluation.functional import scot``."""

from rsmm.utils.lazy import lazy_exports

__getattr__, __dir__, _index = lazy_exports(__name__, __file__)
