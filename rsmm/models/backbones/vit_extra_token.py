"""A Vision Transformer that can take one more token: constant, or made of other data."""

from __future__ import annotations

import torch
from mmengine.model import BaseModule
from mmpretrain.models.backbones import VisionTransformer
from mmpretrain.models.utils import resize_pos_embed
from torch import Tensor, nn

from rsmm.errors import ConfigError
from rsmm.registry import MODELS

TOKENS = ('none', 'const', 'input')


def extra_token_kind(kind: str, where: str) -> str:
    """Return a kind of extra token; ConfigError if there is no such kind."""
    if kind not in TOKENS:
        raise ConfigError(f'extra_token={kind!r} is not one of {", ".join(TOKENS)}', where=where)
    return kind


def check_token(network: nn.Module, token: Tensor | None, with_token: bool) -> bool:
    """Whether a network runs with its extra token, given what comes with the images.

    Raises:
        ConfigError: A token is missing, or the network takes none.
    """
    kind, where = network.extra_token, type(network).__name__
    with_token = with_token and kind != 'none'
    if with_token and (kind == 'input') != (token is not None):
        raise ConfigError(
            f"extra_token='{kind}' {'without' if token is None else 'and'} an input token",
            where=where,
            fix="Place and date need extra_token='input'",
        )
    if not with_token and token is not None:
        raise ConfigError('the network takes no metadata', where=where, fix="extra_token='input'")
    return with_token


@MODELS.register_module()
class ViTExtraToken(VisionTransformer):
    """mmpretrain's Vision Transformer with an extra last token, a class token and its final norm.

    The extra token is a learned vector, the same for every image (``'const'``), or that vector plus
    what is given with the images (``'input'``). Without it the network is the plain one, operation
    by operation. Class token and position embedding start at zero, other layers as PyTorch starts
    them. Source: Bernhard et al., ECAI 2024.

    Args:
        arch: As in mmpretrain; ``'deit-small'`` is the ViT-S of 384 channels, 12 layers, 6 heads.
        extra_token: ``'none'``, ``'const'`` or ``'input'``.
        init_cfg: Initialisation, e.g. from a pretrained plain network.
        **kwargs: Other arguments of mmpretrain's, e.g. ``img_size``, ``patch_size``,
            ``in_channels``, ``drop_path_rate``.
    """

    def __init__(
        self,
        arch: str | dict = 'deit-small',
        extra_token: str = 'none',
        init_cfg: dict | list[dict] | None = None,
        **kwargs,
    ) -> None:
        extra_token_kind(extra_token, 'ViTExtraToken')
        super().__init__(arch=arch, out_type='cls_token', init_cfg=init_cfg, **kwargs)
        self.extra_token = extra_token
        if extra_token != 'none':
            token = torch.empty(1, 1, self.embed_dims)
            self.token_embed = nn.Parameter(nn.init.normal_(token, std=0.02))
        self._starting = False
        self.register_load_state_dict_pre_hook(_keep_token)

    def init_weights(self) -> None:
        """Load pretrained weights if the config names some; nothing else is changed.

        They may be those of a plain network: the extra token then stays as it is.
        """
        settings = self.init_cfg if isinstance(self.init_cfg, list) else [self.init_cfg]
        if any(isinstance(item, dict) and item.get('type') == 'Pretrained' for item in settings):
            self._starting = True
            try:
                BaseModule.init_weights(self)
            finally:
                self._starting = False

    def forward(
        self, x: Tensor, token: Tensor | None = None, with_token: bool = True
    ) -> tuple[Tensor, ...]:
        """Class token, after the extra token if there is one.

        Args:
            x: Images ``(N, C, H, W)``.
            token: What is added to the extra token ``(N, D)``; needed for ``'input'``.
            with_token: False runs the network without its extra token.

        Returns:
            ``(class token,)`` or ``(extra token, class token)``, each ``(N, D)``.

        Raises:
            ConfigError: A token is missing, or the network takes none.
        """
        with_token = check_token(self, token, with_token)
        tokens = self._embed(x)
        if with_token:
            last = self.token_embed.expand(len(x), -1, -1)
            if token is not None:
                last = last + token[:, None].to(last.dtype)
            tokens = torch.cat([tokens, last], dim=1)
        for layer in self.layers:
            tokens = layer(tokens)
        if self.final_norm:
            tokens = self.ln1(tokens)
        return (tokens[:, -1], tokens[:, 0]) if with_token else (tokens[:, 0],)

    def _embed(self, x: Tensor) -> Tensor:
        """Class and patch tokens with their positions ``(N, 1 + patches, D)``."""
        patches, resolution = self.patch_embed(x)
        tokens = torch.cat([self.cls_token.expand(len(x), -1, -1), patches], dim=1)
        positions = resize_pos_embed(
            self.pos_embed,
            self.patch_resolution,
            resolution,
            mode=self.interpolate_mode,
            num_extra_tokens=self.num_extra_tokens,
        )
        return self.pre_norm(self.drop_after_pos(tokens + positions))


def _keep_token(network: ViTExtraToken, state_dict: dict, prefix: str, *args) -> None:
    # Only at the start of a training: a trained network without its token is damaged.
    if network._starting and network.extra_token != 'none':
        state_dict.setdefault(f'{prefix}token_embed', network.token_embed.detach().clone())
