"""What lies under the wrappers that training puts round a model."""

from __future__ import annotations

from typing import Any

from mmengine.model import is_model_wrapper
from mmengine.runner import Runner


def bare_model(runner: Runner) -> Any:
    """The model without its distributed wrapper."""
    return runner.model.module if is_model_wrapper(runner.model) else runner.model
