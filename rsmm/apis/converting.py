"""Converting and publishing checkpoints; what ``tools/model_converters/`` call."""

from __future__ import annotations

import argparse
import os
import shutil
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import torch

from rsmm.apis.cli import guarded
from rsmm.apis.hub import publish_zoo_file, write_folder
from rsmm.checkpoints import converters
from rsmm.checkpoints.files import load_checkpoint_file, save_checkpoint_file
from rsmm.checkpoints.weights import state_dict_of
from rsmm.errors import CheckpointError
from rsmm.utils import sha256_file
from rsmm.utils.outputs import keep_inputs

#: Facts that a published file keeps. The config text, host, time and paths stay at home.
PUBLIC_META = (
    'epoch',
    'iter',
    'dataset_meta',
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
    path: str | PathLike, out: str | PathLike, source: str = 'auto', whole: bool = False
):
    """Convert a foreign checkpoint file and write the backbone to ``out``.

    Args:
        path: File of torchvision, timm, SeCo, CACo or SACo; code in it is not run.
        out: Target, to be used with ``init_cfg=dict(type='Pretrained', prefix='backbone.')``.
        source: See :func:`rsmm.checkpoints.converters.convert`.
        whole: Write projectors, key encoder and queue too, for ``load_from``.

    Returns:
        The :class:`rsmm.checkpoints.converters.Conversion`.

    Raises:
        CheckpointError: The file cannot be read or converted completely.
    """
    keep_inputs(out, [path])
    checkpoint = converters.read_foreign_checkpoint(path)
    conversion = converters.convert(checkpoint, source, where=path)
    save_checkpoint_file(converters.pack(conversion, path, whole), out)
    return conversion


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


def convert_main(argv: Sequence[str] | None = None) -> int:
    """Entry of ``tools/model_converters/convert.py``."""
    parser = argparse.ArgumentParser(
        description='Convert the backbone of a foreign checkpoint. Code in the file is not run.'
    )
    parser.add_argument('checkpoint', help='.pth, .pt, .ckpt or .safetensors file')
    parser.add_argument('out', help='file to write')
    parser.add_argument('--source', default='auto', choices=['auto', *converters.PREFIXES])
    parser.add_argument(
        '--whole',
        action='store_true',
        help='keep projectors, key encoder and queue of SeCo, CACo or SACo, to train on with them',
    )
    args = parser.parse_args(argv)

    def command() -> None:
        conversion = convert_file(args.checkpoint, args.out, args.source, args.whole)
        print(conversion.report())
        if args.whole:
            print(f'kept        {len(conversion.companions)} of those dropped above (--whole)')
        print(f'written     {args.out}')

    return guarded(command)


def _zoo_entry(args: argparse.Namespace) -> str:
    """Write the file and the card of a zoo entry; return the entry for the metafile."""
    file = publish_zoo_file(args.config, args.checkpoint, args.out_dir, args.half)
    if args.card:
        shutil.copy(args.card, file.with_name(f'{Path(args.config).stem}.md'))
    snippet = Published(file, sha256_file(file), 0).snippet(args.config)
    return snippet.replace('https://.../', 'zoo/')


def publish_main(argv: Sequence[str] | None = None) -> int:
    """Entry of ``tools/model_converters/publish_model.py``."""
    parser = argparse.ArgumentParser(
        description='Write a copy of a checkpoint with weights only, named by its hash.'
    )
    parser.add_argument('checkpoint', help='checkpoint of a training run')
    parser.add_argument('out_dir', help='folder for the new file')
    parser.add_argument('--name', help='name without the hash (default: that of the checkpoint)')
    parser.add_argument('--config', help='config, named in the printed metafile entry')
    parser.add_argument('--prefix', help="keep only weights that begin so, e.g. 'backbone.'")
    parser.add_argument('--keep-ema', action='store_true', help='keep the second set of weights')
    parser.add_argument(
        '--folder',
        action='store_true',
        help='write out_dir in the layout of the Hugging Face hub (config.json, model.safetensors, '
        'README.md); needs --config',
    )
    parser.add_argument(
        '--zoo',
        action='store_true',
        help='write a safetensors file for the zoo/ folder to out_dir; needs --config',
    )
    parser.add_argument('--card', help='file to take the card from, with --folder and --zoo')
    parser.add_argument('--half', action='store_true', help='half precision, with these two')
    args = parser.parse_args(argv)
    if (args.folder or args.zoo) and not args.config:
        parser.error('--folder and --zoo need --config')

    def command() -> None:
        if args.zoo:
            print(_zoo_entry(args))
            return
        if args.folder:
            card = Path(args.card).read_text(encoding='utf-8') if args.card else ''
            folder = write_folder(args.config, args.checkpoint, args.out_dir, card, args.half)
            print(f"{folder}: upload it, then get_model('hf://OWNER/NAME@REVISION') reads it")
            return
        name = args.name or (Path(args.config).stem if args.config else None)
        result = publish(args.checkpoint, args.out_dir, name, args.prefix, args.keep_ema)
        print(f'{result.path}  ({result.parameters / 1e6:.2f} M weights)')
        print(f'sha256 {result.sha256}')
        print(result.snippet(args.config))

    return guarded(command)
