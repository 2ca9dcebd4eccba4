"""How fast this machine's documents are indexed.

    python benchmarks/index_build.py [--pages 200]

Builds an index of the shipped catalogue, then of manual pages of this machine (the common programs first), into a
temporary folder. Prints documents per second of wall time and the size of the file.
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
import time
from pathlib import Path

from gorilla_cli.cli import wiring
from gorilla_cli.retrieval import writing


class Some:
    """The first `count` documents of a source."""

    def __init__(self, source, count: int) -> None:
        self._source, self._count = source, count
        self.name = source.name

    def ids(self) -> dict[str, str]:
        return dict(itertools.islice(self._source.ids().items(), self._count))

    def docs(self, skip=()):
        wanted = self.ids()
        others = {one for one in self._source.ids() if one not in wanted}
        return self._source.docs(skip=others | set(skip))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", type=int, default=200)
    pages = parser.parse_args().pages
    shipped = wiring.catalogue()
    programs = {doc.program for doc in shipped.docs()}
    names = programs | {program.replace(" ", "-") for program in programs}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "index.db"
        for label, source in (("catalogue", shipped), ("manual pages", Some(wiring.man_pages(names), pages))):
            started = time.perf_counter()
            count = writing.update(path, source).written if path.exists() else writing.build(path, [source])
            seconds = time.perf_counter() - started
            print(f"{label:<14} {count:5} documents in {seconds:6.2f} s: {count / seconds:8.1f} documents/s")
        print(f"index file {path.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
