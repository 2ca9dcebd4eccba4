"""The manual pages of this machine as documents. Decides what a page is about; others find, render and parse it.

Only the machine's own page files are read, only mandoc or man-db are started (see `man_render`).
"""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import subprocess
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from gorilla_cli.sources import man_examples, man_files, man_options, man_render, man_text
from gorilla_cli.sources.man_files import PageFile
from gorilla_cli.sources.man_render import TOOL_PATH
from gorilla_cli.types import Doc

if TYPE_CHECKING:
    from concurrent.futures import Future, ProcessPoolExecutor

FALLBACK_MANPATH = ("/usr/share/man", "/usr/local/share/man")
BODY_LENGTH = 600
USAGE_LENGTH = 500
FEW_PAGES = 2  # starting a pool costs more than rendering these
PER_WORKER = 3  # pages waiting for each worker: enough to keep it busy, few enough to stop at once


@dataclass(frozen=True)
class ManSource:
    """The manual pages under `manpath` in `sections`, in English: the folders man1, man8 directly below each root.

    `programs`, when given, limits them to pages that may be about one of these; `workers` 0 is one per core;
    `tools` is the PATH on which mandoc and man are looked up.
    """

    sections: Sequence[str] = ("1", "8")
    manpath: Sequence[Path] = ()
    programs: Container[str] | None = None
    workers: int = 0
    tools: str = TOOL_PATH
    name: str = field(default="man", init=False)

    def ids(self) -> dict[str, str]:
        """Document id -> stamp (modification time in ns and size). Empty where nothing can render pages."""
        return {page.id: page.stamp for page in self._pages(self.programs)}

    def docs(self, skip: Container[str] = ()) -> Iterator[Doc]:
        """The documents not in `skip`, in the order in which they are done; unreadable pages are left out.

        Pages with one text (links to each other) are rendered once. Closing the iterator stops the workers.
        """
        groups = self._groups(page for page in self._pages(self.programs) if page.id not in skip)
        if len(groups) <= FEW_PAGES:
            for group in groups:
                yield from read(group, self.tools)
            return
        with contextlib.closing(_in_processes(groups, self.tools, self.workers or os.cpu_count() or 1)) as results:
            yield from itertools.chain.from_iterable(results)

    def page(self, program: str) -> list[Doc]:
        """The documents of one program or subcommand, whatever `programs` says: "git commit" is in git-commit(1)."""
        names = {program, program.replace(" ", "-"), program.replace(" ", "_")}
        pages = man_files.named(self.manpath, self.sections, names)
        docs = (doc for group in self._groups(pages) for doc in read(group, self.tools))
        return [doc for doc in docs if doc.program == program]

    def _pages(self, wanted: Container[str] | None) -> Iterator[PageFile]:
        if man_render.renderer(self.tools):
            yield from man_files.page_files(self.manpath, self.sections, wanted)

    def _groups(self, pages: Iterator[PageFile]) -> list[tuple[PageFile, ...]]:
        """The pages, those together that are the same text."""
        groups: dict[Path, list[PageFile]] = {}
        for page in pages:
            groups.setdefault(man_files.target(page), []).append(page)
        return [tuple(group) for group in groups.values()]


def default_manpath() -> list[Path]:
    """The existing folders where this user's manual pages lie: what `manpath -q` says, or else the usual ones."""
    try:
        answer = subprocess.run(
            ("manpath", "-q"), stdin=subprocess.DEVNULL, capture_output=True, timeout=10, check=False
        ).stdout.decode("utf-8", errors="replace")
    except (OSError, subprocess.TimeoutExpired):
        answer = ""
    roots = [root for root in answer.strip().split(":") if root.startswith("/")] or FALLBACK_MANPATH
    return [path for root in dict.fromkeys(roots) if (path := Path(root)).is_dir()]


