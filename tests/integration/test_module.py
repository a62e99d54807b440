# SPDX-License-Identifier: ISC
"""libmailtoken.so in real mail programs: mbsync, imtest, smtptest, Postfix."""
import os
import re
import socket
import threading
import unittest
from pathlib import Path

from bed import Bed, BedTestCase

ALICE, BOB = "alice@example.test", "bob@example.test"
CYRUS = "/usr/lib/cyrus/bin"
MECHANISMS = "XOAUTH2", "OAUTHBEARER"


class TokenServer:
    """Stands for mailtokend."""

    def __init__(self, bed, path, tokens, reply=None):
        self.path, self.tokens, self.reply = path, tokens, reply
        self.requests, self.rejected = [], []
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(str(path))
        path.chmod(0o666)
        self._socket.listen()
        bed.on_exit(self.stop)
        threading.Thread(target=self._accept, daemon=True).start()

    def stop(self):
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._socket.close()
        self.path.unlink(missing_ok=True)

    def _accept(self):
        while True:
            try:
                peer, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(peer,),
                             daemon=True).start()

    def _serve(self, peer):
        with peer, peer.makefile("r", newline="\n") as lines:
            for line in lines:
                _, verb, *fields = line.rstrip("\n").split("\t")
                fields = dict(f.split("=", 1) for f in fields)
                self.requests.append((verb, fields))
                peer.sendall(("1\t" + self._answer(verb, fields) + "\n")
                             .encode())

    def _answer(self, verb, fields):
        if verb == "reject":
            self.rejected.append(fields["serial"])
            return "ok"
        user = fields.get("user", ALICE)
        if user not in self.tokens:
            return f"none\ttext=no account for {user}"
        if verb == "exists":
            return "ok\taccount=work"
        if self.reply:
            return self.reply
        serial = len(self.rejected) + 1
        return (f"ok\taccount=work\tuser={user}\tserial={serial}"
                f"\texpires_in=900\ttoken={self.tokens[user]()}")


