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


def test_folder_in_place_of_a_config_is_called_a_folder(config):
    with pytest.raises(ConfigError, match=r'this is a folder; a config is a file'):
        load_config(config.parent)


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


@pytest.mark.parametrize(
    'line',
    [
        'batch = 4',
        'batch = other = 4',
        'batch, other = 4, 5',
        'batch: int = 4',
        'batch = 2\nbatch += 2',
        'if True:\n    batch = 4\nelse:\n    batch = 5',
        'try:\n    batch = 4\nexcept ValueError: pass',
        'other = 1; batch = 4  # of a card',
    ],
)
def test_variable_is_set_in_whatever_way(tmp_path, line):
    path = tmp_path / 'own.py'
    path.write_text(f'{line}\ntrain_dataloader = dict(batch_size=batch)\n')
    assert load_config(path).train_dataloader.batch_size == 4
    assert load_config(path, {'batch': 9}).train_dataloader.batch_size == 9


def test_variable_of_a_loop_is_refused_with_its_place(tmp_path):
    path = tmp_path / 'own.py'
    path.write_text('for lr in (1, 2):\n    pass\nlr = 3\noptim_wrapper = dict(lr=lr)\n')
    with pytest.raises(ConfigError, match=r"own\.py:1: 'lr' would not take effect everywhere"):
        load_config(path, {'lr': 4})


@pytest.fixture
def lazy(tmp_path):
    (tmp_path / 'base.py').write_text(
        'epochs = 12\ntrain_cfg = dict(max_epochs=epochs)\nwork = "{{fileBasename}}"\n'
    )
    path = tmp_path / 'lazy.py'
    path.write_text(
        'from mmengine.config import read_base\nwith read_base():\n    from .base import *\n'
        'from mmengine.optim import OptimWrapper\nlr = 0.1\n'
        'optim_wrapper = dict(type=OptimWrapper, optimizer=dict(lr=lr))\n'
    )
    return path


def test_read_base_takes_variables_of_base_and_child(lazy):
    loaded = load_config(lazy, {'epochs': 4, 'lr': 0.5})
    assert loaded.train_cfg.max_epochs == 4
    assert loaded.optim_wrapper.optimizer.lr == 0.5
    lazy.write_text(lazy.read_text() + 'epochs = 3\n')
    assert load_config(lazy).train_cfg.max_epochs == 3


def test_names_of_the_file_mean_the_file_of_the_user(config):
    config.write_text(
        config.read_text() + "work_dir = '{{fileDirname}}/{{fileBasenameNoExtension}}'\n"
        "load_from = '{{fileBasename}}'\nexperiment_name = 'x{{fileExtname}}'\n"
    )
    loaded = load_config(config, {'epochs': 9})
    assert loaded.train_cfg.max_epochs == 9
    assert loaded.work_dir == str(config.with_suffix(''))
    assert (loaded.load_from, loaded.experiment_name) == ('experiment.py', 'x.py')


def test_computed_bases(config):
    text = config.read_text().replace(
        "_base_ = './_base_/data.py'", "_base_ = ['./_base_/' + 'data.py'] if True else []"
    )
    config.write_text(text)
    loaded = load_config(config, {'batch': 3})
    assert loaded.train_dataloader.batch_size == 3


@pytest.mark.parametrize('suffix', ['.yml', '.json'])
def test_other_formats(config, suffix):
    path = config.with_suffix(suffix)
    path.write_text('{"_base_": "./_base_/data.py", "train_cfg": {"max_epochs": 5}}')
    loaded = load_config(path, {'batch': 3, 'train_cfg.max_epochs': 6})
    assert loaded.train_dataloader.batch_size == 3
    assert loaded.train_cfg.max_epochs == 6


def test_package_base_takes_variables(tmp_path):
    path = tmp_path / 'own.py'
    path.write_text("_base_ = 'mmpretrain::_base_/datasets/imagenet_bs32.py'\n")
    loaded = load_config(path, {'dataset_type': 'CustomDataset'})
    assert loaded.val_dataloader.dataset.type == 'CustomDataset'


def test_child_changes_what_its_base_used(config, tmp_path):
    config.write_text(config.read_text() + "batch = 16\ndata_root = 'own'\n")
    loaded = load_config(config)
    assert loaded.val_dataloader.batch_size == 32
    assert loaded.test_dataloader.dataset.data_root == 'own'
    grandchild = tmp_path / 'grandchild.py'
    grandchild.write_text("_base_ = './experiment.py'\nbatch = 2\nepochs = 9\n")
    loaded = load_config(grandchild)
    assert (loaded.val_dataloader.batch_size, loaded.train_cfg.max_epochs) == (4, 9)


def test_child_whose_value_follows_from_another_variable(config):
    config.write_text(config.read_text() + 'batch = epochs * 2\n')
    assert load_config(config).val_dataloader.batch_size == 12
    assert load_config(config, {'epochs': 5}).val_dataloader.batch_size == 20


def test_value_that_builds_on_itself_is_refused(config):
    config.write_text(config.read_text() + 'batch = _base_.batch + 1\n')
    with pytest.raises(ConfigError, match=r"experiment\.py:5: 'batch' .* builds on itself"):
        load_config(config)


def test_place_that_a_child_fixed_is_named(config, tmp_path):
    config.write_text(config.read_text() + 'train_dataloader = dict(\n    batch_size=64)\n')
    with pytest.raises(
        ConfigError, match=r"experiment\.py:6: 'batch' .* 'train_dataloader\.batch_size'"
    ):
        load_config(config, {'batch': 8})
    grandchild = tmp_path / 'grandchild.py'
    grandchild.write_text("_base_ = './experiment.py'\nbatch = 2\n")
    with pytest.raises(ConfigError, match=r'experiment\.py:6'):
        load_config(grandchild)
    # Who sets a variable and a place that used it means both.
    config.write_text(config.read_text() + 'batch = 8\n')
    loaded = load_config(config)
    assert (loaded.train_dataloader.batch_size, loaded.val_dataloader.batch_size) == (64, 16)


def test_dict_as_text_list_index_and_what_does_not_fit(config):
    config.write_text(config.read_text() + 'custom_hooks = [dict(type="A"), dict(type="B")]\n')
    loaded = load_config(
        config,
        {'train_cfg': "{'by_epoch': True}", 'custom_hooks.1.type': 'C', 'custom_hooks.0.p': 1},
    )
    assert loaded.train_cfg == dict(by_epoch=True, max_epochs=3)
    assert loaded.custom_hooks == [dict(type='A', p=1), dict(type='C')]
    with pytest.raises(ConfigError, match='--cfg-options epochs'):
        load_config(config, {'epochs': dict(a=1)})


def test_own_variable_near_a_key_is_no_slip_where_it_is_used(config):
    config.write_text(config.read_text() + 'models = [1]\ncustom_hooks = [*models]\n')
    assert load_config(config).custom_hooks == [1]


def test_custom_import_off_the_path_is_one_line(config):
    config.write_text(config.read_text() + "custom_imports = dict(imports=['no_such_package'])\n")
    with pytest.raises(ConfigError, match=r'experiment\.py: .*no_such_package.*PYTHONPATH'):
        load_config(config)


def test_option_that_repeats_the_present_value_is_no_change(config):
    config.write_text(config.read_text() + 'train_dataloader = dict(batch_size=64)\n')
    assert load_config(config, {'batch': 4}).train_dataloader.batch_size == 64
