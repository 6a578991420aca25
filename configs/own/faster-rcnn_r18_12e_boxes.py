# Faster R-CNN on a ResNet-18 for one's own boxes in COCO form: set num_classes.
_base_ = ['../faster_rcnn/faster-rcnn_r18_12e_toy.py']
data_root = 'data/own/boxes'
classes = None  # in label order; those of the file that have objects without
num_classes = 5
epochs = 12
ann_file = 'annotations.json'
image_dir = 'images'
boxes = dict(
    type='BoxFolder',
    data_root=data_root,
    ann_file=ann_file,
    image_dir=image_dir,
    classes=classes,
    num_classes=num_classes,
)

model = dict(roi_head=dict(bbox_head=dict(num_classes=num_classes)))
train_dataloader = dict(dataset=boxes)
val_dataloader = dict(dataset=boxes)
test_dataloader = dict(dataset=boxes)
train_cfg = dict(max_epochs=epochs)
default_hooks = dict(checkpoint=dict(save_best='coco/bbox_mAP', rule='greater'))
