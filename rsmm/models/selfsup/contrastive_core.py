"""The mechanics shared by MoCo, SeCo, TeCo, CACo and SACo.

A query encoder learns; a key encoder follows it as a running average; keys of past batches wait in
queues, one per embedding sub-space. Everything a method adds is which views it compares with which.

Sources: He et al., Momentum Contrast (CVPR 2020); Chen et al., Improved Baselines with Momentum
Contrastive Learning (arXiv 2003.04297).
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from mmengine.dist import all_gather, get_dist_info
from mmpretrain.models.selfsup import BaseSelfSupervisor
from torch import Tensor, nn

from rsmm.errors import ConfigError
from rsmm.models.layers.momentum import momentum_update_
from rsmm.models.losses.functional.embedding import alignment, uniformity
from rsmm.registry import MODELS

Embeddings = tuple[Tensor, ...]


def check_queue_length(queue_len: int, global_batch: int) -> None:
    """Raise :class:`ConfigError` unless a ring of ``queue_len`` takes whole batches only."""
    if queue_len % global_batch:
        raise ConfigError(
            f'queue_len={queue_len} is not a multiple of the global batch of {global_batch} images',
            fix='Change queue_len or batch_size, and set drop_last=True',
        )


@torch.no_grad()
def enqueue_(queue: Tensor, pointer: Tensor, keys: Tensor) -> None:
    """Overwrite the oldest entries of a ring buffer with new keys, in place.

    Args:
        queue: ``(D, K)``, unit columns.
        pointer: ``(1,)`` int64, the next column to overwrite.
        keys: ``(M, D)``; normalised here. ``K`` must be a multiple of ``M``.
    """
    check_queue_length(queue.shape[1], len(keys))
    start = int(pointer)
    queue[:, start : start + len(keys)] = F.normalize(keys.to(queue.dtype), dim=1).T
    pointer[0] = (start + len(keys)) % queue.shape[1]


def gather_rows(x: Tensor) -> Tensor:
    """Stack the rows of all processes in rank order, without gradient."""
    if get_dist_info()[1] == 1:
        return x.detach()
    return torch.cat(all_gather(x.detach().contiguous()), dim=0)


@torch.no_grad()
def shuffled_forward(encode: Callable[[Tensor], Embeddings], x: Tensor, seed: int) -> Embeddings:
    """Encode a batch with its rows dealt to the processes at random ("shuffle-BN").

    Batch statistics of a key then come from other images than those of its query, so they give the
    match away no longer. One process has one batch, and shuffling it changes nothing.

    Args:
        encode: Maps ``(N, C, H, W)`` to a tuple of ``(N, D)``.
        x: Images of this process ``(N, C, H, W)``.
        seed: Must be the same on all processes.

    Returns:
        Embeddings of all processes in rank order, each ``(N * processes, D)``.
    """
    rank, world_size = get_dist_info()
    if world_size == 1:
        return encode(x)
    rows = gather_rows(x)
    # A generator of its own: the order is the same everywhere without a broadcast, and the
    # augmentation's random stream is left alone.
    order = torch.randperm(len(rows), generator=torch.Generator().manual_seed(seed))
    dealt = order.view(world_size, -1)[rank].to(x.device)
    back = order.argsort().to(x.device)
    return tuple(gather_rows(z)[back] for z in encode(rows[dealt]))


def embedding_quality(q: Tensor, keys: Tensor) -> dict[str, Tensor]:
    """Alignment and uniformity of a batch of queries and their keys, for the log.

    Falling alignment at a uniformity that stays low is learning; both near 0 is collapse.
    """
    q, keys = q.detach().float(), keys.detach().float()
    return {'alignment': alignment(q, keys), 'uniformity': uniformity(q)}


class MomentumContrast(BaseSelfSupervisor):
    """Query and key encoders and the queues; subclasses say what to compare.

    Model state: ``queue`` ``(E, D, K)`` with unit columns and ``queue_ptr`` ``(E, 1)``, besides the
    key encoder ``backbone_k``, ``neck_k``.

    Args:
        backbone: Config of a backbone that returns a tuple of feature maps.
        neck: Config of a projector from that tuple to a tuple of ``E`` embeddings ``(N, D)``, e.g.
            :class:`MoCoMLP` or ``mmpretrain.MoCoV2Neck``.
        queue_len: Entries per queue ``K``, a multiple of the global batch.
        feat_dim: Embedding size ``D``.
        momentum: ``m`` of ``key <- m key + (1 - m) query`` (0.999; not its complement).
        temperature: Divisor of the similarities.
        num_spaces: Embedding sub-spaces ``E``.
        gather_negatives: Use the keys of all processes as in-batch negatives, so that the loss does
            not depend on the number of processes. False keeps to the own process, as the released
            SeCo and CACo do.
        data_preprocessor: Config or module; :class:`MultiSpectralPreprocessor` if left out.
        init_cfg: Initialisation of the query encoder.
    """

    def __init__(
        self,
        backbone: dict | nn.Module,
        neck: dict | nn.Module,
        queue_len: int = 16384,
        feat_dim: int = 128,
        momentum: float = 0.999,
        temperature: float = 0.07,
        num_spaces: int = 1,
        gather_negatives: bool = True,
        data_preprocessor: dict | nn.Module | None = None,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        if not 0 <= momentum <= 1:
            raise ConfigError(f'momentum must lie in [0, 1], found {momentum}', where='momentum')
        if temperature <= 0 or queue_len < 1:
            raise ConfigError(
                f'temperature={temperature} and queue_len={queue_len} must be positive'
            )
        # Built here and not by the base class, whose registry would not find rsmm's entries.
        super().__init__(
            backbone=_built(backbone),
            neck=_built(neck),
            data_preprocessor=_built(data_preprocessor or {'type': 'MultiSpectralPreprocessor'}),
            init_cfg=init_cfg,
        )
        self.momentum = momentum
        self.temperature = temperature
        self.queue_len = queue_len
        self.num_spaces = num_spaces
        self.gather_negatives = gather_negatives
        self.backbone_k = copy.deepcopy(self.backbone).requires_grad_(False)
        self.neck_k = copy.deepcopy(self.neck).requires_grad_(False)
        queue = F.normalize(torch.randn(num_spaces, feat_dim, queue_len), dim=1)
        self.register_buffer('queue', queue)
        self.register_buffer('queue_ptr', torch.zeros(num_spaces, 1, dtype=torch.long))

    def init_weights(self) -> None:
        """Initialise the query encoder and start the key encoder as its copy."""
        super().init_weights()
        self.backbone_k.load_state_dict(self.backbone.state_dict())
        self.neck_k.load_state_dict(self.neck.state_dict())

    def _load_from_state_dict(self, state_dict: dict, prefix: str, *args) -> None:
        """Weights without a key encoder (a bare backbone, SACo's files) start it as a copy."""
        for part in ('backbone', 'neck'):
            query, key = f'{prefix}{part}.', f'{prefix}{part}_k.'
            if not any(name.startswith(key) for name in state_dict):
                found = [name for name in state_dict if name.startswith(query)]
                state_dict.update({key + n.removeprefix(query): state_dict[n] for n in found})
        super()._load_from_state_dict(state_dict, prefix, *args)

    def extract_feat(self, inputs: Tensor | Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Feature maps of the query backbone; of the first view when given several."""
        return self.backbone(inputs if isinstance(inputs, Tensor) else inputs[0])

    def encode(self, x: Tensor) -> Embeddings:
        """Query embeddings of ``(N, C, H, W)``: ``E`` tensors ``(N, D)``, not normalised."""
        return self._as_embeddings(self.neck(self.backbone(x)))

    def encode_key(self, x: Tensor) -> Embeddings:
        """Key embeddings of the images of this process, not normalised, without gradient."""
        with torch.no_grad():
            return self._as_embeddings(self.neck_k(self.backbone_k(x)))

    def encode_keys(self, views: Sequence[Tensor]) -> list[Embeddings]:
        """Key embeddings of all processes.

        Returns:
            ``keys[i][j]``: view ``j`` in sub-space ``i``, ``(N * processes, D)``, in rank order.
        """
        step = int(self.queue_ptr[0])
        encoded = [
            shuffled_forward(self.encode_key, view, seed=step * len(views) + j)
            for j, view in enumerate(views)
        ]
        return list(zip(*encoded, strict=True))

    def update_key_encoder(self) -> None:
        """Move the parameters of the key encoder towards the query's; buffers go their own way."""
        pairs = ((self.backbone_k, self.backbone), (self.neck_k, self.neck))
        for key, query in pairs:
            momentum_update_(key.parameters(), query.parameters(), self.momentum)

    def enqueue(self, keys: Sequence[Tensor]) -> None:
        """Put one key tensor per sub-space, of all processes, into its queue."""
        for queue, pointer, key in zip(self.queue, self.queue_ptr, keys, strict=True):
            enqueue_(queue, pointer, key)

    def queues(self) -> Tensor:
        """The queues as rows, ``(E, K, D)``."""
        return self.queue.transpose(1, 2)

    def check_batch(self, inputs: Sequence[Tensor], num_views: int) -> None:
        """Refuse a batch with another number of views or one that the queue can not take.

        Raises:
            ConfigError: With what to change.
        """
        found = 1 if isinstance(inputs, Tensor) else len(inputs)
        if found != num_views:
            raise ConfigError(
                f'{type(self).__name__} compares {num_views} views per sample, found {found}',
                fix="Match the pipeline's view transform to the method",
            )
        check_queue_length(self.queue_len, len(inputs[0]) * get_dist_info()[1])

    def own_rows(self, keys: Tensor, rows: int) -> Tensor:
        """Rows of this process in keys of all."""
        offset = get_dist_info()[0] * rows
        return keys[offset : offset + rows]

    def local_rows(self, keys: list[Embeddings], rows: int) -> tuple[list[Embeddings], int]:
        """Return the keys that act as in-batch negatives and the offset of the own rows in them."""
        offset = get_dist_info()[0] * rows
        if self.gather_negatives:
            return keys, offset
        return [tuple(z[offset : offset + rows] for z in views) for views in keys], 0

    def _as_embeddings(self, out: Tensor | Sequence[Tensor]) -> Embeddings:
        embeddings = (out,) if isinstance(out, Tensor) else tuple(out)
        expected = (self.num_spaces, self.queue.shape[1])
        found = (len(embeddings), embeddings[0].shape[1])
        if found != expected:
            raise ConfigError(
                f'the neck gives {found[0]} embedding(s) of size {found[1]}, expected '
                f'{expected[0]} of size {expected[1]}',
                where='neck',
                fix='Match num_spaces and feat_dim to the neck',
            )
        return embeddings


def _built(module: dict | nn.Module) -> nn.Module:
    return module if isinstance(module, nn.Module) else MODELS.build(module)
