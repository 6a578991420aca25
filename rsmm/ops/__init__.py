"""Operations on images that no other package has, or has fast enough."""

from rsmm.ops.selective_search import rank_regions, region_hierarchy, selective_search
from rsmm.ops.texture import lbp

__all__ = ['lbp', 'rank_regions', 'region_hierarchy', 'selective_search']
