"""The urban-features study as one chain on toy data, each step a config.

Unlabelled scenes -> SwAV -> DETReg -> detectors at few labels; tiles -> MAE; feature maps of the
detector and of the MAE -> crime classifiers. Like the quickstart, this module only orders the steps
and keeps their results, so that a second call goes on where the first stopped.
"""

from __future__ import annotations

import json
import math
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from mmengine.config import Config

from rsmm.apis import run
from rsmm.apis.config import load_config
from rsmm.apis.model import RANDOM
from rsmm.checkpoints.files import load_checkpoint_file, save_checkpoint_file
from rsmm.engine.hooks.feature_map_dump import RECORD as MAP_RECORD
from rsmm.errors import ConfigError, did_you_mean
from rsmm.models.detectors.conversion import finetuning_weights
from rsmm.studies.quickstart import quiet
from rsmm.studies.steps import DONE, best_of, made_of, prepare_folder, train_once
from rsmm.studies.urban_report import city_table, crime_table, detection_table
from rsmm.toy import get_writer
from rsmm.utils import atomic_write
from rsmm.utils.done_marker import DoneMarker, Renewal, content_stamp
from rsmm.utils.leftovers import remove_leftovers
from rsmm.utils.lock import hold_folder

CONFIGS = Path('configs')
SCENE = 128  # pixels of a scene's side; tiles have 256
DETECTOR = 'deformable_detr/deformable-detr_r18-narrow_40e_toy.py'


@dataclass(frozen=True)
class UrbanScale:
    """How much of everything the chain does.

    Attributes:
        unlabelled: Scenes for SwAV and DETReg.
        labelled: Scenes with boxes; a fifth validates.
        label_fraction: Share of the other labelled scenes that the detectors see.
        tiles_per_city: Tiles of each of the six toy cities.
        held_out: Share of the train cities' tiles kept for the test within cities.
        swav_epochs, detreg_epochs, detector_epochs, mae_epochs, crime_epochs: Epochs of each step.
        crime_lr: Learning rate of the classifiers; the study's 1e-4 moves nothing in so few steps.
        workers: Loader processes.
        seed: Seed of all runs.
    """

    unlabelled: int = 600
    labelled: int = 600
    label_fraction: float = 0.1
    tiles_per_city: int = 100
    held_out: float = 0.25
    swav_epochs: int = 20
    detreg_epochs: int = 6
    detector_epochs: int = 25
    mae_epochs: int = 16
    crime_epochs: int = 30
    crime_lr: float = 0.005
    workers: int = 2
    seed: int = 0


FULL = UrbanScale()
SHORT = UrbanScale(
    unlabelled=96,
    labelled=80,
    label_fraction=0.5,
    tiles_per_city=24,
    swav_epochs=3,
    detreg_epochs=2,
    detector_epochs=4,
    mae_epochs=4,
    crime_epochs=12,
)


def make_scale(base: UrbanScale, settings: Mapping[str, Any]) -> UrbanScale:
    """Change settings of a scale by name.

    Raises:
        ConfigError: An unknown name; the message offers the closest one.
    """
    known = [field.name for field in fields(UrbanScale)]
    for name in settings:
        if name not in known:
            raise ConfigError(
                f'no setting {name!r}.{did_you_mean(name, known)}',
                fix=f'Known settings: {", ".join(known)}',
            )
    return replace(base, **settings)


