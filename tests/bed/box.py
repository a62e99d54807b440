# SPDX-License-Identifier: ISC
"""A Debian system of its own, in which packages are installed.  Root only.

Nothing of the machine or of the build is in it but the network: servers of
the bed are reached at localhost.  systemd runs it, as process 1.
"""
import fcntl
import functools
import hashlib
import inspect
import os
import re
import shlex
import shutil
import subprocess
import time
from pathlib import Path

from .oidc import cache
from .process import wait_until

_PATH = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"}
# Beside what mmdebstrap calls minbase: what runs the tests, and users of the
# packages.
PACKAGES = ("systemd", "systemd-sysv", "dbus", "libpam-systemd", "isync",
             "sasl2-bin", "mandoc", "openssl", "bash-completion",
             "python3", "gpg", "gpg-agent")
_KEEP_S = 3 * 86400     # a root that nobody asked for
# In namespaces of its own.  Settings of the kernel are the machine's.
_BOOT = """set -e
mount --make-rprivate /
mount -t tmpfs tmpfs $0
cd $0
mkdir upper work root
mount -t overlay overlay -o lowerdir=$1,upperdir=upper,workdir=work root
cd root
mount -t proc proc proc
mount --bind proc/sys proc/sys
mount -o remount,ro,bind proc/sys
mount -t sysfs -o ro sys sys
mount -t cgroup2 cgroup sys/fs/cgroup
mount -t tmpfs tmpfs run
mount -t tmpfs tmpfs dev
mkdir dev/shm dev/pts
mount -t devpts devpts dev/pts
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
while read name major minor; do
	mknod -m 666 dev/$name c $major $minor
done <<-end
	null 1 3
	zero 1 5
	full 1 7
	random 1 8
	urandom 1 9
	tty 5 0
end
cp /etc/resolv.conf etc/
# as a service manager expects it: its units get credentials by that
mount --make-rshared /
echo box >etc/hostname
echo 127.0.0.1 localhost box >etc/hosts
exec setpriv --bounding-set=-sys_module,-sys_time,-syslog env -i container=box \\
    PATH=$PATH chroot . $2
"""
# A cgroup of its own first, that the box takes for the whole hierarchy.
_CGROUP = """set -e
mount --make-rprivate /
mount -t cgroup2 cgroup $0
mkdir $0/$3
echo 0 >$0/$3/cgroup.procs
umount $0
exec unshare --cgroup --pid --ipc --uts --fork --kill-child \\
    sh -c "$4" $0 $1 "$2"
"""


def _make_root(path, debs, packages):
    """minbase and packages; what `debs` depend on lies in apt's cache."""
    fetch = ("set -e; mkdir $1/debs; cp {debs} $1/debs; "
             "chroot $1 sh -c 'apt-get -qy --no-install-recommends "
             "--download-only install /debs/*.deb'; rm -r $1/debs")
    subprocess.run(
        ["mmdebstrap", "--variant=minbase", f"--include={','.join(packages)}",
         "--skip=cleanup/apt,cleanup/reproducible",
         "--customize-hook=" + fetch.format(
             debs=" ".join(shlex.quote(str(deb)) for deb in debs)),
         "bookworm", path], check=True, stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL)


def _depends(deb):
    return subprocess.check_output(["dpkg-deb", "-f", deb, "Depends"],
                                   text=True)


