"""The strict rules: one small table per hub, and answers that are, or only look like, calls of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gorilla_cli.bench.apicalls import (
    LONGEST_TEXT,
    RULES,
    Call,
    Judged,
    calls_of,
    judge,
    section,
    split_arguments,
    table_of,
    unescape,
    value_of,
)

DATA = Path(__file__).parent.parent.parent / "shared" / "data" / "apibench"

TORCH = {
    "short": "torch.hub.load(repo_or_dir='acme/nets', model='resnet50', pretrained=True)",
    "long": "torch.hub.load(repo_or_dir='acme/nets', model='fcn_resnet50', pretrained=True)",
    "tagged": "torch.hub.load(repo_or_dir='acme/zoo:hub', model='dcgan', useGPU=use_gpu)",
    "bare": "torch.hub.load(repo_or_dir='acme/speech')",
    "full": "torch.hub.load(repo_or_dir='acme/speech', model='reader.large', pretrained=True)",
    "entry": "torch.hub.load(repo_or_dir='acme/meal', 'entry', model='b0', pretrained=True)",
}
TENSOR = {
    "load": "hub.load('https://hub.example/sight/1')",
    "layer": 'hub.KerasLayer("https://hub.example/sight/1")',
    "nested": "tf.keras.Sequential([hub.KerasLayer('https://hub.example/deep/2')])",
    "placeholder": "tf.keras.Sequential([hub.KerasLayer(model_id)])",
}
FACE = {
    "model": "AutoModel.from_pretrained('acme/tiny')",
    "task": "pipeline('fill-mask', model='acme/tiny')",
    "pair": "pipeline('fill-mask', model='acme/tiny', tokenizer='acme/words')",
    "flagged": "AutoModelForCausalLM.from_pretrained('acme/coder', trust_remote_code=True, cache_dir='here')",
    "inner": "pipeline('asr', model=Wav.from_pretrained('acme/wav'))",
    "unquoted": "Captioner.from_pretrained(acme/blip-large)",
    "empty": "PunctuationModel()",
    "dotted": "CLIPModel.from_pretrained('acme/clip').",
    "command": "load-from-hub --repo-id='acme/soccer'",
}
HUBS = {"torchhub": TORCH, "tensorflowhub": TENSOR, "huggingface": FACE}
TABLES = {hub: table_of(hub, [(call, name) for name, call in calls.items()]) for hub, calls in HUBS.items()}


def found(hub, answer):
    """The name of the table's call that is in the answer, "" when none is."""
    known = TABLES[hub].of_text(answer)
    return "" if known is None else "+".join(sorted(known.domains))


@pytest.mark.parametrize(("hub", "name"), [(hub, name) for hub, calls in HUBS.items() for name in calls])
def test_a_call_of_the_table_is_itself(hub, name):
    assert found(hub, HUBS[hub][name]) == name


@pytest.mark.parametrize(
    ("answer", "name"),
    [
        ("torch.hub.load('acme/nets', 'resnet50', pretrained=True)", "short"),
        ("torch.hub.load('acme/nets', model='resnet50', pretrained=False, force_reload=True)", "short"),
        ("torch.hub.load(model='resnet50', repo_or_dir='acme/nets')", "short"),
        ("torch.hub.load('acme/nets:v0.10.0', 'resnet50')", "short"),
        ("torch.hub.load('acme/zoo', 'dcgan')", "tagged"),
        ("torch.hub.load('acme/zoo:other', 'dcgan')", "tagged"),
        ("torch.hub.load('acme/nets', 'fcn_resnet50')", "long"),
        ("torch.hub.load('acme/nets', 'resnet')", ""),
        ("torch.hub.load('acme/nets', 'resnet50_2')", ""),
        ("torch.hub.load('acme/nets')", ""),
        ("torch.hub.load('other/nets', 'resnet50')", ""),
        ("torch.hub.load('resnet50', 'acme/nets')", ""),
        ("torch.hub.load('other/nets', 'acme/nets', 'resnet50')", ""),
        ("torch.hub.load('acme/nets', 'resnet50', model='fcn_resnet50')", "long"),
        ("torch.hub.fetch('acme/nets', 'resnet50')", ""),
        ("hub.load('acme/nets', 'resnet50')", ""),
        ("mytorch.hub.load('acme/nets', 'resnet50')", ""),
        ("torch.hub.load('acme/speech', 'reader.large')", "full"),
        ("torch.hub.load('acme/speech', 'reader.small', tokenizer='moses')", "bare"),
        ("torch.hub.load('acme/meal', 'entry', 'b0')", "entry"),
        ("torch.hub.load('acme/meal', 'entry', model='b0')", "entry"),
        ("torch.hub.load('acme/meal', 'entry')", ""),
        ("torch.hub.load('acme/nets', 'resnet50', **{'topN': 6})", "short"),
        ("torch.hub.load(repo, 'resnet50')", ""),
        ("torch.hub.load('acme/nets', 'resnet50'", ""),
        ("torch.hub.load('acme/nets', 'resnet50'])", ""),
        ("no call at all", ""),
        ("", ""),
    ],
)
def test_torchhub_wants_repository_and_model(answer, name):
    assert found("torchhub", answer) == name


