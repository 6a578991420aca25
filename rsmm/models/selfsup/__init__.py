"""Self-supervised methods."""

from rsmm.registry import prepare_scope

prepare_scope('mmpretrain')
