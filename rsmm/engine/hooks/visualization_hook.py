"""A picture of each prediction while testing."""

from __future__ import annotations

from pathlib import Path

from mmengine.hooks import Hook

from rsmm.registry import HOOKS


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
        for position, sample in enumerate(outputs):
            if self.seen % self.interval == 0:
                path = Path(sample.img_path)
                figure = draw_sample(inputs[position], sample, meta)
                figure.savefig(self.out_dir / f'{path.parent.name}_{path.stem}.png')
            self.seen += 1
