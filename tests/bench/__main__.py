# SPDX-License-Identifier: ISC
"""tests/bench/run NAME [--quick] [--many]"""
import importlib
import sys

NAMES = ("accounts", "idle", "sasl")
OPTIONS = ("--quick", "--many")

if __name__ == "__main__":
    names = [name for name in sys.argv[1:] if name not in OPTIONS]
    if len(names) != 1 or names[0] not in NAMES:
        sys.exit(f"usage: tests/bench/run {{{'|'.join(NAMES)}}} "
                 "[--quick] [--many]")
    more = {"many": True} if "--many" in sys.argv else {}
    importlib.import_module(f"bench.{names[0]}").main("--quick" in sys.argv,
                                                      **more)
