"""A network as a rule sees it: it is shown views and says what it makes of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rsmm.models.semisup.batch import Outputs, View
from rsmm.models.semisup.processes import join_rows
from rsmm.utils.seams import is_batch_norm


@dataclass(frozen=True)
class Branch:
    """Backbone, head and what rules may ask for beside them, under one name.

    Attributes:
        parts: Modules ``backbone``, ``head`` and, where they exist, ``neck``, ``metadata``,
            ``projector``, ``rotation_head``, ``untrained_head``.
        is_student: Learns from another network's targets.
    """

    parts: Mapping[str, Any]
    is_student: bool = False

    def part(self, name: str) -> nn.Module | None:
        """A module, or None."""
        return self.parts.get(name)

    def features(self, view: View, with_token: bool = True) -> tuple[Tensor, ...]:
        """What the head takes, of the rows of this process."""
        backbone, metadata = self.parts['backbone'], self.part('metadata')
        if metadata is not None and with_token:
            token = metadata(view.places)
            if view.partners is not None:
                token = view.share * token + (1 - view.share) * metadata(view.partners)
            found = backbone(view.images, token)
        elif metadata is not None:
            found = backbone(view.images, with_token=False)
        else:
            found = backbone(view.images)
        neck = self.part('neck')
        return found if neck is None else neck(found)

    def logits(self, view: View) -> Tensor:
        """Class logits ``(N, C)`` of the rows of this process."""
        return _full(self.parts['head'](self.features(view)))

    def see(self, views: Mapping[str, View]) -> dict[str, Outputs]:
        """Show several views in one pass.

        Args:
            views: By name, without mixtures.

        Returns:
            Outputs of the rows of all processes, by the same names.
        """
        if not views:
            return {}
        together = View(
            images=torch.cat([view.images for view in views.values()]),
            places=torch.cat([view.places for view in views.values()]),
        )
        found = self.look_parts(together, [len(view) for view in views.values()])
        return dict(zip(views, found, strict=True))

    def look(self, view: View) -> Outputs:
        """Show one view, which may be a mixture."""
        return self.look_parts(view, [len(view)])[0]

    def look_parts(self, view: View, sizes: Sequence[int]) -> list[Outputs]:
        """Show one view that is made of parts with so many rows of this process."""
        features = self.features(view)
        columns = [_full(self.parts['head'](features)), None, None]
        projector = self.part('projector')
        if projector is not None:
            last = self.parts['head'].pre_logits(features)
            columns[1] = F.normalize(_full(projector(_full(last))), dim=1)
        if self.has_token:
            columns[2] = _full(features[0])
        split = [
            [None] * len(sizes) if x is None else [join_rows(p) for p in x.split(list(sizes))]
            for x in columns
        ]
        return [Outputs(*row) for row in zip(*split, strict=True)]

    @property
    def has_token(self) -> bool:
        """Whether the backbone returns an extra token besides its features."""
        return getattr(self.parts['backbone'], 'extra_token', 'none') != 'none'

    @property
    def has_batch_norm(self) -> bool:
        """Whether some layer's output depends on the other images of the batch."""
        return any(True for _ in batch_norms(self.parts))

    def rotation_logits(self, view: View) -> Tensor:
        """Which quarter turn the images have been given: logits ``(N, 4)`` of all processes."""
        last = self.parts['head'].pre_logits(self.features(view))
        return join_rows(self.parts['rotation_head'](_full(last)))

    @torch.no_grad()
    def bias_logits(self, image: Tensor, own_head: bool = False) -> Tensor:
        """Logits ``(C,)`` of an image without content: what the network says of nothing.

        Runs without metadata and in evaluation mode.

        Args:
            image: ``(1, C, H, W)``.
            own_head: As the published code does it: the backbone's own untrained head, in the mode
                the network is in.
        """
        view = View(image, image.new_full((1, 3), float('nan')))
        if own_head:
            features = self.features(view, with_token=False)
            return _full(self.parts['untrained_head'](features[-1]))[0]
        with evaluating(self.parts):
            return _full(self.parts['head'](self.features(view, with_token=False)))[0]


def _full(x: Tensor) -> Tensor:
    """At least single precision: thresholds are too fine for half."""
    return x if x.dtype == torch.float64 else x.float()


def batch_norms(parts: Mapping[str, nn.Module]) -> Iterator[nn.Module]:
    """Batch normalisations in a network, in order."""
    for part in parts.values():
        for module in part.modules():
            if is_batch_norm(module):
                yield module


@contextmanager
def evaluating(parts: Mapping[str, nn.Module]) -> Iterator[None]:
    """Set modules to evaluation mode inside the block."""
    before = [(m, m.training) for part in parts.values() for m in part.modules()]
    for part in parts.values():
        part.eval()
    try:
        yield
    finally:
        for module, training in before:
            module.training = training


@contextmanager
def kept_statistics(parts: Mapping[str, nn.Module]) -> Iterator[None]:
    """Leave the running statistics of batch normalisation as they are inside the block."""
    layers: list[Any] = list(batch_norms(parts))
    before = [layer.momentum for layer in layers]
    for layer in layers:
        layer.momentum = 0.0
    try:
        yield
    finally:
        for layer, momentum in zip(layers, before, strict=True):
            layer.momentum = momentum
