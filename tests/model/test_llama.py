"""The llama.cpp backend with real models: the same answers as the library's own interface, and no surprises."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from gorilla_cli.backends.decoding import in_a_loop
from gorilla_cli.backends.grammar import GrammarError, check_grammar, command_grammar
from gorilla_cli.backends.llama_context import CPU_BATCH, Aborted, build_report
from gorilla_cli.errors import GorillaError, ModelDamaged
from gorilla_cli.pipeline import Pipeline
from gorilla_cli.prompts.chat import chat_format
from gorilla_cli.types import Doc, Hit, Option, Prompt, Request, Sampling
from tests.model.conftest import CONTEXT, backend_of
from tests.test_grammar import ACCEPTED, REJECTED
from tests.unwritable import read_only_folder

pytestmark = pytest.mark.model

PREFIX = (
    "<|im_start|>system\nYou write bash commands.<|im_end|>\n"
    "<|im_start|>user\ncount the lines of app.py<|im_end|>\n"
    "<|im_start|>assistant\n```bash\nwc -l app.py\n```<|im_end|>\n"
)
OTHER_PREFIX = PREFIX.replace("bash commands", "commands for the shell bash")


def asked(text, prefix=PREFIX):
    return Prompt(prefix, f"<|im_start|>user\n{text}<|im_end|>\n<|im_start|>assistant\n```bash\n")


PROMPT = asked("list all files below src that end in .py")
GREEDY = Sampling(n=1, max_tokens=12)


def texts(generation):
    return [completion.text for completion in generation.completions]


def job(name, model, **more):
    return json.dumps({"job": name, "path": str(model.path), "sha256": model.sha256, **more})


PROCESS = [sys.executable, "-m", "tests.model.llama_process"]
ROOT = Path(__file__).parents[2]


def in_process(name, model, **more):
    done = subprocess.run(PROCESS, input=job(name, model, **more), capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


# the same as the library's own interface


def reference(model, prompt, max_tokens, stop=()):
    """What llama_cpp.Llama writes, with the settings that LlamaContext has."""
    text = prompt.prefix + prompt.rest
    return in_process("reference", model, text=text, max_tokens=max_tokens, stop=stop, context=CONTEXT, batch=CPU_BATCH)


@pytest.mark.parametrize("text", ["list all files below src that end in .py", "show the date", "größte Datei – 😀"])
def test_greedy_completions_equal_those_of_the_library(backend, model, text):
    ours = backend.generate(asked(text), replace(GREEDY, max_tokens=30))
    made = ours.completions[0]
    assert {"text": made.text, "finish": made.finish, "prompt": ours.usage.prompt} == reference(model, asked(text), 30)


def test_stops_equal_those_of_the_library(backend, model):
    stop = ("\n```", "<|im_end|>")
    ours = backend.generate(PROMPT, replace(GREEDY, max_tokens=30, stop=stop))
    theirs = reference(model, PROMPT, 30, stop)
    assert (texts(ours)[0], ours.completions[0].finish) == (theirs["text"], theirs["finish"])


# several completions


def test_the_first_of_several_is_the_only_one(backend):
    alone = backend.generate(PROMPT, GREEDY)
    several = backend.generate(PROMPT, replace(GREEDY, n=3, temperature=1.2))
    assert several.completions[0].text == alone.completions[0].text
    assert several.completions[0].finish == alone.completions[0].finish
    assert several.completions[0].mean_logprob == pytest.approx(alone.completions[0].mean_logprob, abs=0.05)


def test_the_same_seed_gives_the_same_completions(backend):
    sampling = replace(GREEDY, n=4, temperature=1.5, seed=3)
    first, again = backend.generate(PROMPT, sampling), backend.generate(PROMPT, sampling)
    assert texts(first) == texts(again)
    other = backend.generate(PROMPT, replace(sampling, seed=4))
    assert texts(other)[0] == texts(first)[0]
    assert texts(other)[1:] != texts(first)[1:]


def test_a_sampled_completion_is_the_same_alone_or_in_company(tiny):
    """Branches share one KV cache; none may see what another wrote."""
    sampling = replace(GREEDY, temperature=1.5, seed=11)
    many = texts(tiny.generate(PROMPT, replace(sampling, n=8)))
    assert texts(tiny.generate(PROMPT, replace(sampling, n=3))) == many[:3]


def test_temperature_zero_gives_one_answer(tiny):
    assert len(set(texts(tiny.generate(PROMPT, replace(GREEDY, n=4, temperature=0.0))))) == 1


# several readings of one prompt

SHOWN = "<|im_start|>user\nlist the .c files<|im_end|>\n<|im_start|>assistant\n```bash\nls *.c\n```<|im_end|>\n"
SECOND = Prompt(PREFIX, SHOWN + PROMPT.rest)
BOTH = replace(PROMPT, others=(SECOND.rest,))


def test_each_reading_has_its_own_greedy_completion(backend):
    alone = [backend.generate(prompt, GREEDY).completions[0] for prompt in (PROMPT, SECOND)]
    together = backend.generate(BOTH, replace(GREEDY, n=2)).completions
    assert [one.text for one in together] == [one.text for one in alone]
    for i in range(2):
        assert together[i].mean_logprob == pytest.approx(alone[i].mean_logprob, abs=0.05)


def test_sampled_completions_come_from_the_readings_in_turn(tiny):
    sampling = replace(GREEDY, n=6, temperature=0.0)
    first, second = (texts(tiny.generate(prompt, GREEDY))[0] for prompt in (PROMPT, SECOND))
    assert first != second
    assert texts(tiny.generate(BOTH, sampling)) == [first, second] * 3


def test_readings_share_the_prefix_and_leave_nothing_behind(tiny):
    before = texts(tiny.generate(PROMPT, replace(GREEDY, n=3, seed=5, temperature=1.2)))
    usage = tiny.generate(BOTH, replace(GREEDY, n=4, seed=5, temperature=1.2)).usage
    rest, second = tiny.count_tokens(PROMPT.rest), tiny.count_tokens(SECOND.rest)
    assert usage.prompt - usage.cached <= rest + second
    assert usage.prompt >= 2 * tiny.count_tokens(PREFIX) + rest + second
    assert texts(tiny.generate(PROMPT, replace(GREEDY, n=3, seed=5, temperature=1.2))) == before


def test_what_an_interrupt_left_in_a_sequence_does_no_harm(tiny):
    sampling = replace(GREEDY, n=2)
    clean = texts(tiny.generate(BOTH, sampling))
    context = tiny._loaded
    tokens = context.tokenize("delete everything, now and for ever, below the root")
    free = context.held.index([])
    context.evaluate(tokens, 0, free)
    assert texts(tiny.generate(BOTH, sampling)) == clean


def test_readings_that_do_not_fit_together_are_refused(tiny):
    long = "word " * (CONTEXT // 2)
    with pytest.raises(GorillaError, match="does not fit the context window"):
        tiny.generate(replace(asked(long), others=(asked(long).rest,)), GREEDY)
    assert len(tiny.generate(PROMPT, GREEDY).completions) == 1


@pytest.mark.parametrize(
    ("data", "looping"),
    [
        (b"grep -A 1" + b"0" * 100, True),
        (b"echo " + b"ab " * 40, True),
        (b"find . -name '" + b"x" * 20 + b"'", False),
        (bytes(range(65, 91)) * 10, False),
        (b"printf '%s\\n' " + b"-" * 60, False),
    ],
)
def test_a_loop_is_seen(data, looping):
    assert in_a_loop(data) is looping


# how completions end


def test_stop_strings_end_a_completion_and_are_not_in_it(tiny):
    whole = texts(tiny.generate(PROMPT, GREEDY))[0]
    stop = whole[len(whole) // 2 :][:3]
    made = tiny.generate(PROMPT, replace(GREEDY, stop=("no such text", stop))).completions[0]
    assert made.finish == "stop"
    assert made.text == whole[: whole.index(stop)]


def test_max_tokens_cuts_a_completion_off(tiny):
    whole = texts(tiny.generate(PROMPT, GREEDY))[0]
    for count in (1, 2, 5):
        made = tiny.generate(PROMPT, replace(GREEDY, n=2, max_tokens=count))
        assert made.completions[0].finish == "length"
        assert made.completions[0].tokens == count
        assert whole.startswith(made.completions[0].text)


# what is kept


def test_a_second_request_evaluates_only_what_is_new(backend):
    backend.generate(asked("first"), GREEDY)
    second = backend.generate(asked("second"), GREEDY)
    prefix = backend.count_tokens(PREFIX)
    assert prefix <= second.usage.cached < second.usage.prompt
    again = backend.generate(asked("second"), GREEDY)
    assert again.usage.cached == prefix
    assert texts(again) == texts(second)


def test_what_is_kept_changes_no_answer(tiny):
    fresh = texts(tiny.generate(PROMPT, GREEDY))
    for text in ("something else", "list all files below src that end in .c", "x"):
        tiny.generate(asked(text), replace(GREEDY, n=3))
    tiny.generate(Prompt("", "another beginning"), GREEDY)
    assert texts(tiny.generate(PROMPT, GREEDY)) == fresh


def test_a_prompt_that_goes_on_after_its_answer(tiny):
    made = texts(tiny.generate(PROMPT, GREEDY))[0]
    longer = Prompt(PROMPT.prefix, PROMPT.rest + made + "\n```<|im_end|>\n<|im_start|>user\nshorter<|im_end|>\n")
    assert tiny.generate(longer, GREEDY).usage.cached >= tiny.count_tokens(PROMPT.prefix + PROMPT.rest) - 1


@pytest.mark.parametrize("prompt", [Prompt("", "x"), Prompt(PREFIX, ""), Prompt("x", "y")])
def test_short_prompts(tiny, prompt):
    assert len(tiny.generate(prompt, GREEDY).completions) == 1


def test_an_empty_prompt_is_an_error_or_an_answer(small):
    made = in_process("generate", small, prefix="", rest="")
    assert "error" in made or "text" in made


# the prefix on disk


def test_another_process_uses_the_prefix_of_this_one(model, tmp_path):
    folder = tmp_path / "prefix"
    parts = {"prefix_dir": str(folder), "prefix": PROMPT.prefix, "rest": PROMPT.rest}
    first = in_process("generate", model, **parts, sampling={"n": 1, "max_tokens": 12})
    second = in_process("generate", model, **parts, sampling={"n": 1, "max_tokens": 12})
    assert first["cached"] == 0
    assert 0 < second["cached"] < second["prompt"]
    assert second["text"] == first["text"]


def files(folder):
    return {file.suffix: file for file in folder.iterdir()}


def flip(file):
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)


DAMAGE = {
    "a flipped bit": lambda found: flip(found[".kv"]),
    "truncated": lambda found: os.truncate(found[".kv"], found[".kv"].stat().st_size // 2),
    "empty": lambda found: os.truncate(found[".kv"], 0),
    "a few bytes": lambda found: found[".kv"].write_bytes(b"ggsq"),
    "longer": lambda found: os.truncate(found[".kv"], found[".kv"].stat().st_size + 100),
    "gone": lambda found: found[".kv"].unlink(),
    "seal gone": lambda found: found[".seal"].unlink(),
    "seal empty": lambda found: found[".seal"].write_bytes(b""),
    "seal no text": lambda found: found[".seal"].write_bytes(b"\xff\xfe"),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE.keys())
def test_a_damaged_prefix_is_ignored_and_written_again(cached, damage):
    backend, folder = cached
    whole = backend.generate(PROMPT, GREEDY)
    before = files(folder)[".kv"].read_bytes()
    backend.close()
    damage(files(folder))
    again = backend.generate(PROMPT, GREEDY)
    assert again.usage.cached == 0
    assert texts(again) == texts(whole)
    assert len(files(folder)[".kv"].read_bytes()) == len(before)
    backend.close()
    assert backend.generate(PROMPT, GREEDY).usage.cached == backend.count_tokens(PREFIX)


def test_the_state_of_another_prefix_is_ignored(cached):
    """A whole file with a right seal, only not the one that belongs there."""
    backend, folder = cached
    whole = texts(backend.generate(PROMPT, GREEDY))
    mine = files(folder)
    backend.generate(asked("x", OTHER_PREFIX), GREEDY)
    other = {file.suffix: file for file in folder.iterdir() if file not in mine.values()}
    for suffix in (".kv", ".seal"):
        shutil.copyfile(other[suffix], mine[suffix])
    again = backend.generate(PROMPT, GREEDY)
    assert again.usage.cached == 0
    assert texts(again) == whole


def test_the_state_of_another_model_is_ignored(cached, tmp_path):
    from tests.models import stored

    backend, folder = cached
    whole = texts(backend.generate(PROMPT, GREEDY))
    other = backend_of(stored("qwen2.5-coder-0.5b"), prefix_dir=tmp_path / "other")
    other.generate(PROMPT, replace(GREEDY, max_tokens=1))
    other.close()
    backend.close()
    for suffix, file in files(tmp_path / "other").items():
        shutil.copyfile(file, files(folder)[suffix])
    again = backend.generate(PROMPT, GREEDY)
    assert again.usage.cached == 0
    assert texts(again) == whole


def test_two_models_have_two_files(cached, small, tmp_path):
    backend, folder = cached
    backend.generate(PROMPT, GREEDY)
    twin = backend_of(replace(small, sha256="0" * 64), prefix_dir=folder)
    assert twin.generate(PROMPT, GREEDY).usage.cached == 0
    twin.close()
    assert len(list(folder.glob("*.kv"))) == 2


def test_old_prefixes_are_removed(cached):
    backend, folder = cached
    for i in range(9):
        backend.generate(asked("x", PREFIX.replace("count", f"count {i}")), replace(GREEDY, max_tokens=1))
    assert len(list(folder.glob("*.kv"))) == len(list(folder.glob("*.seal"))) == 6
    assert not list(folder.glob("*.tmp"))


def test_a_cache_that_cannot_be_written_only_costs_time(small, tmp_path):
    (tmp_path / "file").write_text("")
    backend = backend_of(small, prefix_dir=tmp_path / "file" / "prefix")
    first = backend.generate(PROMPT, GREEDY)
    backend.close()
    assert texts(backend.generate(PROMPT, GREEDY)) == texts(first)
    backend.close()


def test_a_read_only_cache_only_costs_time(small):
    backend = backend_of(small)
    backend.load()
    with read_only_folder() as folder:
        backend._options = replace(backend._options, prefix_dir=folder)
        made = backend.generate(PROMPT, GREEDY)
        backend.generate(asked("x", OTHER_PREFIX), GREEDY)
        assert texts(backend.generate(PROMPT, GREEDY)) == texts(made)
        assert list(folder.iterdir()) == []
    backend.close()


# grammars

OPTIONS = {"find": ["-name", "-type", "-size", "-mtime"], "sort": ["-n", "-r", "--unique"]}


def test_a_grammar_leaves_no_other_option(backend):
    grammar = command_grammar(OPTIONS)
    allowed = {option for options in OPTIONS.values() for option in options}
    seen = set()
    for seed, text in enumerate(["find big files", "sort names without duplicates"]):
        sampling = Sampling(n=3, temperature=1.5, seed=seed, max_tokens=20, grammar=grammar)
        for completion in backend.generate(asked(text), sampling).completions:
            assert re.match(r"(find|sort)( |$)", completion.text + " "[: completion.finish == "stop"])
            bare = re.sub(r"'[^']*('|$)|\"(\\.|[^\"\\])*(\"|$)|\\.", "Q", completion.text)
            bare = bare.rsplit(" ", 1)[0] if completion.finish == "length" else bare
            seen |= set(re.findall(r"(?<= )-[^\s=]*?(?==|\d*(?: |$))", bare))
    assert seen
    assert seen <= allowed


def test_a_grammar_can_be_ended(tiny):
    made = tiny.generate(PROMPT, Sampling(n=1, max_tokens=20, grammar='root ::= "ls" (" -a" | " -l")'))
    assert texts(made)[0] in ("ls -a", "ls -l")
    assert made.completions[0].finish == "stop"


@pytest.mark.parametrize("text", [text for text, _ in REJECTED.values() if text])
def test_a_bad_grammar_never_reaches_llama_cpp(tiny, text):
    with pytest.raises(GrammarError):
        tiny.generate(PROMPT, replace(GREEDY, grammar=text))


def test_a_bad_grammar_in_a_process_of_its_own(small):
    sampling = {"n": 1, "grammar": "root ::= undefined"}
    assert in_process("generate", small, prefix="", rest="x", sampling=sampling) == {"error": "GrammarError"}


def _random_grammars(count):
    draw = random.Random(5)
    pieces = ["a", "b", '"x"', '"y"', '"\\n"', "[0-9]", '[^"\\\\]', "(", ")", "|", "?", "*", "+", '""']
    for _ in range(count):
        bodies = [" ".join(draw.choices(pieces, k=draw.randint(1, 7))) for _ in range(3)]
        yield "root ::= {}\na ::= {}\nb ::= {}\n".format(*bodies)


def _accepted(text):
    try:
        check_grammar(text)
    except GrammarError:
        return False
    return True


def test_llama_cpp_takes_every_grammar_that_the_check_accepts(small):
    odd = {'a"b': ["--\\", '-"', "-]", "-é😀", "--\n"], "": ["-\ud800"]}
    texts = [*ACCEPTED.values(), command_grammar(OPTIONS), command_grammar(odd)]
    texts += [text for text in _random_grammars(30_000) if _accepted(text)]
    assert len(texts) > 300
    assert all(in_process("grammars", small, texts=texts)["taken"])


# interrupts, limits, damage


@pytest.mark.parametrize("name", ["qwen2.5-coder-0.5b"])
def test_an_interrupt_stops_a_long_prompt(name):
    from tests.models import stored

    model = stored(name)
    long = " ".join(f"word{i}" for i in range(1000))
    arguments = job("interrupt", model, context=4096, long=long, short=PROMPT.prefix + PROMPT.rest)
    child = subprocess.Popen(PROCESS, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    with child:
        child.stdin.write(arguments)
        child.stdin.close()
        assert child.stdout.readline() == "started\n"
        time.sleep(0.5)
        child.send_signal(signal.SIGINT)
        found = json.loads(child.stdout.read())
    assert found["interrupted"]
    assert len(found["at"]) == 1
    assert found["after"] - found["at"][0] <= 2 * CPU_BATCH
    backend = backend_of(model, context_window=4096)
    assert found["after"] < backend.count_tokens(long)
    assert found["short"] == texts(backend.generate(PROMPT, replace(GREEDY, max_tokens=16)))[0]
    backend.close()


def test_the_abort_flag(tiny):
    tiny.load()
    context = tiny._loaded
    tokens = context.tokenize("one two three")
    context.trim(0, 0)
    context.abort.set()
    with pytest.raises(Aborted):
        context.evaluate(tokens, 0)
    context.abort.clear()
    context.trim(0, 0)
    context.evaluate(tokens, 0)
    context.trim(0, 0)
    assert tiny.generate(PROMPT, GREEDY).completions


def test_a_prompt_beyond_the_context_window(tiny):
    with pytest.raises(GorillaError, match=f"does not fit the context window of {CONTEXT} tokens") as caught:
        tiny.generate(asked("word " * 2000), GREEDY)
    assert "context_window" in caught.value.hint
    assert len(tiny.generate(PROMPT, GREEDY).completions) == 1


@pytest.mark.parametrize("n", [1, 4])
def test_completions_end_where_the_context_window_ends(tiny, n):
    """Several completions share the window: whoever fills it, all end, none fails."""
    words = CONTEXT - 40 - tiny.count_tokens(PROMPT.prefix + PROMPT.rest)
    prompt = asked("list all files" + " a" * words)
    made = tiny.generate(prompt, Sampling(n=n, temperature=2.0, max_tokens=200))
    assert len(made.completions) == n
    assert made.usage.prompt + max(completion.tokens for completion in made.completions) <= CONTEXT + 1
    assert len(tiny.generate(PROMPT, GREEDY).completions) == 1


@pytest.mark.parametrize("part", [0.9, 0.5, 0.01])
def test_a_truncated_model_is_damaged(small, tmp_path, part):
    file = tmp_path / "model.gguf"
    with small.path.open("rb") as whole:
        file.write_bytes(whole.read(int(small.size * part)))
    with pytest.raises(ModelDamaged, match="llama.cpp cannot load model.gguf") as caught:
        backend_of(replace(small, path=file)).load()
    assert "\n" not in str(caught.value)


def test_a_path_that_is_no_text(small, tmp_path):
    file = tmp_path / "mod\udcff.gguf"
    file.symlink_to(small.path)
    backend = backend_of(replace(small, path=file), prefix_dir=tmp_path / "caf\udce9")
    backend.generate(PROMPT, GREEDY)
    assert len(list((tmp_path / "caf\udce9").glob("*.kv"))) == 1
    backend.close()


def test_llama_cpp_says_nothing(small, tmp_path, capfd):
    backend = backend_of(small, prefix_dir=tmp_path / "prefix")
    backend.generate(PROMPT, replace(GREEDY, n=3, grammar=command_grammar(OPTIONS)))
    backend.generate(asked("again"), GREEDY)
    with pytest.raises(GorillaError):
        backend.generate(asked("word " * 2000), GREEDY)
    backend.close()
    (tmp_path / "bad.gguf").write_bytes(b"GGUF\3\0\0\0")
    with pytest.raises(ModelDamaged):
        backend_of(replace(small, path=tmp_path / "bad.gguf")).load()
    build_report()
    assert capfd.readouterr() == ("", "")


def test_a_closed_backend_loads_again(small):
    backend = backend_of(small)
    first = texts(backend.generate(PROMPT, GREEDY))
    backend.close()
    backend.close()
    assert texts(backend.generate(PROMPT, GREEDY)) == first
    backend.close()


def test_the_build_report():
    report = build_report()
    assert report["version"].count(".") == 2
    assert "CPU" in report["devices"]


# from a request to a command


class Manual:
    """Documents of find and tar."""

    docs = [
        Doc("man:find(1)", "man", "find", "find(1)", "search for files in a directory hierarchy",
            options=(Option(("-name",), "pattern", "base of file name matches"), Option(("-size",), "n", "file size"))),
        Doc("man:tar(1)", "man", "tar", "tar(1)", "an archiving utility",
            options=(Option(("-c", "--create"), "", "create a new archive"),)),
    ]  # fmt: skip

    def search(self, query, k):
        return [Hit(self.docs[0], 80.0), Hit(self.docs[1], 10.0)][:k]

    def examples(self, query, k):
        return []

    def manual(self, program):
        return [doc for doc in self.docs if doc.program == program]


def test_from_a_request_to_a_command(tmp_path):
    from tests.models import stored

    backend = backend_of(stored("qwen2.5-coder-0.5b"), context_window=2048, prefix_dir=tmp_path)
    pipeline = Pipeline(backend, Manual(), Manual(), [], chat_format("chatml"))
    proposal = pipeline.propose(Request("find all files below /var that are bigger than 100 MB"), Sampling())
    assert "find" in proposal.candidates[0].action.command
    assert proposal.usage.generated > 0
    assert proposal.timings.prompt > 0
    backend.close()


# weighing options


CHOICES = ("find . -name '*.py'", "ls", "the moon is made of cheese, they say", "sort -n data.txt | head", "l")


def one_by_one(backend, prompt, options):
    return [backend.weigh(prompt, [option]).logprobs[0][0] for option in options]


def test_options_weigh_the_same_alone_and_together(tiny):
    together = tiny.weigh(PROMPT, CHOICES).logprobs[0]
    assert together == pytest.approx(one_by_one(tiny, PROMPT, CHOICES), abs=0.2)
    assert all(value < 0 for value in together)
    assert together[1] > together[2]


def test_the_weight_of_an_option_is_the_sum_over_its_tokens(tiny):
    """The greedy completion weighs what its tokens did when it was written."""
    made = tiny.generate(PROMPT, replace(GREEDY, max_tokens=6, stop=()))
    completion = made.completions[0]
    (weight,) = tiny.weigh(PROMPT, [completion.text]).logprobs[0]
    assert weight == pytest.approx(completion.mean_logprob * completion.tokens, abs=0.2)


def test_many_and_long_options_fit(tiny):
    options = [f"option number {i} " + "word " * (i % 40) for i in range(60)]
    logprobs = tiny.weigh(PROMPT, options).logprobs[0]
    assert len(logprobs) == 60
    assert logprobs[39] == pytest.approx(one_by_one(tiny, PROMPT, [options[39]])[0], abs=0.5)


def test_each_reading_weighs_the_options(tiny):
    both = tiny.weigh(BOTH, ["yes", "no"])
    assert len(both.logprobs) == 2
    assert both.logprobs[0] == pytest.approx(
        tiny.weigh(Prompt(BOTH.prefix, BOTH.rest), ["yes", "no"]).logprobs[0], abs=0.1
    )
    assert both.usage.generated == 0


def test_weighing_leaves_the_next_answer_as_it_was(tiny):
    fresh = texts(tiny.generate(PROMPT, GREEDY))
    tiny.weigh(asked("which one"), CHOICES)
    assert texts(tiny.generate(PROMPT, GREEDY)) == fresh


def test_an_empty_option_is_refused(tiny):
    with pytest.raises(GorillaError, match="empty"):
        tiny.weigh(PROMPT, ["a", ""])
