"""Every error a person can meet, as one tree, and the exit codes they end in. Imports nothing of ours.

    GorillaError (1)
    |- UsageError (2)            the words on the command line or in a file cannot be understood
    |- NotConfirmed (3)          no terminal to ask on, or the person declined
    |- StateError (4)            a local file is damaged, unwritable, or the disk is full
    |  `- ModelDamaged
    |- NoCandidate (5)           the model gave nothing usable
    |  `- NotACommand            no command can do what was asked
    |- Missing (6)               a model or an index is not there yet
    |  |- ModelMissing
    |  `- IndexMissing
    `- DownloadFailed (1)        no source delivered the right bytes

Each message is one line that says what happened; `hint` says what to do next.
"""

from __future__ import annotations

import enum


class ExitCode(enum.IntEnum):
    """The exit codes of gorilla itself. A command that was run passes its own code through."""

    DONE = 0
    FAILURE = 1
    USAGE = 2
    NOT_CONFIRMED = 3
    STATE = 4
    NO_CANDIDATE = 5
    MISSING = 6
    INTERRUPTED = 130


EXIT_CODE_HELP = {
    ExitCode.DONE: "done",
    ExitCode.FAILURE: "failure",
    ExitCode.USAGE: "usage",
    ExitCode.NOT_CONFIRMED: "nothing confirmed (no terminal, or declined)",
    ExitCode.STATE: "local state unusable (disk full, damaged)",
    ExitCode.NO_CANDIDATE: "no usable candidate",
    ExitCode.MISSING: "model or index missing",
    ExitCode.INTERRUPTED: "interrupted",
}


class GorillaError(Exception):
    """An expected error: `str(error)` is one line for the person, `hint` the next step, `exit_code` the code."""

    exit_code = ExitCode.FAILURE

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class UsageError(GorillaError):
    """What was typed cannot be understood."""

    exit_code = ExitCode.USAGE


class NotConfirmed(GorillaError):
    """Nobody said yes, so nothing ran."""

    exit_code = ExitCode.NOT_CONFIRMED


class StateError(GorillaError):
    """A local file is damaged or cannot be written."""

    exit_code = ExitCode.STATE


class ModelDamaged(StateError):
    """A model file is not what its hash or its header says."""


class NoCandidate(GorillaError):
    """The model gave nothing that could be shown."""

    exit_code = ExitCode.NO_CANDIDATE


class NotACommand(NoCandidate):
    """What was asked is nothing that a command could do."""


class Missing(GorillaError):
    """Something that `gorilla setup` provides is not there."""

    exit_code = ExitCode.MISSING


class ModelMissing(Missing):
    """The model has not been pulled."""


class IndexMissing(Missing):
    """The index has not been built."""


class DownloadFailed(GorillaError):
    """No source delivered the right bytes; the old state is untouched."""
