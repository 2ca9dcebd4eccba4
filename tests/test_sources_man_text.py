"""From the text of a page to sections, options and examples; mandoc's HTML to that text."""

from __future__ import annotations

import textwrap

import pytest

from gorilla_cli.sources import man_examples, man_html, man_options, man_text
from gorilla_cli.types import Example, Option


def page(body: str, title: str = "OPTIONS") -> list[man_text.Section]:
    return man_text.sections(f"X(1)   General   X(1)\n\n{title}\n" + textwrap.indent(textwrap.dedent(body), " " * 7))


def options(body: str, title: str = "OPTIONS") -> list[Option]:
    return man_options.described(page(body, title))


TEXT = "what it does"


@pytest.mark.parametrize(
    ("tag", "names", "argument"),
    [
        ("-a", "-a", ""),
        ("-n, --lines=[-]NUM", "-n --lines", "[-]NUM"),
        ("-o file", "-o", "file"),
        ("--color[=WHEN]", "--color", "[WHEN]"),
        ("--color[=WHEN], --colour[=WHEN]", "--color --colour", "[WHEN]"),
        ("-type c", "-type", "c"),
        ("-mtime n", "-mtime", "n"),
        ("-size n[cwbkMG]", "-size", "n[cwbkMG]"),
        ("-exec command ;", "-exec", "command ;"),
        ("+offset", "+offset", ""),
        ("+[num]", "+", "[num]"),
        ("-vf filtergraph (output)", "-vf", "filtergraph"),
        ("-c[:stream_specifier] codec (input/output,per-stream)", "-c", "codec"),
        ("-a|--all", "-a --all", ""),
        ("[-a|--all]", "-a --all", ""),
        ("-h | --help", "-h --help", ""),
        ("-a --ascii", "-a --ascii", ""),
        ("-S .suf   --suffix .suf", "-S --suffix", ".suf"),
        ("--raw-output / -r:", "--raw-output -r", ""),
        ("-s or --silent", "-s --silent", ""),
        ("--[no-]verify", "--verify --no-verify", ""),
        ("-[no]warn", "-warn -nowarn", ""),
        ("-NUM, -C NUM, --context=NUM", "-NUM -C --context", "NUM"),
        ("-<number>, -n <number>, --max-count=<number>", "-NUM -n --max-count", "number"),
        ("-U<n>, --unified=<n>", "-U --unified", "n"),
        ("-i[SUFFIX], --in-place[=SUFFIX]", "-i --in-place", "[SUFFIX]"),
        ("-S[<keyid>], --gpg-sign[=<keyid>]", "-S --gpg-sign", "[keyid]"),
        ("-f ARCHIVE, --file=ARCHIVE", "-f --file", "ARCHIVE"),
        ("-t, --type=", "-t --type", "VALUE"),
        ('--cidfile=""', "--cidfile", "VALUE"),
        ("-a, --attach=[]", "-a --attach", "VALUE"),
        ("--cpu-count=0", "--cpu-count", "N"),
        ("-d, --detach=true|false", "-d --detach", "[true|false]"),
        ("--sort=[FIELD,...]", "--sort", "FIELD,..."),
        ("-F, --form <name=content>", "-F --form", "name=content"),
        ("-D [bind_address:]port", "-D", "[bind_address:]port"),
        ("-c[color][={always|auto|never}]", "-c -color", "[{always|auto|never}]"),
        ("-Ldirectory / -L directory", "-L", "directory"),
        ("-0, --null", "-0 --null", ""),
        ("-#, --progress-bar", "-# --progress-bar", ""),
        ("--http1.1", "--http1.1", ""),
        ("-1 ... -9", "-1 -2 -3 -4 -5 -6 -7 -8 -9", ""),
        ("-1 (or --fast) to -9 (or --best)", "-1 -2 -3 -4 -5 -6 -7 -8 -9", ""),
        ("if=FILE", "if=", "FILE"),
        ("seek=N (or oseek=N)", "seek=", "N"),
        ("EXPRESSION1 -a EXPRESSION2", "-a", ""),
        ("[!] -p, --protocol protocol", "-p --protocol", "protocol"),
    ],
)
def test_a_tag_is_read(tag, names, argument):
    assert options(f"{tag}\n       {TEXT}") == [Option(tuple(names.split()), argument, TEXT)]


