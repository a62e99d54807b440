# SPDX-License-Identifier: ISC
"""mailtokend as a table of passwords for Postfix."""
import contextlib
import os
import re
import select
import socket
import unittest

from bed import BedTestCase
from bed.tokensock import Mailtokend, account

from .test_helper import as_user, counted

ALICE, BOB = "alice@example.test", "bob@example.test"
PLACE = "run/mailtoken/socketmap"   # in the queue directory
NOBODY = 65534


class TableHelper(Mailtokend):
    """A mailtokend that listens on a token socket and on `table`."""

    def __init__(self, bed, config, table):
        self.table = table
        table.parent.mkdir(parents=True, exist_ok=True)
        super().__init__(bed, config)

    def write(self, config):
        super().write(f"socket = {self.socket}\nsocketmap = {self.table}\n"
                      + config)

    def start(self):
        self.process = self.bed.spawn(self.argv())
        self.process.wait_output(f"listening on {re.escape(str(self.table))}")
        # as if the peer were in the group of the socket
        self.table.chmod(0o666)
        return self


class Table:
    """The asking end of a socketmap."""

    def __init__(self, path, timeout=30):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(timeout)
        self.socket.connect(str(path))

    def __enter__(self):
        return self

    def __exit__(self, *args):
        self.socket.close()

    def send(self, text):
        self.socket.sendall(netstring(text))

    def receive(self):
        """The reply, or None at the end."""
        head = b""
        while not head.endswith(b":"):
            byte = self.socket.recv(1)
            if not byte:
                return None
            head += byte
        data, rest = b"", int(head[:-1]) + 1
        while len(data) < rest:
            data += self.socket.recv(rest - len(data))
        if not data.endswith(b","):
            raise AssertionError(data)
        return data[:-1].decode()

    def ask(self, text):
        self.send(text)
        return self.receive()


def netstring(text):
    return f"{len(text)}:{text},".encode()


