"""The tour of the README: pretrain, probe, fine-tune and test a network on toy images.

Every step is an ordinary config run by :mod:`rsmm.apis.run`; this module only orders them, keeps
their results so that a second call goes on where the first stopped, and draws the summary.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from rsmm.apis import run
from rsmm.apis.config import load_config
from rsmm.studies.steps import train_once
from rsmm.toy import get_writer
from rsmm.utils import atomic_write
from rsmm.utils.outputs import save_figure

CONFIGS = Path('configs/quickstart')


@dataclass(frozen=True)
class Scale:
    """How much of everything the tour does."""

    name: str
    chips_per_class: int
    pretrain_epochs: int
    probe_epochs: int
    finetune_epochs: int


FULL = Scale('quickstart', 120, 40, 20, 8)
SHORT = Scale('quickstart-short', 16, 2, 2, 2)


class Quickstart:
    """The steps and their results.

    Args:
        scale: :data:`FULL` or :data:`SHORT`.
        fresh: Forget the results of earlier calls.
        say: Called with each line of what is going on.
    """

    def __init__(self, scale: Scale = FULL, fresh: bool = False, say: Callable = print) -> None:
        self.scale = scale
        self.say = say
        self.work_dir = Path('work_dirs') / scale.name
        self.data_root = Path('data/toy') / ('eurosat' if scale is FULL else 'eurosat-short')
        self.results_file = self.work_dir / 'results.json'
        if fresh:
            shutil.rmtree(self.work_dir, ignore_errors=True)
        self.work_dir.mkdir(parents=True, exist_ok=True)
        known = self.results_file.exists()
        self.results = json.loads(self.results_file.read_text()) if known else {}

    def __call__(self) -> dict[str, float]:
        """Run all steps that have no result yet and write table and figures.

        Returns:
            Accuracy in percent per row of the table.
        """
        started = time.perf_counter()
        self.make_data()
        pretrained = self.train('1_pretrain_moco', 'pretrain', self.scale.pretrain_epochs)
        self.knn('kNN, random weights', 'random')
        self.knn('kNN, pretrained', pretrained)
        probe = self.scale.probe_epochs
        self.probe('2_linear_probe', 'linear probe, random weights', None, probe)
        self.probe('2_linear_probe', 'linear probe, pretrained', pretrained, probe)
        epochs = self.scale.finetune_epochs
        self.probe('4_finetune', 'supervised from random weights', None, epochs)
        self.probe('4_finetune', 'fine-tuned, pretrained', pretrained, epochs)
        self.draw('fine-tuned, pretrained')
        self.summarise(pretrained, time.perf_counter() - started)
        return self.results

    def make_data(self) -> None:
        """Write the toy images unless they are there."""
        self.say(f'Toy EuroSAT: {10 * self.scale.chips_per_class} chips in {self.data_root}')
        get_writer('eurosat')(self.data_root, chips_per_class=self.scale.chips_per_class)

    def options(self, epochs: int | None = None, pretrained: str | None = None) -> dict:
        """Config options of a step."""
        options: dict[str, object] = {'data_root': str(self.data_root)}
        if epochs is not None:
            options['epochs'] = epochs
        if pretrained is not None:
            options['pretrained'] = pretrained
        return options

    def train(self, config: str, name: str, epochs: int, pretrained: str | None = None) -> str:
        """Train a config unless its last checkpoint is there; return that checkpoint."""
        folder = self.work_dir / name.replace(', ', '-').replace(' ', '-')
        self.say(f'{name}: {epochs} epochs of {CONFIGS / config}.py (log in {folder})')
        options = self.options(epochs, pretrained)
        loaded = load_config(CONFIGS / f'{config}.py', options)
        loaded.custom_hooks = [
            *loaded.get('custom_hooks', []),
            dict(type='ProgressHook', description=name),
        ]
        with quiet(folder):
            return str(train_once(loaded, folder, options))

    def knn(self, row: str, checkpoint: str) -> None:
        """Add a row by nearest neighbours."""
        if row not in self.results:
            config = load_config(CONFIGS / '3_knn_probe.py', self.options())
            self.test(row, config, checkpoint)

    def probe(self, config: str, row: str, pretrained: str | None, epochs: int) -> None:
        """Add a row by training a classifier and testing it."""
        checkpoint = self.train(config, row, epochs, pretrained)
        if row not in self.results:
            self.test(row, load_config(CONFIGS / f'{config}.py', self.options()), checkpoint)

    def test(self, row: str, config, checkpoint: str) -> None:
        """Test and note the accuracy."""
        folder = self.work_dir / 'test'
        with quiet(folder):
            metrics = run.test(
                config, checkpoint, work_dir=folder, out=self.work_dir / f'{row}.json'
            )
        self.results[row] = metrics['accuracy/top1']
        with atomic_write(self.results_file, 'w') as file:
            json.dump(self.results, file, indent=1)
        self.say(f'{row}: {self.results[row]:.1f} %')

    def draw(self, row: str) -> None:
        """Draw the confusion matrix and a page of predictions of a row of the table."""
        from rsmm.visualization.confusion import draw_confusion
        from rsmm.visualization.predictions import draw_predictions, read_predictions

        predictions = read_predictions(self.work_dir / f'{row}.json')
        save_figure(draw_confusion(predictions), self.work_dir / 'confusion_matrix.png')
        save_figure(draw_predictions(predictions), self.work_dir / 'predictions.png')

    def summarise(self, pretrained: str, seconds: float) -> None:
        """Print the table and what to try next."""
        width = max(map(len, self.results))
        rows = [f'  {row:{width}}  {value:5.1f} %' for row, value in self.results.items()]
        self.say('Accuracy on the validation chips')
        print('\n'.join(rows))
        print(f'\nPictures: {self.work_dir}/confusion_matrix.png, {self.work_dir}/predictions.png')
        print(f'Took {seconds:.0f} s. Next, a run of your own on the same images:')
        print(
            '  .venv/bin/python tools/train.py configs/quickstart/4_finetune.py '
            '--work-dir work_dirs/mine \\\n'
            f'      --cfg-options data_root={self.data_root} epochs=12 pretrained={pretrained}'
        )


@contextlib.contextmanager
def quiet(folder: Path) -> Iterator[None]:
    """Send what a step prints to ``console.log`` in its folder."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / 'console.log').open('a') as file, contextlib.redirect_stdout(file):
        yield
