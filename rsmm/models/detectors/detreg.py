"""DETReg: pretraining a whole Deformable DETR on unlabelled images (Bar et al., CVPR 2022)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from rsmm.errors import ConfigError, DataError
from rsmm.models.detectors.functional import detreg_targets, embedding_loss
from rsmm.ops.mmcv_fallback import install
from rsmm.registry import MODELS

install()  # mmdet imports mmcv.ops

from mmdet.models.dense_heads import DeformableDETRHead  # noqa: E402
from mmdet.models.detectors import DeformableDETR  # noqa: E402
from mmdet.structures import SampleList  # noqa: E402
from mmdet.structures.bbox import bbox_cxcywh_to_xyxy  # noqa: E402


@MODELS.register_module()
class DETRegHead(DeformableDETRHead):
    """Deformable DETR's head for one class, "object", with a branch that predicts embeddings.

    The branch reads the last decoder layer only and takes no part in the matching.

    Args:
        embedding_dim: Width of the teacher's embeddings.
        embedding_weight: Factor of the embedding loss.
        **kwargs: Arguments of ``mmdet.DeformableDETRHead``; ``num_classes`` must be 1.

    Raises:
        ConfigError: Another number of classes.
    """

    def __init__(
        self, *args, embedding_dim: int = 512, embedding_weight: float = 1.0, **kwargs
    ) -> None:
        if kwargs.get('num_classes', 1) != 1:
            raise ConfigError(
                f'DETReg tells objects from background: num_classes is 1, not '
                f'{kwargs["num_classes"]}',
                where='bbox_head',
            )
        self.embedding_dim = embedding_dim
        self.embedding_weight = embedding_weight
        super().__init__(*args, **{'num_classes': 1, **kwargs})

    def _init_layers(self) -> None:
        super()._init_layers()
        self.embedding_branch = nn.Sequential(
            nn.Linear(self.embed_dims, self.embed_dims),
            nn.ReLU(),
            nn.Linear(self.embed_dims, self.embedding_dim),
        )

    def loss(
        self,
        hidden_states: Tensor,
        references: list[Tensor],
        enc_outputs_class: Tensor | None,
        enc_outputs_coord: Tensor | None,
        batch_data_samples: SampleList,
    ) -> dict[str, Tensor]:
        """Deformable DETR's losses of every layer and the embedding loss of the last.

        ``gt_instances`` of the samples hold ``bboxes``, ``labels`` (zeros) and the teacher's
        ``embeddings`` (N, E).
        """
        logits, boxes = self(hidden_states, references)
        truths = [sample.gt_instances for sample in batch_data_samples]
        metas = [sample.metainfo for sample in batch_data_samples]
        losses = self.loss_by_feat(
            logits, boxes, enc_outputs_class, enc_outputs_coord, truths, metas
        )
        embeddings = self.embedding_branch(hidden_states[-1])
        matched = [
            self._match(*parts)
            for parts in zip(logits[-1], boxes[-1], embeddings, truths, metas, strict=True)
        ]
        predicted, target = (torch.cat(part) for part in zip(*matched, strict=True))
        losses['loss_embedding'] = self.embedding_weight * embedding_loss(predicted, target)
        return losses

    def _match(self, logits, boxes, embeddings, truth, meta) -> tuple[Tensor, Tensor]:
        """Embeddings of the matched queries of one image and those of their proposals."""
        height, width = meta['img_shape'][:2]
        corners = bbox_cxcywh_to_xyxy(boxes) * boxes.new_tensor([width, height, width, height])
        proposals = truth.bboxes.tensor if hasattr(truth.bboxes, 'tensor') else truth.bboxes
        targets = detreg_targets(logits, corners, proposals, (height, width))
        return embeddings[targets.queries], truth.embeddings[targets.proposals]


@MODELS.register_module()
class DETReg(DeformableDETR):
    """Deformable DETR that learns to find proposals and to describe what they show.

    The teacher is no part of the module tree: it is in neither the parameters, nor the checkpoint,
    nor the training mode, and moves between devices with the model.

    Args:
        teacher: Config of :class:`rsmm.models.detectors.patch_teacher.PatchTeacher`, or a module
            that maps patches to embeddings.
        **kwargs: Arguments of ``mmdet.DeformableDETR``. Freeze the backbone with
            ``frozen_stages=4, norm_eval=True, norm_cfg=dict(type='BN', requires_grad=False)``.
    """

    def __init__(self, *args, teacher: dict | nn.Module, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        teacher = MODELS.build(teacher) if isinstance(teacher, dict) else teacher
        object.__setattr__(self, 'teacher', teacher.eval().requires_grad_(False))

    def _apply(self, fn: Callable, recurse: bool = True) -> DETReg:
        self.teacher._apply(fn, recurse)
        return super()._apply(fn, recurse)

    def loss(self, batch_inputs: Tensor, batch_data_samples: SampleList) -> dict[str, Tensor]:
        """Losses of a batch whose samples hold proposals and ``patches`` (N, C, S, S).

        Raises:
            DataError: The samples hold no patches.
        """
        counts = []
        for sample in batch_data_samples:
            if 'patches' not in sample.gt_instances:
                raise DataError(
                    'the samples hold no patches',
                    where='DETReg',
                    fix='Use SearchProposals, CropProposalPatches and PackDETRegInputs',
                )
            counts.append(len(sample.gt_instances))
        patches = torch.cat([sample.gt_instances.patches for sample in batch_data_samples])
        for sample, vectors in zip(
            batch_data_samples, self.teacher(patches).split(counts), strict=True
        ):
            sample.gt_instances.embeddings = vectors
            del sample.gt_instances.patches
        return super().loss(batch_inputs, batch_data_samples)
