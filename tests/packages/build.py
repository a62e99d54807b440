#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""Builds the packages from what git has of a source tree.

    build.py SOURCE DESTINATION

Nothing of a build tree gets in.  What was in the destination is replaced.
"""
import shutil
import subprocess
import sys
from pathlib import Path


def copy_sources(source, place):
    """What is committed or would be, as it is now."""
    names = subprocess.check_output(
        ["git", "-C", source, "-c", "safe.directory=*", "ls-files", "-z",
         "--cached", "--others", "--exclude-standard"], text=True)
    for name in names.split("\0"):
        if name and (source / name).exists():
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source / name, place / name, follow_symlinks=False)


def main():
    source, destination = (Path(arg).resolve() for arg in sys.argv[1:])
    shutil.rmtree(destination, ignore_errors=True)
    place = destination / "mailtoken"
    copy_sources(source, place)
    subprocess.run(["dpkg-buildpackage", "-us", "-uc", "-ui"], cwd=place,
                   check=True)


if __name__ == "__main__":
    sys.exit(main())
