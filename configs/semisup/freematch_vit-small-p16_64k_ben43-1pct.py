# FreeMatch, after 2,000 steps on labelled patches alone.
_base_ = './fixmatch_vit-small-p16_64k_ben43-1pct.py'

model = dict(
    rule=dict(_delete_=True, type='FreeMatchRule', num_classes=43, multi_label=True, warmup=2000)
)