class SocketmapTestCase(BedTestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.oidc = cls.bed.oidc()

    def setUp(self):
        self.oidc.clear_log()
        self.addCleanup(self.oidc.release)

    def account(self, name="alice", user=ALICE, **settings):
        return account(self.oidc, name, user, **{
            "permit": "socketmap", "smtp_host": "localhost"} | settings)

    def helper(self, *accounts, table=None, logged_in=True, **settings):
        """With these accounts, or alice's as `settings` say."""
        helper = TableHelper(
            self.bed, "".join(accounts) or self.account(**settings),
            table or self.bed.subdir("table") / "socketmap")
        self.addCleanup(lambda: helper.process and helper.process.stop())
        if logged_in:
            helper.login(self.oidc, "alice").expect()
        return helper


class ProtocolTest(SocketmapTestCase):
    def ask(self, helper, text):
        with Table(helper.table) as table:
            return table.ask(text)

    def test_token_is_the_password_of_server_or_address(self):
        helper = self.helper(lmtp_host="lmtp.example.test")
        token = helper.call("get", service="smtp", host="localhost")["token"]
        with Table(helper.table) as table:      # all on one connection
            for key in ("smtp localhost", "smtp LOCALHOST",
                        "smtp [localhost]:587", "smtp localhost:587",
                        f"smtp {ALICE}", f"smtp {ALICE.upper()}",
                        "lmtp lmtp.example.test", f"lmtp {ALICE}"):
                self.assertEqual(table.ask(key), f"OK {ALICE}:{token}", key)
            for key in ("smtp elsewhere", "smtp ", "smtp @example.test",
                        "smtp alice", f"smtp {BOB}", f"pop {ALICE}",
                        "lmtp localhost"):
                self.assertEqual(table.ask(key), "NOTFOUND ", key)

    def test_each_token_leaves_an_audit_line(self):
        helper = self.helper()
        answer = self.ask(helper, "smtp localhost")
        self.ask(helper, f"smtp {ALICE}")
        line = (f"token handed out account=alice uid={os.getuid()} "
                f"pid={os.getpid()} service=smtp host={{}} serial=1 "
                f"for=socketmap user={ALICE}\n")
        self.assertIn(line.format("localhost"), helper.log())
        self.assertIn(line.format("-"), helper.log())
        self.assertNotIn(answer.partition(":")[2], helper.log())

    def test_what_keeps_the_token_back_is_said(self):
        helper = self.helper(
            self.account(smtp_host="a.test"),
            self.account("bob", BOB, smtp_host="a.test"),
            self.account("carol", "carol@x.test", smtp_host="c.test",
                         permit="get git-credential"),
            self.account("dave", "da:ve@x.test", smtp_host="d.test"))
        cases = {
            "smtp a.test": "PERM mailtoken: accounts alice and bob both fit",
            "smtp c.test": "PERM mailtoken: account carol: .*add "
                           "'permit = socketmap'",
            "smtp d.test": "PERM mailtoken: account dave: .* colon",
            "nonsense a.test": "PERM mailtoken: .*'nonsense', is no service",
            "smtp": "PERM mailtoken: ", "": "PERM mailtoken: ",
            f"smtp {BOB}": "TEMP mailtoken: run 'mailtoken login bob'",
        }
        for key, text in cases.items():
            self.assertRegex(self.ask(helper, key), text)
        self.assertRegex(self.ask(helper, f"smtp {ALICE}"), "OK ")

    def test_failed_refresh_is_temporary(self):
        for status, body in ((503, "{}"), (401, '{"error":"invalid_client"}'),
                             (400, '{"error":"access_denied"}')):
            helper = self.helper()
            helper.call("reject", account="alice")
            self.oidc.fault(times=100, status=status, body=body)
            self.assertRegex(self.ask(helper, "smtp localhost"),
                             "^TEMP mailtoken: account alice: ")
            self.oidc.release()

    def test_who_is_not_allowed_is_told_that_there_is_nothing(self):
        helper = self.helper()

        def as_nobody():
            with Table(helper.table) as table:
                return table.ask("smtp localhost"), table.ask(f"smtp {ALICE}")
        helper.table.parent.chmod(0o755)
        self.bed.dir.chmod(0o755)
        self.assertEqual(as_user(NOBODY, [], as_nobody),
                         str(("NOTFOUND ", "NOTFOUND ")))
        self.assertIn(f"refused account=alice uid={NOBODY}", helper.log())
        self.assertNotIn("token handed out", helper.log())

    def test_several_requests_may_be_under_way_on_one_connection(self):
        helper = self.helper()
        with Table(helper.table) as table:
            table.socket.sendall(netstring("smtp localhost") * 100
                                 + netstring("smtp elsewhere"))
            for _ in range(100):
                self.assertRegex(table.receive(), f"^OK {ALICE}:")
            self.assertEqual(table.receive(), "NOTFOUND ")

    def test_bytes_may_come_one_by_one(self):
        helper = self.helper()
        with Table(helper.table) as table:
            for byte in netstring("smtp localhost"):
                table.socket.sendall(bytes([byte]))
            self.assertRegex(table.receive(), "^OK ")

    def test_what_is_no_netstring_ends_the_connection(self):
        helper = self.helper(logged_in=False)
        for data in (b"1\tstatus\n", b"5000:smtp x", b"06:smtp x,",
                     b"x" * 100000, b":,"):
            with Table(helper.table) as table:
                try:
                    table.socket.sendall(data)
                    self.assertIsNone(table.receive())
                except ConnectionError:
                    pass
        # nor is the table a token socket, or the other way round
        with Table(helper.socket) as tokens:
            tokens.socket.sendall(netstring("smtp localhost") + b"\n")
            self.assertIn(b"bad", tokens.socket.recv(4096))

    def test_a_client_that_is_stuck_delays_nobody_and_is_cut_off(self):
        helper = self.helper()
        with Table(helper.table) as stuck, Table(helper.table) as deaf:
            stuck.socket.sendall(b"14:smtp")
            # asks for more than the socket takes, and reads none of it
            deaf.socket.setblocking(False)
            try:
                while True:
                    deaf.socket.send(netstring("smtp localhost"))
            except BlockingIOError:
                pass
            self.assertRegex(self.ask(helper, "smtp localhost"), "^OK ")
            # not by having waited for the end of either
            self.assertEqual(
                select.select([stuck.socket], [], [], 0)[0], [])
            self.assertFalse(is_closed(deaf.socket))
            self.assertIsNone(stuck.receive())
            self.bed.wait_until(lambda: is_closed(deaf.socket),
                                what="the deaf one to be cut off")

    def test_connections_of_one_user_are_bounded(self):
        helper = self.helper(logged_in=False)
        helper.table.parent.chmod(0o755)
        self.bed.dir.chmod(0o755)

        def as_nobody():
            with contextlib.ExitStack() as stack:
                tables = [stack.enter_context(Table(helper.table))
                          for _ in range(513)]
                answers = {each.ask("smtp x") for each in tables[:512]}
                return answers, tables[512].receive()
        self.assertEqual(as_user(NOBODY, [], as_nobody),
                         str(({"NOTFOUND "}, None)))

    def test_who_leaves_while_waiting_stops_nothing(self):
        helper = self.helper()
        helper.call("reject", account="alice")
        self.oidc.clear_log()
        self.oidc.fault(times=1, hang=True)
        with Table(helper.table) as leaving, Table(helper.table) as staying:
            leaving.send("smtp localhost")
            self.bed.wait_until(self.oidc.log, what="the refresh")
            leaving.socket.close()
            staying.send("smtp localhost")
            self.assertEqual(self.ask(helper, "smtp x"), "NOTFOUND ")
            self.oidc.release()
            self.assertRegex(staying.receive(), "^OK ")
        self.assertEqual(len(self.oidc.log()), 1)

    def test_replies_leave_no_copy_of_the_token(self):
        if self.bed.is_sanitized("mailtokend"):
            return  # a sanitizer's heap keeps what was released
        helper = self.helper()
        with Table(helper.table) as table:
            answer = table.ask("smtp localhost")
            token = answer.partition(":")[2]
            table.ask("smtp elsewhere")     # so the reply before is gone
            self.assertEqual(counted(helper, token), 1)

    def test_a_private_socket_is_the_only_one(self):
        helper = self.helper()
        helper.stop()
        Mailtokend.start(helper)    # with --socket
        self.assertFalse(helper.table.exists())

    def test_who_waits_gets_what_the_settings_say_by_then(self):
        for changed, reply in (
                ({}, rf"OK {ALICE}:\S+"), ({"permit": "get"}, "PERM .*permit"),
                ({"smtp_host": "elsewhere.test"}, "NOTFOUND "),
                ({"smtp_user": "a:b"}, "PERM .*colon")):
            with self.subTest(changed):
                helper = self.helper()
                helper.call("reject", account="alice").expect()
                self.oidc.clear_log()
                self.oidc.fault(hang=True)
                with Table(helper.table) as table:
                    table.send("smtp localhost")
                    self.bed.wait_until(self.oidc.log, what="the refresh")
                    helper.write(self.account(**changed))
                    helper.reload()
                    self.oidc.release()
                    self.assertRegex(table.receive(), f"^{reply}")

    def test_idle_connection_is_kept_across_a_reload(self):
        helper = self.helper()
        with Table(helper.table) as table:
            self.assertRegex(table.ask("smtp localhost"), "^OK ")
            helper.write(self.account(smtp_host="other.test"))
            helper.reload()
            self.assertEqual(table.ask("smtp localhost"), "NOTFOUND ")
            self.assertRegex(table.ask("smtp other.test"), "^OK ")

    def test_one_refresh_serves_all_who_ask(self):
        helper = self.helper()
        helper.call("reject", account="alice")
        self.oidc.clear_log()
        tables = [Table(helper.table) for _ in range(64)]
        for table in tables:
            table.send("smtp localhost")
        answers = {table.receive() for table in tables}
        for table in tables:
            table.socket.close()
        self.assertEqual(len(answers), 1)
        self.assertRegex(answers.pop(), "^OK ")
        self.assertEqual(len(self.oidc.log()), 1)

    def test_without_an_account_there_is_a_table_all_the_same(self):
        helper = self.helper(logged_in=False)
        helper.write("")
        helper.reload()
        self.assertEqual(self.ask(helper, "smtp localhost"), "NOTFOUND ")


def is_closed(sock):
    """The other end is gone (what it sent may still be there to be read)."""
    try:
        sock.send(b"1")
    except BlockingIOError:
        return False
    except ConnectionError:
        return True
    return False


class PostfixTest(SocketmapTestCase):
    """Its PLAIN sends the token as a password, which this server takes."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.sink = cls.bed.sink()
        cls.mail = cls.bed.dovecot(oidc=cls.oidc, sink=cls.sink,
                                   token_as_password=True)

    def postfix(self, chroot=True, name="smtp", **settings):
        postfix = self.bed.postfix(
            relay_port=self.mail.submission_port, ca=self.mail.ca,
            chroot=chroot, mechanism_filter="plain",
            env={"SASL_PATH": self.bed.sasl_path(
                extra=("plain",), module=False)},
            password_maps=f"socketmap:unix:{PLACE}:{name}", settings=settings)
        self.addCleanup(postfix.stop)
        return postfix

    def helper_in(self, postfix, *accounts, **settings):
        return self.helper(
            *accounts, table=postfix.spool / PLACE,
            **({} if accounts else {"allow": "uid:postfix"}) | settings)

    def send(self, postfix, sender=ALICE):
        postfix.submit(sender, "z@dest.test", b"Subject: pf\r\n\r\nhi\r\n")

    def check_sent(self, postfix, sender=ALICE):
        seen = postfix.log_text().count("status=sent")
        before = len(self.sink.messages())
        self.send(postfix, sender)
        self.bed.wait_until(
            lambda: postfix.log_text().count("status=sent") > seen,
            what=lambda: f"the mail to be sent\n{postfix.log_text()}")
        self.assertEqual(len(self.sink.messages()), before + 1)

    def check_deferred(self, postfix, text):
        self.send(postfix)
        postfix.wait_log(text)
        postfix.wait_log("dsn=4.3.0, status=deferred")

    def test_mail_is_sent_from_a_chroot_and_without(self):
        self.oidc.config(at_size=4096)
        self.addCleanup(self.oidc.config, at_size=0)
        for chroot in True, False:
            postfix = self.postfix(chroot)
            helper = self.helper_in(postfix)
            for _ in range(3):
                self.check_sent(postfix)
            self.assertIn("method=PLAIN", self.mail.log_text())
            self.assertIn("for=socketmap", helper.log())
            token = helper.call("get", service="smtp",
                                host="localhost")["token"]
            self.assertNotIn(token, postfix.log_text())

    def test_restart_of_the_helper_is_not_noticed(self):
        postfix = self.postfix()
        helper = self.helper_in(postfix)
        self.check_sent(postfix)    # and keeps its connection
        helper.stop()
        helper.start()
        self.check_sent(postfix)
        self.assertNotIn("deferred", postfix.log_text())

    def test_sender_chooses_the_account(self):
        postfix = self.postfix(smtp_sender_dependent_authentication="yes")
        helper = self.helper_in(
            postfix, self.account(allow="uid:postfix"),
            self.account("bob", BOB, allow="uid:postfix"))
        helper.login(self.oidc, "bob", user=BOB, password="bob-pw").expect()
        for sender in ALICE, BOB:
            self.check_sent(postfix, sender)
            self.assertIn(f"user=<{sender}>, method=PLAIN",
                          self.mail.log_text())

    def test_mail_waits_and_the_log_says_what_to_do(self):
        cases = [
            (dict(logged_in=False), "smtp",
             "temporary error: mailtoken: run 'mailtoken login alice'"),
            (dict(permit="get"), "smtp",
             "permanent error: mailtoken: .*add 'permit = socketmap'"),
            ({}, "nonsense", "permanent error: mailtoken: the name of the map"),
        ]
        for options, name, text in cases:
            postfix = self.postfix(name=name)
            self.helper_in(postfix, **options)
            self.check_deferred(postfix, f"socketmap server {text}")

    def test_mail_waits_while_the_helper_is_down(self):
        postfix = self.postfix()
        helper = self.helper_in(postfix)
        helper.stop()
        self.check_deferred(postfix, f"connect to {PLACE}: No such file")
        helper.start()
        postfix.wait_log("status=sent")

    def test_mail_waits_while_the_server_is_down(self):
        postfix = self.postfix()
        helper = self.helper_in(postfix)
        helper.call("reject", account="alice")
        self.oidc.fault(times=100, status=503, body="{}")
        self.check_deferred(postfix, "temporary error: mailtoken: account "
                            "alice: the token endpoint answered HTTP 503")
        self.oidc.release()
        helper.call("refresh", account="alice").expect()
        postfix.wait_log("status=sent")

    def test_without_an_account_postfix_does_not_log_in(self):
        """What libmailtoken would defer: here it is Postfix that decides."""
        for options in dict(allow="uid:root"), dict(smtp_host="elsewhere"):
            postfix = self.postfix()
            self.helper_in(postfix, **options)
            self.send(postfix)
            postfix.wait_log("530 5.7.0 Authentication required")

    def test_postmap_asks_the_table(self):
        helper = self.helper()
        def postmap(key):
            return self.bed.run(
                ["/usr/sbin/postmap", "-c", self.empty_config(), "-q", key,
                 f"socketmap:unix:{helper.table}:smtp"],
                {"PATH": "/usr/sbin:/usr/bin"})
        for key in "localhost", "[localhost]:587", ALICE:
            self.assertRegex(postmap(key).check().out, f"^{ALICE}:")
        self.assertEqual((postmap("elsewhere").rc, postmap("elsewhere").out),
                         (1, ""))

    def empty_config(self):
        directory = self.bed.subdir("postmap")
        (directory / "main.cf").write_text("compatibility_level = 3.6\n")
        return directory


if __name__ == "__main__":
    unittest.main()
