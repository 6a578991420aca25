"""Models that give a map per image."""

from rsmm.neighbours import without_mmdet

without_mmdet('mmseg')
