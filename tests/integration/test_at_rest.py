# SPDX-License-Identifier: ISC
"""What mailtokend keeps on disk, the key to it, and what it gave up."""
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import threading
from pathlib import Path

from bed import wait_until
from bed.sealed import read_record, store_key
from bed.tokensock import Mailtokend, TokenSocket, account
from integration.test_helper import (HelperTestCase, counted, passed,
                                     written_memory)

PASSPHRASE = "correct horse, battery staple: ähm"
# The system calls that change a file, as strace calls them.
# Every so many of them, where time is short.
EVERY = 1 if os.environ.get("MAILTOKEN_LONG") else 3
CHANGES = ("openat", "write", "ftruncate", "fsync", "rename", "renameat",
           "unlink", "unlinkat", "mkdir")


class StoreTestCase(HelperTestCase):
    """Helpers whose settings say how the key is kept."""

    def text(self, *lines):
        return "\n".join([*lines, account(self.oidc), ""])

    def key_file(self, name="file"):
        path = self.bed.subdir("keys") / name
        path.write_bytes(os.urandom(32))
        path.chmod(0o400)
        return path

    def use(self, helper, *lines, **spawn):
        """Start it with these settings for the key."""
        if helper.process:
            helper.stop()
        helper.write(self.text(*lines))
        return helper.start(**spawn)

    def fails(self, helper, *lines, env=None):
        """The sentence with which it ends, for the settings are wrong."""
        if helper.process:
            helper.stop()
        helper.write(self.text(*lines))
        result = self.bed.run(
            helper.argv("--socket", helper.socket), env).check(78)
        return result.err

    def serves(self, helper):
        self.refresh(helper).expect()

    def slots(self, helper):
        text = (helper.state / "store.key").read_text()
        return [slot["kind"] for slot in json.loads(text)["slots"]]

    def make_clear(self, helper):
        """Turn its store into one from before there was a key."""
        record = read_record(helper.state, "alice")
        (helper.state / "alice.token").write_text(json.dumps(record) + "\n")
        (helper.state / "store.key").unlink()
        (helper.state / "key").unlink()
        return record

    def unlock(self, helper, text=PASSPHRASE):
        """`mailtoken unlock` with a passphrase from a pipe."""
        return subprocess.run(
            [self.bed.program("mailtoken"), "--socket", helper.socket,
             "unlock"], input=text, capture_output=True, text=True,
            timeout=60, env={})


