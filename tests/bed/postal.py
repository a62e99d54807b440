# SPDX-License-Identifier: ISC
"""Reads messages with npm's postal-mime, which tests/setup installs."""
import json
import subprocess
from base64 import b64encode
from pathlib import Path

from .oidc import installed

_SCRIPT = Path(__file__).with_suffix(".mjs")


def read_all(messages):
    """What it makes of each message (bytes), as its documentation has it."""
    node, modules = installed()
    done = subprocess.run(
        [node, _SCRIPT, modules],
        input=json.dumps([b64encode(m).decode() for m in messages]),
        capture_output=True, text=True, timeout=120)
    if done.returncode:
        raise AssertionError(done.stderr)
    return json.loads(done.stdout)
