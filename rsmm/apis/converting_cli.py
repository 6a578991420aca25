"""Command lines of ``tools/model_converters/``; light until a command runs."""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Sequence
from pathlib import Path

from rsmm.apis.cli import guarded
from rsmm.utils import sha256_file


def convert_main(argv: Sequence[str] | None = None) -> int:
    """Entry of ``tools/model_converters/convert.py``."""
    parser = argparse.ArgumentParser(
        description='Convert the backbone of a foreign checkpoint. Code in the file is not run.'
    )
    parser.add_argument('checkpoint', help='.pth, .pt, .ckpt or .safetensors file')
    parser.add_argument('out', help='file to write')
    parser.add_argument(
        '--source', default='auto', help='torchvision, timm, seco, caco or saco (default: auto)'
    )
    parser.add_argument(
        '--whole',
        action='store_true',
        help='keep projectors, key encoder and queue of SeCo, CACo or SACo, to train on with them',
    )
    parser.add_argument(
        '--num-heads', type=int, help='attention heads of a ViT whose width does not tell'
    )
    parser.add_argument(
        '--network', help='model of timm that the file was made for; the result is compared with it'
    )
    args = parser.parse_args(argv)

    def command() -> None:
        from rsmm.apis.converting import convert_file

        conversion, proof = convert_file(
            args.checkpoint, args.out, args.source, args.whole, args.num_heads, args.network
        )
        print(conversion.report())
        print(proof.report())
        if args.whole:
            print(f'kept        {len(conversion.companions)} of those dropped above (--whole)')
        print(f'written     {args.out}')

    return guarded(command)


def _zoo_entry(args: argparse.Namespace) -> str:
    """Write the file and the card of a zoo entry; return the entry for the metafile."""
    from rsmm.apis.converting import Published
    from rsmm.apis.hub import publish_zoo_file

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
            from rsmm.apis.hub import write_folder

            card = Path(args.card).read_text(encoding='utf-8') if args.card else ''
            folder = write_folder(args.config, args.checkpoint, args.out_dir, card, args.half)
            print(f"{folder}: upload it, then get_model('hf://OWNER/NAME@REVISION') reads it")
            return
        from rsmm.apis.converting import publish

        name = args.name or (Path(args.config).stem if args.config else None)
        result = publish(args.checkpoint, args.out_dir, name, args.prefix, args.keep_ema)
        print(f'{result.path}  ({result.parameters / 1e6:.2f} M weights)')
        print(f'sha256 {result.sha256}')
        print(result.snippet(args.config))

    return guarded(command)
