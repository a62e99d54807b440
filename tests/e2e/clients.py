# SPDX-License-Identifier: ISC
"""docs/clients.md: the tables as measured, the lines as configured.

    MAILTOKEN_BUILD=... python3 -m e2e.clients --write

in tests/ measures everything and writes it there; without --write it prints
the tables.  What is written stands between comments, <!-- begin NAME --> and
<!-- end NAME -->.
"""
import re
import sys
from pathlib import Path

from bed import Bed
from bed.clients import COMMAND, SASL, render

from .matrix import COLUMNS, FIRST, Bench, measure
from .notes import NOTES

DOCUMENT = Path(__file__).parents[2] / "docs/clients.md"
TABLES = {"libsasl2": SASL, "command": COMMAND}


def notes_on(program, mechanism, column):
    return [note for note in NOTES if note.is_about(program, mechanism, column)]


def complaints(cells):
    """How the cells differ from what notes.py says of the programs."""
    wrong = []
    for (program, mechanism, column), cell in cells.items():
        notes = notes_on(program, mechanism, column)
        expected = set().union(*(note.lacks for note in notes))
        where = f"{program}, {mechanism}, {column}"
        wrong += [f"{where}: {lack.value}\n{cell.attempt.text}"
                  for lack in cell.lacks - expected]
        wrong += [f"{where}: no longer true that {lack.value}: "
                  "take it out of notes.py" for lack in expected - cell.lacks]
        wrong += [f"{where}: no {note.pattern!r}\n{cell.attempt.text}"
                  for note in notes
                  if not re.search(note.pattern, cell.attempt.text)]
    return wrong


class Table:
    """Markdown: a row per program and mechanism, then the footnotes."""

    def __init__(self, cells):
        self._cells, self._texts = cells, []

    def __str__(self):
        head = ["program", "mechanism", *COLUMNS]
        rows = [[program, mechanism, *(self._word(program, mechanism, column)
                                       for column in COLUMNS)]
                for program, mechanism in dict.fromkeys(
                    key[:2] for key in self._cells)]
        widths = [max(map(len, column)) for column in zip(head, *rows)]
        lines = [" | ".join(f"{word:{width}}" for word, width
                            in zip(row, widths)) for row in [head, *rows]]
        lines.insert(1, " | ".join("-" * width for width in widths))
        notes = [f"{number}. {text}" for number, text
                 in enumerate(self._texts, 1)]
        return "\n".join([*(f"| {line} |" for line in lines), "", *notes, ""])

    def _word(self, *key):
        cell = self._cells.get(key)
        word = cell.word if cell else "–"
        numbers = [self._number(note.text) for note in
                   notes_on(*(key if cell else (*key[:2], FIRST)))]
        return " ".join([word, *(f"[{number}]" for number in numbers)])

    def _number(self, text):
        if text not in self._texts:
            self._texts.append(text)
        return self._texts.index(text) + 1


def files_of(kind):
    """{place: text} of a program's configuration."""
    files = dict(kind.files)
    if kind.module_settings:
        files["/etc/mailtoken/sasl.conf"] = kind.module_settings
    return {name: render(template) for name, template in files.items()}


def as_markdown(files):
    parts = []
    for name, text in files.items():
        place = name.capitalize() if name.startswith("in ") else f"`{name}`"
        lines = [f"    {line}".rstrip() for line in text.splitlines()]
        parts.append("\n".join([f"{place}:", "", *lines, ""]))
    return "\n".join(parts)


def configurations():
    """{block: text} with what was not said for a program before."""
    blocks, said = {}, set()
    for kind in SASL + COMMAND:
        files = {name: text for name, text in files_of(kind).items()
                 if (name, text) not in said}
        said.update(files.items())
        if files:
            blocks[f"lines {kind.__name__}"] = as_markdown(files)
    return blocks


def block(document, name):
    """The text between the comments of that name, or None."""
    found = re.search(f"<!-- begin {name} -->\n\n(.*?)\n<!-- end {name} -->",
                      document, re.S)
    return found and found[1]


def names_in(document):
    return set(re.findall("<!-- begin (.*?) -->", document))


def fill(document, blocks):
    """The document with those texts in the blocks that it has."""
    return re.sub(
        "(<!-- begin (.*?) -->\n\n).*?(<!-- end)",
        lambda match: f"{match[1]}{blocks[match[2]]}\n{match[3]}"
        if match[2] in blocks else match[0], document, flags=re.S)


def main():
    blocks = configurations()
    with Bed() as bed:
        bench = Bench(bed)
        for name, kinds in TABLES.items():
            cells = measure(bench, kinds)
            blocks[f"table {name}"] = str(Table(cells))
            print(blocks[f"table {name}"], *complaints(cells), sep="\n")
    if "--write" in sys.argv[1:]:
        DOCUMENT.write_text(fill(DOCUMENT.read_text(), blocks))


if __name__ == "__main__":
    main()
