# SPDX-License-Identifier: ISC
"""Samples of several programs, taken in turn, and a table of their medians.

Only ratios within one run mean anything: the machine is shared, and what
disturbs one program in a round disturbs the others as well.
"""
import statistics
import subprocess


class Worker:
    """A program that takes samples when it is told to (rounds.h)."""

    def __init__(self, bed, argv, env=None):
        self._process = bed.spawn(argv, env, stdin=True,
                                  stdout=subprocess.PIPE)

    def sample(self, calls):
        """Microseconds for one of `calls` calls."""
        self._process.send(f"{calls}\n")
        line = self._process.popen.stdout.readline()
        if not line:
            raise AssertionError(self._process.tail())
        return int(line) / 1000


def in_turn(rounds, takers):
    """Calls each function of {name: function} once a round; returns
    {name: [its results]}."""
    results = {name: [] for name in takers}
    for _ in range(rounds):
        for name, take in takers.items():
            results[name].append(take())
    return results


def spread(values):
    """The median, and the middle half of the values, as text."""
    if len(values) < 2:
        return f"{values[0]:.1f}"
    low, middle, high = statistics.quantiles(values, n=4)
    return f"{middle:.1f} ({low:.1f} to {high:.1f})"


def ratio(values, base, less=None):
    """How many times `base`, as text: the median of the rounds' ratios.
    `less` is taken off the values first."""
    less = less or [0] * len(values)
    return "%.2f" % statistics.median(
        (value - off) / one for value, one, off in zip(values, base, less))


def print_table(heads, rows):
    """The first column to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(heads, *rows)]
    for row in [heads, ["-" * width for width in widths], *rows]:
        first, *others = (
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths)))
        print("  ".join([first, *others]).rstrip())
