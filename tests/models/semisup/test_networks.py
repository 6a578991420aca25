"""The networks: counts of the published ones, who sees what, what goes wrong with words."""

from __future__ import annotations

import pytest
import torch
from mmpretrain.models.backbones import VisionTransformer
from mmpretrain.structures import DataSample
from torch.testing import assert_close

from rsmm.errors import ConfigError, DataError
from rsmm.models.semisup.batch import Target, random_rows, shifted
from rsmm.models.semisup.measures import pseudo_label_measures
from rsmm.models.semisup.reading import read_batch
from rsmm.registry import MODELS
from tests.models.semisup.tables import CLASSES, SIZE, batch, build, prepare, rule_config, total

BEN = dict(type='ViTExtraToken', arch='deit-small', img_size=128, patch_size=16)
EUROSAT = dict(type='ViTExtraToken', arch='deit-small', img_size=32, patch_size=2)
SMALL = dict(embed_dims=12, num_layers=2, num_heads=2, feedforward_channels=24)


def vit(**settings):
    torch.manual_seed(0)
    built = MODELS.build(
        dict(type='ViTExtraToken', arch=SMALL, img_size=SIZE, patch_size=4, **settings)
    )
    built.init_weights()
    for parameter in built.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)
    built.eval()
    return built


@pytest.mark.parametrize(
    ('backbone', 'classes', 'single', 'double', 'tokens'),
    [(BEN, 43, 21_631_531, 43_446_700, 65), (EUROSAT, 10, 21_402_250, 42_962_728, 257)],
)
def test_published_sizes(backbone, classes, single, double, tokens):
    head = dict(type='mmpretrain.LinearClsHead', num_classes=classes, in_channels=384)
    common = dict(backbone=backbone, head=head, rule=dict(type='FixMatchRule', num_classes=classes))
    with torch.device('meta'):
        one = MODELS.build(dict(type='SSLClassifier', **common))
        two = MODELS.build(
            dict(
                type='STSSLClassifier',
                metadata=dict(missing='zero'),
                untrained_heads=True,
                **common,
            )
        )
    assert sum(p.numel() for p in one.parameters()) == single
    assert sum(p.numel() for p in two.parameters()) == double
    assert one.backbone.pos_embed.shape[1] == tokens
    frozen = {n for n, p in two.named_parameters() if not p.requires_grad}
    assert {name.split('.')[-2] for name in frozen} == {'untrained_head'}