def read(group: Sequence[PageFile], tools: str = TOOL_PATH) -> list[Doc]:
    """One document for each page of a group that shares its text; none when it cannot be read or says nothing."""
    source = man_files.read_page(man_files.target(group[0]), tools)
    text = man_render.render(source, group[0].root, tools) if source else ""
    page = man_text.sections(text)
    docs = [document(file, page) for file in group] if page else []
    return [doc for doc in docs if doc.summary or doc.options or doc.body]


def document(file: PageFile, page: Sequence[man_text.Section]) -> Doc:
    """The document of a rendered page. `program` is what is typed: from the SYNOPSIS, else the page's name."""
    _, summary = man_text.names_and_summary(page)
    program = program_of(file.name, page)
    return Doc(
        id=file.id,
        source="man",
        program=program,
        title=f"{file.name}({file.section})",
        summary=man_text.clip(summary, 200),
        options=man_options.with_synopsis(man_options.described(page), page),
        examples=man_examples.examples(page, program),
        body=_body(page),
        stamp=file.stamp,
    )


def program_of(name: str, page: Sequence[man_text.Section]) -> str:
    """What is typed to run what page `name` documents: "git commit" when its synopsis spells git-commit that way."""
    wanted = name.replace("_", "-")
    if "-" not in wanted:
        return name
    for line in man_text.lines_of(page, "SYNOPSIS", "USAGE"):
        words = _plain_words(line.text)
        for count in range(2, len(words) + 1):
            if "-".join(words[:count]).replace("_", "-") == wanted:
                return " ".join(words[:count])
    return name


def _plain_words(usage: str) -> list[str]:
    """The leading words of a synopsis line that are typed as they stand, optional parts between them left out."""
    bare = re.sub(r"\[[^\[\]]*\]", " ", usage[:USAGE_LENGTH])
    words = itertools.takewhile(re.compile(r"[\w.+@-]+").fullmatch, bare.split())
    return [word for word in words if not word.startswith("-")]


def _body(page: Sequence[man_text.Section]) -> str:
    """The prose that begins the DESCRIPTION, up to its first option."""
    parts: list[str] = []
    for line in man_text.lines_of(page, "DESCRIPTION"):
        if sum(map(len, parts)) > BODY_LENGTH or (parts and man_options.parse_tag(line.text)):
            break
        if line.text:
            parts.append(line.text)
    return man_text.clip(" ".join(parts), BODY_LENGTH)


def _in_processes(groups: list[tuple[PageFile, ...]], tools: str, workers: int) -> Iterator[list[Doc]]:
    """`read` over all groups in several processes, a bounded number in flight; the processes end with the iterator."""
    from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
    from multiprocessing import get_context

    spawn = get_context("spawn")  # not fork: the caller may have threads, and a fork copies their locks
    pool = ProcessPoolExecutor(min(workers, len(groups)), mp_context=spawn, initializer=_prepare_worker)
    waiting = iter(groups)
    pending: set[Future[list[Doc]]] = set()
    try:
        while True:
            for group in itertools.islice(waiting, workers * PER_WORKER - len(pending)):
                pending.add(pool.submit(read, group, tools))
            if not pending:
                break
            done, pending = wait(pending, return_when=FIRST_COMPLETED)
            for future in done:
                yield future.result()
        pool.shutdown()
    except BaseException:
        _stop(pool)
        raise


def _stop(pool: ProcessPoolExecutor) -> None:
    """End the workers now: what they were rendering is not wanted any more."""
    for process in list((pool._processes or {}).values()):  # 3.14 has kill_workers() for this
        process.kill()
    pool.shutdown(cancel_futures=True)


def _prepare_worker() -> None:
    """Ctrl-C reaches every process of the terminal, and the parent is the one that answers it; a parent that was
    killed answers nothing any more, so its workers must notice themselves.
    """
    import signal
    import threading
    from multiprocessing import parent_process

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = parent_process()

    def end_with_parent() -> None:
        parent.join()  # type: ignore[union-attr] - a worker has one
        os._exit(1)

    threading.Thread(target=end_with_parent, daemon=True).start()
