# SACo: seven band groups, two positive views. On the command line mode=sa_moco num_keys=1 gives
# SA+MoCo and texture=True SACo+.
_base_ = [
    '../_base_/pretraining/saco_ms.py',
    '../_base_/schedules/ssl_adam_step.py',
    '../_base_/default_runtime.py',
]
