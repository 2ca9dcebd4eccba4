"""What an approved Python call sees of the machine in a bubblewrap sandbox: words for bwrap, nothing is started here.

Everything is read-only, the user's home is empty but for the interpreter, the model caches, the current folder and the
files the program names; `.git` and what other programs obey in the folder stays read-only too.
"""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

_WIDE = {
    *("torch", "transformers", "tensorflow", "tensorflow_hub", "keras", "jax", "sentence_transformers", "diffusers"),
    *("torchvision", "torchaudio", "timm", "datasets", "peft", "accelerate", "librosa", "numpy", "onnxruntime"),
}
_OBEYED = (".git", ".vscode", ".idea", ".github", ".envrc")
_SECRETS = (".ssh", ".aws", ".gnupg", ".netrc", ".kube", ".docker", ".password-store", ".mozilla", ".config")
_DEVICES = re.compile(r"nvidia.*|dri|kfd")
_CACHES = {
    "HF_HOME": ".cache/huggingface",
    "HF_HUB_CACHE": "",
    "TORCH_HOME": ".cache/torch",
    "TFHUB_CACHE_DIR": ".cache/tfhub_modules",
    "KERAS_HOME": ".keras",
}


def needs_wide_memory(code: str) -> bool:
    """Does it load a library that reserves more address space than it uses?"""
    return bool(_imports(code) & _WIDE)


def confined(
    code: str, cwd: str, python: str, runner: Path, environment: Mapping[str, str], network: bool
) -> list[str]:
    """The arguments of bwrap, before `--`: read-only machine, empty home, what is needed bound back in."""
    home = environment.get("HOME", "")
    words = ["--unshare-all", *(["--share-net"] if network else []), "--die-with-parent", "--new-session"]
    words += ["--cap-drop", "ALL", "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc"]
    words += [word for device in _devices() for word in ("--dev-bind-try", device, device)]
    hidden = [place for place in ("/tmp", "/var/tmp", "/run", home) if place.rstrip("/") and os.path.isdir(place)]  # noqa: S108
    words += [word for place in hidden for word in ("--tmpfs", place)]
    readable = [*_interpreter(python), str(runner), *_named(code, home), *(_resolver() if network else ())]
    for path in dict.fromkeys(_outermost(readable)):
        words += ["--ro-bind-try", path, path]
    for cache in _caches(environment, home, network):
        words += ["--bind-try" if network else "--ro-bind-try", cache, cache]
    return words + _folder(cwd, home)


def _folder(cwd: str, home: str) -> list[str]:
    """The current folder, writable when it is a folder of its own; what others obey in it is not."""
    if not cwd:
        return ["--chdir", "/"]
    real = os.path.realpath(cwd)
    whole = real == "/" or os.path.realpath(home or "/").startswith(real.rstrip("/") + "/") or real == home
    words = ["--ro-bind" if whole else "--bind", real, real] if real != "/" else []
    for name in _OBEYED if not whole else ():
        path = os.path.join(real, name)
        words += ["--ro-bind-try", path, path]
    for name in _SECRETS if whole and home else ():
        if os.path.isdir(os.path.join(home, name)):
            words += ["--tmpfs", os.path.join(home, name)]
    return [*words, "--chdir", real]


def _interpreter(python: str) -> Iterable[str]:
    """The environment of the interpreter and the installation that it is a link to."""
    yield os.path.dirname(os.path.dirname(os.path.abspath(python)))
    yield os.path.dirname(os.path.dirname(os.path.realpath(python)))


def _named(code: str, home: str) -> list[str]:
    """Files and folders that the program names and that exist; no secrets, and not the home as a whole."""
    found = []
    for node in _nodes(code):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.startswith(("/", "~/")):
            path = home + node.value[1:] if node.value.startswith("~") else node.value
            if "\0" not in path and os.path.exists(path) and not _is_private(os.path.realpath(path), home):
                found.append(os.path.normpath(path))
    return found


def _is_private(path: str, home: str) -> bool:
    inside = f"{home}/".startswith(path.rstrip("/") + "/") if home else path == "/"
    return inside or any(path == f"{home}/{name}" or path.startswith(f"{home}/{name}/") for name in _SECRETS)


def _caches(environment: Mapping[str, str], home: str, network: bool) -> list[str]:
    """Where models are kept; made when something will be downloaded."""
    found = []
    for variable, default in _CACHES.items():
        place = environment.get(variable) or (os.path.join(home, default) if home and default else "")
        if place and network:
            os.makedirs(place, exist_ok=True)
        if place and os.path.isdir(place):
            found.append(os.path.abspath(place))
    return found


def _resolver() -> list[str]:
    """The file that says how names are looked up, where it lies in /run."""
    real = os.path.realpath("/etc/resolv.conf")
    return [real] if real.startswith("/run/") else []


def _devices() -> list[str]:
    try:
        return [f"/dev/{name}" for name in sorted(os.listdir("/dev")) if _DEVICES.fullmatch(name)]
    except OSError:
        return []


def _outermost(paths: Iterable[str]) -> list[str]:
    """Parents before what is in them, so that no later mount hides an earlier one; the machine itself is there."""
    return sorted((path for path in paths if path != "/"), key=lambda path: path.count("/"))


def _nodes(code: str) -> Iterable[ast.AST]:
    try:
        return list(ast.walk(ast.parse(code)))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []


def _imports(code: str) -> set[str]:
    found: set[str] = set()
    for node in _nodes(code):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add((node.module or "").split(".")[0])
    return found
