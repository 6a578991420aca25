"""From a batch of the loader to the form that rules take, with every label checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from rsmm.errors import ConfigError, DataError
from rsmm.models.semisup.batch import Batch, View
from rsmm.models.semisup.processes import join_rows
from rsmm.models.semisup.rules.base import Rule

#: Meta keys of a place, in this order.
PLACE = ('latitude', 'longitude', 'day_of_year')
#: A label of which nothing is known.
UNKNOWN = -1
#: What makes a view, in ``WeakStrong`` and as a variable of the base configs.
_MADE_BY = {
    'weak': ('weak=1', 'weak_views=1'),
    'strong': ('strong=1', 'strong_views=1'),
    'labelled_strong': ('strong=1', 'labelled_strong=1'),
    'weak_2': ('weak=2', 'weak_views=2'),
    'strong_2': ('strong=2', 'strong_views=2'),
}


def read_batch(
    inputs: Mapping[str, Tensor] | Tensor,
    data_samples: Any,
    rule: Rule,
    generator: torch.Generator,
) -> Batch:
    """Check a batch and bring it into the form that rules take.

    Args:
        inputs: View name to images ``(N, C, H, W)``; a tensor alone is a labelled batch.
        data_samples: ``labelled`` and ``unlabelled`` to data samples.
        rule: Says which views it needs and how labels look.
        generator: Random numbers of the step.

    Raises:
        ConfigError: A view is missing, or images and samples differ in number.
        DataError: A label does not fit.
    """
    if isinstance(inputs, Tensor):
        inputs, data_samples = {'labelled': inputs}, {'labelled': data_samples}
    _check_views(inputs, rule)
    device = inputs['labelled'].device
    labelled, unlabelled = (data_samples.get(k) or [] for k in ('labelled', 'unlabelled'))
    places = [read_places(samples, device) for samples in (labelled, unlabelled)]
    views = {
        name: View(inputs[name], places[not name.startswith('labelled')]) for name in rule.views
    }
    for name, view in views.items():
        if len(view) != len(view.places):
            raise ConfigError(
                f"{len(view)} images and {len(view.places)} data samples in '{name}'",
                where='collate_fn',
                fix="Use collate_fn=dict(type='two_stream_collate')",
            )
    classes, many = rule.num_classes, rule.multi_label
    return Batch(
        views=views,
        labels=join_rows(read_labels(labelled, classes, many, device)),
        labelled_index=read_index(labelled, device),
        unlabelled_index=read_index(unlabelled, device),
        hidden=read_hidden(unlabelled, classes, many, device),
        generator=generator,
    )


def _check_views(inputs: Mapping[str, Tensor], rule: Rule) -> None:
    for name in rule.views:
        if name in inputs:
            continue
        if name in _MADE_BY:
            stream = 'labelled' if name.startswith('labelled') else 'unlabelled'
            setting, variable = _MADE_BY[name]
            fix = (
                f'Set {setting} in the WeakStrong of the {stream} stream: {variable} in the base '
                'configs'
            )
        else:
            fix = 'Take labelled rows into the batch: TwoStreamSampler(labelled=...)'
        raise ConfigError(
            f"no view '{name}' in the batch, which holds {', '.join(inputs)}; "
            f'{type(rule).__name__} needs {", ".join(rule.views)}',
            where='train_dataloader',
            fix=fix,
        )


def read_places(samples: Sequence, device: torch.device) -> Tensor:
    """Latitude, longitude and day of year of data samples ``(N, 3)``, NaN where unknown."""
    rows = []
    for sample in samples:
        values = (sample.get(key) for key in PLACE)
        rows.append([float('nan') if value is None else float(value) for value in values])
    return torch.tensor(rows, dtype=torch.float32, device=device).view(-1, len(PLACE))


def read_index(samples: Sequence, device: torch.device) -> Tensor | None:
    """``sample_idx`` of data samples of all processes, None if one does not say it."""
    index = [sample.get('sample_idx') for sample in samples]
    if not index or any(value is None for value in index):
        return None
    return join_rows(torch.tensor([int(value) for value in index], device=device))


def read_labels(
    samples: Sequence, num_classes: int, multi_label: bool, device: torch.device
) -> Tensor:
    """Labels of this process: ids ``(N,)``, multi-label ``(N, C)`` float with -1 unknown.

    Raises:
        DataError: A label is absent, no class of the model, or of another length.
    """
    labels = torch.stack([_label(sample, num_classes, multi_label) for sample in samples])
    labels = labels.to(device)
    if multi_label:
        wrong = ((labels != UNKNOWN) & ((labels < 0) | (labels > 1))).any(dim=1)
    else:
        wrong = (labels < 0) | (labels >= num_classes)
    if wrong.any():  # one look at the device for the whole batch
        row = int(wrong.nonzero()[0, 0])
        found = labels[row].tolist()
        if multi_label:
            raise DataError(
                f'gt_score holds {[x for x in found if x not in (-1, 0, 1)][:3]}',
                where=_name(samples[row]),
                fix='Classes are 0 or 1, -1 marks what is unknown',
            )
        raise DataError(
            f'label {found} is not one of the classes 0..{num_classes - 1}',
            where=_name(samples[row]),
            fix='Match num_classes of head and rule to the dataset, and move samples without '
            'label to the unlabelled stream',
        )
    return labels


def _label(sample, num_classes: int, multi_label: bool) -> Tensor:
    """Label of a sample in the form of the batch, its values not looked at."""
    if multi_label and 'gt_score' in sample:
        score = torch.as_tensor(sample.gt_score).float()
        if score.shape != (num_classes,):
            raise DataError(
                f'gt_score {tuple(score.shape)} where the model has {num_classes} classes',
                where=_name(sample),
            )
        return score
    if 'gt_label' not in sample:
        raise DataError(
            'no label in the labelled stream',
            where=_name(sample),
            fix='Move samples without label to the unlabelled stream',
        )
    label = torch.as_tensor(sample.gt_label).view(-1).long()
    if not multi_label:
        if len(label) != 1:
            raise DataError(
                f'{len(label)} labels', where=_name(sample), fix='Set multi_label=True in the rule'
            )
        return label[0]
    if len(label) and not 0 <= int(label.min()) <= int(label.max()) < num_classes:
        raise DataError(f'labels {label.tolist()} of {num_classes} classes', where=_name(sample))
    return torch.zeros(num_classes, device=label.device).index_fill(0, label, 1.0)


def _name(sample) -> str:
    return sample.get('img_path') or f'labelled sample {sample.get("sample_idx")}'


def read_hidden(
    samples: Sequence, num_classes: int, multi_label: bool, device: torch.device
) -> Tensor | None:
    """Hidden truth of the unlabelled rows of all processes; None unless all of them have it."""
    if not samples or any(sample.get('hidden_label') is None for sample in samples):
        return None
    rows = [torch.as_tensor(sample.get('hidden_label')).view(-1) for sample in samples]
    if multi_label:
        rows = [
            row.float()
            if len(row) == num_classes
            else torch.zeros(num_classes).index_fill(0, row.long(), 1.0)
            for row in rows
        ]
    elif any(len(row) != 1 for row in rows):
        return None
    else:
        rows = [row.long()[0] for row in rows]
    return join_rows(torch.stack(rows).to(device))
