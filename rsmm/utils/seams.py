"""Private parts of the frameworks that rsmm reads or calls, each in one place.

What has no public name is reached through these functions and nowhere else; docs/seams.md lists
them with the private methods that classes of rsmm override, and tests/test_seams.py holds the list
against the source of rsmm and of the installed frameworks.
"""

from __future__ import annotations

from typing import Any


def train_loop(runner: Any) -> Any:
    """The training loop of a runner; its config, or None, until it trains.

    The public property would build it.
    """
    return runner._train_loop


def all_loops(runner: Any) -> tuple:
    """Training, validation and test loop of a runner, each built, a config or None."""
    return runner._train_loop, runner._val_loop, runner._test_loop


def first_weights(runner: Any) -> str | None:
    """Checkpoint that a run starts from, or ``'the newest'`` to resume from; None without one."""
    return runner._load_from or ('the newest' if runner._resume else None)


def has_loaded(runner: Any) -> bool:
    """Whether a runner holds the weights of a checkpoint."""
    return bool(runner._has_loaded)


def note_loaded(runner: Any) -> None:
    """Tell a runner that it holds the weights of a checkpoint, so that it loads none again."""
    runner._has_loaded = True


def initialise_weights(runner: Any) -> None:
    """Initialise the model of a runner as training does."""
    runner._init_model_weights()


def randomness(runner: Any) -> dict:
    """Settings of ``Runner.set_randomness``; changes are kept."""
    return runner._randomness_cfg


def stop_workers(loader: Any) -> None:
    """Stop the persistent workers of a torch loader, if it has any."""
    workers = getattr(loader, '_iterator', None)
    if workers is not None:
        workers._shutdown_workers()
        loader._iterator = None


def update_is_due(wrapper: Any) -> bool:
    """Whether no gradients of an optimiser wrapper wait for an update that lies ahead."""
    count = getattr(wrapper, '_accumulative_counts', 1)  # other wrappers do not accumulate
    return count == 1 or wrapper._inner_count % count == 0


def fill_history(history: Any, log: Any, count: Any) -> None:
    """Give a log history of mmengine what another one held."""
    history._log_history, history._count_history = log, count


def versions(state: Any, default: Any = None) -> Any:
    """Versions of the modules that torch hangs onto a state dict; ``default`` without them."""
    return getattr(state, '_metadata', default)


def set_versions(state: Any, found: Any) -> None:
    """Hang versions onto a state dict; None hangs nothing."""
    if found is not None:
        state._metadata = found


def converts_weights(module: Any) -> bool:
    """Whether a torch module changes a state dict before it loads it."""
    return bool(module._load_state_dict_pre_hooks)


def labelled(head: Any, scores: Any, data_samples: list | None) -> list:
    """Data samples with the scores and labels of a classification head of mmpretrain."""
    return head._get_predictions(scores, data_samples)


def built_in(config: Any) -> dict:
    """A config of mmengine as built-in types; what it would import lazily stays a text."""
    return config._to_lazy_dict(keep_imported=True)


def is_batch_norm(module: Any) -> bool:
    """Whether a torch module is a batch normalisation of any dimension, over processes or not."""
    from torch.nn.modules.batchnorm import _BatchNorm

    return isinstance(module, _BatchNorm)
