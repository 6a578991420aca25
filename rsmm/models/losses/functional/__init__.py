"""Losses as pure functions of tensors: no state, no device, no distribution."""

from rsmm.models.losses.functional.contrastive import (
    caco_loss,
    change_distances,
    change_ratio,
    info_nce,
    saco_group_term,
    saco_loss,
    seco_loss,
)
from rsmm.models.losses.functional.pairs import dense_nt_xent, nt_xent
from rsmm.models.losses.functional.pooling import masked_pool
from rsmm.models.losses.functional.swav import code_cross_entropy, sinkhorn, swav_loss

__all__ = [
    'caco_loss',
    'change_distances',
    'change_ratio',
    'code_cross_entropy',
    'dense_nt_xent',
    'info_nce',
    'masked_pool',
    'nt_xent',
    'saco_group_term',
    'saco_loss',
    'seco_loss',
    'sinkhorn',
    'swav_loss',
]
