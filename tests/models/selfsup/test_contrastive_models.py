"""The momentum-contrast family: mechanics, losses against the pure functions, processes, state."""

from __future__ import annotations

import copy
from types import SimpleNamespace

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from mmengine.model import BaseDataPreprocessor, BaseModule
from sklearn.metrics import roc_auc_score
from torch import nn

from rsmm.errors import CheckpointError, ConfigError, DataError
from rsmm.models.layers.momentum import momentum_update_
from rsmm.models.layers.sync_batchnorm import convert_cpu_sync_batchnorm
from rsmm.models.losses.functional import caco_loss, info_nce, saco_loss, seco_loss
from rsmm.models.selfsup.change_flags import ChangeFlags, fit_mixture
from rsmm.models.selfsup.contrastive_core import enqueue_
from rsmm.models.selfsup.saco import BandGrouper
from rsmm.registry import MODELS
from rsmm.sensors import band_order

S2 = band_order('seco')


class TinyBackbone(BaseModule):
    """Two convolutions with batch normalisation, like any backbone from the outside."""

    def __init__(self, channels: int = 3) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(channels, 6, 3, 2), nn.BatchNorm2d(6), nn.ReLU(), nn.Conv2d(6, 8, 3, 2)
        )

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor]:
        return (self.layers(x),)


def build(name: str, **kwargs):
    torch.manual_seed(0)
    spaces = {'MoCo': 1, 'SeCo': 3, 'TeCo': 3, 'CACo': 3}.get(name, kwargs.get('num_spaces', 1))
    if name == 'SACo':
        kwargs = {
            'bands': S2,
            'neck': {'type': 'GroupMLP', 'in_channels': 8, 'hidden': (8,), 'out_channels': 5},
            **kwargs,
        }
    else:
        kwargs = {
            'neck': {'type': 'MoCoMLP', 'in_channels': 8, 'out_channels': 5, 'num_spaces': spaces},
            **kwargs,
        }
    kwargs = {'queue_len': 16, 'feat_dim': 5, **kwargs}
    backbone = kwargs.pop('backbone', None) or TinyBackbone()
    model = MODELS.build(
        dict(type=name, backbone=backbone, data_preprocessor=BaseDataPreprocessor(), **kwargs)
    )
    model.init_weights()
    return model.train()


NUM_VIEWS = {'MoCo': 2, 'SeCo': 4, 'TeCo': 4, 'CACo': 4, 'SACo': 3}


def views_for(name: str, rows: int = 8, seed: int = 1) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    channels = len(S2) if name == 'SACo' else 3
    return [torch.rand(rows, channels, 12, 12, generator=generator) for _ in range(NUM_VIEWS[name])]


def samples(index) -> list[SimpleNamespace]:
    return [SimpleNamespace(sample_idx=int(i)) for i in index]


def options(name: str) -> dict:
    return {'num_samples': 8} if name == 'CACo' else {}


METHODS = list(NUM_VIEWS)


def test_momentum_update_golden() -> None:
    key, query = torch.ones(1, dtype=torch.float64), torch.zeros(1, dtype=torch.float64)
    for _ in range(3):
        momentum_update_([key], [query], 0.999)
    assert abs(float(key) - 0.997002999) < 1e-9


def test_queue_pointer_returns_to_zero() -> None:
    queue, pointer = torch.zeros(4, 16384), torch.zeros(1, dtype=torch.long)
    for step in range(64):
        if step == 63:
            assert int(pointer) == 16128
        enqueue_(queue, pointer, torch.randn(256, 4))
    assert int(pointer) == 0
    torch.testing.assert_close(queue.norm(dim=0), torch.ones(16384))


def test_queue_refuses_a_batch_that_does_not_fit() -> None:
    with pytest.raises(ConfigError, match=r'queue_len=16 is not a multiple .* 6 images'):
        build('MoCo').loss(views_for('MoCo', rows=6))


