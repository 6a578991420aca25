# FC-EF: both dates stacked before the first convolution.
_base_ = './fc-siam-diff_100e_oscd-rgb.py'

model = dict(fusion='early', deepest='fused')
