# SPDX-License-Identifier: ISC
"""Configuration files with @NAME@ in them."""
import re


def fill(path, values):
    """The text of `path` with each @NAME@ replaced; KeyError for others."""
    return re.sub(r"@([A-Z]+)@", lambda match: str(values[match.group(1)]),
                  path.read_text())
