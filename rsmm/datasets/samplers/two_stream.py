"""A sampler that fills each batch from two streams: labelled and unlabelled samples."""

from __future__ import annotations

from collections.abc import Iterator, Sized

import torch
from mmengine.dist import get_dist_info, sync_random_seed
from torch.utils.data import Sampler

from rsmm.datasets.seeded import SampleIndex, derive_seed
from rsmm.errors import ConfigError
from rsmm.registry import DATA_SAMPLERS


class Stream:
    """An endless row of permutations of one part of a dataset, reachable at any position.

    Args:
        size: Number of samples.
        offset: Index of the first one in the whole dataset.
        number: Tells the orders of streams apart.
    """

    def __init__(self, size: int, offset: int, number: int) -> None:
        self.size = size
        self.offset = offset
        self.number = number
        self._key: tuple | None = None
        self._order: list[int] = []

    def __call__(self, position: int, seed: int) -> SampleIndex:
        """Return the sample at a position of the stream."""
        epoch, place = divmod(position, self.size)
        if self._key != (seed, epoch):
            generator = torch.Generator().manual_seed(derive_seed(seed, epoch, self.number))
            self._order = torch.randperm(self.size, generator=generator).tolist()
            self._key = (seed, epoch)
        return SampleIndex(self.offset + self._order[place], epoch, seed)


@DATA_SAMPLERS.register_module()
class TwoStreamSampler(Sampler):
    """Emit ``labelled`` samples of one stream, then ``unlabelled`` of the other, batch by batch.

    Each stream passes through its own samples again and again, every pass in a new order drawn from
    seed, pass and stream; how often the 40 labelled samples are seen does not depend on how many
    unlabelled ones there are. Rank ``r`` of ``n`` takes every ``n``-th draw of each stream, so
    ``n`` processes with ``labelled / n`` and ``unlabelled / n`` rows see the global batch of one.
    A resumed run calls :meth:`skip` and goes on exactly where it stopped.

    Args:
        dataset: :class:`rsmm.datasets.streams.TwoStreams`, or anything with its ``sizes``.
        labelled: Labelled rows in the batch of one process.
        unlabelled: Unlabelled rows in it; 0 trains on labels alone.
        seed: Seed of the run; the runner passes its own.

    Raises:
        ConfigError: Rows are asked of a stream that is empty, or there are no labelled rows.
    """

    def __init__(
        self, dataset: Sized, labelled: int = 8, unlabelled: int = 56, seed: int | None = None
    ) -> None:
        sizes = getattr(dataset, 'sizes', None)
        if sizes is None:
            raise ConfigError(
                'the dataset has one stream', where='TwoStreamSampler', fix='Use type=TwoStreams'
            )
        if labelled < 1 or unlabelled < 0 or (unlabelled and not sizes[1]) or not sizes[0]:
            raise ConfigError(
                f'labelled={labelled}, unlabelled={unlabelled} rows of {sizes[0]} labelled and '
                f'{sizes[1]} unlabelled samples',
                where='TwoStreamSampler',
                fix='Ask for at least one labelled row, and for rows of streams that hold samples',
            )
        self.rank, self.world_size = get_dist_info()
        self.counts = (labelled, unlabelled)
        self.streams = (Stream(sizes[0], 0, 0), Stream(sizes[1], sizes[0], 1))
        self.seed = sync_random_seed() if seed is None else seed
        self.start = 0

    def check_batch(self, batch_size: int) -> None:
        """Raise :class:`ConfigError` unless a batch holds whole rows of both streams."""
        if batch_size != sum(self.counts):
            raise ConfigError(
                f'batch_size={batch_size} is not {self.counts[0]} labelled + '
                f'{self.counts[1]} unlabelled rows',
                where='train_dataloader',
                fix=f'Set batch_size={sum(self.counts)}, or other labelled and unlabelled',
            )

    def skip(self, num_samples: int) -> None:
        """Start ``num_samples`` draws of this process later (mmengine's resume contract)."""
        self.start += num_samples

    def __iter__(self) -> Iterator[SampleIndex]:
        position = self.start
        while True:
            step, row = divmod(position, sum(self.counts))
            number = int(row >= self.counts[0])
            row -= number * self.counts[0]
            draw = (step * self.counts[number] + row) * self.world_size + self.rank
            yield self.streams[number](draw, self.seed)
            position += 1

    def __len__(self) -> int:
        """Rows of one process until the longer stream has been passed."""
        steps = max(
            -(-stream.size // (count * self.world_size))
            for stream, count in zip(self.streams, self.counts, strict=True)
            if count
        )
        return steps * sum(self.counts)

    def set_epoch(self, epoch: int) -> None:
        """Do nothing: the pass follows from the position."""
