"""`gorilla index`: the documentation index."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from pathlib import Path

import click

from gorilla_cli.cli import wiring
from gorilla_cli.errors import IndexMissing, StateError, UsageError

TLDR_URL = "https://github.com/tldr-pages/tldr/releases/latest/download/tldr-pages.en.zip"
TLDR_BYTES = 64 * 1024 * 1024
SOURCES = ("catalogue", "man", "tldr")
RECORDS = ("records", "python", "openapi", "hub")


@click.group(epilog="\b\nExamples:\n  gorilla index build\n  gorilla index search disk usage")
def index() -> None:
    """Build, search and change the documentation index."""


@index.command(epilog="\b\nExamples:\n  gorilla index build\n  gorilla index build --fresh --wait")
@click.option("--fresh", is_flag=True, help="Start from nothing instead of updating.")
@click.option("--wait", is_flag=True, help="Read all manual pages now instead of in the background.")
def build(fresh: bool, wait: bool) -> None:
    """Index the shipped catalogue and the manual pages of this machine.

    The common programs are read first; the long tail follows in the background, and a program that is named before
    its turn is read on demand.
    """
    build_index(wiring.terminal(), fresh=fresh, wait=wait)


def build_index(terminal, *, fresh: bool, wait: bool) -> None:
    """Catalogue and common programs now, the rest now (`wait`) or in the background. Raises StateError."""
    from gorilla_cli.cli import api_wiring

    path = wiring.paths().index
    if fresh or not _usable(path):
        _build_frequent(terminal)
    else:
        _update(terminal, wiring.catalogue())
    api_wiring.add_shipped(api_wiring.records(), terminal)
    if not wait:
        _start_tail()
        return
    with _only_one_tail() as alone:
        if not alone:
            terminal.say("the manual pages are being read in the background already")
            return
        _update(terminal, wiring.man_pages(), "reading manual pages")


def _usable(path) -> bool:
    """Is there an index that this version can read?"""
    from gorilla_cli.retrieval.index import Index

    try:
        return bool(Index(path, wiring.installed).stats())
    except (IndexMissing, StateError):
        return False


def _build_frequent(terminal) -> None:
    from gorilla_cli.retrieval import writing

    shipped = wiring.catalogue()
    programs = {doc.program for doc in shipped.docs()}
    names = programs | {program.replace(" ", "-") for program in programs}
    sources = [shipped, wiring.man_pages(names), *_tldr()]
    with terminal.progress("indexing common programs") as progress:
        writing.build(wiring.paths().index, sources, progress)


def _update(terminal, source, label: str = "updating the index") -> None:
    from gorilla_cli.retrieval import writing

    with terminal.progress(label) as progress:
        writing.update(wiring.paths().index, source, progress)


def _tldr() -> list:
    """The tldr pages, once they have been added."""
    from gorilla_cli import config, registry

    archive = wiring.paths().tldr
    return [registry.factory("sources", "tldr")(archive, config.platform())] if archive.exists() else []


def _start_tail() -> None:
    """Read the remaining manual pages in the background; nothing waits for it, and a failure costs nothing now."""
    from gorilla_cli.executors import detached

    if not wiring.settings().background_index:
        return
    with _only_one_tail() as alone, contextlib.suppress(OSError):
        if alone:
            detached.start(["index", "build", "--wait"], os.environ, wiring.paths().state / "index.log")


@contextlib.contextmanager
def _only_one_tail() -> Iterator[bool]:
    """Holds the right to read the long tail; gives False while another process has it."""
    lock = wiring.paths().state / "index-tail.lock"
    lock.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with open(lock, "w") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            yield False
            return
        yield True


@index.command(
    epilog="\b\nExamples:\n  gorilla index add tldr\n  gorilla index add tldr ./tldr-pages.en.zip\n"
    "  gorilla index add man rsync gdb\n  gorilla index add records ./my_apis.jsonl\n"
    "  gorilla index add python json\n  gorilla index add openapi ./petstore.yaml"
)
@click.argument("source", type=click.Choice((*SOURCES, *RECORDS)))
@click.argument("what", nargs=-1)
@click.option("--name", default="", metavar="NAME", help="Name of a source of records (default: that of the file).")
def add(source: str, what: tuple[str, ...], name: str) -> None:
    """Add or update a source: tldr [ZIP|URL], man [PROGRAM...], catalogue; or of API records: records FILE,
    python PACKAGE, openapi FILE|URL, hub.
    """
    terminal = wiring.terminal()
    if source in RECORDS:
        from gorilla_cli.cli import records

        records.add(source, what, name, terminal)
        return
    if not _usable(wiring.paths().index):
        _build_frequent(terminal)
    if source == "tldr":
        _add_tldr(what, terminal)
    elif source == "man" and what:
        _add_pages(what, terminal)
    else:
        _update(terminal, wiring.catalogue() if source == "catalogue" else wiring.man_pages())


def _add_tldr(what: tuple[str, ...], terminal) -> None:
    if len(what) > 1:
        raise UsageError("index add tldr takes one ZIP or URL", "gorilla index add tldr ./tldr-pages.en.zip")
    _fetch_tldr(what[0] if what else TLDR_URL, terminal)
    for source in _tldr():
        _update(terminal, source, "indexing tldr pages")


def _fetch_tldr(url: str, terminal) -> None:
    """Put the archive in its place once it has proven readable: a bad one must not spoil every later build."""
    from gorilla_cli import config, registry
    from gorilla_cli.backends.download import fetch_file

    new = wiring.paths().tldr.with_suffix(".new")
    try:
        with terminal.progress("fetching tldr pages") as progress:
            fetch_file(url, new, TLDR_BYTES, progress)
        registry.factory("sources", "tldr")(new, config.platform()).ids()
        new.replace(wiring.paths().tldr)
    finally:
        new.unlink(missing_ok=True)


def _add_pages(programs: tuple[str, ...], terminal) -> None:
    from gorilla_cli.retrieval import writing

    pages = wiring.man_pages()
    for program in programs:
        docs = pages.page(program)
        if not docs:
            raise UsageError(f"there is no manual page of {program} in sections 1 and 8")
        writing.add(wiring.paths().index, docs)
        terminal.say(f"indexed {', '.join(doc.title for doc in docs)}")


@index.command("list", epilog="\b\nExamples:\n  gorilla index list\n  gorilla index list --json")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_sources(as_json: bool) -> None:
    """Show the sources and how many documents each gave."""
    from gorilla_cli.cli import records

    counts = {**_documents(), **records.counts()}
    if not counts:
        raise IndexMissing("there is no index yet", "run: gorilla setup")
    print(json.dumps(counts) if as_json else "\n".join(f"{name:<24} {count:>7,}" for name, count in counts.items()))


def _documents() -> dict[str, int]:
    try:
        return _reader().sources()
    except IndexMissing:
        return {}


@index.command(epilog="\b\nExamples:\n  gorilla index search disk usage by directory\n  gorilla index search -k 3 zip")
@click.argument("words", nargs=-1, required=True)
@click.option("-k", type=click.IntRange(1, 100), default=10, show_default=True, help="How many hits.")
@click.option("--records", "among_records", is_flag=True, help="Search the API records instead.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def search(words: tuple[str, ...], k: int, among_records: bool, as_json: bool) -> None:
    """Search the index as a request would; ~ marks what is not installed."""
    from gorilla_cli.sanitise import one_line

    if among_records:
        from gorilla_cli.cli import records

        records.search(" ".join(words), k, as_json)
        return
    hits = wiring.knowledge().search(" ".join(words), k)
    if as_json:
        rows = [{"doc": h.doc.id, "score": h.score, "installed": h.installed, "summary": h.doc.summary} for h in hits]
        print(json.dumps(rows))
        return
    for hit in hits:
        mark = " " if hit.installed else "~"
        print(f"{hit.score:7.1f} {mark} {one_line(hit.doc.id):<34} {one_line(hit.doc.summary)}")


@index.command(epilog="\b\nExamples:\n  gorilla index show 'man:find(1)'\n  gorilla index show catalogue:tar")
@click.argument("doc")
def show(doc: str) -> None:
    """Show one document, by its id or its program."""
    from gorilla_cli.cli import records
    from gorilla_cli.sanitise import show as harmless

    if text := records.show(doc):
        print(text)
        return
    found = _reader().show(doc)
    docs = [found] if found else wiring.knowledge().manual(doc)
    if not docs:
        raise UsageError(f"the index has no {doc!r}", "find its id with: gorilla index search [--records] WORDS")
    print("\n\n".join(harmless(_text(one)) for one in docs))


def _text(doc) -> str:
    lines = [f"{doc.id}: {doc.summary}"]
    lines += [f"  {', '.join(o.names)} {o.argument}".rstrip() + f"\n      {o.description}" for o in doc.options]
    lines += [f"  # {example.request}\n  {example.command}" for example in doc.examples]
    return "\n".join(lines)


@index.command(epilog="\b\nExamples:\n  gorilla index remove tldr\n  gorilla index remove man")
@click.argument("source")
def remove(source: str) -> None:
    """Take a source out of the index, or one API record by its id."""
    from gorilla_cli.cli import records
    from gorilla_cli.retrieval import writing

    if source not in SOURCES:
        records.remove(source, wiring.terminal())
        return
    if source == "tldr":
        wiring.paths().tldr.unlink(missing_ok=True)
    count = writing.remove(wiring.paths().index, source)
    wiring.terminal().say(f"removed {count:,} documents of {source}")


@index.command(
    epilog="\b\nExamples:\n  gorilla index validate ./my_apis.jsonl\n  gorilla index validate dump.json | tail -n 1"
)
@click.argument("file")
def validate(file: str) -> int:
    """Check a file of API records: every row that cannot be used, with its line and the reason."""
    from gorilla_cli.errors import ExitCode
    from gorilla_cli.sources.records import check

    report = check(Path(file))
    for problem in report.problems:
        print(problem)
    print(f"{report.rows:,} rows, {report.records:,} records, {report.skipped:,} skipped")
    return int(ExitCode.FAILURE if report.skipped else ExitCode.DONE)


@index.command(epilog="\b\nExamples:\n  gorilla index stats\n  gorilla index stats | jq .docs")
def stats() -> None:
    """Show the size of the index as JSON."""
    path = wiring.paths().index
    print(json.dumps({**_reader().stats(), "bytes": path.stat().st_size, "path": str(path)}, indent=1))


def _reader():
    from gorilla_cli import registry

    return registry.factory("retrieval", "bm25")(wiring.paths().index, wiring.installed)