class UrbanChain:
    """The steps and their results.

    Args:
        work_dir: Folder of data, runs and results.
        scale: :data:`FULL` or :data:`SHORT`, or of your own.
        fresh: Forget what an earlier call left there.
        say: Called with each line of what is going on.

    Raises:
        ConfigError: The folder holds a chain of another scale.
    """

    def __init__(
        self,
        work_dir: str | Path,
        scale: UrbanScale = FULL,
        fresh: bool = False,
        say: Callable[[str], object] = print,
    ) -> None:
        self.work_dir, self.scale, self.say = Path(work_dir), scale, say
        self.data = self.work_dir / 'data'
        self.results_file = self.work_dir / 'results.json'
        if fresh:
            shutil.rmtree(self.work_dir, ignore_errors=True)
        self.results = {'scale': asdict(scale), 'seconds': {}, 'detection': {}, 'crime': {}}
        known = self._known()
        if known is not None:
            changed = [k for k, v in self.results['scale'].items() if known['scale'].get(k) != v]
            if changed:
                raise ConfigError(
                    f'holds a chain with another {", ".join(changed)}',
                    where=self.work_dir,
                    fix='Use another --work-dir, or --fresh to begin anew',
                )
            self.results = known
        self.work_dir.mkdir(parents=True, exist_ok=True)

    def __call__(self) -> dict:
        """Do all steps that have no result yet, write ``report.md`` and return the results."""
        with hold_folder(self.work_dir):
            remove_leftovers(self.work_dir, deep=True, held=True)
            return self._all_steps()

    def _all_steps(self) -> dict:
        self.make_data()
        swav = self.pretrain_swav()
        detreg = self.pretrain_detreg(swav)
        detector = self.compare_detectors(swav, detreg)
        mae = self.pretrain_mae()
        self.compare_inputs(detector, mae)
        report = self.report()
        with atomic_write(self.work_dir / 'report.md', 'w', encoding='utf-8') as file:
            file.write(report)
        self.say(report)
        return self.results

    def _known(self) -> dict | None:
        """The results of an earlier call; None without any, or where the file is damaged."""
        try:
            known = json.loads(self.results_file.read_text(encoding='utf-8'))
        except (OSError, ValueError):  # all it held stands in the markers of the steps, too
            return None
        return known if isinstance(known, dict) and known.keys() >= self.results.keys() else None

    def make_data(self) -> None:
        """Write the toy scenes and tiles unless they are there."""
        scale = self.scale
        self.say(f'Toy scenes and tiles in {self.data}')
        write = get_writer('aerial')
        write(self.data / 'unlabelled', images=scale.unlabelled, size=SCENE, seed=1)
        write(self.data / 'labelled', images=scale.labelled, size=SCENE, seed=0)
        get_writer('urban-tiles')(self.data / 'urban', tiles_per_city=scale.tiles_per_city)

    def pretrain_swav(self) -> str:
        """SwAV on the unlabelled scenes; returns its checkpoint."""
        root = str(self.data / 'unlabelled/images')
        config = 'swav/swav_resnet18-narrow_10e_toy.py'
        return self.train('swav', config, self.scale.swav_epochs, data_root=root)

    def pretrain_detreg(self, swav: str) -> str:
        """DETReg on the same scenes with SwAV as teacher; returns the start of a fine-tuning."""
        checkpoint = self.train(
            'detreg',
            'detreg/detreg_r18-narrow_6e_toy.py',
            self.scale.detreg_epochs,
            data_root=str(self.data / 'unlabelled/images'),
            cache_dir=str(self.data / 'proposals'),
            teacher_checkpoint=swav,
        )
        converted = self.work_dir / 'detreg/detector.pth'

        def convert(renewal: Renewal) -> None:
            weights = finetuning_weights(load_checkpoint_file(checkpoint), checkpoint)
            save_checkpoint_file({'state_dict': weights.state_dict, 'meta': {}}, converted)
            renewal.outputs = [converted]

        self.once('detreg-start', {'checkpoint': content_stamp(checkpoint)}, convert)
        return str(converted)

    def compare_detectors(self, swav: str, detreg: str) -> str:
        """Fine-tune from three starts at few labels; returns the checkpoint from DETReg."""
        epochs = self.scale.detector_epochs
        common = {
            'data_root': str(self.data / 'labelled'),
            'label_fraction': self.scale.label_fraction,
            'drop': max(1, epochs * 4 // 5),
            'train_cfg.val_interval': epochs + 1,  # the test follows
        }
        starts = {
            'random weights': {},
            'SwAV backbone': {'pretrained': swav},
            'DETReg': {'load_from': detreg},
        }
        for start, options in starts.items():
            name = f'detector-{start.lower().replace(" ", "-")}'
            checkpoint = self.train(name, DETECTOR, epochs, **common, **options)
            metrics = self.test(name, DETECTOR, checkpoint, **common)
            self.note('detection', start, metrics)
        return checkpoint

    def pretrain_mae(self) -> str:
        """MAE on the tiles, and a figure of what it draws; returns its checkpoint."""
        from rsmm.studies.figures.reconstruction import draw_reconstructions

        root = str(self.data / 'urban/tiles')
        config = 'mae/mae_vit-tiny_20e_toy.py'
        checkpoint = self.train('mae', config, self.scale.mae_epochs, data_root=root)
        figure = self.work_dir / 'reconstructions.png'
        options = {'data_root': root, 'num_workers': 0}

        def draw(renewal: Renewal) -> None:
            draw_reconstructions(CONFIGS / config, checkpoint, figure, options=options)
            renewal.outputs = [figure]

        self.once('reconstructions', {'checkpoint': content_stamp(checkpoint)}, draw)
        return checkpoint

    def compare_inputs(self, detector: str, mae: str) -> None:
        """Classify raw tiles and maps, in unseen cities and in unseen parts of seen ones."""
        maps = {
            'detr': ('crime/maps_deformable-detr_r18-narrow_toy.py', detector),
            'mae': ('crime/maps_mae-vit-tiny_toy.py', mae),
            'mae-random': ('crime/maps_mae-vit-tiny_toy.py', RANDOM),
        }
        folders = {name: self.dump(name, *source) for name, source in maps.items()}
        raw, detr, on_mae = (
            f'crime/tiny-cnn_{kind}.py'
            for kind in ('15e_urban-tiles', '20e_urban-tiles-detr', '15e_urban-tiles-mae')
        )
        self.classify('raw tiles', raw)
        self.classify('DETR maps', detr, maps_dir=folders['detr'])
        self.classify('MAE maps', on_mae, maps_dir=folders['mae'])
        self.classify('MAE maps, random weights', on_mae, maps_dir=folders['mae-random'])

    def dump(self, name: str, config: str, checkpoint: str) -> str:
        """Write the feature maps of all tiles; returns their folder."""
        folder = self.work_dir / 'maps' / name
        options = {'data_root': str(self.data / 'urban/tiles'), 'maps_dir': str(folder)}
        loaded = self.load(config, options)

        def write(renewal: Renewal) -> None:
            with quiet(self.work_dir / f'maps/{name}-log'):
                run.test(loaded, checkpoint, work_dir=str(self.work_dir / f'maps/{name}-log/test'))
            renewal.outputs = [*folder.rglob('*.npz'), folder / MAP_RECORD]

        made = made_of(loaded, {'checkpoint': checkpoint}, self.work_dir)
        self.once(f'maps/{name}', made, write)
        return str(folder)

    def classify(self, row: str, config: str, **options) -> None:
        """Train a classifier and test its best epoch."""
        name = f'crime-{row.lower().replace(",", "").replace(" ", "-")}'
        options |= {'data_root': str(self.data / 'urban'), 'held_out': self.scale.held_out}
        lr, epochs = self.scale.crime_lr, self.scale.crime_epochs
        last = self.train(
            name, config, epochs, lr=lr, step_size=max(1, epochs // 2), batch_size=16, **options
        )
        best = best_of(Path(last).parent) or last
        metrics = self.test(name, config, best, **options)
        within = self.test(f'{name}-within', config, best, test_split='within', **options)
        metrics |= {f'within/{key}': value for key, value in within.items()}
        self.note('crime', row, metrics)

    def load(self, config: str, options: Mapping[str, object]) -> Config:
        """Load a config with the chain's seed and number of loader processes."""
        common = {'randomness.seed': self.scale.seed, 'num_workers': self.scale.workers}
        return load_config(CONFIGS / config, {**common, **options})

    def once(
        self, name: str, made: Mapping[str, object], work: Callable[[Renewal], object]
    ) -> dict:
        """Do a step in its folder unless it is done there; return what it noted."""
        folder = self.work_dir / name
        marker = DoneMarker(folder / DONE, made)
        facts = marker.facts()
        if facts is None:
            prepare_folder(folder, made)
            with marker.renewed() as renewal:
                work(renewal)
            facts = renewal.facts
        return facts

    def train(self, name: str, config: str, epochs: int, **options) -> str:
        """Train a config unless that is done; returns its last checkpoint."""
        folder = self.work_dir / name
        options = {'epochs': epochs, **options}
        loaded = self.load(config, options)
        loaded.custom_hooks = [
            *loaded.get('custom_hooks', []),
            dict(type='ProgressHook', description=name),
        ]
        self.say(f'{name}: {epochs} epochs of {CONFIGS / config}')
        started = time.perf_counter()
        with quiet(folder):
            last = train_once(loaded, folder, options)
        if name not in self.results['seconds']:
            self.results['seconds'][name] = round(time.perf_counter() - started, 1)
            self.save()
        return str(last)

    def test(self, name: str, config: str, checkpoint: str | Path, **options) -> dict[str, float]:
        """Test a checkpoint unless that is done; returns its finite metrics."""
        loaded = self.load(config, options)

        def work(renewal: Renewal) -> None:
            folder = self.work_dir / 'tests' / name
            with quiet(folder):
                metrics = run.test(loaded, str(checkpoint), work_dir=str(folder / 'test'))
            # Classes that the toy scenes do not hold have no precision.
            renewal.facts = {k: float(v) for k, v in metrics.items() if math.isfinite(v)}

        made = made_of(loaded, {**options, 'checkpoint': checkpoint}, self.work_dir)
        return self.once(f'tests/{name}', made, work)

    def note(self, table: str, row: str, metrics: Mapping[str, float]) -> None:
        """Enter a row into a table of the results."""
        self.results[table][row] = dict(metrics)
        self.save()

    def save(self) -> None:
        """Write the results."""
        with atomic_write(self.results_file, 'w', encoding='utf-8') as file:
            json.dump(self.results, file, indent=1)

    def report(self) -> str:
        """Tables of what was found beside what was published, as Markdown."""
        scale = self.scale
        samples = next(iter(self.results['crime'].values()))['crime/samples']
        return '\n\n'.join(
            [
                f'## Detection on toy scenes, {scale.label_fraction:.0%} of the labels',
                detection_table(self.results['detection']),
                f'## Crime classes of toy tiles, {samples:.0f} tiles of unseen cities',
                crime_table(self.results['crime']),
                city_table(self.results['crime']),
                'Toy labels are synthetic. Published numbers are of other data and stand apart; '
                'all published classifiers are below a constant.\n',
            ]
        )
