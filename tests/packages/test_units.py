# SPDX-License-Identifier: ISC
"""The services as systemd runs them, within all that their units restrict."""
import json
import re
import unittest

from bed.process import wait_until

from integration.test_socketmap import Table

from .common import ALICE, CA, BoxTestCase

WORKSPACE = "/srv/workspace"
EXPOSURE_MAX = 2.0


class UnitsTest(BoxTestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.box = cls.new_box()
        cls.box.install()
        cls.box.sh("usermod -aG mailtoken anna; useradd --create-home eve")
        cls.box.write(
            "/etc/mailtoken/accounts.d/work.conf", cls.account(
                cls, allow="uid:anna uid:_mailtoken-connector",
                permit="get socketmap"), 0o640)
        cls.box.wait_sh("test -S /run/mailtoken/socket")
        cls.seed(cls(), cls.box)

    def main_pid(self, unit):
        return self.box.sh(f"systemctl show -P MainPID {unit}").strip()

    def assertRestricted(self, unit, user):
        """Its processes are what the unit wants them to be."""
        text = self.box.sh(f"cat /proc/{self.main_pid(unit)}/status")
        for line in ("CapEff:\t0000000000000000", "NoNewPrivs:\t1",
                     "CapBnd:\t0000000000000000", "Seccomp:\t2"):
            self.assertIn(line, text)
        uid = self.box.sh(f"id -u {user}").strip()
        self.assertIn(f"\nUid:\t{uid}\t{uid}\t{uid}\t{uid}\n", text)

    def assertQuiet(self, unit):
        """Nothing was refused to it that it wanted."""
        journal = self.box.journal(unit)
        self.assertNotRegex(
            journal, "(?i)not permitted|denied|read-only|core.?dump|failed")
        return journal

    # -- all of them -------------------------------------------------------

    def test_units_are_good(self):
        for kind, place in ("system", "/lib/systemd/system"), (
                "user", "/usr/lib/systemd/user"):
            result = self.box.run(
                "sh", "-c", f"systemd-analyze --{kind} verify --man=no "
                f"{place}/mailtoken*[a-z].[a-z]*", XDG_RUNTIME_DIR="/run")
            self.assertEqual((result.rc, result.err), (0, ""))

    def test_exposure_is_small(self):
        for unit in ("mailtokend.service", "mailtoken-connector.service",
                     "mailtoken-connector@.service"):
            text = self.box.sh("systemd-analyze security --offline=true "
                               f"--no-pager {unit}")
            found = re.search(r"exposure level for .*: ([\d.]+) ", text)
            self.assertLessEqual(float(found[1]), EXPOSURE_MAX, unit)

    # -- the helper --------------------------------------------------------

    def test_helper_serves_within_its_restrictions(self):
        self.assertRestricted("mailtokend", "_mailtoken")
        self.assertEqual(self.box.run("mailtoken", "refresh", "work").rc, 0)
        self.assertEqual(self.box.run("mailtoken", "doctor").rc, 0)
        self.box.sh("systemctl reload mailtokend")
        self.assertIn("settings read again", self.assertQuiet("mailtokend"))
        self.assertNotIn("could not be locked",
                         self.box.journal("mailtokend"))

    def test_mail_client_logs_in_by_the_module_and_nobody_else_may(self):
        self.mail.deliver(ALICE, b"Subject: one\n\nhi\n")
        result = self.mbsync(self.box, "anna")
        self.assertEqual(result.rc, 0, result)
        self.assertEqual(self.login_methods()[-1], "OAUTHBEARER")
        self.assertIn("OAUTHBEARER", self.box.run(
            "/usr/sbin/saslpluginviewer", "-c", user="anna").out)
        self.assertNotIn("OAUTHBEARER", self.box.run(
            "/usr/sbin/saslpluginviewer", "-c", user="eve").out)
        self.assertEqual(self.box.run("mailtoken", "get", "work",
                                      user="anna").rc, 0)
        self.assertEqual(self.box.run("mailtoken", "--socket",
                                      "/run/mailtoken/socket", "get", "work",
                                      user="eve").rc, 69)

    def test_killed_helper_is_back_and_who_asks_meanwhile_waits(self):
        old = self.main_pid("mailtokend")
        self.box.sh(f"kill -9 {old}")
        self.assertEqual(self.box.run("mailtoken", "get", "work").rc, 0)
        self.assertNotEqual(self.main_pid("mailtokend"), old)

    def test_key_can_be_a_credential(self):
        self.box.sh("mkdir -p /etc/credstore.encrypted; "
                    "head -c 32 /dev/urandom | systemd-creds encrypt "
                    "--with-key=host --name=mailtoken.key - "
                    "/etc/credstore.encrypted/mailtoken.key")
        self.box.write("/etc/mailtoken/mailtoken.conf",
                       "key_credential = mailtoken.key\n", 0o640)
        self.box.sh("systemctl restart mailtokend")
        self.assertEqual(self.box.run("mailtoken", "get", "work").rc, 0)
        self.assertEqual(self.box.run(
            "test", "-e", "/var/lib/mailtoken/key").rc, 1)

    def test_helper_listens_for_a_chrooted_postfix(self):
        self.box.sh("mkdir -p /var/spool/postfix; "
                    "systemctl stop mailtokend.service; systemctl enable "
                    "--now mailtokend-postfix.socket "
                    "mailtokend-socketmap.socket; "
                    "systemctl start mailtokend.service")
        queue = "/var/spool/postfix/run/mailtoken"
        self.assertEqual(
            self.box.sh(f"stat -c '%A %G' {queue}/*"),
            "srw-rw---- mailtoken\n" * 2)
        self.assertEqual(self.box.run(
            "mailtoken", "--socket", f"{queue}/socket", "get", "work",
            user="anna").rc, 0)
        with Table(self.box.root / queue[1:] / "socketmap") as table:
            self.assertRegex(table.ask(f"smtp {ALICE}"), f"^OK {ALICE}:.+")
        self.box.sh("systemctl disable --now mailtokend-postfix.socket "
                    "mailtokend-socketmap.socket")

    # -- of one user -------------------------------------------------------

    def test_user_has_a_helper_of_their_own(self):
        self.box.sh("loginctl enable-linger eve")
        self.box.wait_sh("systemctl is-active user@$(id -u eve)")
        own = {"XDG_RUNTIME_DIR": f"/run/user/{self.box.sh('id -u eve')}"
               .strip()}

        def user(script):
            return self.box.sh(script, user="eve", HOME="/home/eve", **own)
        place = own["XDG_RUNTIME_DIR"] + "/mailtoken"
        self.assertEqual(self.box.run("test", "-e", place).rc, 1)
        self.box.write("/home/eve/account", self.account("mine"))
        user("mkdir -p ~/.config/mailtoken; umask 077; "
             "cat ~/account >~/.config/mailtoken/mailtoken.conf")
        self.box.wait_sh(f"test -S {place}/socket")
        result = self.box.run(
            "mailtoken", "login", "mine", "--refresh-token-file", "-",
            user="eve", input=self.oidc.mint(ALICE)["refresh_token"],
            HOME="/home/eve", **own)
        self.assertEqual(result.rc, 0, result)
        user("mailtoken get mine")
        self.assertEqual(user("ls ~/.local/state/mailtoken/mine.token"),
                         "/home/eve/.local/state/mailtoken/mine.token\n")
        pid = user("systemctl --user show -P MainPID mailtokend").strip()
        status = self.box.sh(f"cat /proc/{pid}/status")
        self.assertIn("NoNewPrivs:\t1", status)
        self.assertIn("Seccomp:\t2", status)

    # -- the connector -----------------------------------------------------

    def settings(self, **more):
        values = {"IMAP_HOST": "localhost", "IMAP_USERNAME": ALICE,
                  "IMAP_PORT": self.mail.imaps_port,
                  "SMTP_PORT": self.mail.submission_port,
                  "WORKSPACE_DIR": WORKSPACE, "TLS_CA_FILE": CA} | more
        return "".join(f"TRI_ONYX_{name}={value}\n"
                       for name, value in values.items())

    def assertDelivers(self, unit, agent):
        self.mail.deliver(ALICE, b"From: x@example.test\nSubject: unit\n"
                          b"Content-Type: text/plain\n\nhi\n")
        inbox = self.box.root / f"{WORKSPACE[1:]}/agents/{agent}/inbox"

        def arrived():
            if self.box.run("systemctl", "is-active", unit).rc:
                raise AssertionError(self.box.journal(unit))
            return inbox.exists() and list(inbox.glob("*/message.json"))
        message = json.loads(wait_until(arrived, 60, "mail")[-1].read_text())
        self.assertIn("hi", message["body_text"])
        self.assertRestricted(unit, "_mailtoken-connector")
        self.assertQuiet(unit)

    def prepare_workspace(self):
        self.box.sh("install -d -o _mailtoken-connector "
                    f"-g _mailtoken-connector {WORKSPACE}")

    def test_connector_delivers_with_a_password_from_a_credential(self):
        self.prepare_workspace()
        unit = "mailtoken-connector.service"
        self.box.sh("mkdir -p -m 700 /etc/credstore")
        self.box.write("/etc/credstore/mailtoken-connector.default."
                       "imap-password", "alice-pw", 0o600)
        self.box.write("/etc/mailtoken-connector/default.conf", self.settings(
            EMAIL_AGENT="secret", IMAP_PASSWORD_FILE=f"/run/credentials/{unit}"
            "/imap-password"), 0o640)
        self.box.sh(f"systemctl start {unit}")
        self.assertDelivers(unit, "secret")
        self.box.sh(f"systemctl reload {unit}")
        self.box.sh("systemctl stop mailtoken-connector.target")
        self.assertEqual(
            self.box.sh(f"systemctl show -P Result -P SubState {unit}"),
            "success\ndead\n")

    def test_connector_of_a_template_delivers_with_the_helpers_token(self):
        self.prepare_workspace()
        unit = "mailtoken-connector@token.service"
        self.box.write("/etc/mailtoken-connector/token.conf", self.settings(
            EMAIL_AGENT="token", IMAP_AUTH="oauth2",
            EMAIL_SOCKET="/run/mailtoken-connector/token/gateway"), 0o640)
        self.box.sh(f"systemctl start {unit}")
        self.assertDelivers(unit, "token")
        self.assertIn(self.login_methods()[-1], ("OAUTHBEARER", "XOAUTH2"))
        self.assertEqual(
            self.box.sh("stat -c '%A %G' /run/mailtoken-connector/token/*"),
            "srw-rw---- _mailtoken-connector\n")
        self.box.sh(f"systemctl stop {unit}")

    def test_connector_with_a_private_helper_delivers(self):
        self.prepare_workspace()
        unit = "mailtoken-connector@private.service"
        self.box.write("/etc/mailtoken-connector/private.conf", self.settings(
            EMAIL_AGENT="private", IMAP_AUTH="oauth2",
            OAUTH2_CLIENT_ID="native", OAUTH2_TOKEN_URL=self.oidc.url("token"),
            OAUTH2_SCOPE="mail",
            OAUTH2_REFRESH_TOKEN_FILE=f"/run/credentials/{unit}/refresh-token"
        ), 0o640)
        self.box.sh("mkdir -p -m 700 /etc/credstore")
        self.box.write("/etc/credstore/mailtoken-connector.private."
                       "refresh-token", self.oidc.mint(ALICE)["refresh_token"],
                       0o600)
        self.box.sh(f"systemctl start {unit}")
        self.assertDelivers(unit, "private")
        self.box.sh("ls /var/lib/mailtoken-connector/private/helper/*.token")
        self.box.sh(f"systemctl stop {unit}")
        self.assertEqual(
            self.box.sh(f"systemctl show -P Result {unit}"), "success\n")

    def test_connector_that_hangs_is_started_again(self):
        self.prepare_workspace()
        unit = "mailtoken-connector@hang.service"
        self.box.write("/etc/mailtoken-connector/hang.conf", self.settings(
            EMAIL_AGENT="hang", IMAP_AUTH="oauth2"), 0o640)
        self.box.sh(f"mkdir -p /run/systemd/system/{unit}.d")
        self.box.write(f"/run/systemd/system/{unit}.d/quick.conf",
                       "[Service]\nWatchdogSec=2\nRestartSec=0\n")
        self.box.sh(f"systemctl daemon-reload; systemctl start {unit}")
        old = self.main_pid(unit)
        self.box.sh(f"kill -STOP {old}")
        wait_until(lambda: self.main_pid(unit) not in (old, "0"), 60,
                   "another process")
        self.assertIn("watchdog", self.box.journal(unit).lower())
        self.box.sh(f"systemctl stop {unit}")


if __name__ == "__main__":
    unittest.main()