@pytest.mark.parametrize('name', METHODS)
def test_one_step(name: str) -> None:
    model = build(name, **options(name))
    before = copy.deepcopy(model.state_dict())
    losses = model.loss(views_for(name), samples(range(8)))
    losses['loss'].backward()
    assert [key for key in losses if 'loss' in key] == ['loss'], 'MMEngine sums what is called loss'
    assert all(p.grad is not None for p in model.backbone.parameters())
    assert all(p.grad is None for p in model.backbone_k.parameters())
    assert not any(p.requires_grad for p in model.neck_k.parameters())
    queue = model.queue
    torch.testing.assert_close(queue.norm(dim=1), torch.ones_like(queue[:, 0]))
    assert not torch.equal(queue[..., :8], before['queue'][..., :8])
    assert torch.equal(queue[..., 8:], before['queue'][..., 8:])
    assert (model.queue_ptr == 8).all()
    # Key batch statistics move by their own forwards, not by averaging.
    assert model.backbone_k.layers[1].num_batches_tracked > 0


@pytest.mark.parametrize('name', METHODS)
def test_key_encoder_starts_as_the_query_and_trails_it(name: str) -> None:
    model = build(name, momentum=0.9, **options(name))
    for key, query in zip(model.backbone_k.parameters(), model.backbone.parameters(), strict=True):
        assert torch.equal(key, query)
    with torch.no_grad():
        for p in model.backbone.parameters():
            p.add_(1)
    model.update_key_encoder()
    for key, query in zip(model.backbone_k.parameters(), model.backbone.parameters(), strict=True):
        torch.testing.assert_close(query - key, torch.full_like(key, 0.9))


def reference_loss(name: str, model, views: list[torch.Tensor]) -> torch.Tensor:
    """The method written out with its own forwards, on a copy of the model."""
    model = copy.deepcopy(model)
    queues = [q.T for q in model.queue]
    if name == 'SACo':

        def embed(x, backbone, neck):
            return torch.stack([neck(backbone(g))[0] for g in model.grouper(x)])

        groups = embed(views[0], model.backbone, model.neck)
        keys = [embed(v, model.backbone_k, model.neck_k).mean(0) for v in views[1:]]
        return saco_loss(groups, keys, queues[0], 0.05)['loss']
    q = model.neck(model.backbone(views[0]))
    keys = [[model.neck_k(model.backbone_k(v))[i] for v in views[1:]] for i in range(len(q))]
    if name == 'MoCo':
        return info_nce(q[0], keys[0][0], queues[0], 0.07).mean()
    if name == 'SeCo':
        return seco_loss(q, keys, queues, 0.07)['loss']
    flags = torch.zeros(8) if name == 'CACo' else torch.ones(8)
    return caco_loss(q, keys, queues, flags, 0.07)['loss']


@pytest.mark.parametrize('name', METHODS)
def test_loss_is_the_pure_function_of_the_embeddings(name: str) -> None:
    model = build(name, **options(name))
    views = views_for(name)
    expected = reference_loss(name, model, views)
    torch.testing.assert_close(model.loss(views, samples(range(8)))['loss'], expected)


def test_moco_takes_thirteen_bands() -> None:
    model = build('MoCo', backbone=TinyBackbone(13))
    losses = model.loss([torch.rand(8, 13, 12, 12)] * 2)
    assert torch.isfinite(losses['loss'])
    assert model.extract_feat(torch.rand(2, 13, 12, 12))[0].shape == (2, 8, 2, 2)


@pytest.mark.parametrize('name', METHODS)
def test_wrong_number_of_views(name: str) -> None:
    model = build(name, **options(name))
    with pytest.raises(ConfigError, match=f'{name} compares {NUM_VIEWS[name]} views .* found 1'):
        model.loss(views_for(name)[:1], samples(range(8)))


@pytest.mark.parametrize(
    ('name', 'settings', 'message'),
    [
        ('MoCo', dict(temperature=0), 'temperature=0'),
        ('MoCo', dict(queue_len=0), 'queue_len=0'),
        ('MoCo', dict(momentum=1.5), 'momentum'),
        ('SACo', dict(group_loss='push'), "'push'.*pull, cosine, reference"),
        ('SACo', dict(num_keys=0), 'num_keys=0'),
    ],
)
def test_settings_are_checked_before_the_first_step(name, settings, message) -> None:
    with pytest.raises(ConfigError, match=message):
        build(name, **settings)


def test_neck_that_does_not_fit() -> None:
    with pytest.raises(ConfigError, match=r'1 embedding\(s\) of size 5, expected 3 of size 5'):
        build('SeCo', neck=dict(type='MoCoMLP', in_channels=8, out_channels=5, num_spaces=1)).loss(
            views_for('SeCo')
        )


