# SACo: seven band groups, two positive views. method=sa_moco and texture=True on the command line
# give SA+MoCo and SACo+.
_base_ = [
    '../_base_/pretraining/saco_ms.py',
    '../_base_/schedules/ssl_adam_step.py',
    '../_base_/default_runtime.py',
]
