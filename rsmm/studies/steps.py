"""One training of a chain: done once, gone on with after a kill, done again after any change."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from mmengine.config import Config

from rsmm.errors import CheckpointError
from rsmm.utils import atomic_write
from rsmm.utils.done_marker import DoneMarker, content_stamp, read_marker
from rsmm.utils.leftovers import SUFFIX, temporary_prefix

DONE, BEGUN = 'done.json', 'begun.json'
# Settings that say where a run writes, not what.
_PLACE = ('work_dir', 'experiment_name', 'resume', 'visualizer')


def config_digest(config: Config, root: Path) -> str:
    """Return a digest of all settings of a config; paths below ``root`` count from there."""
    settings = {key: value for key, value in config.to_dict().items() if key not in _PLACE}
    text = json.dumps(settings, sort_keys=True, default=str).replace(str(root), '.')
    return hashlib.sha256(text.encode()).hexdigest()


def input_stamps(options: Mapping[str, object]) -> dict:
    """Return the content stamps of the options that name files, checkpoints above all.

    A folder that an earlier step made counts by its marker; one of data by its name alone.
    """
    named = {name: value for name, value in options.items() if isinstance(value, str | Path)}
    files = {n: Path(v, DONE) if os.path.isdir(v) else Path(v) for n, v in named.items()}
    return {name: content_stamp(path) for name, path in files.items() if path.is_file()}


def made_of(config: Config, options: Mapping[str, object], root: Path) -> dict:
    """Return what a run depends on: its settings and the files that its options name."""
    return {'config': config_digest(config, root), 'inputs': input_stamps(options)}


def discard_folder(folder: Path) -> None:
    """Remove a folder; it vanishes whole, so that no call ever meets half of it."""
    if not folder.exists():
        return
    with tempfile.TemporaryDirectory(
        prefix=temporary_prefix(folder), suffix=SUFFIX, dir=folder.parent
    ) as aside:
        os.replace(folder, Path(aside, 'old'))
        shutil.rmtree(Path(aside, 'old'))


def prepare_folder(folder: Path, made: Mapping[str, object]) -> None:
    """Keep in a folder what an unfinished run of the same settings left, and nothing else.

    Args:
        folder: Of one unit of work; made if absent.
        made: What it depends on.
    """
    made = json.loads(json.dumps(made))
    begun = folder / BEGUN
    known = None
    with contextlib.suppress(OSError, ValueError):
        known = json.loads(begun.read_text(encoding='utf-8'))
    if known != made or read_marker(folder / DONE) is not None:
        discard_folder(folder)  # of other settings, or finished and since damaged
    folder.mkdir(parents=True, exist_ok=True)
    with atomic_write(begun, 'w', encoding='utf-8') as file:
        json.dump(made, file)


def resume_from(folder: Path) -> str | bool:
    """Return the newest undamaged checkpoint of a folder; without one the others go, and False."""
    from rsmm.checkpoints.run_files import newest_checkpoint

    newest = newest_checkpoint(folder, intact=True)
    if newest is None:
        for path in folder.glob('*.pth'):
            path.unlink()
        return False
    return str(newest)


def train_once(config: Config, folder: Path, options: Mapping[str, object]) -> Path:
    """Train a config in a folder unless it has been trained there; return its last checkpoint.

    A training that was killed goes on from its newest undamaged checkpoint, and finishes the
    validation that was cut off. One of other settings or input files, or whose checkpoints have
    changed since, is done again.

    Args:
        config: A loaded config.
        folder: Work folder, this training's alone.
        options: What was set in the config; files among the values are inputs.

    Returns:
        The checkpoint of the last step.
    """
    from rsmm.apis import run
    from rsmm.checkpoints.run_files import best_checkpoint, newest_checkpoint

    made = made_of(config, options, folder.parent)
    marker = DoneMarker(folder / DONE, made)
    facts = marker.facts()
    if facts is not None:
        return folder / facts['last']
    prepare_folder(folder, made)
    with marker.renewed() as renewal:
        run.train(config, work_dir=folder, resume=resume_from(folder))
        last, best = newest_checkpoint(folder), best_checkpoint(folder)
        if last is None:
            raise CheckpointError('the training left no checkpoint', where=folder)
        renewal.outputs = [last, *filter(None, [best])]
        renewal.facts = {'last': last.name, 'best': best and best.name}
    # As a later call says it: the pointer may spell the folder in another way.
    return folder / last.name


def best_of(folder: Path) -> Path | None:
    """Return the best checkpoint of a finished training, None where it keeps none."""
    found = read_marker(folder / DONE)
    name = found and found['facts'].get('best')
    return folder / name if name else None
