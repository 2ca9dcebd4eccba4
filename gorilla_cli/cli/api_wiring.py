"""Puts the rooms of an API request together: the index of records, the encoder, the pipeline, the executor."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from gorilla_cli import config, registry
from gorilla_cli.cli import wiring
from gorilla_cli.errors import GorillaError, IndexMissing, ModelMissing, StateError, UsageError
from gorilla_cli.sanitise import one_line

if TYPE_CHECKING:
    from gorilla_cli.apis.checking import ApiExecutor
    from gorilla_cli.apis.pipeline import ApiPipeline, ApiProposal
    from gorilla_cli.protocols import Encoder, RecordSource
    from gorilla_cli.retrieval.record_writing import Change
    from gorilla_cli.retrieval.records import RecordIndex

ENCODER = "all-minilm-l6-v2"
SHIPPED = ("torchhub", "huggingface", "tensorflowhub")
PROBLEMS_SHOWN = 10
FETCHED_BYTES = 16 * 1024 * 1024
SECRET = "GORILLA_SECRET_"  # noqa: S105 - the beginning of a variable's name: GORILLA_SECRET_NAME holds the secret NAME


def encoder() -> Encoder | None:
    """The sentence encoder when it has been pulled, else None: then only words count."""
    try:
        path = wiring.store().path(ENCODER, kind="encoder")
        sha256 = wiring.store().info(ENCODER).sha256
    except ModelMissing:
        return None
    threads = wiring.settings().threads or config.physical_cores()
    return registry.factory("backends", "encoder")(path, sha256, threads)


def records() -> RecordIndex:
    """The index of API records."""
    return registry.factory("retrieval", "records")(wiring.paths().records, encoder())


def shipped() -> Iterator[RecordSource]:
    """The records that ship with gorilla, a source for each hub."""
    for name in SHIPPED:
        yield record_file(config.catalogue_dir() / "records" / f"{name}.jsonl", f"shipped:{name}")


def record_file(path: Path, name: str) -> RecordSource:
    return registry.factory("sources", "records")(path, name)


def fetched(url: str) -> bytes:
    """What lies at `url`, at most 16 MiB. Raises as the download does."""
    from gorilla_cli.backends.download import fetch_file

    with tempfile.TemporaryDirectory() as folder:
        return fetch_file(url, Path(folder) / "document", FETCHED_BYTES).read_bytes()


def hub_endpoint() -> str:
    """Where the hub is; HF_ENDPOINT names a mirror, as for its own client."""
    return os.environ.get("HF_ENDPOINT") or "https://huggingface.co"


def add_shipped(index: RecordIndex, terminal) -> None:
    """Bring the shipped records into the index; quick when nothing has changed."""
    with terminal.spinner("indexing API records"):
        for source in shipped():
            index.sync(source)


def made(terminal) -> RecordIndex:
    """The index, made now with the shipped records when there is none. Raises StateError."""
    index = records()
    try:
        index.stats()
    except IndexMissing:
        add_shipped(index, terminal)
    return index


def ready(terminal) -> RecordIndex:
    """`made`, with the files read again that have changed since they were added. Raises StateError."""
    index = made(terminal)
    refresh(index, terminal)
    return index


def refresh(index: RecordIndex, terminal) -> None:
    """Read again the files of records that have changed: an edited record must change the next answer."""
    for known in index.remembered():
        file = Path(known.file)
        try:
            status = file.stat()
        except OSError:
            continue  # gone: what was read stays until it is removed
        if (status.st_mtime_ns, status.st_size) != (known.mtime_ns, known.size):
            try:
                take_in(index, record_file(file, known.source), terminal)
            except GorillaError as error:  # half written, or no file any more
                terminal.say(f"{error}; what was read of it before still counts")
            else:
                index.remember(known.source, file, status.st_mtime_ns, status.st_size)


def take_in(index: RecordIndex, source: RecordSource, terminal) -> Change:
    """Bring what `source` gives into the index, and say what had to be skipped.

    Raises UsageError, leaving the index as it was, for a file in which nothing is a record.
    """
    with terminal.spinner(f"reading {source.name}"):
        problems = getattr(source, "problems", ())
    for problem in problems[:PROBLEMS_SHOWN]:
        terminal.say(f"  skipped {one_line(problem)}")
    if (more := len(problems) - PROBLEMS_SHOWN) > 0:
        terminal.say(f"  and {more:,} more; all of those of a file: gorilla index validate FILE")
    report = getattr(source, "report", None)
    if report and not report.records:
        raise UsageError(f"there is no record in {one_line(str(source.path))}", "see: gorilla index validate FILE")
    with terminal.spinner(f"indexing {source.name}"):
        return index.sync(source)


def pipeline(name: str, mode: str, free: bool, writes: bool) -> ApiPipeline:
    """All rooms of an API request. Raises ModelMissing, UsageError, StateError."""
    from gorilla_cli.apis.checking import ProgramVerifier
    from gorilla_cli.apis.pipeline import ApiPipeline
    from gorilla_cli.prompts.chat import chat_format
    from gorilla_cli.types import Level

    index = ready(wiring.terminal())
    running, form, _ = wiring.backend_named(name)
    writing = Level.CAUTION if writes else Level.DANGEROUS
    code = ProgramVerifier(registry.factory("verifiers", "code")(), index.record, writing)
    return ApiPipeline(
        backend=running,
        retriever=index,
        verifiers=[registry.factory("verifiers", "calls")(index, index.record), code],
        chat_format=chat_format(form),
        mode=mode,
        free=free,
        secrets=secrets,
    )


def secrets() -> dict[str, str]:
    """Secrets for HTTP calls by name, from variables such as GORILLA_SECRET_petstore."""
    return {name.removeprefix(SECRET): value for name, value in os.environ.items() if name.startswith(SECRET)}


def executor(made: ApiProposal, environment: dict[str, str], *, sandbox: bool, network: bool, form: str) -> ApiExecutor:
    """What runs Python calls with this interpreter, and sends requests with the secrets that they name, to the hosts
    that their documents name even where these are private. Raises StateError without a sandbox.
    """
    from gorilla_cli.apis.checking import ApiExecutor
    from gorilla_cli.executors.python_code import sandbox_available

    if sandbox and not sandbox_available(environment):
        raise StateError("bubblewrap is missing, so there is no sandbox", "install it: apt-get install bubblewrap")
    python = registry.factory("executors", "python")(
        sys.executable, environment=environment, sandbox=sandbox, network=network, form=form
    )
    calls = [record.api_call for record in made.records if record is not None and record.kind == "http"]
    hosts = {urlsplit(call.partition(" ")[2]).hostname or "" for call in calls}
    http = registry.factory("executors", "http")(secrets=made.secrets, private_hosts=hosts)
    return ApiExecutor(python, http)
