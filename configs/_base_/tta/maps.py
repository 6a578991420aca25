# Test-time augmentation of segmentation and change: eight turned and mirrored views, averaged.
# `tools/test.py --tta` takes this for such models by itself; inherit it to set the number of views.
tta_model = dict(type='SymmetryTTA', views=8)
