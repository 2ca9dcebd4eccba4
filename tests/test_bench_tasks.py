"""The lists of requests: well formed, many enough, spread, checkable, and not what the product ships as examples."""

from __future__ import annotations

import re
import subprocess
import tomllib
from collections import Counter
from pathlib import Path

import pytest

from gorilla_cli.bench import tasks as room
from gorilla_cli.bench.tasks import (
    DIFFICULTIES,
    FAMILIES,
    FIXTURES,
    KINDS,
    SPLITS,
    TAGS,
    digest,
    load,
    load_unanswerable,
    read_tasks,
    read_unanswerable,
)
from gorilla_cli.errors import StateError, UsageError

ROOT = Path(__file__).parent.parent
OVERLAP = 0.8
LISTS = {split: load(split) for split in SPLITS}
REFUSED = {split: load_unanswerable(split) for split in SPLITS}
EVERY = [task for split in SPLITS for task in LISTS[split]]


def shipped_examples() -> list[str]:
    """The requests of the catalogue's examples and of the prompt."""
    prompt = tomllib.loads((ROOT / "gorilla_cli/prompts/shell.toml").read_text(encoding="utf-8"))
    found = [example[0] for example in prompt["examples"]]
    for file in sorted((ROOT / "index/catalogue").glob("*.toml")):
        for command in tomllib.loads(file.read_text(encoding="utf-8"))["command"]:
            found += [example[0] for example in command.get("examples", [])]
    return found


def words(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"[a-z0-9]+", text.lower()))


def overlap(a: frozenset[str], b: frozenset[str]) -> float:
    """Shared words of all words (Jaccard)."""
    return len(a & b) / len(a | b)


def close_to(requests: list[str], others: list[str]) -> list[str]:
    known = [words(text) for text in others]
    return [text for text in requests if any(overlap(words(text), other) > OVERLAP for other in known)]


# ---------------------------------------------------------------- the shipped lists


@pytest.mark.parametrize(("split", "tasks", "unanswerable"), [("dev", 120, 16), ("test", 80, 14)])
def test_the_lists_are_long_enough(split, tasks, unanswerable):
    assert len(LISTS[split]) >= tasks
    assert len(REFUSED[split]) >= unanswerable
    assert set(KINDS) == {row.kind for row in REFUSED[split]}


def test_there_are_thirty_requests_that_deserve_no_command():
    assert sum(map(len, REFUSED.values())) >= 30


@pytest.mark.parametrize("split", SPLITS)
def test_each_list_is_spread(split):
    families = Counter(task.family for task in LISTS[split])
    assert set(FAMILIES) - set(families) <= {"system"}
    assert max(families.values()) <= len(LISTS[split]) / 4
    assert min(families.values()) >= 3
    difficulties = Counter(task.difficulty for task in LISTS[split])
    assert set(difficulties) == set(DIFFICULTIES)
    assert min(difficulties.values()) >= len(LISTS[split]) / 10
    tags = Counter(tag for task in LISTS[split] for tag in task.tags)
    assert all(tags[tag] >= 8 for tag in TAGS if tag != "rare")


def test_ids_and_requests_are_unique_over_both_lists():
    rows = EVERY + [row for split in SPLITS for row in REFUSED[split]]
    assert [id for id, n in Counter(row.id for row in rows).items() if n > 1] == []
    assert [text for text, n in Counter(row.request for row in rows).items() if n > 1] == []


@pytest.mark.parametrize("task", EVERY, ids=lambda task: task.id)
def test_each_task_can_be_asked_and_compared(task):
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", task.id)
    assert (FIXTURES / f"{task.fixture}.sh").is_file()
    assert task.request.isprintable() and 2 <= len(task.request.split()) <= 50
    assert task.output or not (task.unordered or task.blanks), "how to compare output that does not count"


def test_each_before_script_belongs_to_a_fixture():
    befores = [path.name.removesuffix(".before.sh") for path in FIXTURES.glob("*.before.sh")]
    assert [name for name in befores if not (FIXTURES / f"{name}.sh").is_file()] == []


def test_the_lists_share_no_fixture():
    used = [{task.fixture for task in LISTS[split]} for split in SPLITS]
    assert used[0] & used[1] == set()
    assert used[0] | used[1] == {path.name.split(".")[0] for path in FIXTURES.glob("*.sh")}


