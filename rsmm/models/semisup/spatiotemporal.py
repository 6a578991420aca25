"""A teacher that sees image, place and date, and a student that sees the image alone.

Source: Bernhard, Hannan, Strauss, Schubert, ECAI 2024 (arXiv 2404.18583).
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmengine.model import ModuleDict
from mmpretrain.structures import DataSample
from torch import Tensor, nn

from rsmm.errors import ConfigError
from rsmm.models.semisup.batch import Outputs, View
from rsmm.models.semisup.branch import Branch
from rsmm.models.semisup.frame import SSLClassifier, add_asked_parts, built_head
from rsmm.models.semisup.functional import distill as distill_loss
from rsmm.models.semisup.reading import read_places
from rsmm.models.semisup.rules.base import Rule
from rsmm.registry import MODELS

PREDICTORS = ('student', 'teacher')
#: Backbones that take a token of place and date.
TAKE_TOKENS = ('ViTExtraToken', 'CNNExtraToken')
DISTILLATIONS = ('mse', 'mae', 'cos', 'none')


@MODELS.register_module()
class STSSLClassifier(SSLClassifier):
    """Any rule on a teacher with metadata; its targets supervise a student without, too.

    Takes what :class:`SSLClassifier` takes: a config goes from one to the other by its model's type
    alone. The student's extra token starts from the same vector for every image and is drawn to the
    teacher's metadata token. Nothing flows from student to teacher.

    Model state: ``backbone`` and ``head`` are the student's, which predicts; ``teacher`` holds
    ``backbone``, ``head`` and ``metadata``.

    Args:
        backbone: Config of ``ViTExtraToken`` or ``CNNExtraToken``, for both networks; the token is
            set here.
        head: Config of a linear head, for both.
        rule: Config or module.
        metadata: Config or module of the encoder of place and date; ``embed_dims`` is the
            backbone's.
        distill: Distance of the tokens: ``'mse'``, ``'mae'``, ``'cos'`` or ``'none'``.
        distill_weight: Its weight; 0 is as ``'none'``.
        predict_with: ``'student'``; ``'teacher'`` predicts with place and date, to measure what
            they do at test time.
        untrained_heads: Give each backbone a head of its own that is never trained, as in the
            published network, whose number of parameters counts them.
        data_preprocessor: See :class:`SSLClassifier`.
        init_cfg: Initialisation of the student.
        label_mode: See :class:`SSLClassifier`.

    Raises:
        ConfigError: A backbone without extra token, or a setting that does not exist.
    """

    def __init__(
        self,
        backbone: dict,
        head: dict,
        rule: dict | Rule,
        metadata: dict | nn.Module | None = None,
        distill: str = 'mse',
        distill_weight: float = 1.0,
        predict_with: str = 'student',
        untrained_heads: bool = False,
        neck: dict | nn.Module | None = None,
        data_preprocessor: dict | nn.Module | None = None,
        init_cfg: dict | list[dict] | None = None,
        label_mode: str = 'auto',
    ) -> None:
        if distill not in DISTILLATIONS or distill_weight < 0 or predict_with not in PREDICTORS:
            raise ConfigError(
                f'distill={distill!r}, distill_weight={distill_weight}, '
                f'predict_with={predict_with!r}',
                where='STSSLClassifier',
                fix=f'distill is one of {", ".join(DISTILLATIONS)}, distill_weight is not '
                f'negative, predict_with one of {", ".join(PREDICTORS)}',
            )
        if neck is not None or str(backbone.get('type')).split('.')[-1] not in TAKE_TOKENS:
            raise ConfigError(
                f'{backbone.get("type")} takes no token of place and date',
                where='STSSLClassifier',
                fix=f'Use backbone=dict(type=...) of {" or ".join(TAKE_TOKENS)} without neck, or '
                'SSLClassifier',
            )
        self.distill = distill if distill_weight else 'none'
        self.distill_weight = distill_weight
        self.predict_with = predict_with
        self._teacher_configs: list[Any] = [
            copy.deepcopy(part) for part in (backbone, head, metadata)
        ]
        self._untrained_heads = untrained_heads
        token = 'none' if self.distill == 'none' else 'const'
        super().__init__(
            backbone={**backbone, 'extra_token': token},
            head=head,
            rule=rule,
            data_preprocessor=data_preprocessor,
            init_cfg=init_cfg,
            label_mode=label_mode,
        )

    #: Rules that mix all images still leave something to compare the tokens on.
    shown_anyway = ('labelled',)

    def _check_head(self, head: Any) -> None:
        """Build the teacher, too: the base class needs it right after."""
        super()._check_head(head)
        backbone, head_config, metadata = self._teacher_configs
        del self._teacher_configs
        parts = {
            'backbone': MODELS.build({**backbone, 'extra_token': 'input'}),
            'head': built_head(head_config),
        }
        if not isinstance(metadata, nn.Module):
            settings = {'type': 'PlaceTimeEncoder', 'embed_dims': self.backbone.embed_dims}
            metadata = MODELS.build({**settings, **(metadata or {})})
        parts['metadata'] = metadata
        self.teacher = ModuleDict(parts)  # mmengine's: initialises what is in it
        add_asked_parts(self.teacher, head, self.rule)
        if self._untrained_heads or 'untrained_head' in self.rule.asks:
            for owner in (self, self.teacher):
                untrained = nn.Linear(head.in_channels, head.num_classes)
                owner.untrained_head = untrained.requires_grad_(False)

    # ---------------------------------------------------------------- networks

    def labeller_parts(self) -> dict[str, nn.Module]:
        """Modules of the teacher."""
        return dict(self.teacher.items())

    def branches(self) -> list[Branch]:
        """Teacher and student."""
        return [Branch(self.labeller_parts()), Branch(self.own_parts(), is_student=True)]

    def further_losses(
        self, seen: Sequence[Mapping[str, Outputs]], warming: bool
    ) -> dict[str, Tensor]:
        """Distance of the student's tokens to the teacher's, of all views both learn from."""
        if self.distill == 'none':
            return {}
        teacher, student = (torch.cat([out.token for out in outputs.values()]) for outputs in seen)
        loss = distill_loss(student, teacher, self.distill)
        return {'loss_distill': self.distill_weight * (not warming) * loss}

    # ---------------------------------------------------------------- prediction

    def predicted_logits(self, inputs: Tensor, samples: Sequence[DataSample]) -> Tensor:
        """Logits of the student, or of the teacher with place and date."""
        teacher, student = self.branches()
        branch = teacher if self.predict_with == 'teacher' else student
        logits = branch.logits(View(inputs, read_places(samples, inputs.device)))
        biased = teacher if 'untrained_head' in self.rule.asks else branch
        return self.rule.predicted(logits, biased, inputs)
