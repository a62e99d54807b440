# SPDX-License-Identifier: ISC
"""Programs with a wall clock of their own, by libfaketime."""
import os

_LIBRARY = f"/usr/lib/{os.uname().machine}-linux-gnu/faketime/libfaketime.so.1"


def faked_clock(offset=None, file=None):
    """The environment of a program whose wall clock is off by `offset` ("-7200",
    in seconds), or by what the file says at the moment."""
    clock = ({"FAKETIME_TIMESTAMP_FILE": file} if file
             else {"FAKETIME": offset})
    return {"LD_PRELOAD": _LIBRARY, "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1"} | clock


def fast_clock(factor):
    """The environment of a program for which time, also that which it waits,
    goes `factor` times as fast."""
    return {"LD_PRELOAD": _LIBRARY, "FAKETIME": f"+0 x{factor}"}