class ModuleTest(BedTestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.oidc = cls.bed.oidc()
        cls.sink = cls.bed.sink()
        cls.mail = cls.bed.dovecot(oidc=cls.oidc, sink=cls.sink,
                                   mechanisms="plain login xoauth2 oauthbearer")
        cls.mail.deliver(ALICE, b"Subject: for alice\n\nhi\n")

    def mint(self, user=ALICE, **options):
        return self.oidc.mint(user, **options)["access_token"]

    def helper(self, path=None, tokens=None, reply=None):
        return TokenServer(
            self.bed, path or self.bed.subdir("run") / "socket",
            tokens or {ALICE: self.mint}, reply)

    def env(self, helper=None, extra=("plain", "login")):
        env = {"SASL_PATH": self.bed.sasl_path(extra=extra),
               "HOME": self.bed.dir, "USER": "somebody"}
        if helper:
            env["MAILTOKEN_SOCKET"] = helper.path
        return env

    def logins(self, mail=None):
        """Names of the mechanisms of all logins up to now."""
        return re.findall(r"Login: .*method=([^,]+)",
                          (mail or self.mail).log_text())

    def attempts(self, mail=None):
        """Number of requests that Dovecot's authentication has seen."""
        return len(re.findall(r"auth: Debug: client in: AUTH",
                              (mail or self.mail).log_text()))

    # -- mbsync ------------------------------------------------------------

    def mbsync(self, env, mechanisms=None, password=None, mail=None):
        """One run: (Result, messages that it fetched)."""
        mail = mail or self.mail
        home = self.bed.subdir("mbsync")
        store = ["IMAPStore far", f"Host {mail.host}",
                 f"Port {mail.imaps_port}", f"User {ALICE}",
                 "SSLType IMAPS", f"CertificateFile {mail.ca}"]
        if password:
            store += [f"PassCmd \"echo {password}\""]
        if mechanisms:
            store += [f"AuthMechs {mechanisms}"]
        config = home / "mbsyncrc"
        config.write_text("\n".join(store + [
            "", "MaildirStore near", f"Path {home}/mail/",
            f"Inbox {home}/mail/INBOX", "",
            "Channel c", "Far :far:", "Near :near:", "Pattern INBOX",
            "Create Near", "SyncState *", ""]))
        (home / "mail").mkdir()
        result = self.bed.run(["/usr/bin/mbsync", "-c", config, "c"], env=env)
        return result, [path.read_bytes() for path in
                        home.glob("mail/INBOX/*/*") if path.is_file()]

    def check_fetched(self, env, expected, **options):
        """A run that fetches alice's message, having used `expected`."""
        result, messages = self.mbsync(env, **options)
        result.check()
        self.assertEqual(len(messages), 1)
        self.assertIn(b"Subject: for alice", messages[0])
        self.assertNotIn("mailtoken", result.err)
        self.assertEqual(self.logins(options.get("mail"))[-1], expected)

    def test_mbsync_fetches_without_passcmd(self):
        helper = self.helper()
        for mechanism in MECHANISMS:
            self.check_fetched(self.env(helper), mechanism,
                               mechanisms=mechanism)
        # of all that the server offers, passwords among them
        self.check_fetched(self.env(helper), "OAUTHBEARER")
        self.assertEqual({fields.get("host") for _, fields in helper.requests},
                         {"localhost"})
        self.assertEqual(helper.rejected, [])

    def test_mbsync_fetches_without_initial_response(self):
        mail = self.bed.dovecot(oidc=self.oidc, imap_capability="IMAP4rev1")
        mail.deliver(ALICE, b"Subject: for alice\n\nhi\n")
        for mechanism in MECHANISMS:
            self.check_fetched(self.env(self.helper()), mechanism,
                               mechanisms=mechanism, mail=mail)

    def test_mbsync_with_a_password_is_untouched(self):
        for extra in ("plain", "login"), ("login", "plain"):
            self.check_fetched(self.env(extra=extra), "PLAIN",
                               password="alice-pw", mechanisms="PLAIN LOGIN")

    def test_mbsync_without_account_goes_on_to_its_password(self):
        helper = self.helper(tokens={BOB: self.mint})
        for mechanisms in None, "XOAUTH2 LOGIN":
            self.check_fetched(self.env(helper), "PLAIN",  # as Dovecot says
                               password="alice-pw", mechanisms=mechanisms)

    def test_mbsync_does_not_fall_back_when_the_helper_is_down(self):
        helper = self.helper()
        helper.stop()
        before = self.attempts()
        result, messages = self.mbsync(self.env(helper), password="alice-pw")
        self.assertNotEqual(result.rc, 0)
        self.assertEqual(messages, [])
        self.assertIn(f"cannot reach the token helper at {helper.path}",
                      result.err)
        self.assertEqual(self.attempts(), before)

    def test_mbsync_reports_a_refused_token_and_the_next_run_works(self):
        dead = self.mint(ttl=600)
        self.oidc.expire(ALICE)
        for mechanism in MECHANISMS:
            tokens = [dead, self.mint()]
            helper = self.helper(tokens={
                ALICE: lambda: tokens[len(helper.rejected)]})
            result, messages = self.mbsync(self.env(helper), mechanism)
            self.assertEqual((result.rc, messages), (1, []))
            self.assertIn("AUTHENTICATIONFAILED", result.err)
            self.assertEqual(helper.rejected, ["1"])
            self.check_fetched(self.env(helper), mechanism,
                               mechanisms=mechanism)

    # -- Cyrus' test programs ----------------------------------------------

    def cyrus(self, program, port, mechanism, env, args=()):
        """One login; what the program printed."""
        process = self.bed.spawn(
            [f"{CYRUS}/{program}", "-t", "", "-m", mechanism, "-a", ALICE,
             "-u", ALICE, *args, "-p", port, "localhost"], env=env,
            stdin=True)
        process.wait_output("^(Authenticat|Authenticated|failure)", "stdout")
        process.close_stdin()
        process.wait()
        return process.stdout_text()

    def test_imtest_logs_in(self):
        for mechanism in MECHANISMS:
            out = self.cyrus("imtest", self.mail.imap_port, mechanism,
                             self.env(self.helper()))
            self.assertIn("\nAuthenticated.", out)

    def test_smtptest_logs_in_with_a_long_token(self):
        self.oidc.config(at_size=2000)  # smtptest has room for 3 KB
        self.addCleanup(self.oidc.config, at_size=0)
        for mechanism in MECHANISMS:
            out = self.cyrus("smtptest", self.mail.submission_port, mechanism,
                             self.env(self.helper()))
            self.assertIn("\nAuthenticated.", out)
            self.assertRegex(out, rf"C: AUTH {mechanism}\n")

    # -- Postfix -----------------------------------------------------------

    def postfix(self, chroot=True, socket=None, mechanism=""):
        """A Postfix whose smtp(8) looks for the helper at `socket`."""
        env = {"SASL_PATH": self.bed.sasl_path(extra=("plain", "login"))}
        if socket:
            env["MAILTOKEN_SOCKET"] = socket
        return self.bed.postfix(
            relay_port=self.mail.submission_port, ca=self.mail.ca, user=ALICE,
            chroot=chroot, mechanism_filter=mechanism, env=env)

    def postfix_in_jail(self, mechanism="", **options):
        """(Postfix, helper), in a chroot that has nothing but the socket."""
        postfix = self.postfix(socket="/run/mailtoken/socket",
                               mechanism=mechanism)
        run = postfix.spool / "run/mailtoken"
        run.mkdir(parents=True)
        return postfix, self.helper(run / "socket", **options)

    def send(self, postfix):
        postfix.submit(ALICE, "z@dest.test", b"Subject: pf\r\n\r\nhi\r\n")

    def test_postfix_in_its_chroot_sends_with_a_token_of_4_kb(self):
        self.oidc.config(at_size=4096)
        self.addCleanup(self.oidc.config, at_size=0)
        for mechanism in MECHANISMS:
            postfix, helper = self.postfix_in_jail(mechanism.lower())
            before = len(self.sink.messages())
            self.send(postfix)
            postfix.wait_log("status=sent")
            self.assertEqual(len(self.sink.messages()), before + 1)
            self.assertEqual(self.logins()[-1], mechanism)
            self.assertEqual(helper.requests[0][1],
                             {"service": "smtp", "host": "localhost",
                              "user": ALICE})
            postfix.stop()

    def test_postfix_with_a_password_is_untouched(self):
        postfix = self.postfix()
        self.send(postfix)
        postfix.wait_log("status=sent")
        self.assertNotIn("mailtoken", postfix.log_text())
        self.assertIn(self.logins()[-1], ("PLAIN", "LOGIN"))
        postfix.stop()

    def test_postfix_says_what_to_do(self):
        cases = [
            ("login\ttext=account work: expired; run: mailtoken login work",
             "passphrase expired, has to be reset"),
            ("later\ttext=the provider is busy\tretry_s=60",
             "remote authentication server unavailable"),
            ("admin\ttext=consent is missing", "authorization failure"),
            ("config\ttext=work.conf:3: x",
             "error when parsing configuration file"),
        ]
        for reply, code in cases:
            postfix, _ = self.postfix_in_jail(reply=reply)
            self.send(postfix)
            text = re.search("text=([^\t]*)", reply).group(1)
            postfix.wait_log("warning: SASL authentication failure: "
                             f"mailtoken: {re.escape(text)}")
            postfix.wait_log(f"status=deferred .*{re.escape(code)}")
            postfix.stop()

    def test_postfix_without_account_defers_unless_told_to_use_a_password(
            self):
        postfix, _ = self.postfix_in_jail(tokens={BOB: self.mint})
        self.send(postfix)
        postfix.wait_log("mailtoken: no account for smtp at localhost as "
                         f"{ALICE}: .*exclude XOAUTH2 and OAUTHBEARER")
        postfix.wait_log("status=deferred .*no mechanism available")
        postfix.stop()
        # as libmailtoken(7) has it
        postfix, helper = self.postfix_in_jail(
            "!xoauth2, !oauthbearer, static:rest")
        self.send(postfix)
        postfix.wait_log("status=sent")
        self.assertEqual(helper.requests, [])
        postfix.stop()

    def test_postfix_without_helper_defers(self):
        postfix, helper = self.postfix_in_jail()
        helper.stop()
        self.send(postfix)
        postfix.wait_log("cannot reach the token helper at "
                         "/run/mailtoken/socket")
        postfix.wait_log("status=deferred .*server unavailable")

    def test_postfix_logs_the_answer_of_the_server_and_not_the_token(self):
        dead = self.mint()
        self.oidc.expire(ALICE)
        tokens = [dead, self.mint()]
        postfix, helper = self.postfix_in_jail(tokens={
            ALICE: lambda: tokens[len(helper.rejected)]})
        self.send(postfix)
        postfix.wait_log("status=deferred .*535 5.7.8")
        self.assertEqual(helper.rejected, ["1"])
        self.send(postfix)      # with a new token
        postfix.wait_log("status=sent")
        self.assertNotIn(dead, postfix.log_text())
        postfix.stop()


class ModuleFileTest(unittest.TestCase):
    module = Bed.build_dir() / "sasl2/libmailtoken.so"

    def read(self, *args):
        with Bed() as bed:
            return bed.run(args + (self.module,), env=os.environ).check().out

    def test_one_symbol_is_exported(self):
        symbols = self.read("/usr/bin/nm", "-D", "--defined-only")
        self.assertEqual([line.split()[-1] for line in symbols.splitlines()],
                         ["sasl_client_plug_init"])

    def test_libc_is_the_only_library(self):
        needed = re.findall(r"NEEDED.*\[(.*)\]",
                            self.read("/usr/bin/readelf", "-d"))
        self.assertEqual(needed, ["libc.so.6"])


if __name__ == "__main__":
    unittest.main()