class TestViT:
    def test_starts_from_zero(self):
        built = MODELS.build(dict(type='ViTExtraToken', arch=SMALL, img_size=SIZE, patch_size=4))
        before = built.layers[0].attn.qkv.weight.clone()
        built.init_weights()
        assert (built.cls_token == 0).all()
        assert (built.pos_embed == 0).all()
        assert torch.equal(built.layers[0].attn.qkv.weight, before)

    def test_no_token_is_the_plain_network_bit_for_bit(self):
        plain = VisionTransformer(arch=SMALL, img_size=SIZE, patch_size=4)
        plain.eval()
        images = torch.randn(2, 3, SIZE, SIZE)
        for token, same in (('none', True), ('const', False), ('input', False)):
            built = vit(extra_token=token)
            plain.load_state_dict(
                {k: v for k, v in built.state_dict().items() if k != 'token_embed'}
            )
            (expected,) = plain(images)
            assert torch.equal(built(images, with_token=False)[-1], expected)
            given = torch.zeros(2, 12) if token == 'input' else None
            assert torch.equal(built(images, given)[-1], expected) == same

    def test_one_more_token(self):
        lengths = []
        for token in ('none', 'const'):
            built = vit(extra_token=token)
            built.layers[0].register_forward_hook(
                lambda _, inputs, __: lengths.append(inputs[0].shape[1])
            )
            built(torch.randn(1, 3, SIZE, SIZE))
        assert lengths == [5, 6]

    def test_constant_token_is_the_same_at_input_and_not_at_output(self):
        built, seen = vit(extra_token='const'), {}
        built.layers[0].register_forward_hook(lambda _, inputs, __: seen.update(x=inputs[0]))
        token, _ = built(torch.randn(2, 3, SIZE, SIZE))
        assert torch.equal(seen['x'][0, -1], seen['x'][1, -1])
        assert not torch.equal(token[0], token[1])

    @pytest.mark.parametrize(
        ('kind', 'given', 'message'),
        [
            ('none', True, 'takes no metadata'),
            ('const', True, 'extra_token'),
            ('input', False, 'without an input token'),
        ],
    )
    def test_metadata_and_token_must_fit(self, kind, given, message):
        token = torch.zeros(1, 12) if given else None
        with pytest.raises(ConfigError, match=message):
            vit(extra_token=kind)(torch.zeros(1, 3, SIZE, SIZE), token)

    @pytest.mark.parametrize('token', ['none', 'const', 'input'])
    def test_starts_from_a_plain_network(self, token, tmp_path):
        plain = vit()
        weights = {f'backbone.{k}': v for k, v in plain.state_dict().items()}
        torch.save({'state_dict': weights}, tmp_path / 'plain.pth')
        start = dict(type='Pretrained', checkpoint=str(tmp_path / 'plain.pth'), prefix='backbone.')
        model = MODELS.build(
            dict(
                type='STSSLClassifier',
                backbone=dict(
                    type='ViTExtraToken', arch=SMALL, img_size=SIZE, patch_size=4, init_cfg=start
                ),
                head=dict(type='mmpretrain.LinearClsHead', num_classes=CLASSES, in_channels=12),
                rule=rule_config('FixMatchRule', False),
                distill='none' if token == 'none' else 'mse',
            )
        )
        model.init_weights()
        for backbone in (model.backbone, model.teacher['backbone']):
            for key, value in plain.state_dict().items():
                assert torch.equal(backbone.state_dict()[key], value)
            without = {k: v for k, v in backbone.state_dict().items() if k != 'token_embed'}
            if backbone.extra_token != 'none':
                with pytest.raises(RuntimeError, match='token_embed'):
                    backbone.load_state_dict(without)

    def test_larger_images(self):
        assert vit()(torch.randn(1, 3, 16, 16))[0].shape == (1, 12)


def places(*rows):
    samples = []
    for latitude, longitude, day in rows:
        sample = DataSample()
        sample.set_metainfo(dict(latitude=latitude, longitude=longitude, day_of_year=day))
        samples.append(sample)
    return samples


class TestPrediction:
    here, there = places((48.0, 10.0, 100)), places((-20.0, 130.0, 300))
    nowhere = places((None, None, None))
    images = torch.randn(1, 3, SIZE, SIZE)

    def score(self, model, samples):
        return model(self.images, samples, mode='predict')[0].pred_score

    def test_student_sees_the_image_alone(self):
        model = build('STSSLClassifier', 'FixMatchRule', False).eval()
        scores = [self.score(model, s) for s in (self.here, self.there, self.nowhere, None)]
        assert all(torch.equal(scores[0], other) for other in scores[1:])

    def test_teacher_sees_place_and_date(self):
        model = build('STSSLClassifier', 'FixMatchRule', False).eval()
        model.predict_with = 'teacher'
        scores = [self.score(model, s) for s in (self.here, self.there, self.nowhere)]
        assert all(score.isfinite().all() for score in scores)
        assert not torch.equal(scores[0], scores[1])
        assert not torch.equal(scores[0], scores[2])

    def test_one_label(self):
        model = build('SSLClassifier', 'FixMatchRule', False).eval()
        with torch.no_grad():
            (sample,) = model(self.images, None, mode='predict')
        assert float(sample.pred_score.sum()) == pytest.approx(1)
        assert sample.pred_label.tolist() == [int(sample.pred_score.argmax())]

    def test_many_labels(self):
        model = build('SSLClassifier', 'FixMatchRule', True).eval()
        (sample,) = model(self.images, None, mode='predict')
        logits = model(self.images, mode='tensor')
        assert_close(sample.pred_score, logits.sigmoid()[0])
        assert sample.pred_label.tolist() == (logits[0] >= 0).nonzero()[:, 0].tolist()

    def test_deployed_weights_are_a_plain_classifiers(self):
        model = build('STSSLClassifier', 'FixMatchRule', False)
        parts = {key.split('.')[0] for key in model.state_dict()}
        assert parts == {'backbone', 'head', 'teacher', 'rule'}


