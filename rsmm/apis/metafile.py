"""Keeping ``metafile.yml`` true: what a config's model measures, and drafts of missing entries."""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Sequence
from os import PathLike
from pathlib import Path

import yaml

from rsmm.apis.cli import guarded
from rsmm.apis.config import load_config
from rsmm.apis.entries import ZooEntry, zoo_entries
from rsmm.errors import ConfigError


def count_parameters(config: str | PathLike) -> int:
    """Number of parameters of a config's model, buffers not counted.

    Raises:
        ConfigError: The config is missing or its model cannot be built.
    """
    from rsmm.apis.model import build_model

    net = build_model(config)
    return sum(parameter.numel() for parameter in net.parameters())


def draft_entries(folder: str | PathLike) -> str:
    """Write the metafile entries of the experiments in ``folder`` that have none.

    Returns:
        YAML to append under ``Models:``; empty when nothing is missing.

    Raises:
        ConfigError: ``folder`` holds no experiments.
    """
    folder = Path(folder).resolve()
    entries = [entry for entry in zoo_entries().values() if entry.config.parent == folder]
    if not entries:
        raise ConfigError('no experiments of this installation', where=folder)
    return ''.join(_draft(entry) for entry in entries if not entry.metadata)


def _draft(entry: ZooEntry) -> str:
    config = load_config(entry.config)
    epochs = (config.get('train_cfg') or {}).get('max_epochs')
    metadata = {'Epochs': epochs} if epochs else {}
    item = {
        'Name': entry.name,
        'In Collection': entry.config.parent.name,
        'Config': '/'.join(entry.config.parts[-3:]),
        'Metadata': {**metadata, 'Parameters': count_parameters(entry.config)},
    }
    return textwrap.indent(yaml.safe_dump([item], sort_keys=False), '  ')


def draft_main(argv: Sequence[str] | None = None) -> int:
    """Entry of ``tools/misc/draft_metafile.py``."""
    parser = argparse.ArgumentParser(
        description='Print metafile.yml entries for the experiments of a folder that have none.'
    )
    parser.add_argument('folder', help='e.g. configs/moco')
    args = parser.parse_args(argv)
    return guarded(lambda: print(draft_entries(args.folder), end=''))
