# SPDX-License-Identifier: ISC
"""Child processes that end with the test, whatever happens to the test.

The kernel kills a child when the thread that started it is gone, so start
long-lived children from the test's main thread.  Each child leads a session
of its own: Ctrl-C reaches the test alone.  What a child leaves behind when it
ends becomes a child of the test, which adopt_orphans() asks for, and
end_orphans() ends.
"""
import ctypes
import os
import re
import signal
import subprocess
import time
from pathlib import Path

_libc = ctypes.CDLL(None, use_errno=True)
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36

# Settings of a sanitizer or coverage run belong to the run, not to the test.
_TOOLING = ("ASAN_OPTIONS", "LSAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS",
            "GCOV_PREFIX", "GCOV_PREFIX_STRIP")
_SANITIZER = re.compile(r"(ERROR|WARNING): \w*Sanitizer|runtime error: ")


def wait_until(condition, timeout=20, what="condition"):
    """Poll `condition` every few ms; return its first true value.

    AssertionError names `what` when `timeout` seconds have passed.
    """
    end = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {timeout} s: {what}")
        time.sleep(0.005)


def wait_match(pattern, text, timeout, explain, is_over=lambda: False):
    """Poll text() until `pattern` is in it; return the match.

    AssertionError with explain() after `timeout`, or when is_over().
    """
    end = time.monotonic() + timeout
    while True:
        # In this order: what was written before the end is seen.
        over = is_over() or time.monotonic() > end
        match = re.search(pattern, text(), re.M)
        if match:
            return match
        if over:
            lines = explain().splitlines()[-40:]
            raise AssertionError("\n".join([f"no {pattern!r} in", *lines]))
        time.sleep(0.005)


def alive(pid):
    """Whether `pid` runs; a zombie does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"


def clean_env(env):
    """Exactly `env`, plus what a sanitizer or coverage run needs."""
    passed = {name: os.environ[name] for name in _TOOLING
              if name in os.environ}
    return passed | {name: str(value) for name, value in (env or {}).items()}


class Process:
    """A running child.  `out` and `err` are the files that it writes."""

    def __init__(self, argv, env, out, err, cwd=None, stdin=False,
                 stdout=None, pass_fds=(), death_signal=signal.SIGKILL):
        """stdin is True for a pipe, or a file; stdout None for `out`."""
        self.argv = [str(arg) for arg in argv]
        self.name = Path(self.argv[0]).name
        self.out, self.err = Path(out), Path(err)
        parent = os.getpid()

        def die_with_parent():
            _libc.prctl(_PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0)
            if os.getppid() != parent:
                os._exit(127)

        with open(self.out, "wb") as o, open(self.err, "wb") as e:
            self.popen = subprocess.Popen(
                self.argv, env=clean_env(env), cwd=cwd,
                stdin=(subprocess.PIPE if stdin is True else
                       stdin or subprocess.DEVNULL),
                stdout=o if stdout is None else stdout, stderr=e,
                pass_fds=pass_fds, start_new_session=True,
                preexec_fn=die_with_parent)
        self.pid = self.popen.pid

    @property
    def rc(self):
        """Exit status, minus the signal's number, or None while it runs."""
        return self.popen.poll()

    def stdout_text(self):
        return self.out.read_text(errors="replace")

    def stderr_text(self):
        return self.err.read_text(errors="replace")

    def wait(self, timeout=30):
        """Wait for the end; return the exit status as `rc` has it."""
        try:
            return self.popen.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(
                f"{self.name} still runs after {timeout} s\n{self.tail()}"
            ) from None

    def wait_output(self, pattern, stream="stderr", timeout=20):
        """Wait until `pattern` is in the output; return the match."""
        text = self.stderr_text if stream == "stderr" else self.stdout_text
        return wait_match(pattern, text, timeout, self.tail,
                          lambda: self.rc is not None)

    def send(self, text):
        """Write to its standard input (needs stdin=True)."""
        self.popen.stdin.write(text.encode() if isinstance(text, str)
                               else text)
        self.popen.stdin.flush()

    def close_stdin(self):
        self.popen.stdin.close()

    def signal(self, number):
        self.popen.send_signal(number)

    def kill(self):
        """SIGKILL, and wait."""
        self.popen.kill()
        return self.popen.wait()

    def kill_session(self):
        """SIGKILL it and every process it started, but other leaders'."""
        self.kill()
        end_orphans(session=self.pid)

    def stop(self, timeout=10):
        """SIGTERM, and SIGKILL after `timeout`."""
        if self.rc is None:
            self.popen.terminate()
            try:
                self.popen.wait(timeout)
            except subprocess.TimeoutExpired:
                self.kill()
        for pipe in (self.popen.stdin, self.popen.stdout):
            if pipe:
                pipe.close()

    def tail(self, lines=20):
        """The last lines of both streams, for a failure's text."""
        parts = [f"$ {' '.join(self.argv)}", f"exit status {self.rc}"]
        for title, text in (("stdout", self.stdout_text()),
                            ("stderr", self.stderr_text())):
            if text.strip():
                parts += [f"--- {title}"] + text.splitlines()[-lines:]
        return "\n".join(parts)

    def sanitizer_report(self):
        """What a sanitizer had to say, or None."""
        text = self.stderr_text()
        return text if _SANITIZER.search(text) else None


class Result:
    """What a finished program left: rc, out, err (text)."""

    def __init__(self, argv, rc, out, err):
        self.argv, self.rc, self.out, self.err = argv, rc, out, err

    def check(self, rc=0):
        """Fail, with the output, unless the exit status is `rc`."""
        if self.rc != rc:
            raise AssertionError(str(self))
        return self

    def __str__(self):
        argv = " ".join(str(arg) for arg in self.argv)
        return (f"$ {argv}\nexit status {self.rc}\n--- stdout\n{self.out}"
                f"--- stderr\n{self.err}")


def adopt_orphans():
    """Be the parent of what our children leave behind."""
    _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def end_orphans(session=None):
    """Kill and reap our children in that session, or in any but ours."""
    def is_meant(its):
        return its == session if session else its != os.getsid(0)

    while True:
        orphans = [pid for pid, parent, its in _processes()
                   if parent == os.getpid() and is_meant(its)]
        for pid in orphans:
            os.kill(pid, signal.SIGKILL)
        if not orphans:
            return
        # not one after the other: the first of a PID namespace ends only when
        # the others in it are reaped
        while orphans:
            orphans = [pid for pid in orphans
                       if os.waitpid(pid, os.WNOHANG)[0] == 0]
            time.sleep(0.005)


def _processes():
    """All processes as (pid, parent, session), zombies included."""
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = entry.read_text()
        except OSError:
            continue
        fields = text.rpartition(")")[2].split()
        yield int(entry.parent.name), int(fields[1]), int(fields[3])
