# An encoder alone, for the 13 bands of Sentinel-2 L1C as digital numbers, divided by 10,000.
default_scope = 'rsmm'
data_preprocessor = dict(type='MultiSpectralPreprocessor', bands='sentinel2-l1c', scale=10000)
model = dict(type='FeatureExtractor')
