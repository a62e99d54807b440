# SPDX-License-Identifier: ISC
"""Runs tests/tools/boxprobe.

BOXPROBE_PREFIX in the environment is a program to run it in, such as
"valgrind -q --leak-check=full --error-exitcode=99".
"""
import os

PASSWORDS = {"alice@example.test": "alice-pw", "bob@example.test": "bob-pw"}
ALICE, BOB = PASSWORDS


def boxes(bed, port, *commands, user=ALICE, ca="-", host="localhost",
          timeout=60):
    """Do `commands`, each a tuple of words; returns for each of them that was
    done the list of lines that boxprobe printed, the last being "done" or
    "failed STATUS: text" (and "broken", if the connection is of no use any
    more)."""
    prefix = os.environ.get("BOXPROBE_PREFIX", "").split()
    ran = bed.run(
        [*prefix, bed.build_dir() / "tests/boxprobe", host, str(port), ca,
         user, *("\t".join(map(str, command)) for command in commands)],
        env={"BOXPROBE_PASSWORD": PASSWORDS[user]}, timeout=timeout)
    if ran.rc or ran.err:
        raise AssertionError(f"boxprobe: {ran.rc}\n{ran.out}\n{ran.err}")
    answers, lines = [], ran.out.splitlines()
    while lines:
        answer = [lines.pop(0)]
        while not answer[-1].startswith(("done", "failed")):
            answer.append(lines.pop(0))
        if lines == ["broken"]:
            answer.append(lines.pop())
        answers.append(answer)
    return answers
