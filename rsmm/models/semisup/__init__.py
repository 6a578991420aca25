"""Semi-supervised learning: rules, networks, metadata."""

from rsmm.registry import prepare_scope

prepare_scope('mmpretrain')