def test_published_parameter_counts() -> None:
    def count(cfg: dict) -> int:
        return sum(p.numel() for p in MODELS.build(cfg).parameters())

    assert count({'type': 'MoCoMLP', 'in_channels': 512}) == 328_320
    assert count({'type': 'MoCoMLP', 'in_channels': 2048}) == 4_458_624
    assert count({'type': 'GroupMLP', 'in_channels': 512}) == 1_181_440
    assert count({'type': 'GroupMLP', 'in_channels': 2048}) == 2_754_304
    assert count({'type': 'mmpretrain.ResNet', 'depth': 18}) == 11_176_512
    assert count({'type': 'mmpretrain.ResNet', 'depth': 50}) == 23_508_032


# --- change flags -------------------------------------------------------------------------------


def test_running_ratio_golden() -> None:
    flags = ChangeFlags(3)
    for ratio, expected in ((2.0, 2.0), (3.0, 2.2), (1.0, 1.96)):
        flags.update(torch.tensor([1]), torch.tensor([ratio]))
        assert float(flags.ratio[1]) == pytest.approx(expected, abs=1e-6)
    assert flags.seen.tolist() == [False, True, False]


def test_of_repeated_samples_the_first_counts() -> None:
    flags = ChangeFlags(3)
    flags.update(torch.tensor([2, 0, 2]), torch.tensor([5.0, 1.0, 9.0]))
    assert flags.ratio.tolist() == [1, 0, 5]


def test_distances_are_averaged_over_a_place_before_they_are_divided() -> None:
    flags = ChangeFlags(6, evidence='distance')
    index = torch.tensor([2, 3])
    flags.observe(index, torch.tensor([1.0, 1.0]), torch.tensor([0.2, 0.6]))
    assert flags.ratio[2:4].tolist() == pytest.approx([1 / 0.4001] * 2, abs=1e-5)
    # Running averages: long (4 * 1 + 0.5) / 5, short (4 * 0.4 + 0.9) / 5.
    flags.observe(index, torch.tensor([0.5, 0.5]), torch.tensor([0.8, 1.0]))
    assert flags.distances[2].tolist() == pytest.approx([0.9, 0.5])
    assert flags.ratio[2:4].tolist() == pytest.approx([0.9 / 0.5001] * 2, abs=1e-5)
    assert flags.seen.tolist() == [False, False, True, True, False, False]
    with pytest.raises(ConfigError, match='ratio, distance'):
        ChangeFlags(6, evidence='mean')


def test_averaged_distances_find_change_that_single_ratios_miss() -> None:
    """Short-term distances are now and then near zero; such draws swamp a running ratio."""
    generator = torch.Generator().manual_seed(0)
    changed = torch.arange(400) // 2 % 2 == 0
    scores = {}
    for evidence in ('ratio', 'distance'):
        flags = ChangeFlags(400, evidence=evidence)
        for _ in range(40):
            short = torch.rand(400, generator=generator) ** 2
            long = torch.rand(400, generator=generator).repeat_interleave(2)[:400] * 0.5
            flags.observe(torch.arange(400), long + 0.3 * changed, short)
        scores[evidence] = roc_auc_score(changed, flags.ratio)
    assert scores['distance'] > scores['ratio'] + 0.1
    assert scores['distance'] > 0.9


def test_distance_evidence_is_state() -> None:
    options = {'flags': {'evidence': 'distance'}}
    model = build('CACo', num_samples=8, **options)
    model.loss(views_for('CACo'), samples(range(8)))
    assert (model.change_flags.distances > 0).all()
    resumed = build('CACo', **options)
    resumed.load_state_dict(model.state_dict())
    for name, buffer in model.change_flags.named_buffers():
        assert torch.equal(dict(resumed.change_flags.named_buffers())[name], buffer)


def test_mixture_golden() -> None:
    flags = ChangeFlags(9)
    ratios = torch.tensor([0.9, 1, 1.1, 1.05, 0.95, 3, 3.2, 2.9])
    flags.update(torch.arange(8), ratios)
    mixture = flags.refresh()
    assert flags.flag.tolist() == [0, 0, 0, 0, 0, 1, 1, 1, -1]
    assert mixture.means == pytest.approx([1.0, 3.0333], abs=1e-3)
    assert flags.lookup(torch.tensor([0, 5, 8])).tolist() == [0, 1, 0]


