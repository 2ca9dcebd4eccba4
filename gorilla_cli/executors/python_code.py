"""Runs an approved Python call in a process of its own: limited, in a sandbox where asked for, killed as a whole.

Never in this process, and nothing of it reaches the user's folder but what the program itself writes there. What holds
the program is said by `controls`; a sandbox that was asked for and cannot be had is an error, not a silent "off".
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from gorilla_cli.errors import GorillaError, Missing, StateError, UsageError
from gorilla_cli.executors.python_blanks import blanks
from gorilla_cli.executors.python_sandbox import confined, needs_wide_memory
from gorilla_cli.sanitise import CONTROL
from gorilla_cli.types import ApiCall, Approved, Outcome

CHILD = Path(__file__).with_name("python_child.py")
EXTRA = "gorilla-cli-local[hub]"
_KEPT = {"PATH", "HOME", "LANG", "TZ", "TERM", "NO_COLOR", "CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS"}
_CACHES = ("HF_HOME", "HF_HUB_CACHE", "TORCH_HOME", "TFHUB_CACHE_DIR", "KERAS_HOME", "XDG_CACHE_HOME")
_PROXIES = ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "SSL_CERT_FILE")
_QUIET = {
    "PYTHONIOENCODING": "utf-8",
    "TOKENIZERS_PARALLELISM": "false",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "DO_NOT_TRACK": "1",
    "TRANSFORMERS_NO_ADVISORY_WARNINGS": "1",
    "TRANSFORMERS_VERBOSITY": "error",
}
_OFFLINE = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "HF_EVALUATE_OFFLINE": "1"}
# Where the package that one installs has another name than the module.
PACKAGES = {
    **dict.fromkeys(("transformers", "torch", "safetensors", "tokenizers", "huggingface_hub"), EXTRA),
    **{"PIL": "pillow", "cv2": "opencv-python-headless", "sklearn": "scikit-learn", "yaml": "pyyaml"},
    **{"tensorflow_hub": "tensorflow-hub", "skimage": "scikit-image", "sentence_transformers": "sentence-transformers"},
}


@dataclass(frozen=True)
class Limits:
    """What a run may use: wall and CPU seconds (all threads together), bytes of memory and of one file, processes.

    `memory` holds only programs that load none of the big libraries, which reserve far more than they use;
    `processes` holds only in the sandbox, where they are counted apart from the user's others.
    """

    seconds: float = 900.0
    cpu_seconds: int = 3600
    memory: int = 4 << 30
    file_bytes: int = 16 << 30
    processes: int = 1024


@dataclass(frozen=True)
class PythonExecutor:
    """Runs programs with the interpreter `python`, an absolute path.

    `environment` is gorilla's; the program sees a few of its variables. `network`: the user agreed to a download.
    `form` of the result: "table" or "json".
    """

    python: str
    environment: Mapping[str, str] = field(default_factory=dict)
    sandbox: bool = False
    network: bool = False
    limits: Limits = Limits()
    form: str = "table"

    def controls(self) -> list[str]:
        """What holds the program, one line each, for the person to read."""
        limits = self.limits
        if self.sandbox:
            places = "the current folder and the model caches" if self.network else "the current folder"
            files = f"files: bubblewrap sandbox; only {places} can be changed, and your home is hidden"
            network = "network: allowed" if self.network else "network: none (a network of its own, without a way out)"
        else:
            files = "files: no sandbox; the program can do what you can"
            refused = "network: refused in Python and HF_HUB_OFFLINE; native code is not held"
            network = "network: allowed" if self.network else refused
        held = f"limits: {limits.seconds:g} s, {limits.cpu_seconds} s of CPU, {limits.file_bytes >> 30} GiB a file"
        return [files, network, held, "environment: a few variables; no tokens, no PYTHON*"]

    def run(self, approved: Approved) -> Outcome:
        """Run it and wait; 128 + n when a signal n ended it, 130 after an interrupt.

        Raises StateError when it is not what was approved, UsageError with an open blank, Missing without the sandbox
        or the interpreter, GorillaError when it took too long.
        """
        action = approved.candidate.action
        if Approved.digest_of(action.command, approved.shell, approved.cwd) != approved.digest:
            raise StateError("the program is not the one that was approved; nothing was run")
        if not isinstance(action, ApiCall):
            raise UsageError("this is a shell command, not a Python program")
        left = [blank.name for blank in blanks(action.code)]
        if left:
            raise UsageError(f"{', '.join(left)} is not filled in; nothing was run", "give a value for each")
        started = time.monotonic()
        with self._order(action.code) as order:
            code = self._wait(self._argv(action.code, approved.cwd, order.fileno()), approved.cwd, order)
        return Outcome(code, time.monotonic() - started)

    @contextlib.contextmanager
    def _order(self, code: str) -> Iterator[IO[bytes]]:
        """The program and its limits, in a file without a name."""
        limits = {"CPU": self.limits.cpu_seconds, "FSIZE": self.limits.file_bytes}
        if not needs_wide_memory(code):
            limits["AS"] = self.limits.memory
        if self.sandbox:
            limits["NPROC"] = self.limits.processes
        order = {"code": code, "limits": limits, "network": self.network, "form": self.form}
        with tempfile.TemporaryFile() as stream:
            stream.write(json.dumps({**order, "control": CONTROL.pattern, "packages": PACKAGES}).encode())
            stream.seek(0)
            yield stream

    def _argv(self, code: str, cwd: str, order: int) -> list[str]:
        if not os.access(self.python, os.X_OK):
            raise Missing(f"there is no Python at {self.python}", "install it, or choose another")
        inner = [self.python, "-I", "-B", str(CHILD), str(order)]
        if not self.sandbox:
            return inner
        bwrap = shutil.which("bwrap", path=self.environment.get("PATH"))
        if bwrap is None:
            raise Missing("bubblewrap is missing, so there is no sandbox", "apt-get install bubblewrap")
        return [bwrap, *confined(code, cwd, self.python, CHILD.parent, self.environment, self.network), "--", *inner]

    def _variables(self) -> dict[str, str]:
        kept = {*_KEPT, *_CACHES, *(_PROXIES if self.network else ())}
        chosen = {name: value for name, value in self.environment.items() if name in kept or name.startswith("LC_")}
        return {**chosen, **_QUIET, **({} if self.network else _OFFLINE)}

    def _wait(self, argv: list[str], cwd: str, order: IO[bytes]) -> int:
        try:
            child = subprocess.Popen(
                argv,
                cwd=cwd or None,
                env=self._variables(),
                stdin=subprocess.DEVNULL,
                pass_fds=[order.fileno()],
                start_new_session=True,
            )
        except OSError as error:
            raise GorillaError(f"cannot run in {cwd}: {error.strerror}", "change to a directory that exists") from None
        try:
            code = child.wait(self.limits.seconds)
        except KeyboardInterrupt:
            return 130
        except subprocess.TimeoutExpired:
            raise GorillaError(
                f"the program took longer than {self.limits.seconds:g} s and was stopped", "ask for less at a time"
            ) from None
        finally:
            _kill(child)
        return code if code >= 0 else 128 - code


def sandbox_available(environment: Mapping[str, str]) -> bool:
    """Is there a bubblewrap here that may make namespaces? Starts it once."""
    bwrap = shutil.which("bwrap", path=environment.get("PATH"))
    if bwrap is None:
        return False
    argv = [bwrap, "--unshare-all", "--ro-bind", "/", "/", "--", shutil.which("true") or "/bin/true"]
    try:
        return subprocess.run(argv, capture_output=True, timeout=10, env={}).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def _kill(child: subprocess.Popen[bytes]) -> None:
    """End everything of the child's session that is left, and the child."""
    with contextlib.suppress(OSError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()
