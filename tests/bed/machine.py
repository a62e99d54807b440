# SPDX-License-Identifier: ISC
"""A machine on which the module is installed, as far as files go.  Root only.

Its processes see the real file system but for a few places of their own: the
directory of the SASL modules, the module's settings, /run, and /etc/group.
"""
import os
from pathlib import Path

from .core import PATH, debian_sasl_dir
from .process import wait_until
from .tokensock import Mailtokend

GROUP = 4711    # mailtoken
_SETTINGS_DIR = "/usr/local/etc"    # where the build looks for mailtoken/
_SETUP = """set -e
mount --make-rprivate /
mount -t tmpfs t /run
mount -t tmpfs t {settings}
mount --bind {group} /etc/group
mount -t tmpfs t {sasl}
for module in {modules}; do cp "$module" {sasl}/; done
mount --bind {sasl} {system_sasl}
echo ready
exec cat
"""


class Machine:
    """modules: paths of the modules, in the order in which they are put into
    the directory; in a tmpfs that order decides in which they are read.

    settings    text of the module's settings file, or None
    members     users in the group mailtoken
    """

    def __init__(self, bed, modules, settings=None, members=()):
        self.bed, self.dir = bed, bed.subdir("machine")
        group = self.dir / "group"
        group.write_text(Path("/etc/group").read_text()
                         + f"mailtoken:x:{GROUP}:{','.join(members)}\n")
        script = _SETUP.format(
            settings=_SETTINGS_DIR, group=group, sasl=bed.subdir("sasl"),
            modules=" ".join(str(path) for path in modules),
            system_sasl=debian_sasl_dir())
        self._holder = bed.spawn(["unshare", "--mount", "sh", "-c", script],
                                 {"PATH": PATH}, stdin=True)
        self._holder.wait_output("^ready$", "stdout")
        if settings is not None:
            path = self.root / _SETTINGS_DIR[1:] / "mailtoken/sasl.conf"
            path.parent.mkdir()
            path.write_text(settings)

    @property
    def root(self):
        """Its root directory, seen from outside."""
        return Path(f"/proc/{self._holder.pid}/root")

    def argv(self, argv, uid=None):
        """What runs `argv` there, as an ordinary user `uid` in no group."""
        user = ["setpriv", "--reuid", uid, "--regid", uid,
                "--clear-groups"] if uid else []
        # its root, too: to enter a mount namespace leaves a chroot
        return ["nsenter", f"--target={self._holder.pid}", "--mount", "--root",
                "--", *user, *argv]

    def stop(self):
        self._holder.stop()


class SystemHelper(Mailtokend):
    """root's mailtokend on a Machine, with the places of the system."""

    def __init__(self, bed, machine, config):
        self.machine = machine
        super().__init__(bed, config, start=False)
        self.socket = machine.root / "run/mailtoken/socket"
        self.admin = machine.root / "run/mailtoken/admin"

    def start(self):
        self.process = self.bed.spawn(self.machine.argv(self.argv()))
        wait_until(self._listens, what="mailtokend to listen")
        return self


def installed_modules(bed, *names):
    """Paths of modules: "mailtoken" for the project's, others Debian's."""
    return [bed.build_dir() / "sasl2/libmailtoken.so" if name == "mailtoken"
            else debian_sasl_dir() / f"lib{name}.so" for name in names]