def test_flags_without_evidence_are_zero() -> None:
    flags = ChangeFlags(4)
    assert flags.refresh() is None
    assert flags.flag.tolist() == [-1] * 4
    flags.update(torch.arange(3), torch.ones(3))
    assert flags.refresh() is None
    assert flags.flag.tolist() == [0, 0, 0, -1]


def test_mixture_does_not_depend_on_order() -> None:
    ratios = torch.cat([torch.randn(40) * 0.1 + 1, torch.randn(10) * 0.3 + 3]).numpy()
    flags = fit_mixture(ratios).flags
    assert (fit_mixture(ratios[::-1].copy()).flags[::-1] == flags).all()


def test_caco_flags_are_state() -> None:
    model = build('CACo', num_samples=8)
    model.loss(views_for('CACo'), samples(range(8)))
    model.change_flags.refresh()
    state = model.state_dict()
    assert model.change_flags.seen.all()

    resumed = build('CACo')
    resumed.load_state_dict(state)
    assert torch.equal(resumed.change_flags.flag, model.change_flags.flag)
    torch.manual_seed(3)
    views = views_for('CACo', seed=5)
    torch.testing.assert_close(
        resumed.loss(views, samples(range(8)))['loss'], model.loss(views, samples(range(8)))['loss']
    )
    with pytest.raises(CheckpointError, match='8 images, the dataset has 10'):
        build('CACo', num_samples=10).load_state_dict(state)


def test_caco_uses_its_flags() -> None:
    views, losses = views_for('CACo'), {}
    for flag in (0, 1):
        model = build('CACo', num_samples=8)
        model.change_flags.flag.fill_(flag)
        losses[flag] = model.loss(views, samples(range(8)))['loss']
    teco = build('TeCo').loss(views)['loss']
    torch.testing.assert_close(losses[1], teco)
    assert losses[0] < losses[1]


@pytest.mark.parametrize('name', ['TeCo', 'CACo'])
@pytest.mark.parametrize('index', [[0, 1, 2, 4, 6, 7, 3, 5], [1, 2, 3, 4, 5, 6, 7, 8]])
def test_batches_that_are_not_paired_are_refused(name: str, index: list[int]) -> None:
    model = build(name, **({'num_samples': 10} if name == 'CACo' else {}))
    with pytest.raises(ConfigError, match='PairedPlaceSampler'):
        model.loss(views_for(name), samples(index))


def test_caco_names_the_missing_hook() -> None:
    with pytest.raises(ConfigError, match='ChangeFlagHook'):
        build('CACo').loss(views_for('CACo'), samples(range(8)))


# --- band groups --------------------------------------------------------------------------------


def test_groups_pick_bands_by_name() -> None:
    images = torch.arange(12.0).view(1, 12, 1, 1).expand(2, 12, 4, 4)
    order = {band: i for i, band in enumerate(S2)}
    groups = BandGrouper(S2, 'readme')(images)
    assert groups.shape == (7, 2, 3, 4, 4)
    assert groups[1, 0, :, 0, 0].tolist() == [order['B11'], order['B8A'], order['B02']]
    # B10 is not in L2A data and becomes B09.
    assert groups[6, 0, :, 0, 0].tolist() == [order['B07'], order['B08'], order['B09']]
    eurosat = band_order('eurosat')
    assert BandGrouper(eurosat, 'readme').groups[6] == ('B07', 'B08', 'B10')
    shuffled = list(S2)[::-1]
    same = BandGrouper(shuffled, 'readme')(images.flip(1))
    assert torch.equal(same, groups)


def test_saco_code_preset() -> None:
    groups = BandGrouper(S2, 'saco_code').groups
    assert groups[1:3] == [('B12', 'B08', 'B02'), ('B8A', 'B04', 'B03')]
    assert BandGrouper(band_order('eurosat'), 'saco_code_eurosat').groups[1][1] == 'B09'


def test_missing_band_is_named() -> None:
    bands = [band for band in S2 if band != 'B12']
    with pytest.raises(DataError, match=r'B12-B11-B04 needs B12.*Only B10 by B09 is substituted'):
        BandGrouper(bands, 'readme')
    with pytest.raises(ConfigError, match="Did you mean 'readme'"):
        BandGrouper(S2, 'readmi')


