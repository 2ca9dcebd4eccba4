"""Known, wrong argument, invented: calls against records."""

from dataclasses import replace

import pytest

from gorilla_cli.types import ApiCall, ApiRecord, Argument, Candidate, Level, RecordHit, Request, ShellCommand
from gorilla_cli.verifiers.apimatch import CallVerifier, calls_in, match, parsed

HUB = ApiRecord(
    "s:1",
    "s",
    "Classification",
    "PyTorch",
    "classify images",
    "resnet18",
    "torch.hub.load(repo_or_dir='pytorch/vision', model='resnet18', pretrained=True)",
    (Argument("repo_or_dir", required=True), Argument("model", required=True), Argument("progress", default="True")),
)
PIPE = replace(
    HUB,
    id="s:2",
    functionality="sentiment",
    api_name="acme/mood",
    api_call="pipeline('text-classification', model='acme/mood')",
    api_arguments=(Argument("model"), Argument("top_k")),
)
LOOSE = replace(HUB, id="s:3", api_call="pipeline(sentiment-analysis, model='acme/loose')", api_arguments=())
JSON = replace(
    HUB,
    id="s:4",
    api_name="json.dumps",
    api_call="json.dumps(obj, indent=None)",
    api_arguments=(Argument("obj", required=True), Argument("indent", default="None")),
)


@pytest.mark.parametrize(
    ("call", "record", "known"),
    [
        ("torch.hub.load(repo_or_dir='pytorch/vision', model='resnet18', pretrained=True)", HUB, True),
        ("torch.hub.load('pytorch/vision', 'resnet18')", HUB, True),
        ('torch.hub.load("pytorch/vision", model="resnet18", progress=False)', HUB, True),
        ("torch.hub.load('pytorch/vision', 'resnet')", HUB, False),
        ("torch.hub.load('pytorch/vision', 'fcn_resnet18')", HUB, False),
        ("hub.load('pytorch/vision', 'resnet18')", HUB, False),
        ("pipeline('text-classification', model='acme/mood', top_k=3)", PIPE, True),
        ("pipeline('token-classification', model='acme/mood')", PIPE, False),
        ('pipeline( sentiment-analysis, model="acme/loose" )', LOOSE, True),
        ("json.dumps({'a': 1}, indent=2)", JSON, True),
        ("json.dumps([1])", JSON, True),
        ("not python (", HUB, False),
        ("", HUB, False),
    ],
)
def test_function_and_values_must_be_equal(call, record, known):
    found = match(call, record)
    assert (found is not None and not found.wrong) is known


@pytest.mark.parametrize(
    ("call", "record", "wrong"),
    [
        ("torch.hub.load('pytorch/vision', 'resnet18', colour='red')", HUB, "colour"),
        ("json.dumps(indent=2)", JSON, "obj"),
        ("pipeline('text-classification', model='acme/mood', **settings)", PIPE, "**"),
    ],
)
def test_an_argument_that_does_not_fit_is_named(call, record, wrong):
    assert match(call, record).wrong.startswith(wrong)


def test_a_call_is_taken_apart():
    found = parsed("a.b(1, 'x', key=[2])")
    assert (found.function, found.values, found.named) == ("a.b", ("1", "'x'"), (("key", "[2]"),))
    assert parsed("a.b") is None
    assert parsed("(" * 10_000) is None


class Records:
    """A retriever that finds everything."""

    def search(self, query: str, k: int) -> list[RecordHit]:
        return [RecordHit(record, 1.0) for record in (HUB, PIPE, LOOSE, JSON)][:k]


def check(call: str):
    candidate = Candidate(ApiCall(call, call, "s:1"))
    return CallVerifier(Records()).check(candidate, Request("x"), ())


def test_a_known_call_is_cited():
    (finding,) = check("torch.hub.load('pytorch/vision', 'resnet18')")
    assert (finding.level, finding.cite.doc, finding.cite.token) == (Level.INFO, "s:1", "resnet18")


def test_a_wrong_argument_is_told_from_an_invented_call():
    assert [one.message for one in check("json.dumps({}, colour=1)")] == [
        "colour is not a documented argument of json.dumps"
    ]
    assert [one.message for one in check("torch.hub.load('a/b', 'c')")] == ["no record in the index has this call"]
    assert check("torch.hub.load('a/b', 'c')")[0].level is Level.CAUTION


def test_shell_commands_are_left_alone():
    assert CallVerifier(Records()).check(Candidate(ShellCommand("ls")), Request("x"), ()) == []


def test_a_call_within_a_program_is_found():
    program = "import x\n\nTEXT = 'fine'\nm = pipeline('text-classification', model='acme/mood')\nm(TEXT)\n"
    (finding,) = check(program)
    assert finding.cite.doc == PIPE.id
    (finding,) = check(program.replace("acme/mood", "acme/other"))
    assert finding.message == "no record in the index has this call"


def test_text_that_is_no_program_is_one_call():
    assert calls_in("pipeline(sentiment-analysis, model='a'") == ["pipeline(sentiment-analysis, model='a'"]
    assert calls_in("x = 1") == ["x = 1"]


class Nothing:
    """A retriever that finds nothing, as among very many records alike."""

    def search(self, query: str, k: int) -> list[RecordHit]:
        return []


def test_a_call_is_matched_with_the_record_it_says_it_is_of():
    verifier = CallVerifier(Nothing(), {HUB.id: HUB}.get)

    def complaint(call: str, record: str) -> str:
        (finding,) = verifier.check(Candidate(ApiCall(call, call, record)), Request("x"), ())
        return "" if finding.cite else finding.message

    assert complaint(HUB.api_call, HUB.id) == ""
    assert complaint(HUB.api_call, "s:other") == "no record in the index has this call"
    assert complaint(PIPE.api_call, HUB.id) == "no record in the index has this call"
    assert complaint("torch.hub.load('pytorch/vision', 'resnet18', colour=1)", HUB.id).startswith("colour")
