# SPDX-License-Identifier: ISC
"""`mailtoken doctor`: each fault is made, and its sentence read.

On a machine of its own (bed/machine.py), where everything is as it should be
until a test breaks one thing.
"""
import json
import shutil
import unittest

from bed import BedTestCase, wait_until
from bed.core import PATH, debian_sasl_dir
from bed.machine import Machine, SystemHelper, installed_modules
from bed.tokensock import Mailtokend, account

NOBODY = 65534
OFFER = "offer = smtp\n"


class DoctorTestCase(BedTestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.oidc = cls.bed.oidc()

    def setUp(self):
        self.oidc.release()

    def machine(self, modules=("mailtoken", "plain"), settings=OFFER,
                members=("postfix",)):
        machine = Machine(self.bed, installed_modules(self.bed, *modules),
                          settings, members)
        self.addCleanup(machine.stop)
        return machine

    def postfix(self, chroot="y", more=""):
        """The settings of a Postfix, and its queue directory."""
        etc, queue = self.bed.subdir("postfix"), self.bed.subdir("queue")
        (etc / "main.cf").write_text(
            f"compatibility_level = 3.6\nqueue_directory = {queue}\n"
            "smtp_sasl_auth_enable = yes\n"
            "smtp_sasl_security_options = noplaintext, noanonymous\n"
            + (more or "smtp_sasl_tls_security_options = noanonymous\n"))
        (etc / "master.cf").write_text(f"smtp unix - - {chroot} - - smtp\n")
        return etc, queue

    def helper(self, machine, queue=None, login=True, **settings):
        """root's, with the account alice, which Postfix may use."""
        sockets = ["socket = /run/mailtoken/socket"]
        if queue:
            sockets.append(f"socket = {queue}/run/mailtoken/socket")
        config = "\n".join(sockets) + "\n" + account(self.oidc, **{
            "smtp_host": "localhost", "allow": "uid:postfix"} | settings)
        helper = SystemHelper(self.bed, machine, config).start()
        self.addCleanup(lambda: helper.process and helper.process.stop())
        if login:
            helper.login(self.oidc, "alice").expect()
        return helper

    def doctor(self, machine, *args, etc="/nowhere", uid=None, before=()):
        return self.bed.run(
            machine.argv([self.bed.program("mailtoken"), *before, "doctor",
                          *args], uid),
            {"HOME": "/", "PATH": PATH, "MAIL_CONFIG": etc})

    def assertHealthy(self, result):
        self.assertEqual(
            (result.rc, result.out, result.err),
            (0, "nothing is wrong: 1 account, token helper at "
             "/run/mailtoken/socket\n", ""), result)

    def assertFinds(self, result, what, todo, count=1):
        """These words, and nothing else that is wrong."""
        self.assertEqual(result.rc, 1, result)
        self.assertRegex(result.out, rf"(?m)^- .*{what}.*\n  To do: .*{todo}")
        self.assertEqual(result.out.count("\n- "), count - 1, result)
        self.assertRegex(result.err, f"^mailtoken: .*{count} things? to mend")

    def healthy(self):
        machine = self.machine()
        return machine, self.helper(machine)


class HealthyTest(DoctorTestCase):
    def test_nothing_is_found_where_nothing_is_wrong(self):
        machine = self.machine()
        for chroot in "y", "n":
            etc, queue = self.postfix(chroot)
            helper = self.helper(machine, queue if chroot == "y" else None)
            self.assertHealthy(self.doctor(machine, etc=etc))
            self.assertHealthy(self.doctor(machine, "alice", etc=etc))
            self.assertHealthy(self.doctor(machine, "--user", "postfix",
                                           etc=etc))
            if chroot == "y":
                self.assertHealthy(self.doctor(
                    machine, "--chroot", queue, "--user", "postfix", etc=etc))
            helper.stop()

    def test_administration_socket_leads_to_that_of_mail_programs(self):
        machine, _ = self.healthy()
        self.assertHealthy(self.doctor(
            machine, "--user", "postfix",
            before=["--socket", "/run/mailtoken/admin"]))

    def test_postfix_that_uses_no_account_is_left_alone(self):
        machine = self.machine(settings=None)
        etc, _ = self.postfix(more="# nothing\n")
        self.helper(machine, allow="uid:0")
        self.assertHealthy(self.doctor(machine, etc=etc))

    def test_unknown_names_are_no_findings(self):
        machine, _ = self.healthy()
        self.assertEqual(self.doctor(machine, "nobodys").rc, 67)
        self.assertEqual(self.doctor(machine, "--user", "no-such").rc, 64)
        self.assertEqual(
            self.doctor(machine, "--user", "root", uid=NOBODY).rc, 64)


class ModuleTest(DoctorTestCase):
    def test_missing_module(self):
        machine = self.machine(modules=["plain"])
        self.helper(machine)
        self.assertFinds(self.doctor(machine), "there is no libmailtoken.so "
                         f"in {debian_sasl_dir()}", "install the module")

    def test_misplaced_module(self):
        machine = self.machine(modules=["plain"])
        self.helper(machine)
        self.bed.run(machine.argv(
            ["mount", "-t", "tmpfs", "t", "/usr/local/lib"]),
            {"PATH": PATH}).check()
        there = machine.root / "usr/local/lib/sasl2"
        there.mkdir()
        (there / "libmailtoken.so").touch()
        self.assertFinds(
            self.doctor(machine), "libmailtoken.so lies in /usr/local/lib/"
            f"sasl2, but libsasl2 looks for modules in {debian_sasl_dir()}",
            "CMAKE_INSTALL_PREFIX=/usr")

    def test_module_that_cannot_be_loaded(self):
        machine, _ = self.healthy()
        path = machine.root / str(debian_sasl_dir())[1:] / "libbroken.so"
        path.write_text("no module")
        self.assertFinds(self.doctor(machine), "libbroken.so cannot be loaded "
                         "as a module: .*(header|too short)", "remove it")

    def test_rival_modules(self):
        machine, _ = self.healthy()
        where = machine.root / str(debian_sasl_dir())[1:]
        for name, words in (
                ("libsasl-xoauth2.so", "claims more protection than it gives"),
                ("libkdexoauth2.so", "works in KDE's programs only"),
                ("libother.so", "taken before or after libmailtoken.so")):
            shutil.copy(where / "libmailtoken.so", where / name)
            self.assertFinds(self.doctor(machine), f"{name} provides XOAUTH2 "
                             f"too, and .*{words}", "remove one")
            (where / name).unlink()

    def test_error_in_the_modules_settings(self):
        machine = self.machine(settings="# one\nnonsense = 1\n")
        self.helper(machine, allow="uid:0")
        self.assertFinds(
            self.doctor(machine), "no program is offered .*: /usr/local/etc/"
            "mailtoken/sasl.conf:2: unknown setting 'nonsense'",
            "mend that line")


class SocketTest(DoctorTestCase):
    def test_helper_that_is_not_running(self):
        machine, helper = self.healthy()
        helper.stop()
        self.assertFinds(
            self.doctor(machine), "no token helper is running: there is no "
            "socket /run/mailtoken/socket", "start mailtokend")

    def test_socket_of_a_helper_that_was_killed(self):
        machine, helper = self.healthy()
        helper.process.kill()
        self.assertFinds(
            self.doctor(machine), "does not serve at /run/mailtoken/socket: "
            ".*refused", "start mailtokend")

    def test_helper_that_is_not_trusted(self):
        machine = self.machine()
        other = Mailtokend(self.bed, account(self.oidc), start=False)
        other.dir.chmod(0o777)
        other.process = self.bed.spawn(machine.argv(
            other.argv("--socket", other.socket), NOBODY), {"HOME": "/tmp"})
        wait_until(other._listens, what="mailtokend to listen")
        self.assertFinds(
            self.doctor(machine, before=["--socket", other.socket]),
            f"does not serve at {other.socket}: .*", "trusted_uid")

    def test_user_outside_of_the_group(self):
        machine, _ = self.healthy()
        self.assertFinds(
            self.doctor(machine, "--user", "nobody"),
            "programs of nobody cannot connect to a token helper: "
            "/run/mailtoken/socket: Permission denied",
            "'usermod -aG mailtoken nobody'")

    def test_directory_that_the_user_may_not_pass(self):
        machine, helper = self.healthy()
        (machine.root / "run/mailtoken").chmod(0o700)
        self.assertFinds(
            self.doctor(machine, "--user", "postfix"),
            "cannot connect to a token helper: the directory /run/mailtoken: "
            "Permission denied", "chmod", count=2)

    def test_allowed_user_who_cannot_connect(self):
        machine = self.machine(members=[])
        self.helper(machine)
        self.assertFinds(
            self.doctor(machine), "account alice allows the user postfix, who "
            "cannot connect to a token helper: /run/mailtoken/socket",
            "'usermod -aG mailtoken postfix'")

    def test_chroot_without_a_socket(self):
        machine, _ = self.healthy()
        jail = self.bed.subdir("jail")
        self.assertFinds(
            self.doctor(machine, "--chroot", jail),
            f"the chroot {jail} find no token helper",
            f"'socket = {jail}/run/mailtoken/socket'")


class PostfixTest(DoctorTestCase):
    def test_postfix_that_is_not_offered_the_mechanisms(self):
        machine = self.machine(settings=None)
        self.helper(machine)
        etc, _ = self.postfix("n")
        self.assertFinds(
            self.doctor(machine, etc=etc), "Postfix may use the account alice,"
            " but is not offered .*sasl.conf does not name smtp",
            "'offer = smtp'")

    def test_postfix_that_excludes_the_mechanisms(self):
        machine, _ = self.healthy()
        etc, _ = self.postfix("n", more="# the default\n")
        self.assertFinds(
            self.doctor(machine, etc=etc), "excludes the mechanisms: "
            "smtp_sasl_tls_security_options has 'noplaintext'",
            "smtp_sasl_tls_security_options = noanonymous")

    def test_postfix_in_a_chroot_without_a_socket(self):
        machine, _ = self.healthy()
        etc, queue = self.postfix("y")
        self.assertFinds(
            self.doctor(machine, etc=etc), f"runs in the chroot {queue} and "
            "finds no token helper there", f"'socket = {queue}/run/mailtoken")

    def test_postfix_that_cannot_pass_in_its_chroot(self):
        machine = self.machine()
        etc, queue = self.postfix("y")
        self.helper(machine, queue)
        (queue / "run").chmod(0o700)
        self.assertFinds(
            self.doctor(machine, etc=etc), "smtp cannot connect to the token "
            f"helper in its chroot: the directory {queue}/run", "chmod")


class AccountTest(DoctorTestCase):
    # error, number of Microsoft's, what is found, what is to be done
    STATES = (
        ("invalid_request", 90002, "has wrong settings .*no such tenant",
         "mailtoken reload"),
        ("invalid_grant", 65001, "needs a person .*must consent",
         "'mailtoken login alice'"),
        ("access_denied", 53003, "needs an administrator .*Conditional Access",
         "show the administrator"),
        ("temporarily_unavailable", 0, "cannot be refreshed just now",
         "wait"))

    def test_states_have_their_remedies(self):
        machine, helper = self.healthy()
        for error, number, what, todo in self.STATES:
            with self.subTest(error=error):
                helper.login(self.oidc, "alice").expect()
                body = {"error": error}
                if number:
                    body |= {"error_codes": [number],
                             "error_description": f"AADSTS{number}: no"}
                self.oidc.fault(status=400, body=json.dumps(body))
                with helper.administer() as person:
                    person.call("refresh", account="alice")
                self.assertFinds(self.doctor(machine),
                                 f"account alice {what}", todo)

    def test_account_without_a_login(self):
        machine = self.machine()
        self.helper(machine, login=False)
        self.assertFinds(self.doctor(machine), "account alice needs a person "
                         "to log in: nobody has logged in yet",
                         "'mailtoken login alice'")

    def test_only_the_account_that_is_named_is_looked_at(self):
        machine = self.machine()
        helper = self.helper(machine)
        helper.write(helper.config_file.read_text()
                     + account(self.oidc, "bob"))
        helper.reload()
        self.assertFinds(self.doctor(machine), "account bob needs", "login")
        self.assertHealthy(self.doctor(machine, "alice"))

    def test_interrupted_refresh_is_an_alarm(self):
        machine, helper = self.healthy()
        self.oidc.clear_log()
        self.oidc.fault(hang=True, grant_type="refresh_token")
        with helper.administer() as asker:
            asker.send("refresh", account="alice")
            wait_until(self.oidc.log, what="the refresh")
            helper.process.kill()
        self.oidc.release()
        helper.start()
        self.assertFinds(self.doctor(machine), "account alice raises an alarm:"
                         " a refresh .* was interrupted",
                         "mailtoken login alice")


if __name__ == "__main__":
    unittest.main()
