"""Models of the zoo, built and filled: :func:`get_model`."""

from __future__ import annotations

from os import PathLike
from typing import TYPE_CHECKING

from rsmm.apis.entries import entry_of
from rsmm.apis.hub import HUB, hub_model
from rsmm.apis.model import RANDOM, build_model
from rsmm.apis.zoo_files import loadable_weights

if TYPE_CHECKING:
    from torch import nn


def get_model(
    model: str | PathLike,
    pretrained: bool | str | PathLike = False,
    device: str = 'cpu',
    sha256: str | None = None,
    **settings,
) -> nn.Module:
    """Build the model of an entry.

    Args:
        model: Name of an entry, a config file, or ``hf://owner/name@revision`` for a folder in
            the layout that ``tools/model_converters/publish_model.py --folder`` writes, which is
            always pretrained.
        pretrained: False: initialised as at the start of a training. True: released weights. A
            path or address: that checkpoint.
        device: Where to put it.
        sha256: Hash that released weights must have, instead of the published or noted one.
        **settings: Settings of the model to change, e.g. ``head=dict(num_classes=4)``.

    Returns:
        The model in evaluation mode if it is pretrained, else in training mode.

    Raises:
        ConfigError: The entry is unknown or has no released weights.
        CheckpointError: The checkpoint cannot be read or belongs to another model.
        DownloadError: The weights cannot be fetched.
    """
    if str(model).startswith(HUB):
        return hub_model(str(model), device=device, sha256=sha256)
    entry = entry_of(model)
    checkpoint: str | PathLike | None
    if pretrained is True:
        checkpoint = loadable_weights(entry, sha256)
    else:
        checkpoint = None if pretrained is False else pretrained
    options = {**entry.options, **({'model': settings} if settings else {})}
    net = build_model(entry.config, checkpoint or RANDOM, device=device, options=options or None)
    return net.train(checkpoint is None)
