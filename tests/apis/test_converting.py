from __future__ import annotations

import torch
import yaml
from torchvision.models import resnet18

from rsmm.apis.converting import publish
from rsmm.apis.converting_cli import convert_main, publish_main
from rsmm.checkpoints.files import load_checkpoint_file
from rsmm.checkpoints.pretrained import Pretrained
from rsmm.registry import MODELS
from rsmm.utils import sha256_file
from rsmm.utils.download import digest_in_name


def run_state() -> dict:
    return {
        'state_dict': {
            'backbone.w': torch.ones(3),
            'head.w': torch.ones(2),
            'queue': torch.ones(9),
        },
        'ema_state_dict': {'backbone.w': torch.zeros(3)},
        'optimizer': {'state': {0: torch.ones(100)}},
        'param_schedulers': [{}],
        'message_hub': {'log_scalars': {}},
        'meta': {
            'epoch': 3,
            'dataset_meta': {'classes': ['a']},
            'cfg': "data_root = '/home/someone/secret'",
            'experiment_name': 'someone',
            'time': '20200101',
            'rsmm_version': '0.1.0',
        },
    }


def test_published_file_holds_weights_and_public_facts_only(tmp_path):
    torch.save(run_state(), tmp_path / 'epoch_3.pth')
    result = publish(tmp_path / 'epoch_3.pth', tmp_path / 'out', name='net')
    assert result.path.name == f'net-{result.sha256[:8]}.pth'
    assert digest_in_name(f'https://a/{result.path.name}') == result.sha256[:8]
    assert sha256_file(result.path) == result.sha256
    assert [path.name for path in (tmp_path / 'out').iterdir()] == [result.path.name]
    assert b'someone' not in result.path.read_bytes()
    loaded = torch.load(result.path, weights_only=True)
    assert set(loaded) == {'state_dict', 'meta'}
    assert loaded['meta'] == {
        'epoch': 3,
        'dataset_meta': {'classes': ['a']},
        'rsmm_version': '0.1.0',
    }
    assert result.parameters == 14


def test_publishing_twice_gives_the_same_name(tmp_path):
    torch.save(run_state(), tmp_path / 'a.pth')
    first = publish(tmp_path / 'a.pth', tmp_path / '1', name='net')
    second = publish(tmp_path / 'a.pth', tmp_path / '2', name='net')
    assert first.path.name == second.path.name


def test_part_and_average(tmp_path):
    torch.save(run_state(), tmp_path / 'a.pth')
    result = publish(tmp_path / 'a.pth', tmp_path, prefix='backbone.', keep_ema=True)
    loaded = load_checkpoint_file(result.path)
    assert list(loaded['state_dict']) == ['backbone.w']
    assert 'ema_state_dict' in loaded


def test_publish_prints_a_metafile_entry(tmp_path, capsys):
    torch.save(run_state(), tmp_path / 'a.pth')
    assert publish_main([str(tmp_path / 'a.pth'), str(tmp_path), '--config', 'configs/x/n.py']) == 0
    text = capsys.readouterr().out
    entry = yaml.safe_load(text[text.index('  - Name') :])[0]
    assert entry['Name'] == 'n'
    assert entry['Config'] == 'configs/x/n.py'
    assert entry['Metadata']['SHA256'] in text
    assert publish_main([str(tmp_path / 'none.pth'), str(tmp_path)]) == 1
    assert publish_main([str(tmp_path / 'a.pth'), str(tmp_path), '--prefix', 'neck.']) == 1


def test_convert_tool_writes_what_pretrained_reads(tmp_path, capsys):
    net = resnet18()
    torch.save(net.state_dict(), tmp_path / 'tv.pth')
    out = tmp_path / 'out.pth'
    assert convert_main([str(tmp_path / 'tv.pth'), str(out)]) == 0
    assert 'matched     120' in capsys.readouterr().out
    backbone = MODELS.build(dict(type='mmpretrain.ResNet', depth=18))
    Pretrained(str(out), prefix='backbone.')(backbone)
    torch.testing.assert_close(backbone.conv1.weight, net.conv1.weight)
    assert load_checkpoint_file(out)['meta']['source'] == 'torchvision'
    assert convert_main([str(out), str(tmp_path / 'x.pth'), '--source', 'seco']) == 1
    assert 'holds no ResNet' in capsys.readouterr().err
