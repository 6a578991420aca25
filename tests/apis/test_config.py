import pytest

from rsmm.apis.config import load_config
from rsmm.errors import ConfigError


@pytest.fixture
def config(tmp_path):
    """An experiment over a base, both using variables of the base."""
    (tmp_path / '_base_').mkdir()
    (tmp_path / '_base_' / 'data.py').write_text(
        "data_root = 'data/a'\n"
        'batch = 4\n'
        'train_dataloader = dict(batch_size=batch, dataset=dict(type="X", data_root=data_root))\n'
        'val_dataloader = dict(batch_size=batch * 2, dataset=dict(data_root=data_root))\n'
    )
    path = tmp_path / 'experiment.py'
    path.write_text(
        "_base_ = './_base_/data.py'\n"
        'epochs = 3\n'
        'train_cfg = dict(max_epochs=epochs)\n'
        'test_dataloader = dict(dataset=dict(data_root={{_base_.data_root}}))\n'
    )
    return path


@pytest.mark.parametrize(
    ('slip', 'meant'),
    [
        ('train_dataloadr', 'train_dataloader'),
        ('train_cgf', 'train_cfg'),
        ('modle', 'model'),
        ('optim_wraper', 'optim_wrapper'),
    ],
)
def test_misspelt_key_in_the_file(config, slip, meant):
    config.write_text(config.read_text() + f'{slip} = dict()\n')
    with pytest.raises(ConfigError, match=f"'{slip}' is not a key .* Did you mean '{meant}'"):
        load_config(config)


def test_variables_beside_the_keys_are_free(config):
    config.write_text(config.read_text() + 'pipeline = []\nmodels = []\nview = []\n')
    with pytest.raises(ConfigError, match="Did you mean 'model'"):
        load_config(config)
    config.write_text(config.read_text().replace('models = []', 'nets = []'))
    assert load_config(config).pipeline == []


def test_variable_reaches_every_use(config):
    loaded = load_config(config, {'data_root': '/x y', 'batch': 8, 'epochs': 1})
    assert loaded.data_root == '/x y'
    assert loaded.train_dataloader.dataset.data_root == '/x y'
    assert loaded.test_dataloader.dataset.data_root == '/x y'
    assert loaded.train_dataloader.batch_size == 8
    assert loaded.val_dataloader.batch_size == 16
    assert loaded.train_cfg.max_epochs == 1
    assert loaded.filename == str(config)


def test_without_options_nothing_changes(config):
    loaded = load_config(config)
    assert loaded.val_dataloader.batch_size == 8
    assert loaded.test_dataloader.dataset.data_root == 'data/a'


def test_dotted_option_changes_one_place(config):
    loaded = load_config(config, {'train_dataloader.dataset.data_root': 'b', 'data_root': 'c'})
    assert loaded.train_dataloader.dataset.data_root == 'b'
    assert loaded.val_dataloader.dataset.data_root == 'c'


def test_new_setting_of_an_existing_entry_is_allowed(config):
    loaded = load_config(config, {'train_dataloader.dataset.bands': 'rgb', 'resume': True})
    assert loaded.train_dataloader.dataset.bands == 'rgb'
    assert loaded.resume is True


@pytest.mark.parametrize(
    ('option', 'match'),
    [
        ('data_rot', "Did you mean 'data_root'"),
        ('train_dataloder.batch_size', "Did you mean 'train_dataloader'"),
        ('train_dataloader.datset.type', "Did you mean 'dataset'"),
        ('epochs.more', "holds 3 and has no 'more'"),
    ],
)
def test_option_that_does_not_exist(config, option, match):
    with pytest.raises(ConfigError, match=match):
        load_config(config, {option: 1})


def test_missing_config_names_its_neighbour(config):
    with pytest.raises(ConfigError, match=r"no such config\. Did you mean 'experiment\.py'"):
        load_config(config.with_name('experment.py'))


def test_broken_config_is_named(config):
    config.write_text('model = dict(\n')
    with pytest.raises(ConfigError, match=r'experiment\.py: cannot be read'):
        load_config(config)


def test_missing_base_is_named(config):
    config.write_text("_base_ = './_base_/nothing.py'\n")
    with pytest.raises(ConfigError, match=r'nothing\.py'):
        load_config(config, {'epochs': 1})


def test_variable_set_by_an_expression_and_absolute_base(config, tmp_path):
    config.write_text(
        f"_base_ = r'{tmp_path / '_base_' / 'data.py'}'\n"
        'lr = 0.1 * 2\noptim_wrapper = dict(optimizer=dict(lr=lr))\n'
    )
    assert load_config(config).optim_wrapper.optimizer.lr == 0.2
    loaded = load_config(config, {'lr': 0.5, 'data_root': 'z'})
    assert loaded.optim_wrapper.optimizer.lr == 0.5
    assert loaded.val_dataloader.dataset.data_root == 'z'


def test_dict_option_is_merged(config):
    loaded = load_config(config, {'train_cfg': dict(by_epoch=True)})
    assert loaded.train_cfg == dict(by_epoch=True, max_epochs=3)
