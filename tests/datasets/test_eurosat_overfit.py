"""Thirteen real bands carry the labels to a network: it can learn a few chips by heart."""

import pytest
import torch
from mmengine.registry import DefaultScope

from rsmm.apis.config import load_config
from rsmm.engine.runner import Runner
from rsmm.registry import MODELS


@pytest.mark.slow
@pytest.mark.realdata
def test_overfit_real_multispectral_chips(repo_root, real_data):
    torch.manual_seed(0)
    options = dict(
        data_root=str(real_data / 'eurosat'), train_split='all', batch_size=36, num_workers=0
    )
    config = load_config(repo_root / 'configs/eurosat/resnet18_scratch-12e_eurosat-ms.py', options)
    with DefaultScope.overwrite_default_scope('rsmm'):
        loader = Runner.build_dataloader(config.train_dataloader, seed=0)
        model = MODELS.build({**config.model, 'data_preprocessor': config.data_preprocessor})
    batches = [model.data_preprocessor(batch) for _, batch in zip(range(2), loader, strict=False)]
    assert sum(len(batch['inputs']) for batch in batches) == 72
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    for _ in range(20):
        for batch in batches:
            optimizer.zero_grad()
            loss = model(batch['inputs'], batch['data_samples'], mode='loss')['loss']
            loss.backward()
            optimizer.step()
    model.eval()
    with torch.no_grad():
        right = sum(
            int(sample.pred_label == sample.gt_label)
            for batch in batches
            for sample in model(batch['inputs'], batch['data_samples'], mode='predict')
        )
    assert right / 72 > 0.85