@pytest.mark.parametrize("which", [0, 1])
def test_gold_commands_parse(which):
    """One bash for all of them: each as the body of a function that is never called."""
    script = "".join(f"f{number}() {{\n{task.gold[which]}\n}}\n" for number, task in enumerate(EVERY))
    done = subprocess.run(["bash", "-n"], input=script, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


# ---------------------------------------------------------------- nothing is asked that was shown


def test_overlap_sees_a_copy_and_lets_a_different_request_pass():
    assert close_to(["How many commits does MAIN have"], ["how many commits does main have?"]) != []
    assert close_to(["how many lines does data.csv have?"], ["how many commits does main have?"]) == []


def test_no_request_is_a_shipped_example():
    shipped = shipped_examples()
    assert len(shipped) > 1000
    assert close_to([task.request for task in EVERY], shipped) == []


def test_no_request_of_the_test_list_is_in_the_dev_list():
    for lists in (LISTS, REFUSED):
        assert close_to([row.request for row in lists["dev"]], [row.request for row in lists["test"]]) == []


def test_no_gold_command_is_a_shipped_one_word_for_word_in_the_prompt():
    prompt = tomllib.loads((ROOT / "gorilla_cli/prompts/shell.toml").read_text(encoding="utf-8"))
    answers = {command for _, command in prompt["examples"]}
    assert answers.isdisjoint(command for task in EVERY for command in task.gold)


# ---------------------------------------------------------------- reading

ROW = {"id": "x-1", "fixture": "f", "request": "r", "gold": ["a", "b"], "family": "text", "difficulty": "easy"}


def write(path: Path, **fields: object) -> Path:
    import tomlkit

    row = {key: value for key, value in {**ROW, **fields}.items() if value is not None}
    path.write_text(tomlkit.dumps({"request": [row]}))
    return path


def test_a_row_becomes_a_task_with_defaults(tmp_path):
    task = read_tasks(write(tmp_path / "t.toml", gold=[" a\n", "b"], tags=["rare"]))[0]
    assert (task.gold, task.tags, task.unordered, task.blanks, task.output) == (("a", "b"), ("rare",), False, "", True)


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"gold": ["a", "a"]}, "gold must be two different commands"),
        ({"gold": ["a"]}, "gold must be two different commands"),
        ({"gold": ["a", "b", "c"]}, "gold must be two different commands"),
        ({"gold": ["a", " "]}, "gold must be two different commands"),
        ({"gold": "ab"}, "gold must be two different commands"),
        ({"family": "cooking"}, "family cannot be 'cooking'"),
        ({"difficulty": "trivial"}, "difficulty cannot be 'trivial'"),
        ({"tags": ["rare", "odd"]}, "tags cannot be 'odd'"),
        ({"blanks": "some"}, "blanks cannot be 'some'"),
        ({"fixture": None}, "unknown or missing: fixture"),
        ({"orderless": True}, "unknown or missing: orderless"),
    ],
)
def test_a_row_that_is_wrong_is_named(tmp_path, fields, problem):
    with pytest.raises(StateError, match=re.escape(f"t.toml, request 1: {problem}")):
        read_tasks(write(tmp_path / "t.toml", **fields))


def test_a_request_without_an_answer_has_a_known_kind(tmp_path):
    path = tmp_path / "u.toml"
    path.write_text('[[request]]\nid = "a"\nrequest = "sing"\nkind = "music"\n')
    with pytest.raises(StateError, match=r"u\.toml, request 1: kind cannot be 'music'"):
        read_unanswerable(path)


@pytest.mark.parametrize("text", [None, "[[request", "[other]\n", "\udcff"])
def test_a_file_that_cannot_be_read_is_named(tmp_path, text):
    path = tmp_path / "t.toml"
    if text is not None:
        path.write_text(text, errors="surrogateescape")
    with pytest.raises(StateError, match=r"cannot read the tasks of .*t\.toml"):
        read_tasks(path)


def test_there_are_two_splits():
    with pytest.raises(UsageError, match="there is no split 'train'") as caught:
        load("train")
    assert caught.value.hint == "one of: dev, test"


def test_the_digest_changes_with_a_task_and_with_a_fixture_of_the_split(tmp_path, monkeypatch):
    fixtures = tmp_path / "fixtures"
    fixtures.mkdir()
    monkeypatch.setattr(room, "DATA", tmp_path)
    monkeypatch.setattr(room, "FIXTURES", fixtures)
    write(tmp_path / "shell_dev.toml")
    (tmp_path / "unanswerable_dev.toml").write_text("request = []\n")
    found = [digest("dev")]
    for name in ("f.sh", "f.before.sh", "other.sh"):
        (fixtures / name).write_text("echo\n")
        found.append(digest("dev"))
    write(tmp_path / "shell_dev.toml", request="other words")
    found.append(digest("dev"))
    assert [a == b for a, b in zip(found, found[1:], strict=False)] == [False, False, True, False]
