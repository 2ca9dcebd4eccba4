"""Starts gorilla itself in the background, for work that nobody waits for (the long tail of an index)."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path


def start(arguments: Sequence[str], environment: Mapping[str, str], log: Path) -> int:
    """Start `gorilla ARGUMENTS` in a session of its own, low priority, output to `log`; its process id.

    Raises OSError when it cannot be started.
    """
    log.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    nice = ["nice", "-n", "19"]
    with open(log, "ab") as output:
        child = subprocess.Popen(
            [*nice, sys.executable, "-m", "gorilla_cli", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=dict(environment),
            start_new_session=True,
        )
    child.returncode = 0  # it outlives this process; left open, the interpreter would complain
    return child.pid
