"""Models that give a map per image."""

from rsmm.registry import prepare_scope

prepare_scope('mmseg')
