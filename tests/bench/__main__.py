# SPDX-License-Identifier: ISC
"""tests/bench/run NAME [--quick] [--many] [--svg FILE]"""
import argparse
import importlib
from pathlib import Path

# And the options that only some have.
NAMES = {"accounts": ["svg"], "follow": ["many"], "idle": ["many"],
         "memory": [], "receive": [], "sasl": []}


def read_arguments():
    parser = argparse.ArgumentParser(prog="tests/bench/run")
    parser.add_argument("name", choices=NAMES)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--many", action="store_true")
    parser.add_argument("--svg", type=Path)
    arguments = parser.parse_args()
    for option in "many", "svg":
        if getattr(arguments, option) and option not in NAMES[arguments.name]:
            parser.error(f"--{option} is not for {arguments.name}")
    return arguments


if __name__ == "__main__":
    arguments = read_arguments()
    importlib.import_module(f"bench.{arguments.name}").main(
        arguments.quick,
        **{name: getattr(arguments, name) for name in NAMES[arguments.name]})
