# Test-time augmentation: the scores of an image and of its two mirror images are averaged.
tta_model = dict(type='mmpretrain.AverageClsScoreTTA')
tta_pipeline = [
    dict(type='LoadRaster'),
    dict(
        type='TestTimeAug',
        transforms=[
            [
                dict(type='mmcv.RandomFlip', prob=0.0),
                dict(type='mmcv.RandomFlip', prob=1.0, direction='horizontal'),
                dict(type='mmcv.RandomFlip', prob=1.0, direction='vertical'),
            ],
            [dict(type='PackRaster')],
        ],
    ),
]
