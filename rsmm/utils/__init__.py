"""Small helpers shared by all packages; none of them imports torch."""

from rsmm.utils.io import atomic_write, sha256_file
from rsmm.utils.progress import track

__all__ = ['atomic_write', 'sha256_file', 'track']
