"""Does the right program come up? Real documents, requests in people's words; floors well below what was measured."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from gorilla_cli.retrieval.index import Index
from gorilla_cli.sources.catalogue import CatalogueSource
from gorilla_cli.sources.tldr import TldrSource

ROOT = Path(__file__).parent.parent
TLDR = ROOT.parent / "shared" / "data" / "tldr-pages.en.zip"
REQUESTS = tomllib.loads((Path(__file__).parent / "data" / "retrieval_dev.toml").read_text(encoding="utf-8"))["request"]
DEPTHS = (1, 3, 5)


def recall(index, requests):
    """The share of requests with a right program among the first 1, 3 and 5 hits."""
    found = [[hit.doc.program for hit in index.search(one["text"], max(DEPTHS))] for one in requests]
    return [
        sum(not set(one["programs"]).isdisjoint(hits[:k]) for one, hits in zip(requests, found, strict=True))
        / len(requests)
        for k in DEPTHS
    ]


@pytest.fixture(scope="module", params=["catalogue", "catalogue and tldr"])
def index(request, tmp_path_factory):
    sources = [CatalogueSource(ROOT / "index" / "catalogue")]
    if "tldr" in request.param:
        if not TLDR.exists():
            pytest.skip("no tldr pages here")
        sources.append(TldrSource(TLDR, "linux"))
    path = tmp_path_factory.mktemp("quality") / "index.db"
    Index.build(path, sources)
    index = Index(path, lambda program: True)
    yield index
    index.close()


@pytest.mark.parametrize(("tuned", "floors"), [(True, (0.80, 0.90, 0.93)), (False, (0.72, 0.86, 0.88))])
def test_recall(index, tuned, floors):
    requests = [one for one in REQUESTS if one["tuned"] is tuned]
    assert len(requests) >= 60
    measured = recall(index, requests)
    assert all(value >= floor for value, floor in zip(measured, floors, strict=True)), measured


@pytest.mark.parametrize(
    ("request_text", "first", "within_three"),
    [
        ("show disk usage of each directory sorted by size", {"du"}, "du"),
        ("extract a tar.gz archive into a directory", {"tar"}, "tar"),
        ("find files larger than 100MB", {"find", "fd"}, "find"),
        ("undo the last commit", {"git reset", "git revert"}, "git reset"),
        ("which process listens on port 8080", {"ss", "lsof", "netstat", "fuser"}, "ss"),
        ("rename a branch", {"git branch"}, "git branch"),
    ],
)
def test_everyday_requests_come_right(index, request_text, first, within_three):
    programs = [hit.doc.program for hit in index.search(request_text, 3)]
    assert programs[0] in first
    assert within_three in programs


def test_the_requests_name_each_text_once():
    assert len({one["text"] for one in REQUESTS}) == len(REQUESTS)