@pytest.mark.parametrize(
    "line",
    [
        "-a is the option that does most of the work here.",
        "-name and -path.",
        "-rw-r--r-- 1 root root 12 a.txt b.txt c.txt",
        "- an item of a list",
        "-- ends the options",
        "---",
        "-500",
        "-all,+http",
        "+offset or -offset",
        "words without a dash",
        "NAME=value",
        "https://example.org/a?b=C",
        "name=value",
        "bs=",
    ],
)
def test_prose_is_no_tag(line):
    assert options(f"{line}\n       {TEXT}") == []


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("-A     first\n\n-B     second", [("-A", "first"), ("-B", "second")]),
        (
            "--help display this help and exit\n\n-v\n       loud",
            [("--help", "display this help and exit"), ("-v", "loud")],
        ),
        ("-force Don't stop ever.\n\n       At all.", [("-force", "Don't stop ever. At all.")]),
        ("-n\n\n       after a blank line", [("-n", "after a blank line")]),
        ("-a\n--all\n       shared", [("-a --all", "shared")]),
        ("-a\n\n--all\n       shared", [("-a --all", "shared")]),
        ('-a, --attach="" Attach to it', [("-a --attach", "Attach to it")]),
        ("-x\n-y\n\nnot deeper, so no description", []),
        ("-l\n       a list\n\n       -500\n              no option in it", [("-l", "a list -500 no option in it")]),
        ("\u2022   --tab:\n\n    Use tabs.", [("--tab", "Use tabs.")]),
        ("seek=N (or oseek=N) skip blocks", [("seek=", "skip blocks")]),
        ("-a\n       one\n\n-a\n       again", [("-a", "one")]),
        ("+n      for greater than n,\n\n-n      for less than n,", []),
        ("-v       loud\n         and louder\n-q       quiet", [("-v", "loud and louder"), ("-q", "quiet")]),
    ],
)
def test_descriptions_are_found_where_they_stand(body, expected):
    assert [(" ".join(option.names), option.description) for option in options(body)] == expected


def test_what_takes_no_argument_stands_alone():
    found = options(
        """\
        --author=<name>, --no-author
               who wrote it
        -C, --check=quiet
               small words behind the sign are the words themselves
        --size=SIZE
               as the capitals here say
        """
    )
    assert [(option.names, option.argument) for option in found] == [
        (("--author",), "name"),
        (("--no-author",), ""),
        (("--check",), "quiet"),
        (("-C",), ""),
        (("--size",), "SIZE"),
    ]


def test_a_name_with_and_without_argument_has_an_optional_one():
    found = options("-c, --check, --check=first\n       look\n--size=SIZE\n       n")
    assert found[0] == Option(("--check",), "[first]", "look")


@pytest.mark.parametrize("title", ["EXAMPLES", "SEE ALSO", "ENVIRONMENT", "FILES", "AUTHOR"])
def test_sections_that_describe_no_options_have_none(title):
    assert options(f"-a\n       {TEXT}", title) == []


@pytest.mark.parametrize(
    ("synopsis", "expected"),
    [
        ("x [-abc] file", ["-a", "-b", "-c"]),
        ("x [ -cd19 ] [-S suffix]", ["-c", "-d", "-1", "-9", "-S=suffix"]),
        ("x [-o=text] [-e]", ["-o=text", "-e"]),
        ("x [-verbose-name] [--long] [--key=word]", ["-verbose-name", "--long", "--key=word"]),
        ("x [--not-this.one] file-name well-known", ["--not-this"]),
        ("x [OPTION]... -- file", []),
    ],
)
def test_options_only_in_the_synopsis_follow(synopsis, expected):
    found = man_options.with_synopsis((), page(synopsis, "SYNOPSIS"))
    assert [f"{option.names[0]}={option.argument}".rstrip("=") for option in found] == expected
    assert all(len(option.names) == 1 and option.description == "" for option in found)


def test_the_synopsis_fills_in_arguments_and_repeats_nothing():
    described = [Option(("-o", "--option"), "", "sets it"), Option(("-type",), "c", "kind")]
    found = man_options.with_synopsis(described, page("x [-o=text] [-type c] [-name]", "SYNOPSIS"))
    assert found == (
        Option(("-o", "--option"), "text", "sets it"),
        Option(("-type",), "c", "kind"),
        Option(("-name",), "", ""),
    )


def test_a_long_description_is_cut_after_a_sentence():
    (option,) = options("-a\n       " + "A sentence of some words. " * 40)
    assert option.description.endswith("words.")
    assert 150 < len(option.description) <= 300


@pytest.mark.parametrize(
    ("line", "names", "summary"),
    [
        ("find - search for files", ("find",), "search for files"),
        ("gzip, gunzip, zcat - compress or expand files", ("gzip", "gunzip", "zcat"), "compress or expand files"),
        ("ssh \u2014 remote login", ("ssh",), "remote login"),
        ("apt-get - APT tool -- command-line interface", ("apt-get",), "APT tool -- command-line interface"),
        ("nothing here", (), ""),
    ],
)
def test_the_name_line_is_cut(line, names, summary):
    assert man_text.names_and_summary(page(line, "NAME")) == (names, summary)