@pytest.mark.parametrize(
    ("answer", "name"),
    [
        ("hub.load('https://hub.example/sight/1')", "load"),
        ("m = hub.KerasLayer('https://hub.example/sight/1', input_shape=[224, 224, 3], trainable=False)", "layer"),
        ("hub.KerasLayer(handle='https://hub.example/sight/1')", "layer"),
        ("hub.load('https://hub.example/sight/11')", ""),
        ("hub.load('https://hub.example/sight')", ""),
        ("hub.load(model_id)", ""),
        ("tf.keras.Sequential([hub.KerasLayer( 'https://hub.example/deep/2' )])", "nested"),
        ("tf.keras.Sequential([hub.KerasLayer('https://hub.example/sight/1', trainable=False), Dense(3)])", "layer"),
        ("tf.keras.Sequential([hub.Invented(num_classes)])", ""),
    ],
)
def test_tensorflowhub_wants_the_handle(answer, name):
    assert found("tensorflowhub", answer) == name


@pytest.mark.parametrize(
    ("answer", "name"),
    [
        ("AutoModel.from_pretrained('acme/tiny', cache_dir='x')", "model"),
        ("AutoModel.from_pretrained('acme/tinybert')", ""),
        ("AutoModelForX.from_pretrained('acme/tiny')", ""),
        ("pipeline('fill-mask', model='acme/tiny', device=0)", "task"),
        ("pipeline(task='fill-mask', model='acme/tiny')", "task"),
        ("pipeline('fill-mask', 'acme/tiny')", "task"),
        ("pipeline('fill-mask', tokenizer='acme/tiny')", ""),
        ("pipeline('fill-mask', 'acme/tiny', model='acme/other')", ""),
        ("pipeline('fill-mask', tokenizer='acme/words', model='acme/tiny')", "pair"),
        ("AutoModelForCausalLM.from_pretrained('acme/coder')", "flagged"),
        ("pipeline('asr', model=Wav.from_pretrained( 'acme/wav' ))", "inner"),
        ("pipeline('asr', model='acme/wav')", ""),
        ("Captioner.from_pretrained('acme/blip-large')", "unquoted"),
        ("AutoModel.from_pretrained(acme/tiny)", ""),
        ("PunctuationModel(language='en')", "empty"),
        ("run: load-from-hub   --repo-id='acme/soccer' now", "command"),
        ("load-from-hub --repo-id=acme/soccer", ""),
    ],
)
def test_huggingface_wants_the_literals(answer, name):
    assert found("huggingface", answer) == name


@pytest.mark.parametrize(
    ("raw", "plain"),
    [
        (r"load(\'a\')", "load('a')"),
        (r"load(\\\'a\\\')", "load('a')"),
        (r"load(\"a\")", 'load("a")'),
        (r"one\ntwo\\nthree", "one\ntwo\nthree"),
        ("load('a')", "load('a')"),
    ],
)
def test_escapes_are_taken_off_however_many_there_are(raw, plain):
    assert unescape(raw) == plain


@pytest.mark.parametrize("depth", range(4))
def test_a_call_is_found_behind_escaped_quotes(depth):
    quoted = "\\" * depth + "'"
    answer = f"{{'api_call': {quoted}m = torch.hub.load({quoted}acme/nets{quoted}, {quoted}resnet50{quoted}){quoted}, "
    assert found("torchhub", answer) == "short"


@pytest.mark.parametrize(
    ("answer", "names"),
    [
        ("<<<api_call>>>: f(1), <<<api_provider>>>: X <<<code>>>: g(2)", ["f"]),
        ("'api_call': \"m = a.f(1)\", 'api_provider': 'X'", ["a.f"]),
        ("api_call: none, api_provider: X, code: g(2)", ["g"]),
        ("first f(g(1)), then h(2)", ["f", "g", "h"]),
        ("f(') not closed\n') g(1)", ["g"]),
        ("f('it\\'s')", ["f"]),
        ("f(a='x)y', b=[1, (2, 3)])", ["f"]),
        ("f(1 2) g()", ["g"]),
    ],
)
def test_calls_are_read_from_where_the_answer_puts_them(answer, names):
    assert [call.function for call in calls_of(answer)] == names


def test_a_call_is_read_one_argument_at_a_time():
    assert calls_of("a.f(x='1', 'two', y = z, k=3, go=True, **{'n': 6})") == [
        Call(
            "a.f",
            (("x", "'1'"), ("", "'two'"), ("k", "3"), ("", "{'n': 6}")),
            ("x='1'", "'two'", "y = z", "k=3", "go=True", "**{'n': 6}"),
        )
    ]


