"""Name -> "module:factory": which implementation a room uses. Built-ins first, then entry points.

Another package adds one with an entry point in the group `gorilla.<room>.v1`, for example `gorilla.sources.v1`.
Nothing is imported before it is asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

from gorilla_cli.errors import UsageError

BUILT_IN = {
    "sources": {
        "catalogue": "gorilla_cli.sources.catalogue:CatalogueSource",
        "man": "gorilla_cli.sources.man:ManSource",
        "tldr": "gorilla_cli.sources.tldr:TldrSource",
        "records": "gorilla_cli.sources.records:RecordFile",
        "python": "gorilla_cli.sources.python_package:PythonPackage",
        "openapi": "gorilla_cli.sources.openapi:OpenApi",
        "hub": "gorilla_cli.sources.hub:HubRecords",
    },
    "retrieval": {
        "bm25": "gorilla_cli.retrieval.index:Index",
        "records": "gorilla_cli.retrieval.records:RecordIndex",
    },
    "backends": {
        "llama.cpp": "gorilla_cli.backends.llama:LlamaBackend",
        "scripted": "gorilla_cli.backends.scripted:ScriptedBackend",
        "encoder": "gorilla_cli.backends.encoder:LlamaEncoder",
    },
    "verifiers": {
        "characters": "gorilla_cli.verifiers.gate:CharacterGate",
        "syntax": "gorilla_cli.verifiers.syntax:SyntaxVerifier",
        "programs": "gorilla_cli.verifiers.programs:ProgramVerifier",
        "grounding": "gorilla_cli.verifiers.grounding:GroundingVerifier",
        "entities": "gorilla_cli.verifiers.entities:EntityVerifier",
        "values": "gorilla_cli.verifiers.values:ValueVerifier",
        "policy": "gorilla_cli.verifiers.policy:PolicyVerifier",
        "calls": "gorilla_cli.verifiers.apimatch:CallVerifier",
        "code": "gorilla_cli.verifiers.apicode:CodeVerifier",
    },
    "executors": {
        "shell": "gorilla_cli.executors.shell:ShellExecutor",
        "python": "gorilla_cli.executors.python_code:PythonExecutor",
        "http": "gorilla_cli.executors.http:HttpExecutor",
    },
}


def names(room: str) -> list[str]:
    """What a room has, built-ins first."""
    return [*BUILT_IN[room], *(name for name in _entry_points(room) if name not in BUILT_IN[room])]


def factory(room: str, name: str) -> Callable[..., Any]:
    """The factory called `name` in `room`. Raises UsageError when there is none. A built-in cannot be replaced."""
    if name in BUILT_IN[room]:
        module, _, attribute = BUILT_IN[room][name].partition(":")
        return getattr(import_module(module), attribute)
    found = _entry_points(room)
    if name not in found:
        raise UsageError(f"{room} has no {name!r}", f"known: {', '.join(names(room))}")
    return found[name].load()


def _entry_points(room: str) -> dict[str, Any]:
    from importlib.metadata import entry_points  # 40 ms, and only needed for a name that is not built in

    return {point.name: point for point in entry_points(group=f"gorilla.{room}.v1")}