class SealTest(StoreTestCase):
    def test_store_holds_no_token_in_clear(self):
        helper = self.logged_in()
        self.refresh(helper).expect()
        token = self.get(helper)["token"]
        seed = self.oidc.mint("alice@example.test",
                              scope="mail")["refresh_token"]
        with passed(seed) as file:
            helper.call("seed", fd=file.fileno(), account="alice").expect()
        record = read_record(helper.state, "alice")
        self.assertEqual(record["candidate"], seed)
        secrets = {token, seed, record["refresh_token"]} | {
            entry["form"].get("refresh_token") for entry in self.posts()}
        self.assertEqual(len(secrets), 4)
        files = list(helper.state.iterdir())
        self.assertIn(helper.state / "alice.token", files)
        for path in files:
            for secret in secrets:
                self.assertNotIn(secret.encode(), path.read_bytes(), path)

    def test_clear_records_from_before_are_sealed_at_start(self):
        helper = self.logged_in()
        helper.stop()
        clear = self.make_clear(helper)
        # one of an account that the settings do not know, and what was
        # written whole but not put in its place
        (helper.state / "gone.token").write_text(
            json.dumps(clear | {"account": "gone"}))
        (helper.state / "gone.next").write_text(
            json.dumps(clear | {"account": "gone", "serial": 7}))
        helper.start()
        self.assertIn("lay in clear are sealed now: 2", helper.log())
        self.assertEqual(read_record(helper.state, "alice"), clear)
        self.assertEqual(read_record(helper.state, "gone")["serial"], 7)
        self.serves(helper)
        helper.stop()
        # but only once: a record in clear is none of ours any more
        (helper.state / "alice.token").write_text(json.dumps(clear))
        helper.start()
        self.assertNotIn("lay in clear", helper.log())
        reply = self.get(helper).expect("config")
        self.assertIn("alice.token is no sealed record", reply["text"])

    def test_record_that_does_not_open_is_named_and_kept(self):
        helper = Mailtokend(self.bed, account(self.oidc) + account(
            self.oidc, "bob", "bob@example.test"))
        self.addCleanup(lambda: helper.process.stop())
        helper.login(self.oidc, "alice").expect()
        helper.login(self.oidc, "bob", user="bob@example.test").expect()
        place = helper.state / "alice.token"
        good = place.read_bytes()
        bobs = (helper.state / "bob.token").read_bytes()
        flipped = bytearray(good)
        flipped[len(good) // 2] ^= 1
        foreign = bytearray(good)
        foreign[9] ^= 1
        for bad, text in ((good[:-1], "was changed, or is damaged"),
                          (good[:60], "is damaged"),
                          (b"", "is no sealed record"),
                          (bytes(flipped), "was changed, or is damaged"),
                          (bytes(foreign), "was sealed with another store key"),
                          (bobs, "is the login of account bob"),
                          (bobs.replace(b"\3bob", b"\5alice"),
                           "was changed, or is damaged")):
            with self.subTest(text):
                helper.stop()
                place.write_bytes(bad)
                helper.start()
                status = helper.status("alice")
                self.assertEqual(status["state"], "broken-config")
                self.assertIn(f"{place} {text}", status["text"])
                self.assertIn("mailtoken login alice", status["text"])
                self.get(helper).expect("config")
                helper.call("get", account="bob").expect()
                self.assertEqual(place.read_bytes(), bad)
                # the right one helps, without a restart
                place.write_bytes(good)
                helper.reload()
                self.assertEqual(helper.status("alice")["state"], "ok")
        place.write_bytes(bytes(flipped))
        helper.stop()
        helper.start()
        helper.login(self.oidc, "alice").expect()
        self.get(helper).expect()
        self.assertEqual((helper.state / "alice.damaged").read_bytes(),
                         bytes(flipped))

    def test_full_disk_leaves_records_in_clear_readable(self):
        helper = self.logged_in()
        helper.stop()
        clear = self.make_clear(helper)
        (helper.state / "alice.temp").mkdir()    # cannot be opened as a file
        helper.start()
        self.assertIn("not all logins that lie in clear", helper.log())
        self.assertEqual(helper.status("alice")["state"], "ok")
        helper.stop()
        (helper.state / "alice.temp").rmdir()
        helper.start()
        self.assertEqual(read_record(helper.state, "alice"), clear)
        self.serves(helper)


class KeyTest(StoreTestCase):
    def credentials(self):
        """A credential as the service manager gives it: its environment."""
        directory = self.bed.subdir("credentials")
        (directory / "mailtoken.key").write_bytes(os.urandom(32))
        (directory / "mailtoken.key").chmod(0o400)
        return {"CREDENTIALS_DIRECTORY": directory}

    def test_key_stays_over_restarts_and_is_closed_to_others(self):
        helper = self.logged_in()
        key = (helper.state / "key").read_bytes()
        self.assertEqual(len(key), 32)
        for name in "key", "store.key":
            mode = (helper.state / name).stat().st_mode
            self.assertEqual(mode & 0o777, 0o600)
        helper.stop()
        helper.start()
        self.serves(helper)
        self.assertEqual((helper.state / "key").read_bytes(), key)

    def test_memory_holds_the_store_key_once_and_no_key_to_it(self):
        if b"__asan_init" in self.bed.program("mailtokend").read_bytes():
            return  # a sanitizer's heap keeps what was released
        helper = self.logged_in()
        own = (helper.state / "key").read_bytes()
        for start in "first", "second":
            self.serves(helper)
            memory = written_memory(helper.process.pid).values()
            for key, times in (own, 0), (store_key(helper.state, own), 1):
                # half of it would be found, too
                for part in key[:16], key[16:]:
                    self.assertEqual(sum(m.count(part) for m in memory),
                                     times, start)
            helper.stop()
            helper.start()

    def test_key_may_move_from_any_place_to_any_other(self):
        helper = self.logged_in()
        file = f"key_file = {self.key_file()}"
        other = f"key_file = {self.key_file('other')}"
        credential = "key_credential = mailtoken.key"
        env = self.credentials()
        default = helper.state / "key"
        for lines, kind in (([file], "keyfile"),
                            ([credential], "credential"),
                            ([other], "keyfile"), ([file], "keyfile"),
                            ([], "keyfile"), ([credential], "credential"),
                            ([], "keyfile")):
            with self.subTest(lines):
                self.use(helper, *lines, env=env)
                self.assertIn("from now on", helper.log())
                self.serves(helper)
                self.use(helper, *lines, env=env)
                self.assertNotIn("from now on", helper.log())
                self.serves(helper)
                self.assertEqual(self.slots(helper), [kind])
                self.assertEqual(default.exists(), not lines)

    def test_key_file_in_the_state_directory_may_be_named(self):
        helper = self.logged_in()
        self.use(helper, f"key_file = {helper.state}/../state/key")
        self.use(helper, f"key_file = {helper.state}/../state/key")
        self.serves(helper)

    def test_key_that_cannot_be_had_is_named(self):
        helper = self.logged_in()
        file = self.key_file()
        line = f"key_file = {file}"
        self.use(helper, line)
        before = (helper.state / "store.key").read_bytes()
        right = file.read_bytes()
        file.write_bytes(right[:31])
        self.assertIn("exactly 32 random bytes", self.fails(helper, line))
        file.write_bytes(right + b"\n")
        self.assertIn("exactly 32 random bytes", self.fails(helper, line))
        file.write_bytes(bytes(32))
        self.assertIn(f"the key file {file} is not the one",
                      self.fails(helper, line))
        file.write_bytes(right)
        file.chmod(0o444)
        self.assertIn("chmod", self.fails(helper, line))
        file.chmod(0o400)
        file.rename(file.with_suffix(".away"))
        self.assertIn(f"cannot open {file}", self.fails(helper, line))
        self.assertIn(f"cannot open {file}", self.fails(helper))
        file.with_suffix(".away").rename(file)
        self.assertEqual((helper.state / "store.key").read_bytes(), before)
        self.use(helper, line)
        self.serves(helper)

    def test_credential_that_is_missing_is_explained(self):
        helper = self.helper(start=False)
        line = "key_credential = mailtoken.key"
        text = self.fails(helper, line)
        self.assertIn("LoadCredentialEncrypted=mailtoken.key", text)
        self.assertIn("CREDENTIALS_DIRECTORY", text)
        directory = self.bed.subdir("empty")
        text = self.fails(helper, line,
                          env={"CREDENTIALS_DIRECTORY": directory})
        self.assertIn(f"cannot open {directory}/mailtoken.key", text)
        self.assertFalse((helper.state / "store.key").exists())

    def test_lost_or_damaged_store_key_ends_the_start_and_changes_nothing(
            self):
        helper = self.logged_in()
        file = helper.state / "store.key"
        good = file.read_bytes()
        for bad in None, b"", b"{}", good[:-20], good.replace(
                b'"wrapped":"', b'"wrapped":"00'):
            if helper.process:
                helper.stop()
            file.unlink() if bad is None else file.write_bytes(bad)
            text = self.fails(helper)
            self.assertIn(str(file), text)
            self.assertEqual(file.exists(), bad is not None)
        file.write_bytes(good)
        helper.start()
        self.serves(helper)

    def test_reload_leaves_the_key_where_it_is(self):
        helper = self.logged_in()
        before = (helper.state / "store.key").read_bytes()
        helper.write(self.text(f"key_file = {self.key_file()}"))
        helper.reload()
        self.serves(helper)
        self.assertEqual((helper.state / "store.key").read_bytes(), before)
        helper.stop()
        helper.start()
        self.serves(helper)
        self.assertNotEqual((helper.state / "store.key").read_bytes(), before)

    def test_only_one_place_for_the_key_can_be_named(self):
        helper = self.helper(start=False)
        for lines in (("key_file = /a", "key_credential = a"),
                      ("key_file = /a", "key_passphrase = yes")):
            self.assertIn("only one of", self.fails(helper, *lines))
        self.assertIn("not an absolute path",
                      self.fails(helper, "key_file = a"))
        self.assertIn("neither yes nor no",
                      self.fails(helper, "key_passphrase = x"))


class PassphraseTest(StoreTestCase):
    LINE = "key_passphrase = yes"

    def locked(self):
        """A helper that has a login, and waits for its passphrase."""
        helper = self.use(self.helper(start=False), self.LINE)
        self.assertEqual(self.unlock(helper).stdout,
                         "the passphrase is set\n")
        helper.login(self.oidc, "alice").expect()
        self.use(helper, self.LINE)
        return helper

    def test_locked_store_says_what_to_do_and_opens(self):
        helper = self.locked()
        self.assertIn("run 'mailtoken unlock'", helper.log())
        for verb in "get", "refresh":
            reply = helper.call(verb, account="alice").expect("admin")
            self.assertIn("run 'mailtoken unlock'", reply["text"])
        with passed("seed") as file:
            helper.call("seed", fd=file.fileno(),
                        account="alice").expect("admin")
        for local in 0, 1:
            reply = helper.call("logout", account="alice",
                                local=local).expect("admin")
            self.assertIn("run 'mailtoken unlock'", reply["text"])
            self.assertNotIn("--local", reply["text"])
        self.assertEqual(helper.status("alice")["state"], "needs-admin")
        helper.login(self.oidc, "alice").expect("admin")
        codes = self.posts("authorization_code")
        self.assertEqual(len(codes), 1)     # no code was spent for nothing
        with helper.connect() as events:
            events.call("subscribe", account="alice").expect()
            events.receive()
            done = self.unlock(helper, PASSPHRASE + "\n")
            self.assertEqual((done.returncode, done.stdout, done.stderr),
                             (0, "unlocked\n", ""))
            self.assertEqual(events.receive()["state"], "ok")
        self.get(helper).expect()
        self.serves(helper)
        self.assertEqual(self.unlock(helper).stdout, "nothing is locked\n")
        self.assertEqual(self.slots(helper), ["passphrase"])
        self.assertFalse((helper.state / "key").exists())

    def test_locked_login_is_kept_alive_as_soon_as_it_is_unlocked(self):
        helper = self.locked()
        before = len(self.posts())
        helper.write(helper.config_file.read_text() + "keep_alive = 1s\n")
        for restart in (True, False):
            if restart:
                helper.stop()
                helper.start()
            else:
                helper.reload()
            self.get(helper).expect("admin")
            self.assertEqual(helper.status("alice")["next_refresh_s"], "0")
        self.assertEqual(len(self.posts()), before)
        self.assertEqual(self.unlock(helper).returncode, 0)
        wait_until(lambda: len(self.posts()) > before, what="a refresh")

    def test_wrong_passphrase_is_refused_and_the_next_one_waits(self):
        helper = self.locked()
        done = self.unlock(helper, "wrong")
        self.assertEqual((done.returncode, done.stdout), (65, ""))
        self.assertIn("this is not the passphrase", done.stderr)
        done = self.unlock(helper)
        self.assertEqual(done.returncode, 75)
        self.assertIn("the next may be tried in 1 s", done.stderr)
        self.get(helper).expect("admin")
        wait_until(lambda: self.unlock(helper).returncode == 0,
                   what="the right one to be taken")
        self.serves(helper)

    def test_what_is_no_passphrase_is_refused(self):
        helper = self.locked()
        for text in "", "\n", "two\nlines", "a\0b", "x" * 1025, "x" * 70000:
            with passed(text) as file:
                helper.call("unlock", fd=file.fileno()).expect("bad")
        self.assertEqual(helper.call("unlock").expect()["needs"],
                         "passphrase")
        with passed(PASSPHRASE) as file:
            helper.call("unlock", fd=file.fileno()).expect()
        self.assertEqual(helper.call("unlock").expect()["needs"], "nothing")
        with passed(PASSPHRASE) as file:
            helper.call("unlock", fd=file.fileno()).expect("bad")

    def test_unlocking_delays_nobody(self):
        helper = self.locked()
        unlocking = threading.Thread(target=self.unlock, args=(helper,))
        unlocking.start()
        answers = 0
        with helper.connect() as connection:
            while unlocking.is_alive():
                connection.call("exists", account="alice").expect()
                answers += 1
        unlocking.join()
        self.assertGreater(answers, 20)
        self.serves(helper)

    def test_passphrase_is_nowhere(self):
        helper = self.locked()
        process = subprocess.Popen(
            [self.bed.program("mailtoken"), "--socket", helper.socket,
             "unlock"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        process.stdin.write(PASSPHRASE.encode())
        process.stdin.flush()
        for name in "cmdline", "environ":
            self.assertNotIn(b"battery", Path(
                f"/proc/{process.pid}/{name}").read_bytes())
        process.communicate()
        self.serves(helper)
        self.assertNotIn("battery", helper.log())
        for path in helper.state.iterdir():
            self.assertNotIn(b"battery", path.read_bytes())
        if b"__asan_init" not in self.bed.program("mailtokend").read_bytes():
            self.assertEqual(counted(helper, "battery"), 0)

    def ask_at_terminal(self, helper, *lines):
        """`mailtoken unlock` at a terminal; its exit status, and what the
        terminal showed."""
        master, terminal = os.openpty()
        with open(terminal, "rb+", 0) as end, open(master, "rb+", 0) as ours:
            process = subprocess.Popen(
                [self.bed.program("mailtoken"), "--socket", helper.socket,
                 "unlock"], stdin=end, stdout=end, stderr=end, env={})
            shown = b""
            for line in lines:
                while not shown.endswith(b": "):
                    shown += ours.read(1000)
                shown += b"|"
                ours.write(line.encode())
            status = process.wait(30)
            # what it wrote last may take its time: up to the terminal's end
            end.close()
            with contextlib.suppress(OSError):
                while data := ours.read(1000):
                    shown += data
        return status, shown.decode()

    def test_terminal_asks_and_shows_nothing(self):
        helper = self.use(self.helper(start=False), self.LINE)
        status, shown = self.ask_at_terminal(
            helper, PASSPHRASE + "\n", "another\n")
        self.assertEqual(status, 65)
        self.assertIn("not the same", shown)
        status, shown = self.ask_at_terminal(
            helper, PASSPHRASE + "\n", PASSPHRASE + "\n")
        self.assertEqual((status, shown.split("|")[0]),
                         (0, "New passphrase: "), shown)
        helper.login(self.oidc, "alice").expect()
        self.use(helper, self.LINE)
        status, shown = self.ask_at_terminal(helper, PASSPHRASE + "\n")
        self.assertEqual(status, 0, shown)
        self.assertNotIn("battery", shown)
        self.serves(helper)

    def test_interrupted_question_leaves_the_terminal_as_it_was(self):
        helper = self.use(self.helper(start=False), self.LINE)
        master, terminal = os.openpty()
        with open(terminal, "rb+", 0) as end, open(master, "rb+", 0) as ours:
            def modes():
                return subprocess.run(["stty", "-a"], stdin=end, check=True,
                                      capture_output=True).stdout
            before = modes()
            process = subprocess.Popen(
                [self.bed.program("mailtoken"), "--socket", helper.socket,
                 "unlock"], stdin=end, stdout=end, stderr=end, env={})
            self.assertIn(b"passphrase", ours.read(1000))
            self.assertNotEqual(modes(), before)
            process.send_signal(signal.SIGINT)
            self.assertEqual(process.wait(30), -signal.SIGINT)
            self.assertEqual(modes(), before)

    def test_key_may_move_to_a_passphrase_and_away(self):
        helper = self.logged_in()
        self.use(helper, self.LINE)
        # serves as before until it is set
        self.assertIn("run 'mailtoken unlock'", helper.log())
        self.serves(helper)
        self.assertEqual(self.unlock(helper).stdout,
                         "the passphrase is set\n")
        self.assertEqual(self.slots(helper), ["passphrase"])
        self.assertFalse((helper.state / "key").exists())
        self.serves(helper)
        self.use(helper)
        self.get(helper).expect("admin")
        self.assertEqual(self.unlock(helper).returncode, 0)
        self.assertEqual(self.slots(helper), ["keyfile"])
        self.use(helper)
        self.serves(helper)

    def test_others_may_not_unlock(self):
        helper = self.locked()
        helper.socket.chmod(0o666)
        done = self.bed.run(
            ["setpriv", "--reuid", "65534", "--regid", "65534",
             "--clear-groups", self.bed.program("mailtoken"), "--socket",
             helper.socket, "unlock"])
        done.check(1)
        self.assertIn("only root and the user", done.err)

    def test_helper_for_one_request_says_that_it_is_locked(self):
        helper = self.locked()
        helper.stop()
        ours, theirs = socket.socketpair()
        process = subprocess.Popen(
            ["sh", "-c", 'exec "$@" 3<&0', "sh", *helper.argv("--once")],
            stdin=theirs, env={})
        theirs.close()
        with TokenSocket(sock=ours) as connection:
            connection.call("get", account="alice").expect("admin")
        self.assertEqual(process.wait(30), 0)

    def test_clear_records_are_sealed_when_a_passphrase_is_set(self):
        helper = self.logged_in()
        helper.stop()
        self.make_clear(helper)
        self.use(helper, self.LINE)
        self.get(helper).expect("admin")
        self.assertEqual(self.unlock(helper).returncode, 0)
        self.assertIn("lay in clear are sealed now: 1", helper.log())
        self.serves(helper)


class KillTest(StoreTestCase):
    """kill -9 at every system call that changes the store's key."""

    def setUp(self):
        super().setUp()
        self.login = self.logged_in()
        self.login.stop()

    def once(self, state, *tracer):
        """A helper that starts and ends at once; its exit status."""
        ours, theirs = socket.socketpair()
        ours.close()
        with theirs:
            return subprocess.run(
                ["sh", "-c", 'exec "$@" 3<&0', "sh", *tracer,
                 self.bed.program("mailtokend"), "--config",
                 self.login.config_file, "--state-dir", state, "--once"],
                stdin=theirs, timeout=60, check=False,
                # a sanitizer cannot look for leaks while strace is there
                env={"ASAN_OPTIONS": "detect_leaks=0"}).returncode

    def kill_everywhere(self, prepared):
        """Start on copies of the directory, killed at each call; then the
        next start has everything."""
        log, copy = self.login.dir / "strace", self.login.dir / "copy"

        def fresh():
            shutil.rmtree(copy, ignore_errors=True)
            shutil.copytree(prepared, copy)
        fresh()
        self.assertEqual(self.once(
            copy, "strace", "-qq", "-o", log,
            "-e", "trace=" + ",".join(CHANGES)), 0)
        calls = [line.split("(")[0] for line in log.read_text().splitlines()
                 if "(" in line]
        self.assertGreater(calls.count("fsync"), 3)
        helper = Mailtokend(self.bed, self.login.config_file.read_text(),
                            start=False, state=copy)
        kills = [(call, number) for call in sorted(set(calls))
                 for number in range(1, calls.count(call) + 1)]
        for call, number in kills[::EVERY]:
            fresh()
            died = self.once(
                copy, "strace", "-qq", "-o", log, "-e", f"trace={call}",
                "-e", f"inject={call}:signal=KILL:when={number}")
            self.assertIn(died, (-9, 137), (call, number))
            helper.start()
            self.assertEqual(helper.status("alice")["state"], "ok",
                             (call, number))
            helper.stop()
            names = {path.name for path in copy.iterdir()}
            self.assertLessEqual(names, {
                "lock", "key", "store.key", "alice.token", "key.new",
                "store.key.new", "alice.temp"}, (call, number))
        return copy, len(kills)

    def test_while_the_key_moves(self):
        self.login.write(self.text(f"key_file = {self.key_file()}"))
        copy, kills = self.kill_everywhere(self.login.state)
        self.assertGreater(kills, 20)
        self.assertFalse((copy / "key").exists())

    def test_while_the_key_is_made_and_records_are_sealed(self):
        clear = self.make_clear(self.login)
        copy, kills = self.kill_everywhere(self.login.state)
        self.assertGreater(kills, 20)
        self.assertEqual(read_record(copy, "alice"), clear)


class LockDownTest(StoreTestCase):
    def status_of(self, helper, name):
        text = Path(f"/proc/{helper.process.pid}/status").read_text()
        return [line.split()[1] for line in text.splitlines()
                if line.startswith(name + ":")][0]

    def test_helper_gains_no_rights_and_filters_its_calls(self):
        helper = self.logged_in()
        self.assertEqual(self.status_of(helper, "NoNewPrivs"), "1")
        self.assertEqual(self.status_of(helper, "Seccomp"), "2")

    def test_state_and_sockets_go_on_under_it(self):
        helper = self.logged_in()
        self.refresh(helper).expect()
        helper.write("")
        helper.reload()
        helper.write(account(self.oidc))
        helper.reload()
        self.serves(helper)
        self.assertEqual(helper.stop(), 0)
        self.assertFalse(helper.socket.exists())

    def test_reload_may_name_files_that_were_not_there_at_the_start(self):
        oidc = self.bed.oidc(tls=True)
        self.addCleanup(oidc.stop)
        helper = self.helper(start=False)
        helper.write("")
        helper.start()
        place = self.bed.subdir("later")
        secret, ca = place / "secret", place / "ca.pem"
        secret.write_text("desktop-secret-value\n")
        secret.chmod(0o600)
        shutil.copy(oidc.ca, ca)
        helper.write(account(oidc, client_id="desktop-secret",
                             client_secret_file=secret, ca_file=ca))
        helper.reload()
        helper.login(oidc, "alice").expect()
        self.serves(helper)
        self.assertEqual(oidc.log()[-1]["form"]["client_secret"],
                         "desktop-secret-value")
