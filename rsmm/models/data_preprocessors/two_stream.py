"""Batches of a labelled and an unlabelled stream, with the views made where the model runs."""

from __future__ import annotations

import torch

from rsmm.models.data_preprocessors.multispectral import MultiSpectralPreprocessor
from rsmm.ops.views import Views
from rsmm.registry import MODELS


@MODELS.register_module()
class TwoStreamPreprocessor(MultiSpectralPreprocessor):
    """Move a two-stream batch to the device, make views that are still to make, normalise.

    Whether the loader or the device makes the views is decided by the loader's ``WeakStrong``: what
    comes with ``draws`` is made here. The numbers were drawn for each sample by the loader, so
    neither the device nor the number of processes changes a view.

    Args:
        views: Settings of :class:`rsmm.ops.views.Views`, the same as the loader's. Images of
            validation are brought to their size, too.
        **kwargs: Arguments of :class:`MultiSpectralPreprocessor`.
    """

    def __init__(self, views: dict, **kwargs) -> None:
        super().__init__(**kwargs)
        self.views = Views(**views)

    def forward(self, data: dict, training: bool = False) -> dict:
        """Return normalised inputs.

        Args:
            data: A batch of :func:`rsmm.datasets.streams.two_stream_collate`, or one of validation:
                ``inputs`` (N, C, H, W) or a list, and ``data_samples``.
            training: Passed on for batches of validation's form.

        Returns:
            ``inputs`` float32 (N, C, size, size), by view name for a two-stream batch, and
            ``data_samples``, by stream.
        """
        if not isinstance(data['inputs'], dict):
            return super().forward(data, training)
        images = self.cast_data(data['inputs'])
        # In mixed precision a training step casts all that it runs; pixels keep their precision.
        with torch.autocast(next(iter(images.values())).device.type, enabled=False):
            if 'draws' in data:
                images = self._views(images, data['draws'])
            inputs = {name: self.normalise(view) for name, view in images.items()}
        return {
            'inputs': inputs,
            'data_samples': {
                stream: self.cast_data(samples) for stream, samples in data['data_samples'].items()
            },
        }

    def _views(
        self, images: dict[str, torch.Tensor], draws: dict[str, torch.Tensor]
    ) -> dict[str, torch.Tensor]:
        """Make every view; each stream is resized once, whatever the number of its views."""
        fitted = {stream: self.views.fit(batch) for stream, batch in images.items()}
        return {
            name: self.views(
                fitted['labelled' if name.startswith('labelled') else 'unlabelled'], numbers
            )
            for name, numbers in draws.items()
        }

    def normalise(self, batch: torch.Tensor) -> torch.Tensor:
        """Bring images of another size to that of the views, then normalise (N, C, H, W)."""
        return super().normalise(self.views.centre(batch))
