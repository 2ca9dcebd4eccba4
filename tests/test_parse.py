"""What small models write around a command, and the command in it."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from gorilla_cli.parse import command_in, normal_form
from gorilla_cli.prompts.shell import template

LOOP = 'for f in *.txt; do\n  mv -- "$f" "${f%.txt}.md"\ndone'
HEREDOC = "cat > notes.txt <<'EOF'\nThis is the first line.\n\n# a heading, no comment\n$ not a prompt  \nEOF"
AWK = "awk '\n# sum the column\n\n{ total += $1 }\nEND { print total }' data"
CASE = 'case "$1" in\n1) echo one ;;\n2) echo two ;;\nesac'

CASES = {
    # fences
    "fence with a language": ("```bash\nls -a\n```", "ls -a"),
    "fence without a language": ("```\nls -a\n```", "ls -a"),
    "fence with another language": ("```console\n$ ls -a\n```", "ls -a"),
    "tildes": ("~~~sh\nls -a\n~~~", "ls -a"),
    "indented fence": ("  ```bash\n  ls -a\n  ```", "ls -a"),
    "closing fence only": ("ls -a\n```", "ls -a"),
    "closing fence and an explanation": ("ls -a\n```\n\nThis shows hidden files.", "ls -a"),
    "closing fence and a second block": ("ls -a\n```\n\nOr else\n```bash\nls -A\n```", "ls -a"),
    "closing fence on the command's line": ("```bash\nls -a```", "ls -a"),
    "closing fence alone on the command's line": ("ls -a ```", "ls -a"),
    "all on one line": ("```bash ls -a```", "ls -a"),
    "all on one line, a single word": ("```bash ls```", "ls"),
    "one line without a language": ("```ls -a```", "ls -a"),
    "one word without a language": ("```ls```", "ls"),
    "never closed": ("Sure:\n```bash\nls -a", "ls -a"),
    "never closed, without a language": ("Here you go:\n```\nls -a", "ls -a"),
    "first of several blocks": ("```bash\nls -a\n```\nor\n```bash\nls -A\n```", "ls -a"),
    "an empty block before": ("```bash\n```\n```bash\nls -a\n```", "ls -a"),
    "a block with only a comment before": ("```bash\n# nothing\n```\n```bash\nls -a\n```", "ls -a"),
    "two opening fences": ("```bash\n```bash\nls -a\n```", "ls -a"),
    "empty block": ("```bash\n\n```", ""),
    "fences alone": ("```\n```", ""),
    "a fence alone": ("```", ""),
    "three fences alone": ("```\n```\n```", ""),
    # prose
    "prose before a block": ("You can use the following command:\n\n```bash\nls -a\n```", "ls -a"),
    "prose before and after a block": ("Here it is.\n```sh\nls -a\n```\nThis lists all files.", "ls -a"),
    "prose with a colon before": ("To list all files, use the following command:\nls -a", "ls -a"),
    "prose after": ("ls -a\n\nThis command lists all files.", "ls -a"),
    "prose after without a full stop": ("ls -a\n\nThis will list all files", "ls -a"),
    "prose right after": ("ls -a\nThe -a option shows hidden files, too.", "ls -a"),
    "note after": ("ls -a\nNote: hidden files begin with a dot", "ls -a"),
    "explanation after": ("ls -a\n\nExplanation:\n- ls: list\n- -a: all", "ls -a"),
    "it's": ("It's easy:\nls -a", "ls -a"),
    "here's": ("Here's the command:\necho 'a b'", "echo 'a b'"),
    "sure": ("Sure! Here is what you need\nls -a", "ls -a"),
    "list of explanations after": ("ls -a\n1. ls lists\n2. -a shows all", "ls -a"),
    "quoted in prose": ("You can use `ls -a` to list all files.", "ls -a"),
    "quoted in prose, lines follow": ("You can use `ls -a`. It shows\nall the hidden files, too.", "ls -a"),
    "mentioned before the command": ("The `find` command can do this:\nfind . -empty", "find . -empty"),
    "mentioned, nothing follows": ("To list files, use `ls -a`:", "ls -a"),
    "quoted at the start of a sentence": ("`ls -a` lists all files.", "ls -a"),
    "only prose": ("I'm sorry, but I can't help with that.", ""),
    "only prose, two paragraphs": ("I cannot do that.\n\nPlease say it in other words.", ""),
    "a question": ("Could you tell me which folder you mean?", ""),
    # prompts and labels
    "dollar prompt": ("$ ls -a", "ls -a"),
    "prompt with user, host and folder": ("user@host:~$ ls -a", "ls -a"),
    "root's prompt": ("root@host:/etc# ls -a", "ls -a"),
    "prompt in brackets": ("[me@host ~]$ ls -a", "ls -a"),
    "prompt with an environment": ("(venv) user@host:~/src$ ls -a", "ls -a"),
    "zsh prompt": ("% ls -a", "ls -a"),
    "arrow prompt": ("❯ ls -a", "ls -a"),
    "two prompts": ("$ cd src\n\n$ ls -a", "cd src\nls -a"),
    "prompt and output": ("$ ls -a\n.  ..  notes.txt", "ls -a"),
    "prompt in a block with output": ("```console\nuser@host:~$ ls -a\n.  ..\n```", "ls -a"),
    "second prompt": ("$ find . \\\n> -empty", "find . \\\n-empty"),
    "label": ("Command: ls -a", "ls -a"),
    "long label": ("The command is: ls -a", "ls -a"),
    "label and backticks": ("Answer: `ls -a`", "ls -a"),
    "label above": ("Command:\nls -a", "ls -a"),
    "label and block": ("Answer:\n```bash\nls -a\n```", "ls -a"),
    # marks
    "backticks": ("`ls -a`", "ls -a"),
    "asterisks": ("**ls -a**", "ls -a"),
    "blanks around": ("\n\n   ls -a  \n\n", "ls -a"),
    "substitution in backticks stays": ("echo `date`", "echo `date`"),
    "two substitutions stay": ("`cat a` `cat b`", "`cat a` `cat b`"),
    # lists of alternatives
    "numbered": ("1. ls -a\n2. ls -A", "ls -a"),
    "numbered with backticks": ("1. `ls -a`\n2. `ls -A`", "ls -a"),
    "numbered with explanations": ("1. `ls -a` - shows all\n2. `ls -A` - nearly all", "ls -a"),
    "numbered with a following line": ("1. `ls -a`\n   It shows all.\n2. `ls -A`", "ls -a"),
    "numbered sentences": ("1. Use `ls -a` for all\n2. Use `ls -A` for others", "ls -a"),
    "numbered with brackets": ("1) ls -a\n2) ls -A", "ls -a"),
    "numbered in bold": ("1. **ls -a**", "ls -a"),
    "bullets": ("- `ls -a`\n- `ls -A`", "ls -a"),
    "stars": ("* `ls -a`\n* `ls -A`", "ls -a"),
    "introduced list": ("Here are some ways to do it:\n\n1. `ls -a`\n2. `ls -A`", "ls -a"),
    # comments
    "comment before": ("# list all files\nls -a", "ls -a"),
    "comment between": ("cd src\n# list all files\nls -a", "cd src\nls -a"),
    "comment at the end of the line stays": ("ls -a  # all", "ls -a  # all"),
    "first line of a script": ("#!/bin/bash\n\nls -a", "ls -a"),
    "only a comment": ("# this cannot be done", ""),
    "apostrophe in a comment": ("# don't worry\nls -a\n\nThat's the whole answer.", "ls -a"),
    # thinking
    "thinking": ("<think>The user wants ls.\nls -l?</think>\nls -a", "ls -a"),
    "thinking begun in the prompt": ("They want a listing.\n</think>\n\n```bash\nls -a\n```", "ls -a"),
    "thinking without an end": ("<think>Perhaps ls -a", ""),
    "thinking twice": ("<think>a</think><think>b</think>ls -a", "ls -a"),
    # line ends and bytes
    "CRLF": ("```bash\r\nls -a\r\n```\r\n", "ls -a"),
    "CRLF over two lines": ("cd src\r\nls -a\r\n", "cd src\nls -a"),
    "NUL": ("ls\0 -a\0", "ls -a"),
    "empty": ("", ""),
    "blanks only": (" \n\t\n ", ""),
    "newlines only": ("\n\n\n", ""),
    # several lines that belong together
    "loop in a block": (f"```bash\n{LOOP}\n```\nThis renames them.", LOOP),
    "heredoc in a block": (f"```bash\n{HEREDOC}\n```", HEREDOC),
    "heredoc and prose after": (f"{HEREDOC}\n\nThis writes the file.", HEREDOC),
    "here-string and prose after": ("grep x <<< text\nThis looks for x in the text.", "grep x <<< text"),
    "shift and prose after": ("echo $((1<<3))\nThis prints eight as a number.", "echo $((1<<3))"),
    "heredoc without an end, then prose": ("cat <<EOF\nThis is never closed.", "cat <<EOF"),
    "capitals after a continuation": ("echo \\\nHello my dear world.", "echo \\\nHello my dear world."),
}


@pytest.mark.parametrize(("completion", "command"), CASES.values(), ids=CASES.keys())
def test_the_command_is_found(completion, command):
    assert command_in(completion) == command


CLEAN = {
    "plain": "ls -a",
    "loop": LOOP,
    "heredoc": HEREDOC,
    "heredoc with tabs": "cat <<-END\n\tThis is text.\n\tEND",
    "two heredocs one after the other": "cat <<A\nx\nA\ncat <<B\ny\nB",
    "script in a quotation": AWK,
    "python in a quotation": "python3 -c 'import sys\n\nfor line in sys.stdin:\n    print(line)\n'",
    "case": CASE,
    "continuation lines": "tar -czf out.tar.gz \\\n  --exclude='*.o' \\\n  src",
    "pipes at line ends": "ps aux |\n  sort -k 4 -nr |\n  head -n 5",
    "and at line ends": "make &&\n  make install",
    "if": "if [ -f x ]; then\n  rm x\nelse\n  touch x\nfi",
    "function": 'f() {\n  echo "$1"\n}\nf x',
    "subshell": "(\n  cd src\n  make\n)",
    "redirection first": "> empty.log",
    "capital program": "R CMD check .",
    "capital program with a colon": "Xephyr -ac -screen 800x600 :1",
    "capital program and words": "Rscript analyse.R input data.csv",
    "assignment": "LC_ALL=C sort -u names",
    "host and colon": "rsync -a src dest host:",
    "variable first": '"$EDITOR" notes.txt',
    "dollar in the middle": "echo $ x",
    "hash in a word": "echo a#b",
    "hash in a quotation": "echo '# no comment'",
    "quotation with a blank line": "git commit -m 'One\n\nTwo sentences are here.'",
    "escaped quotation mark": "echo \\'\necho b",
    "nested quotations": """bash -c "echo 'it''s'" && echo "a 'b' c" """.strip(),
    "brace": "{ echo a; echo b; } > out",
    "backslashes": r"sed 's/\//\\/g' file",
    "ansi quotation": r"printf $'a\'b\n'",
    "test": "[[ -f a ]] && echo yes",
    "unicode": "echo 'Grüße – 你好 😀'",
    "ends in a full stop": "ls .",
    "ends in a question mark": "ls file?",
    "history": "!!",
    "blank at the end of a word": "touch a\\ ",
}


@pytest.mark.parametrize("command", [*CLEAN.values(), *(command for _, command in template()["examples"])])
def test_a_clean_command_comes_out_byte_for_byte(command):
    assert command_in(command) == command


@pytest.mark.parametrize("command", CLEAN.values(), ids=CLEAN.keys())
def test_a_clean_command_in_a_block_comes_out_byte_for_byte(command):
    assert command_in(f"Here it is:\n```bash\n{command}\n```\nThis does what you want.") == command
    assert command_in(f"{command}\n```") == command


SAME = [
    ("ls  -l   -a", "ls -l -a"),
    (" ls -a ", "ls -a"),
    ("grep 'TODO' a.py", "grep TODO a.py"),
    ('grep "TODO" a.py', "grep TODO a.py"),
    ('find . -name "*.py"', "find . -name '*.py'"),
    ('echo "a b"', "echo 'a b'"),
    ("ls --color='auto'", "ls --color=auto"),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_commands_that_differ_in_quoting_and_blanks_are_the_same(one, other):
    assert normal_form(one) == normal_form(other)


DIFFERENT = [
    ('echo "$HOME"', "echo '$HOME'"),
    ("rm *.txt", "rm '*.txt'"),
    ("echo a > b", "echo 'a > b'"),
    ("echo a>b", "echo 'a>b'"),
    ("ls\nrm x", "ls rm x"),
    ("echo 'a  b'", "echo 'a b'"),
    ("echo a; ls", "echo 'a;' ls"),
    ("echo $HOME'x'", "echo $HOMEx"),
    ("echo ''", "echo"),
    ("echo a\\ b", "echo a b"),
    ("echo '~/a'", "echo ~/a"),
    ("echo '{a,b}'", "echo {a,b}"),
    ("echo 'a'  | cat", "echo 'a  | cat'"),
    ("cat <<E\na  b\nE", "cat <<E\na b\nE"),
    ("echo $'a\\n'", "echo 'a\\n'"),
    ('echo "`id`"', "echo '`id`'"),
    ("echo '2'>a", "echo 2>a"),
    ("'A'=b true", "A=b true"),
    ("ls -a", "ls -A"),
]


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_commands_that_a_shell_reads_differently_are_different(one, other):
    assert normal_form(one) != normal_form(other)


@pytest.mark.parametrize("one", [command for command in CLEAN.values() if shutil.which("bash")])
def test_the_normal_form_is_as_valid_as_the_command(one):
    valid = [
        subprocess.run(["bash", "-n", "-c", text], capture_output=True).returncode for text in (one, normal_form(one))
    ]
    assert valid[0] == valid[1] == 0
