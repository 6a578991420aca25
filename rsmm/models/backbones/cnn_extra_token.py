"""Any convolutional network with one more token, mixed with its pooled features."""

from __future__ import annotations

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn

from rsmm.errors import ConfigError
from rsmm.models.backbones.vit_extra_token import check_token, extra_token_kind
from rsmm.registry import MODELS


@MODELS.register_module()
class CNNExtraToken(BaseModule):
    """A convolutional network, pooled, that can take an extra token as ``ViTExtraToken`` does.

    A convolution has no place for a token among its pixels, so that both meet once, at the end: the
    pooled features ``g (N, D)`` and the token ``e (N, D)`` each get what two linear layers make of
    both, as residuals that start at zero. At the start the network is thus the plain one, whatever
    weights it comes with. Without the token it is the plain one pooled, operation by operation.

    Model state: ``network``; with a token ``token_embed``, ``norm``, ``first`` and ``second``.

    Args:
        network: Config of a backbone whose last output is a feature map ``(N, D, h, w)``.
        embed_dims: D.
        extra_token: ``'none'``, ``'const'`` (a learned vector) or ``'input'`` (that vector plus
            what is given with the images).
        init_cfg: Initialisation of what is beside ``network``, which has its own.

    Raises:
        ConfigError: There is no such token.
    """

    def __init__(
        self,
        network: dict | nn.Module,
        embed_dims: int,
        extra_token: str = 'none',
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        self.extra_token = extra_token_kind(extra_token, type(self).__name__)
        self.embed_dims = embed_dims
        self.network = network if isinstance(network, nn.Module) else MODELS.build(network)
        if extra_token != 'none':
            self.token_embed = nn.Parameter(0.02 * torch.randn(1, embed_dims))
            self.norm = nn.LayerNorm(2 * embed_dims)
            self.first = nn.Linear(2 * embed_dims, 2 * embed_dims)
            self.second = nn.Linear(2 * embed_dims, 2 * embed_dims)
            nn.init.zeros_(self.second.weight)
            nn.init.zeros_(self.second.bias)

    def forward(
        self, x: Tensor, token: Tensor | None = None, with_token: bool = True
    ) -> tuple[Tensor, ...]:
        """Pooled features, after the extra token if there is one.

        Args:
            x: Images ``(N, C, H, W)``.
            token: What is added to the extra token ``(N, D)``; needed for ``'input'``.
            with_token: False runs the network without its extra token.

        Returns:
            ``(features,)`` or ``(extra token, features)``, each ``(N, D)``.

        Raises:
            ConfigError: A token is missing, the network takes none, or D is not its width.
        """
        with_token = check_token(self, token, with_token)
        pooled = self.network(x)[-1].mean((2, 3))
        if pooled.shape[1] != self.embed_dims:
            raise ConfigError(
                f'embed_dims={self.embed_dims}, the network has {pooled.shape[1]} channels',
                where=type(self).__name__,
            )
        if not with_token:
            return (pooled,)
        extra = self.token_embed.expand(len(x), -1)
        if token is not None:
            extra = extra + token.to(extra.dtype)
        both = torch.cat([extra.to(pooled.dtype), pooled], dim=1)
        mixed = both + self.second(nn.functional.gelu(self.first(self.norm(both))))
        return mixed[:, : self.embed_dims], mixed[:, self.embed_dims :]
