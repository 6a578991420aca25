"""Make the start of a fine-tuning from a DETReg checkpoint.

Example:
    python tools/model_converters/detreg_to_detector.py work_dirs/detreg/epoch_20.pth detreg.pth
    python tools/train.py configs/deformable_detr/deformable-detr_r18_30e_toy.py \
        --cfg-options load_from=detreg.pth
"""

from __future__ import annotations

import argparse
import sys

from rsmm.errors import RsmmError
from rsmm.utils.outputs import keep_arguments


def main(argv: list[str] | None = None) -> int:
    """Convert the file and print what was kept; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('checkpoint', help='training checkpoint of DETReg')
    parser.add_argument('out', help='file to write')
    args = parser.parse_args(argv)
    from rsmm.checkpoints.files import load_checkpoint_file, save_checkpoint_file
    from rsmm.models.detectors.conversion import finetuning_weights

    try:
        keep_arguments(args)
        weights = finetuning_weights(load_checkpoint_file(args.checkpoint), args.checkpoint)
        save_checkpoint_file({'state_dict': weights.state_dict, 'meta': {}}, args.out)
    except RsmmError as error:
        print(f'{type(error).__name__}: {error}', file=sys.stderr)
        return 1
    print(weights.report())
    return 0


if __name__ == '__main__':
    sys.exit(main())
