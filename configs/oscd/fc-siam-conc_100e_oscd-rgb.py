# FC-Siam-conc: both dates' features side by side on every level.
_base_ = './fc-siam-diff_100e_oscd-rgb.py'

model = dict(fusion='concat')
