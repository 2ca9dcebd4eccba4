"""The development list of requests: well formed, spread, checkable, and not what the product ships as examples."""

from __future__ import annotations

import re
import subprocess
import tomllib
from collections import Counter
from pathlib import Path

import pytest

from benchmarks.docs_gate import FIXTURES, tasks

ROOT = Path(__file__).parent.parent
TASKS = tasks()
FAMILIES = {"finding", "text", "archives", "permissions", "disk", "dates", "git", "json", "loops"}
TAGS = {"quoting", "pipeline", "rare"}
OVERLAP = 0.8


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


def test_the_list_is_long_enough_and_spread():
    families = Counter(task.family for task in TASKS)
    assert len(TASKS) >= 90
    assert set(families) == FAMILIES
    assert min(families.values()) >= 6
    assert sum("rare" in task.tags for task in TASKS) >= 25


def test_ids_and_requests_are_unique():
    assert len({task.id for task in TASKS}) == len({task.request for task in TASKS}) == len(TASKS)


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.id)
def test_fields_are_known(task):
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", task.id)
    assert (FIXTURES / f"{task.fixture}.sh").is_file()
    assert set(task.tags) <= TAGS
    assert task.blanks in ("", "free")
    assert len(task.gold) == 2 and task.gold[0] != task.gold[1]
    assert task.output or not (task.unordered or task.blanks), "how to compare output that does not count"


@pytest.mark.parametrize("which", [0, 1])
def test_gold_commands_parse(which):
    for task in TASKS:
        done = subprocess.run(["bash", "-n", "-c", task.gold[which]], capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, ""), task.id


def test_overlap_sees_a_copy_and_lets_a_different_request_pass():
    text = words("how many commits does main have?")
    assert overlap(text, words("How many commits does MAIN have")) == 1
    assert overlap(text, words("how many lines does data.csv have?")) < OVERLAP


def test_no_request_is_a_shipped_example():
    shipped = [words(text) for text in shipped_examples()]
    close = [task.request for task in TASKS if any(overlap(words(task.request), text) > OVERLAP for text in shipped)]
    assert len(shipped) > 1000
    assert close == []


def test_no_gold_command_is_a_shipped_one_word_for_word_in_the_prompt():
    prompt = tomllib.loads((ROOT / "gorilla_cli/prompts/shell.toml").read_text(encoding="utf-8"))
    answers = {command for _, command in prompt["examples"]}
    assert answers.isdisjoint(command for task in TASKS for command in task.gold)
