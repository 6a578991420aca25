# DETReg: Deformable DETR for one class, "object", with a frozen backbone and teacher.
_base_ = ['./deformable_detr_r50.py']

num_classes = 1
frozen_stages = 4
teacher_checkpoint = None  # SwAV checkpoint; the backbone starts from it too
embedding_dim = 512

backbone = dict(frozen_stages=4)
if teacher_checkpoint:
    backbone['init_cfg'] = dict(
        type='Pretrained', checkpoint=teacher_checkpoint, prefix='backbone.'
    )
model = dict(
    type='DETReg',
    backbone=backbone,
    teacher=dict(
        type='PatchTeacher',
        backbone=dict(type='mmpretrain.ResNet', depth=50, num_stages=4, out_indices=(1,)),
        checkpoint=teacher_checkpoint,
    ),
    bbox_head=dict(type='DETRegHead', num_classes=1, embedding_dim=embedding_dim),
)
