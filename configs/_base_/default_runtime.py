# Settings that every experiment shares.
default_scope = 'rsmm'

default_hooks = dict(
    logger=dict(type='LoggerHook', interval=50),
    checkpoint=dict(type='CheckpointHook', interval=1, max_keep_ckpts=2),
)
env_cfg = dict(dist_cfg=dict(backend='nccl'))  # without a GPU the runner takes gloo
# Losses of training are averaged over the window; metrics (`footprint/loss`) are shown as they are.
log_processor = dict(
    window_size=50, mean_pattern=r'^((train|val|test)/)?[^/]*(loss|time|grad_norm)[^/]*$'
)
visualizer = dict(type='mmengine.Visualizer', vis_backends=[dict(type='LocalVisBackend')])

# Statistics of batch normalisation span all processes, so that N processes train as one does.
sync_bn = 'torch'
randomness = dict(seed=0)
load_from = None
resume = False
