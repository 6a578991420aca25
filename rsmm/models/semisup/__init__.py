"""Semi-supervised learning: rules, networks, metadata."""

from rsmm.neighbours import without_mmdet

without_mmdet('mmpretrain')
