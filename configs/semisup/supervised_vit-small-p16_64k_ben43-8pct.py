# 8 % of the patches labelled.
_base_ = './supervised_vit-small-p16_64k_ben43-1pct.py'
lists = _base_.lists

train_dataloader = dict(
    dataset=dict(
        labelled=dict(split_file=f'{lists}/train0.08_lb_43.csv'),
        unlabelled=dict(split_file=f'{lists}/train0.08_ulb_43.csv'),
    )
)
