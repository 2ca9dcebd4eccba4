"""Whatever JSON comes in: no exception but WrongRow, no control character out, and a written record reads the same."""

from __future__ import annotations

import json
import math

from hypothesis import example, given
from hypothesis import strategies as st

from gorilla_cli.sanitise import CONTROL
from gorilla_cli.sources.figures import figures
from gorilla_cli.sources.record_rows import rows
from gorilla_cli.sources.records import WrongRow, from_row, merged, to_row

WORDS = st.sampled_from(
    [
        "N/A",
        "accuracy",
        "Top-1: 76.1%",
        "8M params",
        "x: int, default 3",
        "pip install a, b",
        "import x.y",
        "None",
        "a (b)",
    ]
    + [
        "import",
        "from z",
        ">=2",
        "1.0",
        "\x1b\u202e",
        "\u2028\r\n\t",
        "'q'",
        "[",
        ")",
        "e9",
        "mAP@0.5",
        "45 MB",
        ",;",
        "\ud800",
    ]
)
TEXT = st.lists(WORDS | st.text(max_size=8), max_size=5).map(" ".join)
KEYS = st.sampled_from(
    ["dataset", "accuracy", "name", "type", "default", "required", "top-1", "top-5", "params", "library"]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS | TEXT, inner, max_size=4),
    max_leaves=12,
)
TEXTS = ["domain", "framework", "functionality", "api_name", "description", "licence", "languages"]
FREE = ["api_arguments", "python_environment_requirements", "example_code", "performance"]
OPTIONAL = (
    {key: TEXT | st.none() for key in TEXTS} | {key: JSON for key in FREE} | {"requests": st.lists(TEXT, max_size=3)}
)
ROW = st.fixed_dictionaries({"api_call": TEXT.map("f({})".format)}, optional=OPTIONAL)


def read(row):
    try:
        return from_row(row, "records:x")
    except WrongRow as error:
        assert ":" in str(error)
        return None


def strings(value):
    if isinstance(value, str):
        yield value
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from strings(item)


@given(ROW)
@example({"api_call": "f()", "performance": {"\x1b": 0, "N/A _": False, "name": 1e30, "x": math.nan}})
@example({"api_call": "f()", "performance": {"params": None, "\ud800 N/A": 0}})
def test_a_written_record_reads_the_same(row):
    record = read(row)
    if record is not None:
        written = to_row(record)
        assert not any(CONTROL.search(text) for text in strings(written))
        assert from_row(json.loads(json.dumps(written)), "records:x") == record


@given(ROW, ROW)
def test_a_merged_record_reads_the_same(one, other):
    parts = [record for record in (read(one), read(other | {"api_call": one["api_call"]})) if record]
    if parts:
        record = merged(parts)
        assert from_row(to_row(record), "records:x") == record


@given(st.dictionaries(st.sampled_from([*TEXTS, *FREE, "api_call", "user_name", "questions", "url", "figures"]), JSON))
def test_any_object_is_a_record_or_a_wrong_row(row):
    read(row)


@given(JSON, TEXT)
def test_figures_are_finite_and_shares_are_shares(performance, description):
    for figure in figures(performance, description):
        assert math.isfinite(figure.value)
        assert figure.metric and figure.metric != "?"
        assert 0 <= figure.value <= 100 or figure.metric not in ("accuracy", "top5", "F1", "mAP", "error")


@given(
    st.lists(st.sampled_from([b"[", b"]", b"{}", b",", b"\n", b'"', b"1", b"\xff", b"\xef\xbb\xbf", b" "]), max_size=12)
)
def test_any_bytes_are_rows(tmp_path_factory, pieces):
    file = tmp_path_factory.getbasetemp() / "rows"
    file.write_bytes(b"".join(pieces))
    lines = [row.line for row in rows(file)]
    assert lines == sorted(lines)
