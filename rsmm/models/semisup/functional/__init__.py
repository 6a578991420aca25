"""The arithmetic of semi-supervised rules: ``from rsmm.models.semisup.functional import align``."""

from rsmm.utils.lazy import lazy_exports

__getattr__, __dir__, _index = lazy_exports(__name__, __file__)
