# SPDX-License-Identifier: ISC
"""From the installation of the packages to their purge."""
import re
import subprocess
import unittest
from pathlib import Path

from bed.process import wait_until

from .common import BoxTestCase, packages

SOURCE = Path(__file__).resolve().parents[2]
OURS = ("mailtoken", "mailtoken-connector", "libsasl2-modules-mailtoken")
# What apt, dpkg, the journal and others keep of all that was ever there.
KEPT = re.compile(
    r"/(proc|sys|dev|run/(?!mailtoken)|tmp|debs|home)(/|$)|"
    r"/var/(log|cache|tmp|lib/(dpkg|apt|systemd|pam|dbus))(/|$)|"
    r"/etc/(passwd|group|g?shadow)-?$|/etc/ld\.so\.cache$|/etc/\.pwd\.lock$|"
    r"/etc/(subuid|subgid)-?$|/(root|var/spool/mail|var/mail)/|/run$")


def files(box):
    text = box.sh("find / -xdev \\( -path /proc -o -path /sys \\) -prune -o "
                  "-print; find /run -xdev")
    return {path for path in text.splitlines() if not KEPT.match(path)}


class LifecycleTest(BoxTestCase):
    def older(self, version="0.0.9"):
        """The same packages, of an earlier version."""
        place = self.bed.subdir("older")
        for deb in packages(self.bed):
            tree = place / deb.stem
            subprocess.run(["dpkg-deb", "-R", deb, tree], check=True)
            control = tree / "DEBIAN/control"
            text = control.read_text()
            new = re.search(r"^Version: (.*)$", text, re.M)[1]
            control.write_text(text.replace(new, version))
            subprocess.run(
                ["dpkg-deb", "-Znone", "-b", "--root-owner-group", tree, place],
                check=True, stdout=subprocess.DEVNULL)
        return sorted(place.glob("*.deb"))

    def store(self, box):
        return box.sh("cd /var/lib/mailtoken && sha256sum -- key *.token")

    def assertNothingIsSeen(self, box):
        """By who has no account: no socket, no mechanism."""
        self.assertEqual(box.sh("ls /run/mailtoken"), "")
        for user in None, "anna":
            result = box.run("/usr/sbin/saslpluginviewer", "-c", user=user)
            self.assertIn("PLAIN", result.out)
            self.assertNotIn("OAUTH", result.out)

    def assertTokensAreServed(self, box):
        wait_until(lambda: box.run("mailtoken", "get", "work").rc == 0,
                   what="a token")
        self.assertRegex(box.sh("mailtoken status"), "work +ok")

    def test_everything_works_from_installation_to_purge(self):
        box = self.new_box()
        box.install_dependencies()
        before = files(box)
        box.install(self.older())
        self.assertEqual(box.sh("systemctl --failed --no-legend"), "")
        self.assertNothingIsSeen(box)
        self.assertEqual(
            box.sh("stat -c '%A %U %G' /etc/mailtoken/accounts.d "
                   "/etc/mailtoken-connector"),
            "drwxr-s--- root _mailtoken\n"
            "drwxr-s--- root _mailtoken-connector\n")
        self.assertIn("mailtoken", box.sh("id -nG _mailtoken-connector"))

        # the first account, and nothing else, makes the socket
        box.write("/etc/mailtoken/accounts.d/work.conf", self.account(), 0o640)
        box.wait_sh("test -S /run/mailtoken/socket")
        self.assertEqual(
            box.sh("stat -c '%A %U %G' /run/mailtoken/socket "
                   "/run/mailtoken/admin"),
            "srw-rw---- root mailtoken\nsrw------- _mailtoken _mailtoken\n")
        self.seed(box)
        self.assertTokensAreServed(box)

        socket = "stat -c %i /run/mailtoken/socket"
        process = "systemctl show -P MainPID mailtokend"
        kept, old = self.store(box), (box.sh(socket), box.sh(process))
        box.install()
        self.assertEqual(self.store(box), kept)
        self.assertEqual(box.sh(socket), old[0])    # it has queued meanwhile
        self.assertNotEqual(box.sh(process), old[1])
        self.assertTokensAreServed(box)

        kept = self.store(box)
        box.apt("remove", *OURS)
        self.assertEqual(self.store(box), kept)
        self.assertEqual(box.sh("ls /run/mailtoken"), "")
        self.assertEqual(box.sh("cat /etc/mailtoken/accounts.d/work.conf"),
                         self.account())
        box.install()
        self.assertTokensAreServed(box)

        box.apt("purge", *OURS)
        self.assertEqual(sorted(files(box) - before), [])
        self.assertEqual(box.sh("systemctl --failed --no-legend"), "")

    def test_debians_own_test_passes(self):
        box = self.new_box()
        box.install()
        script = SOURCE / "debian/tests/installed"
        box.write("/tmp/installed", script.read_text(), 0o755)
        box.run("/tmp/installed", timeout=120).check()

    def test_another_init_does(self):
        box = self.new_box(init="/usr/bin/sleep infinity")
        box.install_dependencies()
        before = files(box)
        box.install()
        self.assertNothingIsSeen(box)
        box.write("/etc/mailtoken/mailtoken.conf", self.account(
            allow="uid:anna"), 0o640)
        box.sh("usermod -aG mailtoken anna; usermod -aG mailtoken _mailtoken;"
               "install -d -m 700 -o _mailtoken /var/lib/mailtoken;"
               "chown _mailtoken /run/mailtoken")
        helper = self.bed.spawn(box.argv(
            ["env", "STATE_DIRECTORY=/var/lib/mailtoken", "mailtokend"],
            "_mailtoken"), {"PATH": "/usr/sbin:/usr/bin"})
        helper.wait_output("listening on /run/mailtoken/socket")
        # it is neither root nor who asks; sasl.conf has it trusted
        self.seed(box)
        self.assertEqual(box.run("mailtoken", "get", "work",
                                 user="anna").rc, 0)
        self.mail.deliver("alice@example.test", b"Subject: one\n\nhi\n")
        result = self.mbsync(box, "anna")
        self.assertEqual(result.rc, 0, result)
        self.assertEqual(self.login_methods()[-1], "OAUTHBEARER")
        helper.stop()
        box.apt("purge", *OURS)
        self.assertEqual(sorted(files(box) - before), [])


if __name__ == "__main__":
    unittest.main()
