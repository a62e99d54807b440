# SPDX-License-Identifier: ISC
"""What is answered at the administration socket only, and who gets there."""
import os
import socket
import stat
import unittest
from pathlib import Path

from bed.tokensock import Mailtokend, TokenSocket, account
from integration.test_command import ScriptedHelper
from integration.test_helper import HelperTestCase, as_user, passed

NOBODY, HELPER, MAIL = 65534, 65532, 8  # two users, and a group of neither
# Each as its helper would answer it, if it did.
ADMINISTRATIVE = {
    "refresh": {"account": "alice"},
    "login-begin": {"account": "alice", "redirect_uri": "http://127.0.0.1:1"},
    "login-finish": {"id": "1", "redirect": "/?code=c"},
    "login-wait": {"id": "1"}, "login-cancel": {"id": "1"},
    "seed": {"account": "alice"}, "logout": {"account": "alice"},
    "unlock": {}, "reload": {}}


class AdministrationTestCase(HelperTestCase):
    def run_on(self, path, *args, uid=None, groups=()):
        """Run the command on this socket."""
        user = ["setpriv", "--reuid", uid, "--regid", uid,
                *(["--groups", ",".join(map(str, groups))] if groups
                  else ["--clear-groups"])] if uid else []
        return self.bed.run(
            [*user, self.bed.public_program("mailtoken"), "--socket", path,
             *args], {"HOME": "/", "PATH": "/usr/bin:/bin"})

    def with_settings(self, text, **settings):
        """A helper with these lines ahead of the account's."""
        helper = Mailtokend(self.bed, text + account(self.oidc, **settings),
                            start=False)
        helper.dir.chmod(0o755)
        self.addCleanup(lambda: helper.process and helper.process.stop())
        return helper

    def mode(self, path):
        """Its type is that of a socket; (mode, uid, gid)."""
        info = path.stat()
        self.assertTrue(stat.S_ISSOCK(info.st_mode), path)
        return stat.S_IMODE(info.st_mode), info.st_uid, info.st_gid

    def assertRefused(self, reply, admin):
        self.assertEqual((reply.status, reply["admin_socket"]),
                         ("none", str(admin)), reply)
        self.assertIn(str(admin), reply["text"])


