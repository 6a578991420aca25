# SeCo at its published settings. --cfg-options method=X turns it into moco or moco_tp; on a CACo
# archive (archive=caco data_root=DIR) also into teco or caco.
_base_ = [
    '../_base_/pretraining/contrast_rgb.py',
    '../_base_/schedules/ssl_sgd_step.py',
    '../_base_/default_runtime.py',
]
