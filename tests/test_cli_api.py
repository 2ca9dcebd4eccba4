"""`gorilla api`: what it prints, what it refuses, and that nothing runs where nobody can agree."""

from __future__ import annotations

import pytest

from tests.api_records import REMOVE, ROWS, SHORTEN, WRAP, build
from tests.command_line import Ended, write_script

WRAPPED = "wrap a paragraph into short lines"
SHORTENED = "truncate prose to a number of characters"
LIMITED = "a picture classifier under 10 million parameters with at least 70 % ImageNet accuracy"


@pytest.fixture(autouse=True)
def own(ready):
    """An index of a few records; the folder GORILLA_HOME."""
    build(ready / "data" / "records.db", ROWS)
    return ready


@pytest.fixture
def writing(tmp_path, monkeypatch):
    """`writing(TEXT)` is what the model writes for every request."""
    monkeypatch.delenv("GORILLA_MODEL")

    def write(text):
        return write_script(tmp_path / "own.toml", {"": [text]})

    return write


def best(ended: Ended) -> dict:
    return ended.json["candidates"][0]


def test_json_has_the_calls_their_programs_and_records(gorilla):
    ended = gorilla("api", "--json", WRAPPED)
    assert (ended.code, ended.err) == (0, "")
    found = best(ended)
    assert found["kind"] == "api"
    assert found["call"] == WRAP["api_call"]
    assert found["code"] == found["command"] == WRAP["example_code"]
    assert found["record"] == "records:own:" + WRAP["api_call"]
    assert found["verdict"] == "safe"
    assert [cite["doc"] for cite in found["cites"]] == [found["record"]]
    assert ended.json["request"]["text"] == WRAPPED
    assert (ended.json["constraints"], ended.json["left_out"]) == ([], {"failed": 0, "unknown": {}})


@pytest.mark.parametrize("count", [1, 2])
def test_as_many_calls_as_asked_for_each_another_one(gorilla, count):
    calls = [one["call"] for one in gorilla("api", "--json", "-n", str(count), "text").json["candidates"]]
    assert len(calls) == len(set(calls)) == count


def test_the_scores_go_down(gorilla):
    scores = [one["score"] for one in gorilla("api", "--json", "picture classifier").json["candidates"]]
    assert scores == sorted(scores, reverse=True)


def test_json_tells_the_limits_and_what_they_left_out(gorilla):
    found = gorilla("api", "--json", LIMITED).json
    assert [one["call"] for one in found["candidates"]] == ["torch.hub.load('pytorch/vision', 'medium')"]
    limits = [(one["metric"], one["relation"], one["value"], one["dataset"]) for one in found["constraints"]]
    assert limits == [("parameters", "<", 10e6, ""), ("accuracy", ">=", 70.0, "ImageNet")]
    assert found["left_out"] == {"failed": 2, "unknown": {"parameters": 1, "accuracy": 1}}


def test_print_gives_the_program_and_tells_the_limits_apart_from_it(gorilla):
    ended = gorilla("api", "--print", LIMITED)
    assert ended.code == 0
    assert "torch.hub.load('pytorch/vision', 'medium')" in ended.out
    compile(ended.out, "printed", "exec")
    limits = "'under 10 million parameters' and 'at least 70 % ImageNet accuracy'"
    told = f"within {limits}: 1 record, 2 others do not; 1 record gives no parameters; 1 record gives no accuracy\n"
    assert ended.err.startswith(told)


def test_print_without_limits_says_nothing_of_them(gorilla):
    ended = gorilla("api", "--print", WRAPPED)
    assert ended == Ended(0, WRAP["example_code"], "")


def test_print_tells_what_is_wrong_on_stderr(gorilla):
    ended = gorilla("api", "--print", REMOVE["functionality"])
    assert ended.out == REMOVE["example_code"]
    assert ended.err.startswith("! ")


def test_the_model_fills_in_what_the_request_says(gorilla, writing):
    script = writing('{"text": "one two three", "width": 9}')
    ended = gorilla("api", "--print", "--model", script, SHORTENED)
    assert ended.out.endswith("textwrap.shorten('one two three', 9)\n")
    assert "..." not in ended.out


def test_what_the_request_does_not_say_is_left_blank(gorilla, writing):
    ended = gorilla("api", "--print", "--model", writing('{"width": 9, "text": null}'), SHORTENED)
    assert ended.out.splitlines()[0] == "TEXT = ..."
    assert ended.out.endswith("textwrap.shorten(TEXT, 9)\n")


def test_a_free_call_that_is_documented(gorilla, writing):
    found = best(gorilla("api", "--free", "--json", "--model", writing(WRAP["api_call"]), WRAPPED))
    assert found["record"] == "records:own:" + WRAP["api_call"]
    assert found["verdict"] == "safe"


@pytest.mark.parametrize("mode", ["retrieval", "zero-shot"])
def test_a_free_call_that_was_invented_is_told(gorilla, writing, mode):
    script = writing("textwrap.zigzag(width=20)")
    ended = gorilla("api", "--free", "--json", "--mode", mode, "--model", script, WRAPPED)
    found = best(ended)
    assert (found["call"], found["record"]) == ("textwrap.zigzag(width=20)", "")
    assert found["verdict"] != "safe"
    assert "no record in the index has this call" in [one["message"] for one in found["findings"]]


