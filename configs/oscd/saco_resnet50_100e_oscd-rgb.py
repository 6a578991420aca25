# SACo's change decoder (62.7 million parameters) on a frozen ResNet-50; soft dice.
_base_ = './seco_resnet50_100e_oscd-rgb.py'

model = dict(
    backbone=dict(_delete_=True, type='mmpretrain.ResNet', depth=50, out_indices=(0, 1, 2, 3)),
    decode_head=dict(_delete_=True, type='SACoDecoder', in_channels='auto'),
    loss=dict(terms=dict(_delete_=True, dice=1.0)),
)
