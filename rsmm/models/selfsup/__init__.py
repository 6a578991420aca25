"""Self-supervised methods."""

from rsmm.neighbours import without_mmdet

without_mmdet('mmpretrain')
