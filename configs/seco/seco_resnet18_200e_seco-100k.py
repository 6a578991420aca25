# SeCo at its published settings. Another method is another model with its date rule, e.g.
#   --cfg-options model.type=MoCo mode=moco_tp
# TeCo and CACo also need a CACo archive (archive=CACoDataset data_root=DIR).
_base_ = [
    '../_base_/pretraining/contrast_rgb.py',
    '../_base_/schedules/ssl_sgd_step.py',
    '../_base_/default_runtime.py',
]
