"""What a training step hands to a rule: views, labels, outputs, targets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import torch
from mmengine.dist import get_dist_info
from torch import Tensor

from rsmm.errors import ConfigError
from rsmm.models.semisup.processes import join_rows, own_rows


@dataclass(frozen=True)
class View:
    """Images of this process, and where and when they were taken.

    Attributes:
        images: ``(N, C, H, W)``.
        places: Latitude, longitude (degrees) and day of year ``(N, 3)``, NaN where missing.
        partners: Places of images that were mixed in, ``(N, 3)``.
        share: Share of the image itself in a mixture, 1 without.
    """

    images: Tensor
    places: Tensor
    partners: Tensor | None = None
    share: float = 1.0

    def __len__(self) -> int:
        return len(self.images)


@dataclass(frozen=True)
class Outputs:
    """What a network says of a view, for the rows of all processes.

    Attributes:
        logits: ``(N, C)``.
        projected: Unit embeddings ``(N, P)`` if the rule asks for them.
        token: Features of the extra token ``(N, D)`` if the network has one.
    """

    logits: Tensor
    projected: Tensor | None = None
    token: Tensor | None = None

    def detach(self) -> Outputs:
        """The same without gradient."""
        return Outputs(
            *(None if x is None else x.detach() for x in (self.logits, self.projected, self.token))
        )


@dataclass(frozen=True)
class Target:
    """Pseudo-labels of a step.

    Attributes:
        label: Class ids ``(N,)`` or probabilities ``(N, C)``.
        weight: Bool or float, ``(N,)``; multi-label ``(N, C)``.
        extra: What else a rule wants to find again in its loss terms.
    """

    label: Tensor
    weight: Tensor
    extra: dict = field(default_factory=dict)


@dataclass(frozen=True)
class Batch:
    """One step's data as a rule sees it.

    Attributes:
        views: Views of this process by name.
        labels: Labels of all processes: ids ``(N,)``, multi-label ``(N, C)`` with -1 unknown.
        labelled_index: Row in the labelled set ``(N,)`` of all processes, or None.
        unlabelled_index: Row in the unlabelled set ``(M,)`` of all processes, or None.
        hidden: True labels of the unlabelled rows, for measuring only, or None.
        generator: Source of random numbers that is the same on all processes.
    """

    views: Mapping[str, View]
    labels: Tensor
    labelled_index: Tensor | None
    unlabelled_index: Tensor | None
    hidden: Tensor | None
    generator: torch.Generator

    def shared_index(self, stream: str, size: int) -> Tensor:
        """Rows of a stream's samples, checked against the size of their set.

        Raises:
            ConfigError: They are unknown or lie beyond the set.
        """
        index = self.labelled_index if stream == 'labelled' else self.unlabelled_index
        if index is None:
            raise ConfigError(
                f'the {stream} samples do not say their sample_idx',
                where='data_samples',
                fix="Keep it with PackViews(meta_keys=(..., 'sample_idx'))",
            )
        if len(index) and not 0 <= int(index.min()) <= int(index.max()) < size:
            raise ConfigError(
                f'sample_idx {int(index.max())} of a {stream} set of {size} samples',
                where='SemiSupervisedHook',
                fix='The rule keeps a note for each sample; it was prepared for another dataset',
            )
        return index


def mix_views(views: Sequence[View], order: Tensor, share: float) -> list[View]:
    """Blend each image with another one of the global batch: ``share x + (1 - share) x[order]``.

    Args:
        views: Views of this process.
        order: Permutation of the rows of all views of all processes, view after view.
        share: Weight of the image itself.

    Returns:
        The blended views of this process.
    """
    pool = torch.cat([join_rows(view.images) for view in views])
    places = torch.cat([join_rows(view.places) for view in views])
    order = order.to(pool.device)
    if len(order) != len(pool):
        raise ValueError(f'{len(order)} places in the order of {len(pool)} images')
    mixed, start = [], 0
    total = len(pool)
    for view in views:
        stop = start + len(view) * (total // sum(len(v) for v in views))
        partner = own_rows(order[start:stop])
        mixed.append(
            View(
                images=share * view.images + (1 - share) * pool[partner],
                places=view.places,
                partners=places[partner],
                share=share,
            )
        )
        start = stop
    return mixed


def random_rows(batch: Batch, name: str) -> Tensor:
    """Normal noise of the shape of a view's images; a row's does not depend on the processes."""
    images = batch.views[name].images
    shape = (len(images) * get_dist_info()[1], *images.shape[1:])
    noise = torch.randn(shape, generator=batch.generator, dtype=images.dtype)
    return own_rows(noise).to(images.device)


def shifted(view: View, shift: Tensor) -> View:
    """A view with something added to its images ``(N, C, H, W)``."""
    return replace(view, images=view.images + shift)


def quarter_turns(batch: Batch, name: str) -> tuple[View, Tensor]:
    """Turn each image by a random multiple of 90 degrees.

    Returns:
        The turned view of this process, and the numbers of turns ``(N,)`` of all processes.
    """
    view = batch.views[name]
    total = len(view) * get_dist_info()[1]
    turns = torch.randint(4, (total,), generator=batch.generator)
    if view.images.shape[-1] != view.images.shape[-2]:
        raise ConfigError(
            f'images of {tuple(view.images.shape[-2:])} pixels cannot be turned by 90 degrees',
            where='rotation',
            fix='Crop squares',
        )
    images = view.images.clone()
    mine = own_rows(turns).to(images.device)
    for k in range(1, 4):
        images[mine == k] = view.images[mine == k].rot90(k, (-2, -1))
    return replace(view, images=images), turns.to(images.device)