class PlaceTest(AdministrationTestCase):
    def test_mail_programs_sockets_refuse_administration_to_everybody(self):
        helper = self.logged_in(allow=f"uid:{NOBODY}")
        helper.socket.chmod(0o666)
        posts = len(self.oidc.log())

        def ask(verb, fields):
            with helper.connect(follow=False) as connection:
                connection.call("get", account="alice").expect()
                reply = connection.call(verb, **fields)
                connection.call("get", account="alice").expect()
                return reply

        for verb, fields in ADMINISTRATIVE.items():
            with self.subTest(verb):
                reply = ask(verb, fields)
                self.assertRefused(reply, helper.admin)
                # the same for whom the account allows, and for no account
                self.assertEqual(repr(reply), as_user(
                    NOBODY, [], lambda: repr(ask(verb, fields))))
                self.assertEqual(repr(reply), repr(ask(
                    verb, dict.fromkeys(fields, "unknown"))))
        with helper.connect(follow=False) as connection, \
                passed("a-seed") as file:
            self.assertRefused(connection.call(
                "seed", fd=file.fileno(), account="alice"), helper.admin)
        self.assertEqual(len(self.oidc.log()), posts)
        self.assertNotIn("settings read again", helper.log())
        self.assertEqual(helper.status("alice")["state"], "ok")

    def test_administration_socket_answers_everything(self):
        helper = self.logged_in()
        here = {"service": "imap", "host": "localhost"}
        with helper.administer(follow=False) as connection:
            for verb, fields in {
                    "exists": here, "get": here, "reject": here,
                    "status": {"account": "alice"}, "providers": {},
                    "refresh": {"account": "alice"}, "unlock": {},
                    "login-cancel": {"id": "1"}, "reload": {},
                    "logout": {"account": "alice", "local": 1}}.items():
                connection.call(verb, **fields).expect()
            self.assertEqual(connection.call("status")["socket"],
                             str(helper.socket))
            connection.call("subscribe", account="alice").expect()
            self.assertEqual(connection.receive().expect("event")["state"],
                             "needs-login")
            helper.login(self.oidc, "alice").expect()
            self.assertEqual(connection.receive().expect("event")["state"],
                             "ok")
        with helper.connect() as connection:
            self.assertNotIn("socket", connection.call("status").expect())

    def test_jail_has_no_administration(self):
        jail = self.bed.subdir("jail")
        helper = self.with_settings("")
        helper.write(f"socket = {helper.socket}\n"
                     f"socket = {jail}/run/mailtoken/socket\n"
                     + account(self.oidc))
        helper.process = self.bed.spawn(helper.argv())
        # the last that is made
        self.bed.wait_until((jail / "run/mailtoken/socket").exists,
                            what="the socket in the jail")
        self.assertEqual(
            [path.name for path in jail.rglob("*") if not path.is_dir()],
            ["socket"])
        for verb, fields in ADMINISTRATIVE.items():
            with TokenSocket(jail / "run/mailtoken/socket",
                             follow=False) as connection:
                self.assertRefused(connection.call(verb, **fields),
                                   helper.admin)

    def test_settings_name_the_place(self):
        place = self.bed.subdir("elsewhere") / "run/control"
        helper = self.with_settings(f"admin_socket = {place}\n").start()
        with helper.connect(follow=False) as connection:
            self.assertRefused(connection.call("reload"), place)
        self.assertFalse(helper.admin.exists())
        self.run_on(helper.socket, "reload").check()
        helper.stop()
        self.assertFalse(place.exists())

    def test_one_path_cannot_be_two_sockets(self):
        helper = self.with_settings("")
        for settings, option in (
                (f"admin_socket = {helper.socket}\n", helper.socket),
                ("", helper.dir / "admin")):
            helper.write(settings + account(self.oidc))
            result = self.bed.run(helper.argv("--socket", option)).check(78)
            self.assertIn("set admin_socket", result.err)
        self.assertFalse(helper.socket.exists())

    def test_socket_of_a_dead_helper_is_replaced_and_a_live_ones_not(self):
        helper = self.helper()
        helper.kill()
        self.assertTrue(helper.admin.exists())
        helper.start()
        self.run_on(helper.admin, "reload").check()
        rival = self.helper(start=False)
        result = self.bed.run(rival.argv(
            "--socket", helper.dir / "other")).check(75)
        self.assertIn(f"listens on {helper.admin}", result.err)
        self.run_on(helper.admin, "reload").check()
        helper.stop()
        self.assertEqual([path.name for path in helper.dir.glob("[as]*")],
                         ["state"])

    def test_relative_path_is_told_whole(self):
        helper = self.helper(start=False)
        program = ["sh", "-c", 'cd "$0" && exec "$@"', helper.dir,
                   *helper.argv("--socket", "socket")]
        helper.process = self.bed.spawn(program)
        self.bed.wait_until(helper._listens, what="mailtokend to listen")
        with helper.connect(follow=False) as connection:
            self.assertRefused(connection.call("reload"), helper.admin)

    def test_once_everything_is_allowed_on_the_one_connection(self):
        helper = self.logged_in()
        helper.stop()
        ours, theirs = socket.socketpair()
        code = ("import os, sys; os.dup2(int(sys.argv[1]), 3); "
                "os.set_inheritable(3, True); "
                "os.execv(sys.argv[2], sys.argv[2:])")
        process = self.bed.spawn(
            ["/usr/bin/python3", "-c", code, theirs.fileno(),
             *helper.argv("--once")], pass_fds=[theirs.fileno()])
        theirs.close()
        with TokenSocket(sock=ours, follow=False) as connection:
            connection.call("refresh", account="alice").expect()
            self.assertEqual(connection.call("status")["socket"], "")
            connection.call("unlock").expect()
        self.assertEqual(process.wait(), 0)
        self.assertFalse(helper.admin.exists())