def test_images_of_other_bands_are_refused() -> None:
    """EuroSAT's 13 bands stand in another order: positions would mean other bands."""
    with pytest.raises(DataError, match='expected 12 bands .* found 13'):
        BandGrouper(S2, 'readme')(torch.zeros(2, 13, 8, 8))


def test_texture_groups_on_the_model_and_in_the_loader_are_the_same() -> None:
    stored = torch.randint(0, 256, (2, 12, 16, 16), dtype=torch.uint8)
    images = stored.float() / 255
    grouper = BandGrouper(S2, 'readme', texture=True)
    stacked = grouper(images)
    assert len(grouper) == 11
    assert stacked.shape == (11, 2, 3, 16, 16)

    from rsmm.ops import lbp

    codes = lbp(stored, 16, 2, 'uniform')
    loaded = torch.cat([stored, (codes * 15).to(torch.uint8)], dim=1).float() / 255
    names = [*S2, *(f'LBP_{band}' for band in S2)]
    torch.testing.assert_close(BandGrouper(names, 'readme', texture=True)(loaded), stacked)


def test_texture_scale() -> None:
    image = (37 * torch.arange(8)[:, None] + 11 * torch.arange(8) ** 2) % 256
    images = (image / 255).expand(1, 12, 8, 8)
    fixed = BandGrouper(S2, texture=True)(images)[7:]
    batch = BandGrouper(S2, texture={'scale': 'batch'})(images)[7:]
    assert float(fixed.mean()) == pytest.approx(559 / 64 / 17, abs=1e-6)
    assert float(batch.mean()) == pytest.approx(0.513787, abs=1e-5)  # codes 0..17 all occur
    # The fixed scale does not depend on the other images of a batch.
    pair = torch.cat([images, torch.zeros_like(images)])
    assert torch.equal(BandGrouper(S2, texture=True)(pair)[7:, :1], fixed)


def test_saco_variants() -> None:
    views = views_for('SACo')
    plus = build('SACo', texture=True)
    assert torch.isfinite(plus.loss(views)['loss'])
    sa_moco = build('SACo', num_keys=1)
    out = sa_moco.loss(views[:2])
    assert 'view1' not in out
    fused = build('SACo', fused=True).eval()
    separate = build('SACo').eval()
    torch.testing.assert_close(
        fused.encode_groups(views[0], fused.backbone, fused.neck),
        separate.encode_groups(views[0], separate.backbone, separate.neck),
    )
    assert separate.extract_feat(views[0])[0].shape == (8, 8, 2, 2)


def test_saco_embedding_does_not_depend_on_group_order() -> None:
    views = views_for('SACo')
    one = build('SACo').eval()
    other = build('SACo', groups=list(reversed(one.grouper.groups))).eval()
    torch.testing.assert_close(one.encode_key(views[0])[0], other.encode_key(views[0])[0])


# --- several processes --------------------------------------------------------------------------


def _train(name: str, views: list[torch.Tensor], index: list[int], steps: int) -> dict:
    model = convert_cpu_sync_batchnorm(build(name, momentum=0.9, **options(name)))
    if dist.is_initialized():
        model_ddp = nn.parallel.DistributedDataParallel(model)
    else:
        model_ddp = model
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    losses = []
    for step in range(steps):
        optimizer.zero_grad()
        out = model_ddp([view + step * 0.01 for view in views], samples(index), mode='loss')
        out['loss'].backward()
        optimizer.step()
        if name == 'CACo':
            model.change_flags.refresh()
        losses.append(out['loss'].detach())
    return {'loss': torch.stack(losses), 'state': model.state_dict()}


def _worker(rank: int, name: str, folder: str) -> None:
    torch.set_num_threads(1)
    dist.init_process_group('gloo', init_method=f'file://{folder}/init', rank=rank, world_size=2)
    own = slice(4 * rank, 4 * rank + 4)
    views = [view[own] for view in views_for(name)]
    torch.save(_train(name, views, list(range(8))[own], 3), f'{folder}/{rank}.pt')
    dist.barrier()
    dist.destroy_process_group()


