"""Two datasets as one for semi-supervised training, and batches that keep them apart."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from mmengine.logging import print_log
from torch.utils.data import Dataset

from rsmm.datasets.seeded import DatasetProxy, built_dataset
from rsmm.errors import ConfigError, DataError
from rsmm.registry import DATASETS, FUNCTIONS

LABELLED, UNLABELLED = 'labelled', 'unlabelled'
_TRUTHS = ('gt_label', 'gt_score')


@DATASETS.register_module()
class HideLabels(DatasetProxy):
    """Take the labels out of a dataset's samples.

    What was known is kept as meta information ``hidden_label``, so that a run can report how right
    its pseudo-labels are; models and losses look at ``gt_label`` and ``gt_score`` only. All other
    attributes are those of the wrapped dataset.

    Args:
        dataset: The dataset, or its config.
    """

    def __getitem__(self, index: int) -> dict:
        row = self.dataset[index]
        sample = row['data_samples']
        for key in _TRUTHS:
            if key in sample:
                sample.set_field(sample.pop(key), 'hidden_label', field_type='metainfo')
        return row


@DATASETS.register_module()
class TwoStreams(Dataset):
    """Labelled samples followed by unlabelled ones, for :class:`TwoStreamSampler`.

    Args:
        labelled: Dataset of labelled samples, or its config.
        unlabelled: Dataset whose labels are hidden if it has any; None trains on labels alone.
        absent: What a class without a labelled sample is: ``'error'`` or ``'warn'``. Nothing can
            teach the network such a class; with many labels per image it may be meant so.

    Attributes:
        sizes: Number of labelled and of unlabelled samples.

    Raises:
        ConfigError: The streams differ in classes or bands.
        DataError: A class is absent among the labelled samples, or one of them has no label.
    """

    def __init__(
        self, labelled: Dataset | dict, unlabelled: Dataset | dict | None = None,
        absent: str = 'error',
    ) -> None:  # fmt: skip
        self.labelled = built_dataset(labelled)
        self.unlabelled = None if unlabelled is None else HideLabels(unlabelled)
        self.sizes = (len(self.labelled), 0 if unlabelled is None else len(self.unlabelled))
        self._check_streams()
        self._check_labels(absent)

    @property
    def metainfo(self) -> dict:
        """Meta information of the labelled stream: classes, bands, ..."""
        return self.labelled.metainfo

    def __getitem__(self, index: int) -> dict:
        if index < self.sizes[0]:
            return {**self.labelled[index], 'stream': LABELLED}
        return {**self.unlabelled[index - self.sizes[0]], 'stream': UNLABELLED}

    def __len__(self) -> int:
        return sum(self.sizes)

    def label_counts(self) -> torch.Tensor:
        """Labelled samples of each class ``(C,)`` int64; with many labels each one counts."""
        counts = torch.zeros(len(self.metainfo['classes']), dtype=torch.long)
        for index in range(self.sizes[0]):
            info = self.labelled.get_data_info(index)
            if 'gt_score' in info:
                counts += torch.as_tensor(info['gt_score']).eq(1).long()
            else:
                counts += torch.bincount(
                    torch.as_tensor(info['gt_label']).view(-1), minlength=len(counts)
                )
        return counts

    def _check_streams(self) -> None:
        if self.unlabelled is None:
            return
        for key in ('classes', 'bands'):
            first, second = (part.metainfo.get(key) for part in (self.labelled, self.unlabelled))
            if second is not None and first is not None and tuple(first) != tuple(second):
                raise ConfigError(
                    f'{key} differ: {", ".join(map(str, first))} labelled, '
                    f'{", ".join(map(str, second))} unlabelled',
                    where='TwoStreams',
                )

    def _check_labels(self, absent: str) -> None:
        classes = self.metainfo['classes']
        for index in range(self.sizes[0]):
            info = self.labelled.get_data_info(index)
            label = info.get('gt_label')
            if 'gt_score' not in info and not (isinstance(label, int) and label >= 0):
                raise DataError(
                    f'label {label!r} of a sample in the labelled stream',
                    where=info.get('img_path'),
                    fix='Put samples without a label into the unlabelled stream',
                )
        missing = [classes[i] for i in (self.label_counts() == 0).nonzero()[:, 0].tolist()]
        if not missing:
            return
        what = f'no labelled sample of {len(missing)} of {len(classes)} classes: ' + ', '.join(
            missing[:5]
        )
        if absent == 'error':
            raise DataError(
                what,
                where='TwoStreams',
                fix="Label one of each, leave the class out, or set absent='warn'",
            )
        print_log(what, 'current', level=30)


@FUNCTIONS.register_module()
def two_stream_collate(rows: Sequence[dict]) -> dict:
    """Stack the rows of a batch stream by stream and view by view.

    Args:
        rows: Samples of :class:`TwoStreams` whose pipelines end in
            :class:`rsmm.datasets.transforms.views.PackViews`.

    Returns:
        ``inputs`` maps ``labelled`` (weak view), ``labelled_strong``, ``weak``, ``strong``,
        ``weak_2``, ... to tensors ``(N, C, H, W)``. Where the views are to be made on the device,
        it maps ``labelled`` and ``unlabelled`` to the images as loaded, and ``draws`` holds the
        numbers for each view. ``data_samples`` maps ``labelled`` and ``unlabelled`` to lists.

    Raises:
        DataError: Images of one stream differ in size.
    """
    batch: dict = {'inputs': {}, 'data_samples': {LABELLED: [], UNLABELLED: []}}
    for stream in (LABELLED, UNLABELLED):
        members = [row for row in rows if row['stream'] == stream]
        batch['data_samples'][stream] = [row['data_samples'] for row in members]
        if not members:
            continue
        if 'draws' in members[0]:
            batch['inputs'][stream] = _stack([row['inputs'] for row in members], stream)
            draws = batch.setdefault('draws', {})
            for name in members[0]['draws']:
                stacked = torch.stack([row['draws'][name] for row in members])
                draws[_renamed(name, stream)] = stacked
        else:
            for name in members[0]['inputs']:
                images = [row['inputs'][name] for row in members]
                batch['inputs'][_renamed(name, stream)] = _stack(images, stream)
    return batch


def _renamed(view: str, stream: str) -> str:
    """Name of a view in the batch: ``weak`` of the labelled stream is ``labelled``."""
    if stream == UNLABELLED:
        return view
    kind, _, number = view.partition('_')
    name = LABELLED if kind == 'weak' else f'{LABELLED}_{kind}'
    return f'{name}_{number}' if number else name


def _stack(images: Sequence[torch.Tensor], stream: str) -> torch.Tensor:
    shapes = {tuple(image.shape) for image in images}
    if len(shapes) > 1:
        raise DataError(
            f'images differ in shape: {", ".join(map(str, sorted(shapes)))}',
            where=f'{stream} stream',
            fix="Make the views in the loader (WeakStrong(where='loader')), or resize before",
        )
    return torch.stack(list(images))