class WhoTest(AdministrationTestCase):
    def test_it_is_the_helpers_users_alone(self):
        helper = self.logged_in(allow=f"uid:{NOBODY}")
        helper.dir.chmod(0o755)
        helper.socket.chmod(0o666)
        self.assertEqual(self.mode(helper.admin),
                         (0o600, os.getuid(), os.getgid()))
        self.assertEqual(as_user(NOBODY, [], lambda: helper.connect().call(
            "get", account="alice").status), "ok")
        self.assertRegex(as_user(NOBODY, [], helper.administer),
                         "PermissionError")

    def test_who_may_not_get_there_is_told_what_to_do(self):
        helper = self.logged_in(allow=f"uid:{NOBODY}")
        helper.dir.chmod(0o755)
        helper.socket.chmod(0o666)
        for command in (["refresh", "alice"], ["logout", "alice"],
                        ["reload"], ["unlock"]):
            result = self.run_on(helper.socket, *command, uid=NOBODY)
            self.assertEqual((result.rc, result.out), (1, ""), result)
            self.assertRegex(result.err, rf"^mailtoken: .*{helper.admin}.*"
                             "only root and the user.*admin_group.*\n$")
        self.run_on(helper.socket, "get", "alice", uid=NOBODY).check()

    def test_owner_of_an_account_gets_there_by_the_group(self):
        helper, admin = self.start_for(HELPER)
        self.assertEqual(self.mode(admin), (0o660, HELPER, MAIL))

        def ask(verb):
            with TokenSocket(admin) as connection:
                return connection.call(verb, account="alice").status
        self.assertEqual(as_user(NOBODY, [MAIL], lambda: ask("refresh")),
                         "login")
        # the account is theirs, the helper is not
        self.assertEqual(as_user(NOBODY, [MAIL], lambda: ask("reload")),
                         "none")
        self.assertRegex(as_user(NOBODY, [], lambda: ask("refresh")),
                         "PermissionError")
        # the group opens the way, and decides nothing
        self.assertEqual(as_user(NOBODY - 1, [MAIL],
                                 lambda: ask("refresh")), "none")
        self.assertIsNone(helper.rc, helper.tail())

    def start_for(self, uid):
        """A helper of this user, with an account of NOBODY's; its process and
        its administration socket, which MAIL may use."""
        home = self.bed.subdir("home")
        config = home / ".config/mailtoken"
        (config / "accounts.d").mkdir(parents=True)
        (config / "mailtoken.conf").write_text(f"admin_group = {MAIL}\n")
        theirs = config / "accounts.d/alice.conf"
        theirs.write_text(account(self.oidc))
        for path in home, *home.rglob("*"):
            os.chown(path, uid, uid)
        os.chown(theirs, NOBODY, NOBODY)
        home.chmod(0o755)
        helper = self.bed.spawn(
            ["setpriv", "--reuid", uid, "--regid", uid, "--groups", MAIL,
             self.bed.public_program("mailtokend"), "--socket",
             home / "socket"], {"HOME": home})
        self.bed.wait_until(
            lambda: helper.rc is not None or (home / "socket").exists(),
            what="the socket")
        self.assertIsNone(helper.rc, helper.tail())
        return helper, home / "admin"

    def test_group_must_be_there(self):
        helper = self.with_settings("admin_group = no-such-group\n")
        result = self.bed.run(helper.argv("--check")).check(78)
        self.assertRegex(result.err, "no group 'no-such-group'")