@pytest.mark.distributed
@pytest.mark.parametrize('name', METHODS)
def test_two_processes_equal_one(name: str, tmp_path) -> None:
    mp.start_processes(_worker, (name, str(tmp_path)), nprocs=2, start_method='fork')
    parts = [torch.load(tmp_path / f'{rank}.pt', weights_only=True) for rank in range(2)]
    whole = _train(name, views_for(name), list(range(8)), 3)
    mean = (parts[0]['loss'] + parts[1]['loss']) / 2
    torch.testing.assert_close(mean, whole['loss'], atol=2e-5, rtol=2e-5)
    for key, expected in whole['state'].items():
        torch.testing.assert_close(parts[0]['state'][key], expected, atol=1e-4, rtol=1e-3, msg=key)
        if 'queue' in key or 'change_flags' in key:
            assert torch.equal(parts[0]['state'][key], parts[1]['state'][key])


def _own_negatives_worker(rank: int, folder: str) -> None:
    torch.set_num_threads(1)
    dist.init_process_group('gloo', init_method=f'file://{folder}/init', rank=rank, world_size=2)
    model = convert_cpu_sync_batchnorm(build('SeCo', gather_negatives=False))
    own = slice(4 * rank, 4 * rank + 4)
    out = model.loss([view[own] for view in views_for('SeCo')])
    torch.save({'loss': out['loss'].detach(), 'queue': model.queue}, f'{folder}/{rank}.pt')
    dist.barrier()
    dist.destroy_process_group()


@pytest.mark.distributed
def test_each_process_may_keep_to_its_own_negatives(tmp_path) -> None:
    """Without gathering, a process computes the loss of its rows among themselves."""
    mp.start_processes(_own_negatives_worker, (str(tmp_path),), nprocs=2, start_method='fork')
    parts = [torch.load(tmp_path / f'{rank}.pt', weights_only=True) for rank in range(2)]
    model, views = build('SeCo'), views_for('SeCo')
    q = model.neck(model.backbone(views[0]))
    keys = [[model.neck_k(model.backbone_k(v))[i] for v in views[1:]] for i in range(3)]
    queues = [queue.T for queue in model.queue.clone()]
    for rank, part in enumerate(parts):
        rows = slice(4 * rank, 4 * rank + 4)
        own_keys = [[view[rows] for view in space] for space in keys]
        expected = seco_loss([z[rows] for z in q], own_keys, queues, 0.07)['loss']
        torch.testing.assert_close(part['loss'], expected.detach(), atol=1e-5, rtol=1e-5)
    # The queue takes the keys of all processes all the same.
    whole = seco_loss(q, keys, queues, 0.07)['loss']
    assert (parts[0]['loss'] + parts[1]['loss']) / 2 < whole - 0.01
    assert torch.equal(parts[0]['queue'], parts[1]['queue'])
    entered = torch.nn.functional.normalize(keys[0][0], dim=1)
    torch.testing.assert_close(parts[0]['queue'][0, :, :8].T, entered.detach())


def _shuffle_worker(rank: int, folder: str) -> None:
    torch.set_num_threads(1)
    dist.init_process_group('gloo', init_method=f'file://{folder}/init', rank=rank, world_size=2)
    from rsmm.models.selfsup.contrastive_core import shuffled_forward

    seen = []

    def encode(x: torch.Tensor) -> tuple[torch.Tensor]:
        seen.extend(x.flatten().tolist())
        return (x.flatten(1) * 10,)

    rows = torch.arange(4.0).view(4, 1, 1, 1) + 4 * rank
    out = shuffled_forward(encode, rows, seed=3)[0]
    torch.save({'out': out, 'seen': torch.tensor(seen)}, f'{folder}/{rank}.pt')
    dist.barrier()
    dist.destroy_process_group()


@pytest.mark.distributed
def test_shuffle_deals_rows_to_processes_and_puts_them_back(tmp_path) -> None:
    mp.start_processes(_shuffle_worker, (str(tmp_path),), nprocs=2, start_method='fork')
    parts = [torch.load(tmp_path / f'{rank}.pt', weights_only=True) for rank in range(2)]
    for part in parts:
        assert part['out'].flatten().tolist() == [10.0 * i for i in range(8)]
        assert set(part['seen'].tolist()) not in ({0, 1, 2, 3}, {4, 5, 6, 7})
    assert sorted(torch.cat([part['seen'] for part in parts]).tolist()) == list(range(8))
