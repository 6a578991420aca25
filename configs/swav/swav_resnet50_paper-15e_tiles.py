# The settings of the study: 15 epochs, batch 64, 3000 prototypes frozen for 5005 steps and a queue
# from epoch 15. On its 5,895 tiles neither prototypes nor queue ever come into play.
_base_ = [
    '../_base_/models/swav_resnet50.py',
    '../_base_/pretraining/swav_tiles.py',
    '../_base_/schedules/swav_lars_cosine.py',
    '../_base_/default_runtime.py',
]
