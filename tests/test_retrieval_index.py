"""Searching and reading the index: one hit per program, priors, manuals, damage."""

from __future__ import annotations

import random
import subprocess
import sys
import threading

import pytest

from gorilla_cli.errors import StateError
from gorilla_cli.retrieval.index import Index
from gorilla_cli.types import Doc, Example, Option


class Source:
    """Documents from a list."""

    def __init__(self, name, docs):
        self.name, self._docs = name, docs

    def ids(self):
        return {doc.id: doc.stamp for doc in self._docs}

    def docs(self, skip=()):
        return (doc for doc in self._docs if doc.id not in skip)


def doc(source, program, summary, **fields):
    return Doc(f"{source}:{program}", source, program, program, summary, stamp="1", **fields)


DOCS = [
    doc("catalogue", "du", "show the disk usage of files and directories", keywords=("size", "space")),
    doc("tldr", "du", "Disk usage: estimate and summarize file and directory space usage."),
    doc("man", "du", "estimate file space usage", options=(Option(("-h",), "", "human readable"),)),
    doc("tldr", "dust", "Disk usage: an overview of which directories are using disk space."),
    doc("tldr", "ncdu", "Disk usage analyzer"),
    doc("catalogue", "git commit", "record changes", examples=(Example("commit everything", "git commit -a"),)),
    doc("helptext", "git commit", "record changes to the repository"),
    doc("man", "git commit", "record changes to the repository"),
    doc("notes", "git commit", "what we agreed on"),
    doc("man", "git", "the stupid content tracker"),
]
ON_PATH = {"du", "git"}


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    path = tmp_path_factory.mktemp("index") / "index.db"
    by_source = {one.source: [each for each in DOCS if each.source == one.source] for one in DOCS}
    Index.build(path, [Source(name, docs) for name, docs in by_source.items()])
    return path


@pytest.fixture
def index(path):
    index = Index(path, ON_PATH.__contains__)
    yield index
    index.close()


def test_one_hit_per_program_the_installed_first(index):
    hits = index.search("disk usage of a directory", 10)
    assert [(hit.doc.program, hit.installed) for hit in hits] == [("du", True), ("dust", False), ("ncdu", False)]
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)


def test_a_program_that_is_not_there_ranks_far_below(path, index):
    everything = Index(path, lambda program: True)
    here, there = (
        {hit.doc.program: hit.score for hit in each.search("disk usage", 10)} for each in (everything, index)
    )
    assert there["dust"] < here["dust"] / 2
    assert there["du"] == here["du"]


def test_a_common_program_beats_an_obscure_one_with_the_same_words(tmp_path):
    path = tmp_path / "index.db"
    sources = [
        Source("tldr", [doc("tldr", "aaa", "frobnicate a file")]),
        Source("catalogue", [doc("catalogue", "zzz", "frobnicate a file")]),
    ]
    Index.build(path, sources)
    assert [hit.doc.program for hit in Index(path, lambda program: True).search("frobnicate", 2)] == ["zzz", "aaa"]


def test_installed_is_asked_about_the_program_not_its_subcommand(path):
    asked = set()
    Index(path, lambda program: bool(asked.add(program))).search("record changes", 5)
    assert asked == {"git"}


@pytest.mark.parametrize("k", [-1, 0, 1, 2, 3])
def test_at_most_k(index, k):
    assert len(index.search("disk usage", k)) == max(0, k)


@pytest.mark.parametrize("query", ["", "the", "zzzzqqq", "\x00", '"', "NEAR(", "42", "\ud800"])
def test_nothing_matches(index, query):
    assert index.search(query, 5) == []


@pytest.mark.parametrize(
    ("program", "ids"),
    [
        ("git commit", ["man:git commit", "helptext:git commit", "catalogue:git commit", "notes:git commit"]),
        ("  git   commit\n", ["man:git commit", "helptext:git commit", "catalogue:git commit", "notes:git commit"]),
        ("du", ["man:du", "catalogue:du", "tldr:du"]),
        ("git", ["man:git"]),
        ("gi", []),
        ("DU", []),
        ("du' OR 1 --", []),
        ("\x00\ud800", []),
    ],
)
def test_manual_is_ordered_by_trust(index, program, ids):
    assert [one.id for one in index.manual(program)] == ids


def test_manual_gives_whole_documents(index):
    assert index.manual("du")[0] == DOCS[2]


def test_programs_behave_like_a_set(index):
    programs = index.programs()
    assert "git commit" in programs and "commit" not in programs and 3 not in programs
    assert list(programs) == ["du", "dust", "git", "git commit", "ncdu"]
    assert len(programs) == 5


def test_stats_and_sources(path, index):
    stats = index.stats()
    assert index.sources() == {"catalogue": 2, "helptext": 1, "man": 3, "notes": 1, "tldr": 3}
    assert (stats["docs"], stats["programs"], stats["options"]) == (10, 5, 1)
    assert stats["bytes"] == path.stat().st_size and stats["tokens"] > 50


def test_closing_is_not_the_end(index):
    first = index.search("disk", 3)
    index.close()
    assert index.search("disk", 3) == first


def test_threads_share_an_index(index):
    expected = index.search("disk usage", 5)
    found = []
    threads = [
        threading.Thread(target=lambda: found.extend(index.search("disk usage", 5) for _ in range(20)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [expected] * 80


def test_a_very_long_query_is_answered(index):
    assert index.search("disk usage " * 50_000, 1)[0].doc.program == "du"


def test_damage_ends_in_an_answer_or_a_state_error(path, tmp_path):
    """Bits flipped and tails cut off, 400 times: never another exception."""
    rng = random.Random(20)
    sound, damaged = path.read_bytes(), tmp_path / "damaged.db"
    refused = 0
    for turn in range(400):
        content = bytearray(sound)
        for _ in range(rng.choice((1, 8, 64))):
            content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
        damaged.write_bytes(content[: rng.randrange(len(content))] if turn % 10 == 0 else content)
        index = Index(damaged, lambda program: True)
        try:
            index.search("disk usage", 5)
            index.manual("git commit")
            index.stats()
        except StateError:
            refused += 1
        index.close()
    assert 40 <= refused < 400


def test_looking_at_the_index_loads_no_numpy(path):
    code = (
        "import sys; from pathlib import Path; from gorilla_cli.retrieval.index import Index\n"
        "index = Index(Path(sys.argv[1]), bool); index.manual('du'); index.sources(); index.programs()\n"
        "sys.exit(any(name in sys.modules for name in ('numpy', 'rank_bm25', 'Stemmer')))"
    )
    assert subprocess.run([sys.executable, "-c", code, str(path)], timeout=60).returncode == 0