def clean_root(debs, packages=PACKAGES):
    """The root directory of a new Debian, never written to again.

    It is made once, beside what tests/setup keeps.
    """
    wanted = [_depends(deb) for deb in debs]
    recipe = inspect.getsource(_make_root) + " ".join(packages) + "".join(
        sorted(re.sub(r" \(= [^)]*\)", "", text) for text in wanted))
    name = hashlib.sha256(recipe.encode()).hexdigest()[:16]
    root = cache() / f"root-{name}"
    with open(cache() / "root.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not root.exists():
            new = cache() / "new-root"
            shutil.rmtree(new, ignore_errors=True)
            try:
                _make_root(new, debs, packages)
            except subprocess.CalledProcessError as error:
                raise RuntimeError(f"no clean root: {error.stderr}") from error
            new.rename(root)
        os.utime(root)
        for old in cache().glob("root-*"):
            if old.is_dir() and old.stat().st_mtime < time.time() - _KEEP_S:
                shutil.rmtree(old)
    return root


class Box:
    """debs    the packages that will be installed
    init        what runs it; systemd, or "sleep infinity" for none
    packages    what it has besides
    """

    def __init__(self, bed, debs, init="/lib/systemd/systemd",
                 packages=PACKAGES):
        self.bed, self.debs = bed, [Path(deb) for deb in debs]
        place = bed.subdir("box")
        self._cgroup = f"mailtoken-{place.parent.name}-{place.name}"
        self._holder = bed.spawn(
            ["unshare", "--mount", "sh", "-c", _CGROUP, place,
             clean_root(debs, packages), init, self._cgroup, _BOOT],
            {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"})
        bed.on_exit(self.stop)
        self._name = Path(init.split()[0]).name
        if self._name == "systemd":
            wait_until(self._is_up, 120, "the box to be up")

    @functools.cached_property
    def pid(self):
        """Its process 1, seen from outside, once it is what runs the box."""
        holder = Path(f"/proc/{self._holder.pid}")
        listed = holder / f"task/{self._holder.pid}/children"

        def first():
            if self._holder.rc is not None:
                raise AssertionError(self._holder.tail())
            for child in listed.read_text().split():
                try:
                    comm = Path(f"/proc/{child}/comm").read_text().strip()
                except OSError:
                    continue
                if comm == self._name:
                    return int(child)
            return None
        return wait_until(first, 60, "the box to start")

    @property
    def root(self):
        return Path(f"/proc/{self.pid}/root")

    def _is_up(self):
        result = self.run("systemctl", "is-system-running")
        return result.out.strip() in ("running", "degraded")

    def argv(self, argv, user=None):
        """What runs `argv` in it, as `user` with a login session's rights."""
        as_user = ["runuser", "-u", user, "--"] if user else []
        return ["nsenter", f"--target={self.pid}", "--mount", "--pid",
                "--cgroup", "--ipc", "--uts", "--root", "--", "env",
                "--chdir=/", *as_user, *argv]

    def run(self, *argv, user=None, input="", timeout=60, **env):
        """Run a program in it: a Result."""
        return self.bed.run(self.argv(argv, user), _PATH | env, input,
                            timeout)

    def sh(self, script, user=None, rc=0, timeout=60, **env):
        """Run lines of shell; returns what they print."""
        return self.run("sh", "-ec", script, user=user, timeout=timeout,
                        **env).check(rc).out

    def write(self, path, text, mode=0o644):
        """A new file, whose group is as the directory has it."""
        target = self.root / path.lstrip("/")
        target.write_text(text)
        target.chmod(mode)

    def apt(self, *args):
        """apt-get, with what lies in the box alone."""
        return self.sh("DEBIAN_FRONTEND=noninteractive apt-get -qy "
                       "--no-install-recommends " + shlex.join(args),
                       timeout=180)

    def install(self, debs=None):
        """Install the packages."""
        place = self.root / "debs"
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        for deb in debs or self.debs:
            shutil.copy(deb, place)
        text = self.apt("install", *(f"/debs/{path.name}" for path
                                     in place.glob("*.deb")))
        shutil.rmtree(place)
        return text

    def install_dependencies(self):
        """Only what the packages depend on, but for one another."""
        ours = {path.name.split("_")[0] for path in self.debs}
        wanted = ",".join(_depends(path) for path in self.debs).split(",")
        self.apt("satisfy", *(text.strip() for text in wanted
                              if text.split()[0] not in ours))

    def journal(self, unit):
        return self.sh(f"journalctl --sync; journalctl -b -u {unit} -o cat")

    def wait_sh(self, script, timeout=30):
        """Wait until lines of shell succeed."""
        wait_until(lambda: self.run("sh", "-ec", script).rc == 0, timeout,
                   script)

    def stop(self):
        if self._holder.rc is None:
            self._holder.kill()
        # what is left of the cgroup, when its last process is gone
        place = self.bed.subdir("cgroup")
        subprocess.run(["unshare", "--mount", "sh", "-c",
                        "mount --make-rprivate /; mount -t cgroup2 c $0 && "
                        "cd $0 && for i in $(seq 100); do [ ! -d $1 ] || "
                        "find $1 -depth -type d -exec rmdir {} + "
                        "2>/dev/null || sleep 0.05; done", place,
                        self._cgroup], check=False)


