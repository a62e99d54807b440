# SPDX-License-Identifier: ISC
"""What a program does to files, call by call (tests/tools/filecalls.c), and
what of it a disk has after a power cut."""
import os
import random
import struct
import subprocess
from collections import namedtuple
from pathlib import Path

Call = namedtuple("Call", "thread name fields data")

# What a cut leaves.  A file has the bytes up to its last fsync; a name is there
# or gone since the last fsync of its directory.  That much is promised:
STRICT = "strict"   # no more than that
EARLY = "early"     # all names, as they were at the cut, and no more bytes
RANDOM = "random"   # any part of the rest, as the disk liked to order it
VARIANTS = (STRICT, EARLY, RANDOM)


def environment(build, program):
    """What to add to the environment of a program to see its calls."""
    linked = subprocess.run(["ldd", program], capture_output=True, text=True,
                            check=True).stdout
    sanitizers = [line.split()[2] for line in linked.splitlines()
                  if "libasan" in line]
    return {"LD_PRELOAD": ":".join(
        [*sanitizers, str(Path(build, "tests/filecalls.so"))])}


def read_calls(path):
    """The calls in a log, and (thread, n) of each, to kill before."""
    text, calls, points, counts = path.read_bytes(), [], [], {}
    at = 0
    while at < len(text):
        (size,) = struct.unpack_from("=Q", text, at)
        record = text[at + 8:at + 8 + size]
        at += 8 + size
        call = _parse(record)
        n = counts.setdefault(call.thread, 0)
        counts[call.thread] += 1
        points.append((call.thread, n))
        calls.append(call)
    return calls, points


_FIELDS = {"create": 3, "mkdir": 3, "write": 2, "truncate": 2, "sync": 1,
           "syncfs": 0, "rename": 4, "unlink": 2, "output": 0, "network": 0}


def _parse(record):
    thread, name, rest = record.split(b"\0", 2)
    name = name.decode()
    *fields, failed, data = rest.split(b"\0", _FIELDS[name] + 1)
    fields = tuple(int(f) if f.isdigit() and not _is_name(name, i)
                   else f.decode() for i, f in enumerate(fields))
    if int(failed):
        name = "failed"
    return Call(int(thread), name, fields, data)


def _is_name(call, index):
    return call in ("create", "mkdir", "unlink", "rename") and index % 2 == 1


class _File:
    def __init__(self, synced=b""):
        self.synced, self.later = synced, []    # later: (offset, data), sizes

    def sync(self):
        self.synced, self.later = self._after(self.later), []

    def _after(self, changes):
        data = bytearray(self.synced)
        for change in changes:
            size = change if isinstance(change, int) else \
                max(len(data), change[0] + len(change[1]))
            data.extend(bytes(max(0, size - len(data))))
            if isinstance(change, int):
                del data[size:]
            else:
                data[change[0]:change[0] + len(change[1])] = change[1]
        return bytes(data)

    def content(self, dice):
        """What is on the disk; with dice, some of what came later, too."""
        if not dice:
            return self.synced
        kept = [c for c in self.later if dice.random() < 0.5]
        if kept and not isinstance(kept[-1], int) and dice.random() < 0.5:
            offset, data = kept[-1]     # torn
            kept[-1] = (offset, data[:dice.randrange(len(data) + 1)])
        return self._after(kept)


class _Dir:
    def __init__(self):
        self.entries = {}       # as programs see them


class Disk:
    """A directory's tree, as it is now and all of it durable; then what calls
    make of it."""

    def __init__(self, root):
        self._nodes, self._changes = {}, []
        self._root = self._scan(Path(root))
        self._first = {node: dict(node.entries)
                       for node in self._nodes.values()
                       if isinstance(node, _Dir)}
        self.output = b""

    def _scan(self, path):
        if path.is_dir():
            node = _Dir()
            node.entries = {p.name: self._scan(p) for p in path.iterdir()}
        else:
            node = _File(path.read_bytes())
        self._nodes[path.stat().st_ino] = node
        return node

    def apply(self, call):
        getattr(self, f"_{call.name}")(*call.fields, *(
            [call.data] if call.name in ("write", "output") else []))

    # A change of names is [durable, the directories, function(entries)].

    def _note(self, directories, change):
        self._changes.append([False, directories, change])
        change(lambda directory: directory.entries)

    def _add(self, parent, name, inode, node):
        directory = self._nodes.get(parent)
        if isinstance(directory, _Dir):
            self._nodes[inode] = node
            self._note([directory], lambda entries: entries(
                directory).__setitem__(name, node))

    def _failed(self, *_):
        pass

    def _create(self, parent, name, inode):
        self._add(parent, name, inode, _File())

    def _mkdir(self, parent, name, inode):
        self._add(parent, name, inode, _Dir())

    def _write(self, inode, offset, data):
        if inode in self._nodes:
            self._nodes[inode].later.append((offset, data))

    def _truncate(self, inode, size):
        if inode in self._nodes:
            self._nodes[inode].later.append(size)

    def _output(self, data):
        self.output += data

    def _sync(self, inode):
        node = self._nodes.get(inode)
        if isinstance(node, _File):
            node.sync()
        for change in self._changes:
            change[0] |= any(node is d for d in change[1])

    def _syncfs(self):
        for change in self._changes:
            change[0] = True
        for node in self._nodes.values():
            if isinstance(node, _File):
                node.sync()

    def _unlink(self, parent, name):
        directory = self._nodes.get(parent)
        if isinstance(directory, _Dir):
            self._note([directory], lambda entries: entries(
                directory).pop(name, None))

    def _rename(self, parent, name, to_parent, to_name):
        source, target = self._nodes.get(parent), self._nodes.get(to_parent)
        if not source or not target:
            return
        node = source.entries[name]

        def change(entries):
            if entries(source).get(name) is node:
                del entries(source)[name]
            entries(target)[to_name] = node
        self._note([source, target], change)

    def cut(self, path, variant, seed):
        """Writes what is left after a power cut now into the directory
        `path`, which is made."""
        dice = random.Random(seed) if variant == RANDOM else None
        names = {node: dict(entries) for node, entries in self._first.items()}
        for durable, _, change in self._changes:
            if durable or variant == EARLY or dice and dice.random() < 0.5:
                change(lambda directory: names.setdefault(directory, {}))
        self._write_out(self._root, Path(path), names, dice)

    def _write_out(self, node, path, names, dice):
        if isinstance(node, _File):
            path.write_bytes(node.content(dice))
            os.chmod(path, 0o640)
            return
        path.mkdir(0o750)
        for name, child in names.get(node, {}).items():
            self._write_out(child, path / name, names, dice)
