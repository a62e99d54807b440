# SPDX-License-Identifier: ISC
"""Postfix as an SMTP client that authenticates with libsasl2.  Root only."""
import os
import re
import shutil
import smtplib
from pathlib import Path

from .process import wait_match, wait_until
from .template import fill

_HERE = Path(__file__).parent
_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
_MASTER = "/usr/lib/postfix/sbin/master"

# The kernel forgets to end a process with its parent when that process changes
# its identity, as the master does.  So a shell waits for the test's end, and
# the master, as leader of a group, ends its children.
_GUARD = 'setsid "$@" & read -r _; kill $!; wait $!'
# Directories that Postfix's own user owns.
_OWNED = {"data": 0o700, "spool/private": 0o700, "spool/public": 0o710,
          "spool/maildrop": 0o730} | {
    f"spool/{queue}": 0o700 for queue in
    ("active", "bounce", "corrupt", "defer", "deferred", "flush", "hold",
     "incoming", "saved", "trace")}


class Postfix:
    """A running instance that sends all mail to localhost:relay_port.

    relay_port, ca      the server, and the certificate to verify it with
    user, secret        the entry in its password map
    password_maps       another one, or several
    chroot              whether smtp(8) runs in the queue directory
    mechanism_filter    smtp_sasl_mechanism_filter
    env                 environment of its processes, e.g. SASL_PATH
    settings            {name: value} for main.cf
    services            more lines for master.cf
    machine             where it runs, if not on this one

    spool               the queue directory: the root of a chrooted smtp(8)
    """

    def __init__(self, bed, relay_port, ca, user="alice@example.test",
                 secret="alice-pw", chroot=False, mechanism_filter="",
                 env=None, settings=None, services="", password_maps=None,
                 machine=None):
        if os.getuid() != 0:
            raise RuntimeError("Postfix can be started by root only")
        self._bed, self._machine, self.port = bed, machine, bed.port()
        self.dir = bed.subdir("postfix")
        self.etc, self.spool = self.dir / "etc", self.dir / "spool"
        self._make_directories()
        self._write("sasl_passwd",
                    f"[localhost]:{relay_port} {user}:{secret}\n")
        self._write_config({
            "DIR": self.dir, "PORT": self.port, "RELAY": relay_port,
            "CA": ca, "FILTER": mechanism_filter,
            "MAPS": password_maps or f"texthash:{self.etc}/sasl_passwd",
            "CHROOT": "y" if chroot else "n", "SERVICES": services,
            "ENV": " ".join(f"{{ {name}={value} }}"
                            for name, value in (env or {}).items())},
            settings or {})
        if chroot:
            self._fill_chroot()
        self.start()

    def start(self):
        # Not through postfix(1), whose checks take two seconds.
        argv = ["/bin/sh", "-c", _GUARD, "guard", _MASTER, "-s", "-c",
                self.etc]
        self._guard = self._bed.spawn(
            self._machine.argv(argv) if self._machine else argv,
            env={"PATH": _PATH}, stdin=True, death_signal=0)
        self._bed.on_exit(self.stop)
        wait_until(self._ready, what=f"Postfix's start\n{self.dir}")

    def stop(self):
        self._guard.close_stdin()
        self._guard.wait()

    def submit(self, sender, to, message):
        """Put a message (bytes) into the queue; returns at once."""
        with smtplib.SMTP("127.0.0.1", self.port) as smtp:
            smtp.sendmail(sender, [to], message)

    def log_text(self):
        path = self.dir / "log/mail.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def wait_log(self, pattern, timeout=20):
        """Wait until the log has `pattern`; return the match."""
        return wait_match(pattern, self.log_text, timeout, self.log_text)

    def _ready(self):
        if self._guard.rc is not None:
            raise AssertionError(f"{self._guard.tail()}\n{self.log_text()}")
        try:
            smtplib.SMTP("127.0.0.1", self.port).close()
            return True
        except OSError:
            return False

    def _write_config(self, values, settings):
        for name in ("main.cf", "master.cf"):
            self._write(name, fill(_HERE / f"postfix-{name}.in", values))
        main = (self.etc / "main.cf").read_text()
        for name, value in settings.items():    # Postfix warns of two
            main = re.sub(rf"^{name} = .*\n", "", main, flags=re.M)
            main += f"{name} = {value}\n"
        self._write("main.cf", main)

    def _write(self, name, text):
        path = self.etc / name
        path.write_text(text)
        path.chmod(0o644 if name.endswith(".cf") else 0o600)
        # Postfix waits until its files are some seconds old.
        os.utime(path, (0, 0))

    def _make_directories(self):
        """As postfix-files has them."""
        for name in ("etc", "spool", "log", "spool/pid"):
            (self.dir / name).mkdir()
        for name, mode in _OWNED.items():
            path = self.dir / name
            path.mkdir()
            path.chmod(mode)
            shutil.chown(path, "postfix")
        for name in ("public", "maildrop"):
            shutil.chown(self.spool / name, group="postdrop")

    def _fill_chroot(self):
        """What name look-ups in smtp(8) need."""
        etc = self.spool / "etc"
        etc.mkdir()
        for name in ("hosts", "services", "nsswitch.conf", "resolv.conf"):
            if Path("/etc", name).exists():
                shutil.copy(Path("/etc", name), etc)
