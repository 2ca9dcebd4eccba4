"""The records in hand: limits applied and counted, kinds weighed, nothing invented about what is unknown."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gorilla_cli.apis import hand
from gorilla_cli.apis.constraints import parse
from gorilla_cli.errors import ExitCode, NoCandidate
from gorilla_cli.types import Figure, RecordHit
from tests.record_index import record


def hit(
    name: str, score: float = 1.0, domain: str = "", parameters: float | None = None, licence: str = ""
) -> RecordHit:
    figures = () if parameters is None else (Figure("parameters", "", parameters),)
    return RecordHit(record(f"load('{name}')", domain=domain, figures=figures, licence=licence), score)


def names(hits) -> list[str]:
    return [one.record.api_call[6:-2] for one in hits]


SMALL, BIG, SILENT = hit("small", 3, parameters=1e6), hit("big", 2, parameters=9e9), hit("silent", 1)
UNDER = parse("something under 10 million parameters")


def test_without_limits_everything_found_is_in_hand_in_its_order():
    held = hand.within_limits([SMALL, BIG, SILENT], ())
    assert held == hand.Hand((SMALL, BIG, SILENT), (), 0, {})


def test_what_fails_and_what_does_not_say_are_left_out_and_counted():
    held = hand.within_limits([SILENT, BIG, SMALL, hit("mute")], UNDER)
    assert (names(held.hits), held.failed, held.unknown) == (["small"], 1, {"parameters": 2})
    assert held.constraints == UNDER


def test_nothing_found():
    with pytest.raises(NoCandidate, match="no API record is like that request") as caught:
        hand.within_limits([], UNDER)
    assert caught.value.exit_code is ExitCode.NO_CANDIDATE
    assert "gorilla index add records" in caught.value.hint


def test_nothing_within_the_limits_says_which_and_how_many_do_not_say():
    limits = parse("under 10 million parameters, licensed under MIT")
    assert len(limits) == 2
    with pytest.raises(NoCandidate) as caught:
        hand.within_limits([BIG, SILENT, hit("mute")], limits)
    message = str(caught.value)
    assert "'under 10 million parameters' and 'licensed under MIT'" in message
    assert message.endswith("; 2 records give no parameters; 2 records give no licence")
    assert caught.value.hint == "loosen a limit"


@pytest.mark.parametrize(
    ("unknown", "text"),
    [
        ({}, ""),
        ({"parameters": 1}, "; 1 record gives no parameters"),
        ({"accuracy": 12}, "; 12 records give no accuracy"),
        ({"accuracy": 2, "licence": 1}, "; 2 records give no accuracy; 1 record gives no licence"),
    ],
)
def test_how_many_do_not_say_is_told(unknown, text):
    assert hand.told(unknown) == text


def test_kinds_are_those_of_the_best_each_once():
    hits = [hit(str(number), domain=f"kind {number // 2}" if number != 3 else "") for number in range(40)]
    assert hand.kinds(hits) == [f"kind {number}" for number in range(hand.KINDS)]
    assert hand.kinds([SILENT]) == []


VISION, SPEECH, OTHER = hit("v", 1.0, "vision"), hit("s", 0.9, "speech"), hit("o", 0.95, "other")


@pytest.mark.parametrize("logprobs", [{}, {"vision": -3.0}])
def test_one_kind_weighs_nothing(logprobs):
    assert hand.weighed([VISION, SPEECH], logprobs) == (VISION, SPEECH)


def test_the_likelier_kind_comes_first_and_one_not_asked_about_counts_as_the_least_likely():
    far = hit("f", 0.0, "vision")
    assert names(hand.weighed([VISION, OTHER, SPEECH, far], {"vision": -9.0, "speech": -1.0})) == ["s", "v", "o", "f"]


def test_what_is_no_model_of_a_hub_is_not_judged_by_its_kind():
    service = RecordHit(replace(OTHER.record, kind="http", domain="Petshop"), 0.99)
    package = RecordHit(replace(OTHER.record, id="p", source="python:json", domain="json"), 0.98)
    assert hand.kinds([VISION, service, package]) == ["vision"]
    found = hand.weighed([VISION, SPEECH, service, package], {"vision": -9.0, "speech": -1.0})
    assert [one.record for one in found[:2]] == [service.record, package.record]


def test_a_score_far_ahead_outweighs_the_kind():
    ahead = hit("a", 20.0, "vision")
    assert names(hand.weighed([ahead, SPEECH], {"vision": -9.0, "speech": -1.0})) == ["a", "s"]


def test_likelihoods_are_shares():
    first, second = hand.weighed([hit("a", 0, "x"), hit("b", 0, "y")], {"x": -1000.0, "y": -1000.0})
    assert first.score == second.score == pytest.approx(hand.KIND * math.log(0.5))


LOGPROBS = st.floats(-1e6, 0)


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from("abcd"), LOGPROBS), st.lists(st.tuples(st.sampled_from("abcdef"), LOGPROBS)))
def test_weighing_only_orders(logprobs, given_hits):
    hits = [hit(str(number), score, domain) for number, (domain, score) in enumerate(given_hits)]
    found = hand.weighed(hits, logprobs)
    assert sorted(names(found)) == sorted(names(hits))
    assert all(math.isfinite(one.score) for one in found)
    if len(logprobs) > 1:
        assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)
