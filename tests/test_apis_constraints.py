"""Limits in a request: how they are read, which records satisfy them, which say nothing."""

from dataclasses import replace

import pytest

from gorilla_cli.apis.constraints import Constraint, apply, parse
from gorilla_cli.errors import UsageError
from gorilla_cli.types import ApiRecord, Figure

PLAIN = ApiRecord("s:a()", "s", "Classification", "PyTorch", "classify", "a", "a()")


def read(text: str) -> list[tuple[str, str, float, str]]:
    return [(one.metric, one.relation, one.value, one.dataset) for one in parse(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "an image classifier under 10 million parameters with at least 75 % ImageNet accuracy",
            [("parameters", "<", 1e7, ""), ("accuracy", ">=", 75.0, "ImageNet")],
        ),
        (
            "classify images, fewer than 10M params and top-1 accuracy on ImageNet above 75%",
            [("parameters", "<", 1e7, ""), ("accuracy", ">", 75.0, "ImageNet")],
        ),
        (
            "object detector with mAP of at least 40 on COCO, smaller than 100 MB",
            [("mAP", ">=", 40.0, "COCO"), ("size", "<", 1e8, "")],
        ),
        ("a word error rate below 5 % on LibriSpeech", [("WER", "<", 5.0, "LibriSpeech")]),
        ("a model with 90% accuracy for flowers", [("accuracy", ">=", 90.0, "")]),
        (
            "parameter count between 5 and 20 million",
            [("parameters", ">=", 5e6, ""), ("parameters", "<=", 2e7, "")],
        ),
        ("75 % accuracy or better", [("accuracy", ">=", 75.0, "")]),
        ("10 million parameters or fewer", [("parameters", "<=", 1e7, "")]),
        ("with 25,000,000 parameters at most", [("parameters", "<=", 2.5e7, "")]),
        ("accuracy at least 0.8", [("accuracy", ">=", 80.0, "")]),
        ("I want more than 80 percent top-5 accuracy", [("top5", ">", 80.0, "")]),
        ("no larger than 1.5 GiB", [("size", "<=", 1.5 * 2**30, "")]),
        ("an error rate under 3 percent", [("error", "<", 3.0, "")]),
    ],
)
def test_limits_are_read(text, expected):
    assert read(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "find the emotion in customer reviews",
        "the 5 best models for translating 3 documents",
        "translate from English to German",
        "a 7B model",
        "recognise at least 1000 kinds of birds",
        "pictures taken between 1990 and 2000",
        "split a recording of more than 10 minutes into sentences",
        "",
    ],
)
def test_other_numbers_are_no_limits(text):
    assert parse(text) == ()


@pytest.mark.parametrize(
    ("text", "metric", "word"),
    [
        ("classify German reviews, MIT licence", "licence", "mit"),
        ("image captioning under an Apache 2.0 license", "licence", "apache"),
        ("a permissively licensed summariser", "licence", "bsd"),
        ("a classifier for French texts", "language", "french"),
        ("something that supports Polish", "language", "pl"),
        ("detect cats with pytorch", "framework", "torch"),
        ("a TensorFlow model that reads signs", "framework", "tensorflow"),
    ],
)
def test_names_are_read_where_the_phrase_says_what_they_are(text, metric, word):
    found = parse(text)
    assert [one.metric for one in found] == [metric]
    assert word in found[0].words


@pytest.mark.parametrize(
    "text",
    [
        "at most 80 % accuracy and at least 90 % accuracy",
        "under 5 million parameters, more than 5 million parameters",
        "accuracy above 90 % on ImageNet, accuracy below 80 % on ImageNet",
    ],
)
def test_contradictions_are_named(text):
    with pytest.raises(UsageError, match="nothing can satisfy both"):
        parse(text)


def test_limits_on_different_data_sets_do_not_contradict():
    assert len(parse("accuracy above 90 % on MNIST, accuracy below 80 % on ImageNet")) == 2


def test_unknown_never_satisfies_and_is_counted():
    def record(name: str, *figures: Figure) -> ApiRecord:
        return replace(PLAIN, id=name, figures=figures)

    small, large = Figure("parameters", "", 5e6), Figure("parameters", "", 5e7)
    good, poor = Figure("accuracy", "ImageNet-1k", 80.0), Figure("accuracy", "ImageNet-1k", 60.0)
    records = [
        record("both", small, good),
        record("large", large, good),
        record("silent", good),
        record("poor", small, poor),
        record("other", small, Figure("accuracy", "CIFAR-10", 99.0)),
        record("nothing"),
    ]
    applied = apply(records, parse("under 10 million parameters with at least 75 % ImageNet accuracy"))
    assert [one.id for one in applied.kept] == ["both"]
    assert applied.failed == 2
    assert applied.unknown == {"parameters": 2, "accuracy": 2}


def test_without_constraints_everything_is_kept():
    assert apply([PLAIN], ()).kept == (PLAIN,)


@pytest.mark.parametrize(
    ("constraint", "record", "answer"),
    [
        (parse("MIT licence")[0], replace(PLAIN, licence="MIT"), True),
        (parse("MIT licence")[0], replace(PLAIN, licence="GPL-3.0"), False),
        (parse("MIT licence")[0], PLAIN, None),
        (parse("a classifier for German texts")[0], replace(PLAIN, languages=("de", "en")), True),
        (parse("a classifier for German texts")[0], replace(PLAIN, languages=("en",)), False),
        (parse("use pytorch models")[0], PLAIN, True),
        (parse("use tensorflow models")[0], PLAIN, False),
        (Constraint("size", "<", 1e8), replace(PLAIN, figures=(Figure("size", "", 5e7),)), True),
        (Constraint("size", "<", 1e8), replace(PLAIN, figures=(Figure("parameters", "", 5e7),)), None),
    ],
)
def test_a_constraint_holds_fails_or_is_unknown(constraint, record, answer):
    assert constraint.holds(record) is answer