def test_control_characters_do_not_get_in():
    (section,) = page("-a\x1b[31m\n       red\u202e text\x07")
    assert [line.text for line in section.lines if line.text] == ["-a[31m", "red text"]


EXAMPLES = """\
To see every process, run:
   $ box ps -e
   $ box ps -ef

Find core files and delete them. Slow.

       box find /tmp -name core

box log --since=today
       What happened today.

The box find command is described above:
       box find .

box find is a command.
       Not an example.
"""


def test_examples_are_taken_where_command_and_sentence_are_clear():
    assert man_examples.examples(page(EXAMPLES, "EXAMPLES"), "box") == (
        Example("To see every process", "box ps -e"),
        Example("Find core files and delete them", "box find /tmp -name core"),
        Example("What happened today", "box log --since=today"),
    )


HTML = """\
<table class="head"><tr><td class="head-ltitle">BOX(1)</td><td class="head-rtitle">BOX(1)</td></tr></table>
<div class="manual-text">
<section class="Sh"><h1 class="Sh" id="NAME"><a class="permalink" href="#NAME">NAME</a></h1>
<p class="Pp"><code class="Nm">box</code> &#x2014; <span class="Nd">keep
    things</span></p>
</section>
<section class="Sh"><h1 class="Sh">SYNOPSIS</h1>
<table class="Nm"><tr><td><code class="Nm">box</code></td><td>[<code class="Fl">-ab</code>]
  [<code class="Fl">-o</code> <var class="Ar">file</var>]</td></tr></table>
</section>
<section class="Sh"><h1 class="Sh">OPTIONS</h1>
<p class="Pp">Some words on &lt;options&gt;.</p>
<dl class="Bl-tag">
  <dt id="P"><a class="permalink" href="#P">-P</a></dt>
  <dd>Never follow <b>links</b>, wherever
      they point.
    <p class="Pp"></p>
  </dd>
  <dt><b>-n</b>, <b>--lines</b>=<i>NUM</i></dt>
  <dt><b>--count</b>=<i>NUM</i></dt>
  <dd>that many<dl class="Bl-tag"><dt>deep</dt><dd>inside</dd></dl></dd>
  <dt>-newer<i>XY</i> <i>reference</i></dt>
  <dd>later</dd>
  <dt><b>-E</b><i> eof</i></dt>
  <dd>end</dd>
</dl>
<p class="Pp HP"><b>-e</b> script, <b>--expression</b>=<i>script</i></p>
<dl class="Bl-tag"><dt></dt><dd>add the script</dd></dl>
<p class="Pp">--merge</p>
<div class="Bd-indent">Show refs.
<p class="Pp">More on it.</p></div>
<p class="Pp"><b>--detach</b>
  <br/>
   In the background.</p>
<dl class="Bl-tag"><dt>&#x25CB;</dt><dd><b>--tab</b>:</dd><dt></dt><dd>Use tabs.</dd></dl>
<pre>
--verbose, -v            increase verbosity
--quiet, -q              less of it
</pre>
<table class="tbl"><tr><td>--key</td><td>a key</td></tr></table>
</section>
</div>
<table class="foot"><tr><td>June</td></tr></table>
"""


def test_mandocs_html_becomes_sections_and_options():
    found = man_text.sections(man_html.as_text(HTML))
    assert [section.title for section in found] == ["NAME", "SYNOPSIS", "OPTIONS"]
    assert man_text.names_and_summary(found) == (("box",), "keep things")
    described = man_options.described(found)
    assert described == [
        Option(("-P",), "", "Never follow links, wherever they point."),
        Option(("-n", "--lines", "--count"), "NUM", "that many deep inside"),
        Option(("-newer",), "XY reference", "later"),
        Option(("-E",), "eof", "end"),
        Option(("-e", "--expression"), "script", "add the script"),
        Option(("--merge",), "", "Show refs. More on it."),
        Option(("--detach",), "", "In the background."),
        Option(("--tab",), "", "Use tabs."),
        Option(("--verbose", "-v"), "", "increase verbosity"),
        Option(("--quiet", "-q"), "", "less of it"),
        Option(("--key",), "", "a key"),
    ]
    assert [option.names for option in man_options.with_synopsis(described, found)[len(described) :]] == [
        ("-a",),
        ("-b",),
        ("-o",),
    ]