def test_a_free_call_with_an_undocumented_argument_is_told(gorilla, writing):
    script = writing("textwrap.shorten(text, width, colour='red')")
    found = best(gorilla("api", "--free", "--json", "--model", script, SHORTENED))
    assert "colour is not a documented argument of textwrap.shorten" in [one["message"] for one in found["findings"]]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ((), 2, "Missing argument 'WORDS...'"),
        (("",), 2, "the request is empty"),
        (("  ", " "), 2, "the request is empty"),
        (("--print", "--json", "x"), 2, "exclude each other"),
        (("--mode", "zero-shot", "x"), 2, "give --free as well"),
        (("--mode", "other", "x"), 2, "zero-shot"),
        (("-n", "9", "x"), 2, "1<=x<=8"),
        (("pictures over 20 million parameters and under 10 million parameters",), 2, "nothing can satisfy both"),
        (("a classifier with at least 99 % ImageNet accuracy",), 5, "no record found satisfies"),
        (("qqqxxxzzz",), 5, "no API record is like that request"),
        (("--model", "scripted:no.toml", "--free", "text"), 6, "there is no script no.toml"),
    ],
)
@pytest.mark.parametrize("shape", ["", "--json"])
def test_what_cannot_be_answered(gorilla, arguments, code, said, shape):
    ended = gorilla("api", *([shape] if shape and "--print" not in arguments else ()), *arguments)
    assert (ended.code, ended.out) == (code, "")
    assert said in ended.err
    assert "\n  next: " in ended.err


def test_who_do_not_say_are_counted_where_nothing_is_left(gorilla):
    assert "; 1 record gives no accuracy" in gorilla("api", "a picture classifier with over 99 % accuracy").err


@pytest.mark.parametrize("request_", [WRAPPED, REMOVE["functionality"]])
def test_without_a_terminal_all_is_shown_and_nothing_runs(gorilla, own, request_, hermetic):
    (hermetic / "work" / "made").mkdir()
    ended = gorilla("api", request_)
    assert (ended.code, ended.out) == (3, "")
    assert "  1 " in ended.err
    assert "no terminal to confirm on, so nothing was run" in ended.err
    assert "--yes" not in ended.err
    assert "network:" not in ended.err
    assert (hermetic / "work" / "made").exists()
    assert not (own / "state" / "history.jsonl").exists()


def test_what_is_shown_is_for_people(gorilla):
    shown = gorilla("api", LIMITED).err
    assert "1 torch.hub.load('pytorch/vision', 'medium')  caution" in shown
    assert "Image classification · PyTorch Hub" in shown
    assert "8 M parameters" in shown
    assert "76.5 % on ImageNet" in shown


def test_the_option_is_the_command(gorilla):
    assert gorilla("--api", "--print", WRAPPED) == gorilla("api", "--print", WRAPPED)
    found = gorilla("--api", "--json", "-n", "1", LIMITED).json
    assert [one["call"] for one in found["candidates"]] == ["torch.hub.load('pytorch/vision', 'medium')"]
    ended = gorilla("--api", "--yes", WRAPPED)
    assert (ended.code, ended.out) == (2, "")
    assert "--yes runs shell commands only" in ended.err


PET = {
    **{"domain": "pets", "framework": "Pet Shop", "functionality": "find a pet by its number", "kind": "http"},
    **{"api_name": "petById", "api_call": "GET https://pets.example/v1/pets/{id}", "description": "One pet."},
    "api_arguments": [{"name": "id", "type": "integer, in path", "description": "its number", "required": True}],
}


def test_a_request_over_the_network_is_printed_not_sent(gorilla, own, writing):
    build(own / "data" / "records.db", [PET])
    ended = gorilla("api", "--print", "--model", writing('{"id": 7}'), "find the pet with number 7")
    assert ended.out.startswith("GET https://pets.example/v1/pets/7\n")
    assert ended.out.endswith("\n") and not ended.out.endswith("\n\n")
    unsaid = gorilla("api", "--print", "--model", writing("{}"), "find a pet by its number")
    assert (unsaid.code, unsaid.out) == (5, "")
    assert "does not say enough" in unsaid.err


def test_debug_tells_times_and_tokens(gorilla):
    assert "retrieve" in gorilla("api", "--debug", "--json", WRAPPED).err


def test_a_record_cannot_drive_the_terminal(gorilla, own):
    bad = {**WRAP, "description": "Wraps\x1b[2J text", "domain": "Te\x07xt"}
    build(own / "data" / "records.db", [bad, SHORTEN])
    ended = gorilla("api", WRAPPED)
    assert "\x1b" not in ended.err
    assert "\x07" not in ended.err


def test_the_sandbox_that_is_missing_is_an_error(gorilla, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    ended = gorilla("api", "--sandbox", WRAPPED)
    assert (ended.code, ended.out) == (4, "")
    assert "bubblewrap is missing" in ended.err


def test_a_damaged_index_is_told(gorilla, own):
    (own / "data" / "records.db").write_bytes(b"\xff" * 4096)
    ended = gorilla("api", WRAPPED)
    assert ended.code == 4
    assert "records.db" in ended.err


def test_the_help(gorilla):
    shown = gorilla("api", "--help").out
    assert shown.startswith("Usage: gorilla api [OPTIONS] WORDS...")
    for option in ("--json", "--print", "--free", "--sandbox", "--download", "--writes", "--form", "--mode"):
        assert f"  {option}" in shown
    assert "  gorilla api --help" not in shown
    assert "api " in gorilla("--help").out
