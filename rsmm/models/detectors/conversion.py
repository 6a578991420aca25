"""From a DETReg checkpoint to the start of a fine-tuning."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from os import PathLike

from torch import Tensor

from rsmm.checkpoints.weights import state_dict_of
from rsmm.errors import CheckpointError

#: Begin of the keys that fine-tuning learns anew: class branch and embedding branch.
DROPPED = ('bbox_head.cls_branches.', 'bbox_head.embedding_branch.')
#: Parts that a pretrained Deformable DETR must bring.
REQUIRED = ('backbone.', 'neck.', 'encoder.', 'decoder.', 'bbox_head.reg_branches.')


@dataclass
class DetectorWeights:
    """Weights to start a detector from, and what became of the file's keys.

    Attributes:
        state_dict: Kept weights.
        dropped: Keys of the class and the embedding branch.
    """

    state_dict: OrderedDict[str, Tensor]
    dropped: list[str] = field(default_factory=list)

    def report(self) -> str:
        """Say in two lines what was kept and what was dropped."""
        return (
            f'kept     {len(self.state_dict)} weights\n'
            f'dropped  {len(self.dropped)}: {", ".join(self.dropped)}'
        )


def finetuning_weights(checkpoint: Mapping, where: str | PathLike | None = None) -> DetectorWeights:
    """Drop the class branch (it knows one class, "object") and the embedding branch.

    Args:
        checkpoint: A DETReg training checkpoint or its state dict.
        where: File to name in errors.

    Returns:
        Weights for ``load_from`` of a Deformable DETR with any number of classes.

    Raises:
        CheckpointError: It is no checkpoint of DETReg.
    """
    state = {key.removeprefix('module.'): v for key, v in state_dict_of(checkpoint, where).items()}
    absent = [
        part for part in (*REQUIRED, DROPPED[1]) if not any(k.startswith(part) for k in state)
    ]
    if absent:
        raise CheckpointError(
            f'is no DETReg checkpoint, it holds no {", ".join(p.rstrip(".") for p in absent)}',
            where=where,
            fix='A pretrained backbone alone goes into --cfg-options pretrained=FILE',
        )
    kept = OrderedDict((key, v) for key, v in state.items() if not key.startswith(DROPPED))
    return DetectorWeights(kept, [key for key in state if key.startswith(DROPPED)])