class TestCDMAD:
    images, samples = torch.randn(2, 3, SIZE, SIZE), None

    @pytest.mark.parametrize('frame', ['SSLClassifier', 'STSSLClassifier'])
    def test_bias_is_what_the_network_says_of_nothing(self, frame):
        model = build(frame, 'CDMADRule', False).eval()
        empty = torch.ones(1, 3, SIZE, SIZE)
        logits = [model.head(model.backbone(x)) for x in (self.images, empty)]
        found = model(self.images, None, mode='predict')
        expected = (logits[0] - logits[1]).softmax(1)
        assert_close(torch.stack([sample.pred_score for sample in found]), expected)

    def test_nothing_is_taken_off_before_the_start(self):
        model = build('SSLClassifier', 'CDMADRule', False, start=5).eval()
        plain = model.head(model.backbone(self.images)).softmax(1)
        found = model(self.images, None, mode='predict')
        assert_close(torch.stack([sample.pred_score for sample in found]), plain)

    def test_reference_takes_the_teachers_untrained_head(self):
        model = build('STSSLClassifier', 'CDMADRule', False, reference=True).eval()
        teacher = model.teacher
        empty = torch.ones(1, 3, SIZE, SIZE)
        bias = teacher['untrained_head'](teacher['backbone'](empty, with_token=False)[-1])
        plain = model.head(model.backbone(self.images))
        found = model(self.images, None, mode='predict')
        expected = (plain - bias).softmax(1)
        assert_close(torch.stack([sample.pred_score for sample in found]), expected)
        total(model.train()(*batch(False, 0), mode='loss')).backward()
        assert teacher['untrained_head'].weight.grad is None


class TestReference:
    def test_udal_student_follows_its_own_mean(self):
        losses = {}
        for reference in (False, True):
            model = build('STSSLClassifier', 'UDALRule', False, reference=reference)
            for step in range(2):
                found = model(*batch(False, step), mode='loss')
            losses[reference] = found
        key = 'teacher_loss_unsupervised'
        assert_close(losses[True][key], losses[False][key])
        assert losses[True]['loss_unsupervised'] != losses[False]['loss_unsupervised']

    def test_cap_average_is_still_unless_asked(self):
        seen = []
        for reference in (False, True):
            model = build('SSLClassifier', 'CAPRule', True, reference=reference)
            model.averaged['backbone'].register_forward_hook(
                lambda module, *_: seen.append(module.training)
            )
            model(*batch(True, 0), mode='loss')
            assert model.averaged.training, 'its mode is put back'
        assert seen == [False, True]

    def test_cap_defaults_use_every_entry(self):
        model = build('SSLClassifier', 'CAPRule', True, pos_per=1.0, neg_per=1.0)
        losses = model(*batch(True, 0), mode='loss')
        assert losses['used'] == 1


class TestDistillation:
    @pytest.mark.parametrize('settings', [dict(distill='none'), dict(distill_weight=0.0)])
    def test_off_has_no_student_token(self, settings):
        model = MODELS.build(
            dict(
                type='STSSLClassifier',
                backbone=dict(type='ViTExtraToken', arch=SMALL, img_size=SIZE, patch_size=4),
                head=dict(type='mmpretrain.LinearClsHead', num_classes=CLASSES, in_channels=12),
                rule=rule_config('FixMatchRule', False),
                **settings,
            )
        )
        assert model.backbone.extra_token == 'none'
        assert 'loss_distill' not in model(*batch(False, 0), mode='loss')

    @pytest.mark.parametrize(('many', 'nothing', 'all_'), [(False, 1.0, 0.0), (True, (0, 1), 0.0)])
    def test_does_not_depend_on_the_mask(self, many, nothing, all_):
        found = []
        for threshold in (nothing, all_):
            model = build('STSSLClassifier', 'FixMatchRule', many, threshold=threshold)
            found.append(model(*batch(many, 0), mode='loss'))
        assert [float(losses['used']) for losses in found] == [0, 1]
        assert found[0]['loss_unsupervised'] == 0
        assert found[0]['teacher_loss_unsupervised'] == 0
        assert found[1]['loss_unsupervised'] > 0
        assert found[0]['loss_distill'] == found[1]['loss_distill']

    def test_compares_what_both_learn_from(self):
        model = build('STSSLClassifier', 'FixMatchRule', False).eval()
        inputs, samples = batch(False, 0)
        losses = model(inputs, samples, mode='loss')
        tokens = [[], []]
        for view, stream in (('labelled', 'labelled'), ('strong', 'unlabelled')):
            rows = torch.tensor(
                [
                    [
                        float('nan') if sample.get(key) is None else sample.get(key)
                        for key in ('latitude', 'longitude', 'day_of_year')
                    ]
                    for sample in samples[stream]
                ]
            )
            teacher = model.teacher
            tokens[0].append(teacher['backbone'](inputs[view], teacher['metadata'](rows))[0])
            tokens[1].append(model.backbone(inputs[view])[0])
        teacher, student = (torch.cat(part) for part in tokens)
        assert_close(losses['loss_distill'], ((student - teacher) ** 2).mean())


