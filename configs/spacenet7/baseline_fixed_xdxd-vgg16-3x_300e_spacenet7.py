# Three times enlarged input, as the winners used for buildings of a few pixels.
_base_ = './baseline_fixed_xdxd-vgg16_300e_spacenet7.py'

model = dict(scale=3, tile=170)