class CommandTest(AdministrationTestCase):
    def test_every_path_of_a_helper_will_do(self):
        helper = self.logged_in()
        for path in helper.socket, helper.admin:
            for command in (["get", "alice"], ["status", "alice"], ["list"],
                            ["providers"], ["refresh", "alice"],
                            ["reject", "alice"], ["reload"], ["unlock"],
                            ["logout", "alice", "--local"]):
                with self.subTest(path=path, command=command):
                    self.run_on(path, *command).check()
            helper.login(self.oidc, "alice").expect()

    def test_command_trusts_nobody_whom_a_helper_names(self):
        """... but asks who listens there, as everywhere."""
        helper = ScriptedHelper(self.bed, {})
        self.addCleanup(helper.stop)
        stranger = helper.path.parent / "stranger"
        helper.replies["reload"] = ("none", {"text": "not here",
                                             "admin_socket": stranger})
        with socket.socket(socket.AF_UNIX) as listener:
            read, write = os.pipe()
            helper.path.parent.chmod(0o777)
            pid = os.fork()
            if not pid:
                os.setuid(NOBODY)
                listener.bind(str(stranger))
                listener.listen()
                os.write(write, b".")
                peer, _ = listener.accept()
                os._exit(len(peer.recv(1000)) and 1)
            self.assertEqual(os.read(read, 1), b".")
            os.close(read)
            os.close(write)
        result = self.run_on(helper.path, "reload")
        self.assertEqual((result.rc, result.out), (78, ""), result)
        self.assertIn("is not trusted", result.err)
        # and nothing was said
        self.assertEqual(os.waitpid(pid, 0)[1], 0)

    def test_place_that_is_none_ends_the_matter(self):
        for path, code in (("relative", 1), ("/" + "x" * 200, 1), ("", 1),
                           ("/nowhere/admin", 69)):
            helper = ScriptedHelper(self.bed, {
                "reload": ("none", {"text": "n", "admin_socket": path})})
            self.addCleanup(helper.stop)
            result = self.run_on(helper.path, "reload")
            self.assertEqual((result.rc, result.out), (code, ""), result)
            self.assertEqual(helper.verbs(), ["reload"])

    def test_helper_that_names_itself_is_asked_once_more_only(self):
        helper = ScriptedHelper(self.bed, {})
        self.addCleanup(helper.stop)
        helper.replies["reload"] = ("none", {"text": "not here",
                                             "admin_socket": helper.path})
        self.assertNotEqual(self.run_on(helper.path, "reload").rc, 0)
        self.assertEqual(helper.verbs(), ["reload"] * 2)


