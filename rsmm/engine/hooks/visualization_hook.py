"""A picture of each prediction while testing."""

from __future__ import annotations

from pathlib import Path

from mmengine.hooks import Hook
from mmengine.model import BaseTTAModel, is_model_wrapper

from rsmm.registry import HOOKS
from rsmm.utils.outputs import keep_inputs, save_figure


@HOOKS.register_module()
class VisualizationHook(Hook):
    """Save a picture of each tested sample: image, truth and prediction.

    What is drawn follows from the fields of the data sample, see
    :func:`rsmm.visualization.samples.draw_sample`. Files are named after the image, prefixed by
    their class folder, so that equal names in different folders do not meet.

    Args:
        out_dir: Folder for the pictures.
        interval: Draw every n-th sample of this process.
    """

    def __init__(self, out_dir: str, interval: int = 1) -> None:
        self.out_dir = Path(out_dir)
        self.interval = interval
        self.seen = 0

    def after_test_iter(self, runner, batch_idx: int, data_batch: dict, outputs) -> None:
        from rsmm.visualization.samples import draw_sample

        self.out_dir.mkdir(parents=True, exist_ok=True)
        meta = runner.test_dataloader.dataset.metainfo
        inputs = data_batch['inputs']
        if _averages_views(runner.model):
            inputs = inputs[0]  # the image as it is; the others are mirrored
        for position, sample in enumerate(outputs):
            if self.seen % self.interval == 0:
                figure = draw_sample(_input_of(inputs, position, sample), sample, meta)
                out = self.out_dir / f'{_name_of(sample)}.png'
                keep_inputs(out, [sample.img_path] if 'img_path' in sample else ())
                save_figure(figure, out)
            self.seen += 1


def _averages_views(model) -> bool:
    return isinstance(model.module if is_model_wrapper(model) else model, BaseTTAModel)


def _input_of(inputs, position: int, sample):
    """Return what a sample was made from: an image, a series, or the views of a pair."""
    views = isinstance(inputs, list | tuple) and inputs[0].ndim == 4 and 'days' not in sample
    return [view[position] for view in inputs] if views else inputs[position]


def _name_of(sample) -> str:
    """Name a picture after the scene and the tile where there are such, else after the file."""
    if 'name' not in sample:
        path = Path(sample.img_path)
        return f'{path.parent.name}_{path.stem}'
    row, column = (sample.get('window') or (None, None))[:2]
    place = '' if row is None else f'_{row}_{column}'
    return sample.name.replace('/', '_') + place
