"""rsmm: learning from satellite and aerial images over space and time, on MMEngine.

Importing the package is cheap: no torch, no registry. Entries load when a config names them.
"""

from __future__ import annotations

from rsmm.version import __version__

__all__ = ['__version__']
