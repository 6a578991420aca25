"""What a run tells on the screen; the log file has everything."""

from __future__ import annotations

import logging

#: How the messages begin that mmengine writes at every start, whatever the experiment.
ROUTINE = (
    f'\n{"-" * 60}\nSystem environment',
    'Config:\n',
    'Hooks will be executed',
    '"FileClient" will be deprecated',
    '"HardDiskBackend" is the alias',
    'Distributed training is not used',
)


class WithoutRoutine(logging.Filter):
    """Let everything pass but mmengine's routine."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether a record is shown."""
        return not record.getMessage().startswith(ROUTINE)


def quiet_console(logger: logging.Logger) -> None:
    """Keep routine from the screen, not from files; at level DEBUG all is shown.

    Args:
        logger: Logger with its handlers.
    """
    for handler in logger.handlers:
        if not isinstance(handler, logging.FileHandler) and handler.level > logging.DEBUG:
            handler.addFilter(WithoutRoutine())
