# SPDX-License-Identifier: ISC
"""What a document tells a reader to do.

Each block of lines in README.md and docs/ has a mark before it, a comment that
a reader does not see:

    <!-- scenario NAME -->      begins anew, on another machine
    <!-- file PATH -->          the block is the file's whole text
    <!-- prepend PATH -->       the block stands before what is in the file
    <!-- run [root] -->         the block is typed in a shell
    <!-- needs WHAT -->         a test machine lacks it (NEEDS)
    <!-- tested by PATH -->     another test does what it says
    <!-- shows -->              a picture or an answer, nothing to do

In clients.md, blocks between "begin lines" and "end lines" are those of
tests/bed/clients.
"""
import re
from collections import namedtuple
from pathlib import Path

NEEDS = ("a real provider", "systemd as PID 1", "a container engine",
         "an enforcing SELinux or AppArmor")
MARK = re.compile(r"<!-- (scenario|file|prepend|run|needs|tested by|shows)"
                  r"(?: (.*))? -->")

# kind: as the mark, argument: what follows it ("" if nothing), line: its
# number, text: of the block
Step = namedtuple("Step", "kind argument line text")


def documents(root):
    return [root / "README.md", *sorted((root / "docs").glob("**/*.md"))]


def read(path):
    """The steps of a document.  A block without a mark has the kind ""; one of
    tests/bed/clients is none."""
    lines = Path(path).read_text(encoding="utf-8").split("\n") + [""]
    steps, mark, clients, number = [], ("", ""), False, 0
    while number < len(lines):
        line = lines[number]
        number += 1
        if line.startswith(("<!-- begin lines", "<!-- end lines")):
            clients = "begin" in line
        elif found := MARK.fullmatch(line):
            kind, argument = found[1], found[2] or ""
            if kind == "scenario":
                steps.append(Step(kind, argument, number, ""))
            else:
                mark = (kind, argument)
        elif line.startswith("    ") and not lines[number - 2].strip():
            begin = number - 1
            while lines[number].startswith("    ") or (
                    not lines[number].strip()
                    and lines[number + 1:number + 2]
                    and lines[number + 1].startswith("    ")):
                number += 1
            text = "".join(l[4:] + "\n" for l in lines[begin:number])
            if not clients:
                steps.append(Step(*mark, begin + 1, text))
            mark = ("", "")
        elif line.strip():
            mark = ("", "")
    return steps


def commands(text):
    """The commands of a block, each with the lines that belong to it."""
    command = ""
    for line in text.splitlines():
        command += line + "\n"
        if not line.endswith(("\\", "|")):
            yield command
            command = ""
