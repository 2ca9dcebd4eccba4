"""Examples near a request: words decide, names do not, and only requests in a user's words are searched."""

from __future__ import annotations

import sqlite3

import pytest

from gorilla_cli.errors import StateError
from gorilla_cli.retrieval import tokens
from gorilla_cli.retrieval.index import Index
from gorilla_cli.types import Doc, Example


def doc(program, *examples, source="catalogue"):
    made = tuple(Example(request, command) for request, command in examples)
    return Doc(f"{source}:{program}", source, program, program, f"what {program} does", examples=made, stamp="1")


DOCS = [
    doc("tail", ("last line of notes.txt", "tail -n 1 notes.txt"), ("last 20 bytes of a.bin", "tail -c 20 a.bin")),
    doc("tac", ("print story.txt from the last line to the first", "tac story.txt")),
    doc("mv", ("rename a.txt to b.txt", "mv a.txt b.txt"), ("move all .log files into old", "mv -- *.log old/")),
    doc("git tag", ("names of all tags", "git tag")),
    doc("rev", ("Reverse the characters of each line", "rev FILE"), source="tldr"),
]


@pytest.fixture
def index(tmp_path):
    path = tmp_path / "index.db"
    Index.build(path, [])
    Index.add(path, DOCS)
    index = Index(path, lambda program: program != "mv")
    yield index
    index.close()


def commands(index, query, k=1):
    return [hit.example.command for hit in index.examples(query, k)]


@pytest.mark.parametrize(
    ("query", "command"),
    [
        ("what is the last line of /var/log/syslog?", "tail -n 1 notes.txt"),
        ("show diary.md beginning with its last line, the first one at the end", "tac story.txt"),
        ("please rename old.py into new.py", "mv a.txt b.txt"),
        ("which tags are there", "git tag"),
        ("moving every .log file", "mv -- *.log old/"),
    ],
)
def test_the_nearest_request_is_found_whatever_its_files_are_called(index, query, command):
    assert commands(index, query) == [command]


def test_the_name_of_a_file_is_no_likeness(index):
    assert index.examples("b.py story.py", 5) == []


def test_other_sources_tell_what_a_command_does_and_are_not_searched(index):
    assert "rev FILE" not in commands(index, "reverse the characters of each line", 20)


def test_a_hit_knows_its_program_and_whether_it_is_installed(index):
    (move,) = index.examples("rename it", 1)
    (tag,) = index.examples("all tags", 1)
    assert (move.program, move.installed) == ("mv", False)
    assert (tag.program, tag.installed) == ("git tag", True)


def test_scores_fall_and_say_how_much_of_the_query_is_covered(index):
    scores = [hit.score for hit in index.examples("print the last line of a.txt", 9)]
    assert scores == sorted(scores, reverse=True)
    assert 0 < scores[-1] < scores[0] < 1.5
    (alone,) = index.examples("last line", 1)
    (diluted,) = index.examples("last line where the weather was good in Lisbon", 1)
    assert diluted.score < alone.score / 2


@pytest.mark.parametrize("query", ["", "\0", "'quoted' only.py", "zzz qqq", "the of and"])
def test_nothing_alike_nothing_found(index, query):
    assert index.examples(query, 3) == []


def test_a_removed_document_takes_its_examples_along(index, tmp_path):
    Index.add(tmp_path / "index.db", [doc("tail", ("follow a.log", "tail -f a.log"))])
    assert commands(index, "last line of it", 9) == ["tac story.txt"]
    assert commands(index, "follow the log") == ["tail -f a.log"]
    Index.remove(tmp_path / "index.db", "catalogue")
    assert commands(index, "follow the log", 9) == []


def test_a_request_without_its_example_is_damage(index, tmp_path):
    with sqlite3.connect(tmp_path / "index.db") as db:
        db.execute("DELETE FROM examples")
    with pytest.raises(StateError, match="damaged"):
        index.examples("last line", 1)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("rename a.txt", ["renam", "txt"]),
        ("unpack ~/x/site.tar.gz here", ["extract", "tar", "gz", "here"]),
        ("count 'some words' in it", ["count"]),
        ("files like *.log or /etc/passwd", ["file", "like", "log"]),
    ],
)
def test_of_a_name_its_extension_stays(text, expected):
    assert tokens.request(text) == expected
