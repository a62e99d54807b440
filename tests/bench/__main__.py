# SPDX-License-Identifier: ISC
"""tests/bench/run NAME [--quick]"""
import importlib
import sys

NAMES = ("accounts", "sasl")

if __name__ == "__main__":
    names = [name for name in sys.argv[1:] if name != "--quick"]
    if len(names) != 1 or names[0] not in NAMES:
        sys.exit(f"usage: tests/bench/run {{{'|'.join(NAMES)}}} [--quick]")
    importlib.import_module(f"bench.{names[0]}").main("--quick" in sys.argv)
