# An encoder alone, for pictures of 0..255, normalised as ImageNet networks are used to.
default_scope = 'rsmm'
data_preprocessor = dict(
    type='MultiSpectralPreprocessor',
    bands='rgb',
    scale=255,
    mean=[0.485, 0.456, 0.406],
    std=[0.229, 0.224, 0.225],
)
model = dict(type='FeatureExtractor')
