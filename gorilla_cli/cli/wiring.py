"""Puts the rooms together for one run: from settings and environment to a session, an index, a model store."""

from __future__ import annotations

import atexit
import os
import shutil
from collections.abc import Callable, Container
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gorilla_cli import config, registry
from gorilla_cli.config import Paths, Settings
from gorilla_cli.errors import IndexMissing, UsageError

if TYPE_CHECKING:
    from gorilla_cli.backends.store import ModelStore, StoredModel
    from gorilla_cli.knowledge import Knowledge
    from gorilla_cli.pipeline import DocsGate, Pipeline
    from gorilla_cli.protocols import Backend
    from gorilla_cli.sources.catalogue import CatalogueSource
    from gorilla_cli.sources.man import ManSource
    from gorilla_cli.terminal import Terminal


@cache
def paths() -> Paths:
    return config.paths()


@cache
def settings() -> Settings:
    return config.load(paths())


def now() -> str:
    """The local time, to the second, with its offset."""
    return datetime.now().astimezone().isoformat(timespec="seconds")


def working_directory() -> str:
    """The current directory. Raises UsageError when it is gone."""
    try:
        return os.getcwd()
    except OSError:
        raise UsageError("the current directory does not exist any more", "change to one that does") from None


def terminal() -> Terminal:
    from gorilla_cli.terminal import Terminal

    return Terminal(dict(os.environ))


@cache
def installed(program: str) -> bool:
    """Is `program` on PATH or a builtin of a shell?"""
    return program in SHELL_BUILTINS or shutil.which(program) is not None


# What a POSIX-like shell runs itself; these have documents in the catalogue but no file on PATH.
SHELL_BUILTINS = frozenset(
    "alias bg cd command eval exec exit export fg for getopts hash history if jobs popd pushd read return set shift "
    "source trap type ulimit umask unalias unset wait while".split()
)


def store() -> ModelStore:
    from gorilla_cli.backends.store import ModelStore

    return ModelStore(paths().models)


def stored_model(name: str) -> StoredModel:
    """The model `name`, taken in now when it is the path of a GGUF file. Raises ModelMissing, UsageError."""
    from gorilla_cli.backends.catalogue import resolve
    from gorilla_cli.errors import ModelMissing

    try:
        return store().info(name)
    except ModelMissing:
        entry = resolve(name, Path(working_directory()))
        if entry.path is None:
            raise
    from gorilla_cli.backends.download import pull

    pull(entry, store(), date=now())
    return store().info(entry.name)


def backend(model: StoredModel) -> Backend:
    """The model, ready to be loaded. Raises ModelMissing, ModelDamaged."""
    from gorilla_cli.backends.llama import LlamaOptions

    chosen = settings()
    options = LlamaOptions(
        threads=chosen.threads or config.physical_cores(),
        gpu_layers=chosen.gpu_layers,
        context_window=chosen.context_window,
        prefix_dir=paths().cache / "prefix",
    )
    path = store().path(model.name)
    return registry.factory("backends", "llama.cpp")(path, model.name, model.sha256, options)


def knowledge() -> Knowledge:
    """The index with pages on demand. Raises IndexMissing before anything slow starts."""
    from gorilla_cli.knowledge import Knowledge
    from gorilla_cli.retrieval import writing

    path = paths().index
    if not path.exists():
        raise IndexMissing("there is no index yet", "run: gorilla setup")
    index = registry.factory("retrieval", "bm25")(path, installed)
    return Knowledge(path, index, man_pages, writing.add, installed)


def man_pages(programs: Container[str] | None = None) -> ManSource:
    """The manual pages of this user, all or those of `programs`."""
    from gorilla_cli.sources.man import default_manpath

    return registry.factory("sources", "man")(manpath=default_manpath(), programs=programs)


def catalogue() -> CatalogueSource:
    """The records that ship with gorilla."""
    return registry.factory("sources", "catalogue")(config.catalogue_dir() / "catalogue", config.platform())


def backend_named(name: str) -> tuple[Backend, str, int | None]:
    """The backend for `--model NAME`, the chat format its prompts need, and the bytes of its weights, None when a
    script answers. Raises ModelMissing, UsageError.
    """
    if name.startswith("scripted:"):
        return registry.factory("backends", "scripted")(Path(name.removeprefix("scripted:"))), "chatml", None
    model = stored_model(name)
    return backend(model), model.chat_format, model.size


def _at_the_end(work: Callable[[], None]) -> None:
    """Have `work` done when the command ends, or the process where no command runs."""
    context = click.get_current_context(silent=True)
    (context.call_on_close if context else atexit.register)(work)


def pipeline(name: str, gate: DocsGate) -> Pipeline:
    """All rooms of a request. With the gate off there is no retrieval, but the verifiers still look options up."""
    from gorilla_cli.pipeline import Pipeline
    from gorilla_cli.prompts.chat import chat_format
    from gorilla_cli.verifiers.parser import Parser

    known = knowledge()
    running, form, size = backend_named(name)
    parser = Parser()
    parser.start()
    _at_the_end(parser.close)
    values = registry.factory("verifiers", "values")(parser)
    verifiers = [
        registry.factory("verifiers", "characters")(),
        registry.factory("verifiers", "syntax")(parser),
        registry.factory("verifiers", "programs")(parser, installed),
        registry.factory("verifiers", "grounding")(parser, known),
        registry.factory("verifiers", "entities")(parser),
        values,
        registry.factory("verifiers", "policy")(parser),
    ]
    return Pipeline(
        backend=running,
        retriever=None if gate.mode == "off" else known,
        manual=known,
        verifiers=verifiers,
        corrector=values,
        chat_format=chat_format(form),
        gate=gate if size is None else gate.suited(size),
    )
