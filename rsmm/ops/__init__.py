"""Operations on images that no other package has, or has fast enough."""

from rsmm.ops.texture import lbp

__all__ = ['lbp']