@pytest.mark.parametrize(
    'rule', ['FixMatchRule', 'VATRule', 'MeanTeacherRule', 'MixMatchRule', 'SimMatchRule']
)
def test_a_cnn_under_the_same_rules(rule):
    torch.manual_seed(0)
    model = MODELS.build(
        dict(
            type='SSLClassifier',
            backbone=dict(type='mmpretrain.ResNet', depth=18, base_channels=8, stem_channels=8),
            neck=dict(type='mmpretrain.GlobalAveragePooling'),
            head=dict(type='mmpretrain.LinearClsHead', num_classes=CLASSES, in_channels=64),
            rule=rule_config(rule, False),
        )
    ).train()
    prepare(model.rule)
    total(model(*batch(False, 0), mode='loss')).backward()
    assert all(p.grad is not None for p in model.parameters() if p.requires_grad)
    assert len(model.eval()(torch.randn(2, 3, SIZE, SIZE), None, mode='predict')) == 2


class TestBadInput:
    def change(self, samples, label):
        samples['labelled'][2].set_gt_label(label)
        return samples

    @pytest.mark.parametrize('label', [-1, CLASSES])
    def test_label(self, label):
        model = build('SSLClassifier', 'FixMatchRule', False)
        inputs, samples = batch(False, 0)
        with pytest.raises(DataError, match=r'is not one of the classes 0..2.*unlabelled stream'):
            model(inputs, self.change(samples, label), mode='loss')

    def test_no_label(self):
        model = build('SSLClassifier', 'FixMatchRule', False)
        inputs, samples = batch(False, 0)
        del samples['labelled'][1].gt_label
        with pytest.raises(DataError, match='no label in the labelled stream'):
            model(inputs, samples, mode='loss')

    @pytest.mark.parametrize('score', [[1.0, 0.0], [1.0, 0.0, 2.0], [1.0, 0.0, -0.5]])
    def test_score(self, score):
        model = build('SSLClassifier', 'FixMatchRule', True)
        inputs, samples = batch(True, 0)
        samples['labelled'][1] = DataSample().set_gt_score(torch.tensor(score))
        with pytest.raises(DataError, match='gt_score'):
            model(inputs, samples, mode='loss')

    def test_swapped_place(self):
        model = build('STSSLClassifier', 'FixMatchRule', False)
        inputs, samples = batch(False, 0)
        samples['unlabelled'][3].set_metainfo(dict(latitude=139.7, longitude=35.7))
        with pytest.raises(DataError, match='latitude 139.7 lies outside.*swapped'):
            model(inputs, samples, mode='loss')

    def test_classes_differ(self):
        with pytest.raises(ConfigError, match='num_classes=4 of the head and 3'):
            MODELS.build(
                dict(
                    type='SSLClassifier',
                    backbone=dict(type='ViTExtraToken', arch=SMALL, img_size=SIZE, patch_size=4),
                    head=dict(type='mmpretrain.LinearClsHead', num_classes=4, in_channels=12),
                    rule=rule_config('FixMatchRule', False),
                )
            )

    def test_cnn_takes_no_metadata(self):
        with pytest.raises(ConfigError, match='takes no token'):
            MODELS.build(
                dict(
                    type='STSSLClassifier',
                    backbone=dict(type='mmpretrain.ResNet', depth=18),
                    head=dict(type='mmpretrain.LinearClsHead', num_classes=3, in_channels=512),
                    rule=rule_config('FixMatchRule', False),
                )
            )

    def test_metadata_for_a_model_that_takes_none(self):
        with pytest.raises(ConfigError, match='metadata'):
            MODELS.build(
                dict(
                    type='SSLClassifier',
                    backbone=dict(type='ViTExtraToken', arch=SMALL, img_size=SIZE, patch_size=4),
                    head=dict(type='mmpretrain.LinearClsHead', num_classes=3, in_channels=12),
                    rule=rule_config('FixMatchRule', False),
                    metadata=dict(type='PlaceTimeEncoder'),
                )
            )

    def test_unknown_sample(self):
        model = build('SSLClassifier', 'FlexMatchRule', False)
        inputs, samples = batch(False, 0)
        samples['unlabelled'][0].set_metainfo(dict(sample_idx=99))
        with pytest.raises(ConfigError, match='sample_idx 99 of a unlabelled set of 24'):
            model(inputs, samples, mode='loss')

    @pytest.mark.parametrize(
        'settings',
        [
            dict(type='FixMatchRule', threshold=1.5),
            dict(type='FixMatchRule', threshold=(0.7, 0.05), multi_label=True),
            dict(type='FixMatchRule', threshold=(0.05, 0.7)),
            dict(type='FixMatchRule', weight=-1),
            dict(type='MixMatchRule', alpha=0),
            dict(type='VATRule', epsilon=0),
            dict(type='DashRule', decay_every=0),
            dict(type='SoftMatchRule', align_to='prior'),
            dict(type='SoftMatchRule', align_to='uniform', multi_label=True),
            dict(type='UDALRule', a_min=2),
            dict(type='CAPRule', pos_per=1.2),
            dict(type='CoMatchRule', temperature=0),
            dict(type='FixMatchRule', num_classes=1),
        ],
    )
    def test_settings(self, settings):
        with pytest.raises(ConfigError):
            MODELS.build({'num_classes': CLASSES, **settings})