@pytest.mark.parametrize(
    ("inside", "pieces"),
    [
        ("", []),
        ("a, b", ["a", " b"]),
        ("f(a, b), [c, d], {e: 1, f: 2}", ["f(a, b)", " [c, d]", " {e: 1, f: 2}"]),
        ("'a, b', \"c, d\"", ["'a, b'", ' "c, d"']),
        ("a,", ["a"]),
    ],
)
def test_arguments_end_at_commas_outside_brackets_and_quotes(inside, pieces):
    assert split_arguments(inside) == pieces


@pytest.mark.parametrize(
    ("source", "value"),
    [
        (' "a" ', "'a'"),
        ("3", "3"),
        ("True", ""),
        ("None", ""),
        ("torch.float16", ""),
        ("name", ""),
        ("acme/tiny-1.5b", "acme/tiny-1.5b"),
        ('[f( "x" )]', "[f('x')]"),
        ("a b", None),
        ("'", None),
        (r"'\d'", r"'\\d'"),
        ("(" * 500 + ")" * 500, None),
        ("x" + ".y" * 4000 + "[1]", None),
    ],
)
def test_a_value_has_one_spelling(source, value):
    assert value_of(source) == value


TWO_DOMAINS = table_of(
    "tensorflowhub", [("hub.load('a/1')", "sight"), ("hub.load('a/1')", "sound"), ("hub.load('b/1')", "sight")]
)


@pytest.mark.parametrize(
    ("answer", "domain", "judged"),
    [
        ("hub.load('a/1', tags=[])", "sight", Judged("correct", True, "hub.load('a/1')")),
        ("hub.load('b/1')", "sight", Judged("correct", False, "hub.load('b/1')")),
        ("hub.load('b/1')", "sound", Judged("error", False, "hub.load('b/1')")),
        ("hub.load('c/1')", "sight", Judged("hallucination", False, "")),
        ("hub.load('c/1') or hub.load('b/1')", "sight", Judged("correct", False, "hub.load('b/1')")),
        ("I cannot help with that", "sight", Judged("hallucination", False, "")),
    ],
)
def test_an_answer_is_correct_an_error_or_a_hallucination(answer, domain, judged):
    assert judge(TWO_DOMAINS, answer, "hub.load('a/1')", domain) == judged


def test_a_call_with_records_in_two_domains_is_in_both():
    outcomes = {domain: judge(TWO_DOMAINS, "hub.load('a/1')", "hub.load('b/1')", domain).outcome for domain in "xy"}
    both = {judge(TWO_DOMAINS, "hub.load('a/1')", "hub.load('b/1')", domain).outcome for domain in ("sight", "sound")}
    assert (set(outcomes.values()), both) == ({"error"}, {"correct"})


def test_optional_arguments_of_the_reference_do_not_count():
    answer = "AutoModelForCausalLM.from_pretrained('acme/coder')"
    reference = "AutoModelForCausalLM.from_pretrained('acme/coder', use_auth_token='SECRET', torch_dtype=torch.float16)"
    assert judge(TABLES["huggingface"], answer, reference, "flagged").exact


def test_what_is_beyond_the_limit_is_not_read():
    call = TORCH["short"]
    assert (found("torchhub", call + " " * LONGEST_TEXT), found("torchhub", " " * LONGEST_TEXT + call)) == ("short", "")


SHORT = "f(g['(\"\\\n ,=)]}*a/b-1:"


@given(text=st.text() | st.text(st.sampled_from(SHORT)), hub=st.sampled_from(sorted(RULES)))
def test_every_text_can_be_judged(text, hub):
    assert judge(TABLES[hub], text, text, "x").outcome in ("correct", "error", "hallucination")


@given(text=st.text(st.sampled_from(SHORT + "n")))
def test_unescaping_twice_is_unescaping_once_or_less(text):
    once = unescape(text)
    assert len(unescape(once)) <= len(once) <= len(text)


@given(st.text(st.sampled_from("ab (),'[]")))
def test_the_arguments_are_pieces_of_the_inside(inside):
    pieces = split_arguments(inside)
    assert all(piece in inside for piece in pieces)
    assert sum(map(len, pieces)) <= len(inside)


def test_the_section_ends_where_the_provider_begins():
    assert section("x api_call: f(1) api_provider: y api_call: g()") == ": f(1) "


@pytest.mark.parametrize("hub", sorted(RULES))
def test_each_record_of_apibench_is_known_as_itself(hub):
    file = DATA / f"{hub}_api.jsonl"
    if not file.exists():
        pytest.skip("APIBench's records are not beside the checkout")
    records = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    rows = [(record["api_call"], record["domain"]) for record in records]
    table = table_of(hub, rows)
    unlike = [call for call, domain in rows if not judge(table, call, call, domain).exact]
    assert (len(rows), unlike) == ({"torchhub": 94, "tensorflowhub": 696, "huggingface": 936}[hub], [])