class ActivationTest(AdministrationTestCase):
    def listener(self, address):
        listener = socket.socket(socket.AF_UNIX)
        self.addCleanup(listener.close)
        listener.bind(address)
        listener.listen()
        return listener

    def start(self, helper, names, *listeners):
        """As systemd would, with these descriptors from 3 on."""
        fds = [listener.fileno() for listener in listeners]
        code = ("import os, sys; n = int(sys.argv[1]); "
                "fds = [os.dup(int(fd)) for fd in sys.argv[3:3 + n]]; "
                "[os.dup2(fd, 100 + i) for i, fd in enumerate(fds)]; "
                "[os.dup2(100 + i, 3 + i, True) for i in range(n)]; "
                "os.environ.update(LISTEN_FDS=str(n), "
                "LISTEN_FDNAMES=sys.argv[2], LISTEN_PID=str(os.getpid())); "
                "os.execv(sys.argv[3 + n], sys.argv[3 + n:])")
        helper.process = self.bed.spawn(
            ["/usr/bin/python3", "-c", code, len(fds), names, *fds,
             *helper.argv()], pass_fds=fds)

    def test_listener_of_that_name_is_the_administration_socket(self):
        helper = self.helper(start=False)
        control = helper.dir / "control"
        listeners = [self.listener(str(path)) for path in (
            helper.socket, control, helper.dir / "second")]
        control.chmod(0o600)
        self.start(helper, "mailtokend.socket:admin:admin.socket", *listeners)
        for path in helper.socket, helper.dir / "second":
            with TokenSocket(path, follow=False) as connection:
                self.assertRefused(connection.call("reload"), control)
                connection.call("exists", account="alice").expect()
        with TokenSocket(control) as connection:
            connection.call("reload").expect()
            self.assertEqual(connection.call("status")["socket"],
                             str(helper.socket))
        self.assertFalse(helper.admin.exists())
        self.assertNotIn("open to everybody", helper.log())
        helper.stop()
        self.assertTrue(control.exists())    # the manager's

    def test_open_one_is_warned_of(self):
        helper = self.helper(start=False)
        listener = self.listener(str(helper.admin))
        helper.admin.chmod(0o666)
        self.start(helper, "admin", listener)
        with TokenSocket(helper.admin) as connection:
            connection.call("reload").expect()
        self.assertIn("set SocketMode=0600", helper.log())

    def test_without_one_it_is_made_beside_the_first(self):
        helper = self.helper(start=False)
        self.start(helper, "mailtokend.socket",
                   self.listener(str(helper.socket)))
        with helper.connect(follow=False) as connection:
            self.assertRefused(connection.call("reload"), helper.admin)
        self.assertEqual(self.mode(helper.admin)[0], 0o600)
        helper.stop()
        self.assertFalse(helper.admin.exists())
        self.assertTrue(helper.socket.exists())

    def test_listener_of_another_name_is_the_table_for_postfix(self):
        helper = self.helper(start=False)
        table = helper.dir / "table"
        self.start(helper, "mailtokend.socket:socketmap",
                   self.listener(str(helper.socket)),
                   self.listener(str(table)))
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(30)
            client.connect(str(table))
            client.sendall(b"11:smtp nobody,")
            self.assertIn(b"NOTFOUND", client.recv(100))

    def test_settings_of_what_is_handed_over_are_ignored_and_it_says_so(self):
        helper = self.with_settings(f"socket = {self.bed.subdir('x')}/other\n"
                                    "admin_group = 4711\n")
        self.start(helper, "mailtokend.socket:admin",
                   self.listener(str(helper.socket)),
                   self.listener(str(helper.admin)))
        with helper.connect() as connection:
            connection.call("reload").expect()
        for word in "'socket'", "'admin_group'":
            self.assertRegex(helper.log(), f"{word}[ \\w]* is ignored")

    def test_where_there_is_no_place_for_one_mail_goes_on(self):
        helper = self.helper(start=False)
        name = f"mailtokend-{os.getpid()}"
        self.start(helper, "mailtokend.socket", self.listener("\0" + name))
        with TokenSocket("\0" + name, follow=False) as connection:
            connection.call("exists", account="alice").expect()
            reply = connection.call("reload").expect("config")
        self.assertIn("set admin_socket", reply["text"])
        self.assertIn("no administration socket", helper.log())


class SystemTest(AdministrationTestCase):
    def test_it_is_there_before_the_first_account(self):
        etc = self.bed.subdir("etc")
        (etc / "passwd").write_text("root:x:0:0::/:/bin/sh\n")
        (etc / "group").write_text("root:x:0:\nmailtoken:x:4711:\n")
        (etc / "mailtoken").mkdir()
        conf = etc / "mailtoken/mailtoken.conf"
        conf.write_text("")
        script = ("mount --make-rprivate / && mount --bind $0 /etc && "
                  "mount -t tmpfs t /run && mount -t tmpfs t /var/lib && "
                  "exec $1")
        process = self.bed.spawn(["unshare", "--mount", "sh", "-c", script,
                                  etc, self.bed.program("mailtokend")])
        self.addCleanup(process.stop)
        run = Path(f"/proc/{process.pid}/root/run/mailtoken")
        self.bed.wait_until((run / "admin").exists, what="the socket")
        self.assertEqual(self.mode(run / "admin"), (0o600, 0, 0))
        self.assertEqual(stat.S_IMODE(run.stat().st_mode), 0o755)
        self.assertEqual([path.name for path in run.iterdir()], ["admin"])
        conf.write_text(account(self.oidc))
        with TokenSocket(run / "admin") as connection:
            self.assertEqual(connection.call("reload")["accounts"], "1")
        with TokenSocket(run / "socket", follow=False) as connection:
            self.assertRefused(connection.call("reload"),
                               "/run/mailtoken/admin")
        self.assertEqual(self.mode(run / "socket"), (0o660, 0, 4711))


if __name__ == "__main__":
    unittest.main()
