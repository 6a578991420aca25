"""Converting and publishing checkpoints; the command lines are in ``converting_cli``."""

from __future__ import annotations

import os
from collections import OrderedDict
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import torch

from rsmm.checkpoints import converters
from rsmm.checkpoints.files import load_checkpoint_file, save_checkpoint_file
from rsmm.checkpoints.proof import prove
from rsmm.checkpoints.weights import state_dict_of
from rsmm.errors import CheckpointError
from rsmm.utils import sha256_file
from rsmm.utils.outputs import keep_inputs

#: Facts that a published file keeps. The config text, host, time and paths stay at home.
PUBLIC_META = (
    'epoch',
    'iter',
    'dataset_meta',
    'input',
    'backbone',
    'source',
    'source_file',
    'source_sha256',
    'rsmm_version',
    'mmengine_version',
)


@dataclass
class Published:
    """A published file.

    Attributes:
        path: ``<name>-<first 8 digits of the hash>.pth``.
        sha256: Hash of the whole file, 64 hex digits.
        parameters: Number of floating-point weights in it, buffers included.
    """

    path: Path
    sha256: str
    parameters: int

    def snippet(self, config: str | None = None) -> str:
        """Entry for a ``metafile.yml``."""
        name = Path(config).stem if config else self.path.stem.rsplit('-', 1)[0]
        return '\n'.join(
            [
                f'  - Name: {name}',
                f'    Config: {config or "configs/..."}',
                f'    Weights: https://.../{self.path.name}',
                '    Metadata:',
                f"      SHA256: '{self.sha256}'",
            ]
        )


def convert_file(
    path: str | PathLike,
    out: str | PathLike,
    source: str = 'auto',
    whole: bool = False,
    num_heads: int | None = None,
    network: str | None = None,
):
    """Convert a foreign checkpoint file and write the backbone to ``out``.

    Args:
        path: File of torchvision, timm, SeCo, CACo or SACo; code in it is not run.
        out: Target, to be used with ``init_cfg=dict(type='Pretrained', prefix='backbone.')``.
        source: See :func:`rsmm.checkpoints.converters.convert`.
        whole: Write projectors, key encoder and queue too, for ``load_from``.
        num_heads: Attention heads of a ViT.
        network: Model of timm that the file was made for, to compare with.

    Returns:
        The :class:`rsmm.checkpoints.converters.Conversion` and the
        :class:`rsmm.checkpoints.proof.Proof` that it computes the same.

    Raises:
        CheckpointError: The file cannot be read or converted completely, or the converted backbone
            computes other features than the source network.
    """
    keep_inputs(out, [path])
    checkpoint = converters.read_foreign_checkpoint(path)
    conversion = converters.convert(checkpoint, source, where=path, num_heads=num_heads)
    proof = prove(conversion, converters.tensors_of(checkpoint, path), network)
    save_checkpoint_file(converters.pack(conversion, path, whole), out)
    return conversion, proof


def publish(
    path: str | PathLike,
    out_dir: str | PathLike,
    name: str | None = None,
    prefix: str | None = None,
    keep_ema: bool = False,
) -> Published:
    """Write a copy of a checkpoint that holds what a user needs, named by its hash.

    Optimizer, schedules, log history, config text and everything else that is not weights or in
    :data:`PUBLIC_META` is left out.

    Args:
        path: Checkpoint of a training run.
        out_dir: Folder for the new file.
        name: Its name without hash; default the name of ``path``.
        prefix: Keep only weights that begin so (``'backbone.'``), with their names unchanged.
        keep_ema: Keep the second set of weights that averaging hooks store. Without it only
            ``state_dict`` remains, which then holds the averaged ones.

    Raises:
        CheckpointError: The file cannot be read, or no weight begins with ``prefix``.
    """
    checkpoint = load_checkpoint_file(path)
    meta = checkpoint.get('meta') or {}
    public = {
        'state_dict': _selected(state_dict_of(checkpoint, path), prefix, path),
        'meta': {key: meta[key] for key in PUBLIC_META if key in meta},
    }
    if keep_ema and 'ema_state_dict' in checkpoint:
        public['ema_state_dict'] = checkpoint['ema_state_dict']
    out_dir, name = Path(out_dir), name or Path(path).stem
    draft = out_dir / f'.{name}.draft.pth'
    save_checkpoint_file(public, draft)
    sha256 = sha256_file(draft)
    target = out_dir / f'{name}-{sha256[:8]}.pth'
    os.replace(draft, target)
    weights = public['state_dict'].values()
    count = sum(value.numel() for value in weights if value.is_floating_point())
    return Published(target, sha256, count)


def _selected(state, prefix: str | None, path: str | PathLike) -> OrderedDict:
    chosen = OrderedDict(
        (key, value.detach().cpu().clone())
        for key, value in state.items()
        if isinstance(value, torch.Tensor) and key.startswith(prefix or '')
    )
    if not chosen:
        raise CheckpointError(f"no weight begins with '{prefix}'", where=path)
    return chosen