def test_vat_moves_images_where_predictions_change_most():
    model = build('SSLClassifier', 'VATRule', False)
    rule, (branch,) = model.rule, model.branches()
    data = read_batch(*batch(False, 0), rule, torch.Generator().manual_seed(0))
    view = data.views['weak']
    own = rule.probs(branch.look(view).logits.detach())

    def change(direction):
        moved = branch.look(shifted(view, rule.epsilon * direction)).logits.softmax(1)
        return float((own * (own / moved).log()).sum(1).mean())

    starts = [random_rows(data, 'weak') for _ in range(8)]
    found = [rule._direction(own, start, data, branch) for start in starts]
    lengths = found[0].flatten(1).norm(dim=1)
    assert_close(lengths, torch.ones_like(lengths))
    random = [start / start.flatten(1).norm(dim=1).view(-1, 1, 1, 1) for start in starts]
    assert min(map(change, found)) > max(map(change, random))


class TestMeasures:
    def test_one_label(self):
        target = Target(torch.tensor([0, 1, 2, 0]), torch.tensor([True, True, False, True]))
        found = pseudo_label_measures(target, torch.tensor([0, 2, 2, -1]), False)
        assert found['used'] == 0.75
        assert found['pseudo_accuracy'] == 0.5, 'of the used ones whose truth is known'
        assert 'pseudo_accuracy' not in pseudo_label_measures(target, None, False)

    def test_soft_labels_and_weights(self):
        target = Target(torch.tensor([[0.6, 0.4], [0.1, 0.9]]), torch.tensor([0.25, 0.75]))
        found = pseudo_label_measures(target, torch.tensor([0, 0]), False)
        assert found == {'used': 0.5, 'pseudo_accuracy': 0.25}

    def test_many_labels(self):
        target = Target(torch.tensor([[0.9, 0.2, 0.7]]), torch.tensor([[True, True, True]]))
        found = pseudo_label_measures(target, torch.tensor([[1.0, 1.0, -1.0]]), True)
        assert found == {'used': 1, 'pseudo_accuracy': 0.5}

    def test_nothing_used(self):
        target = Target(torch.tensor([0]), torch.tensor([False]))
        assert pseudo_label_measures(target, torch.tensor([0]), False) == {'used': 0}
