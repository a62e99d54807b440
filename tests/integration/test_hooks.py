# SPDX-License-Identifier: ISC
"""Whom mailtokend tells of what only people can mend, and the process that runs
these programs."""
import json
import os
import signal
import socket
import subprocess
from pathlib import Path

from bed import wait_until
from bed.process import alive
from bed.sealed import read_record
from bed.tokensock import Mailtokend, account
from integration.test_helper import (HelperTestCase, counted,
                                     written_memory)
from integration.test_secrets import descendants


class HookTest(HelperTestCase):
    """Programs that are told what a person must mend."""

    def setUp(self):
        super().setUp()
        self.state = self.bed.subdir("state")
        self.state.chmod(0o700)

    def program(self, script):
        """A shell script that may be a hook."""
        path = self.bed.subdir("hook") / "hook"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return path

    def recorder(self, before="", after=""):
        """A hook that adds a JSON line of what it was given to self.seen."""
        self.seen = self.state / "seen"
        self.seen.touch()
        code = ("import json,os,sys;print(json.dumps({'argv':sys.argv[1:],"
                "'env':dict(os.environ),'fds':os.listdir('/proc/self/fd'),"
                "'input':dict(l.rstrip('\\n').split('=',1)"
                " for l in sys.stdin)}))")
        return self.program(
            f'{before}\n/usr/bin/python3 -c "{code}" "$@" >>{self.seen}\n'
            f'{after}')

    def news(self):
        return [json.loads(line)
                for line in self.seen.read_text().splitlines()]

    def wait_news(self, count):
        return wait_until(lambda: len(self.news()) >= count and self.news(),
                          what=f"{count} runs of the hook")

    def start(self, *hooks, repeat=None, more=()):
        lines = [f"hook = {hook}\n" for hook in hooks]
        if repeat:
            lines.append(f"hook_repeat = {repeat}\n")
        helper = Mailtokend(
            self.bed, "".join(lines) + account(self.oidc), start=False,
            state=self.state)
        helper.start(*more, env={"SECRET": "secret", "HOME": "/root"})
        self.addCleanup(lambda: helper.process and helper.process.stop())
        helper.login(self.oidc, "alice").expect()
        return helper

    def test_states_that_only_people_mend_are_told_and_their_end(self):
        helper = self.start(self.recorder())
        self.oidc.fault(status=401, body='{"error":"invalid_client"}')
        self.refresh(helper).expect("config")
        self.refresh(helper).expect()
        self.oidc.fault(status=400, body='{"error":"access_denied"}')
        self.refresh(helper).expect("admin")
        self.oidc.revoke()
        self.refresh(helper).expect("login")
        helper.login(self.oidc, "alice").expect()
        news = self.wait_news(5)
        self.assertEqual(
            [one["argv"] for one in news],
            [[event, "alice"] for event in (
                "broken-config", "recovered", "needs-admin", "needs-login",
                "recovered")])
        dead = news[3]["input"]
        self.assertEqual(
            {name: dead[name] for name in dead if name not in
             ("time", "text")},
            {"event": "needs-login", "account": "alice",
             "user": "alice@example.test", "provider": "generic",
             "state": "needs-login"})
        self.assertRegex(dead["time"], r"\A20..-..-..T..:..:..Z\Z")
        self.assertIn("mailtoken login alice", dead["text"])
        self.assertEqual(news[4]["input"]["text"], "")

    def test_hook_gets_nothing_of_the_helpers(self):
        helper = self.start(self.recorder())
        self.oidc.revoke()
        self.refresh(helper).expect("login")
        news = self.wait_news(1)[0]
        self.assertLessEqual(set(news["env"]), {
            "PATH", "HOME", "PWD", "OLDPWD", "SHLVL", "_", "LC_CTYPE"})
        self.assertEqual(len(news["fds"]), 4)   # and that of listdir()
        token = read_record(helper.state, "alice")["refresh_token"]
        self.assertNotIn(token, self.seen.read_text())

    def test_what_is_no_news_is_not_told(self):
        helper = self.start(self.recorder())
        self.oidc.fault(times=2, status=503)
        self.refresh(helper).expect("later")
        self.refresh(helper).expect("later")
        self.refresh(helper).expect()
        helper.reload()
        self.oidc.revoke()
        self.refresh(helper).expect("login")
        self.assertEqual(self.wait_news(1)[0]["argv"][0], "needs-login")
        self.assertEqual(len(self.news()), 1)

    def test_account_that_nobody_logged_in_to_is_no_news(self):
        hook = self.recorder()
        helper = Mailtokend(
            self.bed, f"hook = {hook}\n" + account(self.oidc, "new")
            + account(self.oidc), state=self.state)
        self.addCleanup(lambda: helper.process and helper.process.stop())
        helper.login(self.oidc, "alice").expect()
        self.oidc.revoke()
        helper.call("refresh", account="alice").expect("login")
        self.assertEqual(self.wait_news(1)[0]["argv"][1], "alice")

    def test_logout_is_no_news(self):
        helper = self.start(self.recorder())
        helper.command("logout", "alice").check()
        helper.stop()
        helper.start()
        helper.login(self.oidc, "alice").expect()
        self.oidc.revoke()
        self.refresh(helper).expect("login")
        self.wait_news(1)
        self.assertEqual([one["argv"][0] for one in self.news()],
                         ["needs-login"])

    def test_state_that_lasts_is_told_again(self):
        helper = self.start(self.recorder(), repeat="1s")
        self.oidc.revoke()
        self.refresh(helper).expect("login")
        self.wait_news(3)
        self.assertEqual({one["argv"][0] for one in self.news()},
                         {"needs-login"})
        # and after a restart
        helper.stop()
        helper.write(helper.config_file.read_text().replace(
            "hook_repeat = 1s", "hook_repeat = 0"))
        told = len(self.news())
        helper.start()
        self.wait_news(told + 1)

    def test_lock_of_the_store_is_told_once_and_its_end(self):
        def unlock():
            subprocess.run(
                [self.bed.program("mailtoken"), "--socket", helper.socket,
                 "unlock"], input="passphrase of the test\n", text=True,
                check=True, capture_output=True, timeout=60)

        helper = Mailtokend(
            self.bed, f"hook = {self.recorder()}\nkey_passphrase = yes\n"
            + account(self.oidc) + account(self.oidc, "bob"),
            state=self.state)
        self.addCleanup(lambda: helper.process and helper.process.stop())
        unlock()    # the first time, which sets it
        for name in "alice", "bob":
            helper.login(self.oidc, name).expect()
        self.oidc.revoke()
        self.refresh(helper).expect("login")
        self.wait_news(3)
        helper.stop()
        helper.start()
        self.refresh(helper).expect("admin")
        helper.call("get", account="bob").expect("admin")
        unlock()
        news = self.wait_news(6)
        self.assertEqual([one["argv"] for one in news], 2 * [
            ["locked", ""], ["recovered", ""], ["needs-login", "alice"]])
        self.assertEqual(news[0]["input"]["state"], "locked")
        self.assertIn("mailtoken unlock", news[0]["input"]["text"])
        # while it lasts, again
        helper.stop()
        helper.write(helper.config_file.read_text().replace(
            "key_passphrase", "hook_repeat = 1s\nkey_passphrase"))
        helper.start()
        self.assertEqual({one["argv"][0] for one in self.wait_news(8)[6:]},
                         {"locked"})

    def test_hook_that_hangs_is_killed_and_delays_nobody(self):
        pid = self.state / "pid"
        hang = self.program(f"echo $$ >{pid}.new; mv {pid}.new {pid}\n"
                            "sleep 1000")
        helper = self.start(hang, self.recorder())
        self.oidc.revoke()
        self.refresh(helper).expect("login")
        self.wait_news(1)
        wait_until(pid.exists, what="the hook")
        self.get(helper).expect()
        number = int(pid.read_text())
        wait_until(lambda: not alive(number), what="its end")
        wait_until(lambda: "ended after 10 s" in helper.log(), what="a line")

    def test_failure_is_not_put_down_to_the_hook_that_follows(self):
        fifo = self.state / "fifo"
        os.mkfifo(fifo)
        first = self.program(f"read line <{fifo}; exit 3")
        second = self.recorder()
        helper = self.start(first)
        self.oidc.revoke()
        self.refresh(helper).expect("login")
        with open(fifo, "w") as ready:   # it reads
            helper.write(f"hook = {second}\n" + account(self.oidc))
            helper.reload()
            helper.login(self.oidc, "alice").expect()
            self.assertEqual(self.news(), [])
            ready.write("go on\n")
        self.assertEqual(self.wait_news(1)[0]["argv"],
                         ["recovered", "alice"])
        self.assertNotIn("exit status 3", helper.log())

    def test_runs_one_at_a_time(self):
        hook = self.recorder("cd " + str(self.state) + " && "
                             "(set -C; : >runs) || : >overlap", "rm runs")
        helper = self.start(hook)
        for _ in range(3):
            self.oidc.fault(status=401, body='{"error":"invalid_client"}')
            self.refresh(helper).expect("config")
            self.refresh(helper).expect()
        self.wait_news(6)
        self.assertFalse((self.state / "overlap").exists())

    def test_failure_is_logged_once_and_output_at_debug(self):
        hook = self.program("echo said; echo wrote >&2; exit 3")
        helper = self.start(hook, repeat="1s", more=["--verbose"])
        self.oidc.revoke()
        self.refresh(helper).expect("login")
        wait_until(lambda: helper.log().count(f"hook {hook}: said") == 2,
                   what="two runs")
        self.assertEqual(helper.log().count("exit status 3"), 1)
        self.assertIn(f"hook {hook}: wrote", helper.log())

    def test_program_that_others_could_change_is_refused(self):
        program = self.bed.program("mailtokend")

        def check(path, owner=0):
            file = self.bed.subdir("conf") / "conf"
            file.write_text(f"hook = {path}\n")
            file.chmod(0o644)
            os.chown(file, owner, -1)
            return self.bed.run([program, "--check", "--config", file])

        good = self.program("exit 0")
        check(good).check(0)
        self.assertIn("65534", check(good, owner=65534).check(78).err)
        for mode in (0o775, 0o757, 0o644):
            good.chmod(mode)
            check(good).check(78)
        good.chmod(0o755)
        os.chown(good, 65534, 65534)
        check(good).check(78)
        os.chown(good, 0, 0)
        good.parent.chmod(0o777)
        self.assertIn(str(good.parent), check(good).check(78).err)
        good.parent.chmod(0o755)
        for path in ("hook", good.parent, "/nonexistent"):
            check(path).check(78)

    def test_hook_is_not_locked_down_as_the_helper_is(self):
        elsewhere = self.bed.subdir("elsewhere")
        hook = self.recorder(
            f"cat /proc/self/status >{elsewhere}/status\n"
            f"mkdir {self.state}/directory")
        helper = self.start(hook)
        self.oidc.revoke()
        self.refresh(helper).expect("login")
        self.wait_news(1)
        self.assertTrue((self.state / "directory").exists())
        seen = (elsewhere / "status").read_text()
        own = Path(f"/proc/{helper.process.pid}/status").read_text()
        for text, gained, filters in ((seen, 0, 0), (own, 1, 2)):
            self.assertRegex(text, rf"NoNewPrivs:\s+{gained}\n")
            self.assertRegex(text, rf"Seccomp:\s+{filters}\n")

    def test_first_hook_may_come_with_a_reload(self):
        hook = self.recorder()
        helper = self.start()
        helper.write(f"hook = {hook}\n" + account(self.oidc))
        helper.reload()
        self.oidc.revoke()
        self.refresh(helper).expect("login")
        self.assertEqual(self.wait_news(1)[0]["argv"],
                         ["needs-login", "alice"])
        # none, and again one
        helper.write(account(self.oidc))
        helper.reload()
        helper.login(self.oidc, "alice").expect()
        helper.write(f"hook = {hook}\n" + account(self.oidc))
        helper.reload()
        self.oidc.revoke()
        self.refresh(helper).expect("login")
        self.wait_news(2)

    def launcher(self, helper):
        """The process that runs the hooks."""
        found = [pid for pid, name in descendants(helper.process.pid).items()
                 if name == "mailtoken-hooks"]
        self.assertEqual(len(found), 1)
        return found[0]

    def test_process_that_runs_hooks_ends_with_a_word_and_an_alarm(self):
        hook = self.recorder()
        helper = self.start(hook)
        os.kill(self.launcher(helper), signal.SIGKILL)
        wait_until(lambda: "was ended by signal 9; no hook is run until "
                   "mailtokend is started anew" in helper.log(),
                   what="a line")
        self.assertIn("ended by signal 9", helper.status("alice")["alarm"])
        self.assertIn("ended by signal 9",
                      helper.command("doctor").out)
        self.get(helper).expect()
        self.oidc.revoke()
        self.refresh(helper).expect("login")
        self.assertEqual(self.news(), [])
        helper.reload()
        self.assertEqual(
            helper.log().count("no hook is run until"), 2)
        # whoever has no hook misses nothing
        helper.write(account(self.oidc))
        helper.reload()
        self.assertEqual(helper.status("alice")["alarm"], "")
        helper.write(f"hook = {hook}\n" + account(self.oidc))
        helper.stop()
        helper.start()
        self.wait_news(1)
        self.assertEqual(helper.status("alice")["alarm"], "")

    def test_running_hook_may_end_after_the_helper(self):
        fifo, done = self.state / "fifo", self.state / "done"
        os.mkfifo(fifo)
        hook = self.program(f"read line <{fifo}; echo $line >{done}.new\n"
                            f"mv {done}.new {done}")
        for end in (Mailtokend.stop, Mailtokend.kill):
            helper = self.start(hook)
            launcher = self.launcher(helper)
            self.oidc.revoke()
            self.refresh(helper).expect("login")
            with open(fifo, "w") as ready:   # it reads
                end(helper)
                self.assertTrue(alive(launcher))
                ready.write("go on\n")
            wait_until(lambda: not alive(launcher), what="its end")
            self.assertEqual(done.read_text(), "go on\n")
            done.unlink()

    def test_signals_to_the_whole_group_do_not_end_it_before_the_helper(self):
        helper = self.start(self.recorder())
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            os.kill(self.launcher(helper), number)
        self.oidc.revoke()
        self.refresh(helper).expect("login")
        self.wait_news(1)

    def test_process_that_runs_hooks_knows_no_secret(self):
        if b"__asan_init" in self.bed.program("mailtokend").read_bytes():
            return  # a sanitizer's shadow is too long to read
        section = account(self.oidc, client_id="desktop-secret",
                          client_secret_file=self.state / "secret")
        (self.state / "secret").write_text("desktop-secret-value\n")
        (self.state / "secret").chmod(0o600)
        helper = Mailtokend(
            self.bed, f"hook = {self.recorder()}\n" + section, start=False,
            state=self.state)
        helper.start(env={"SECRET": "secret-variable", "HOME": "/root"})
        self.addCleanup(lambda: helper.process and helper.process.stop())
        helper.login(self.oidc, "alice").expect()
        token = self.get(helper).expect()["token"]
        record = read_record(helper.state, "alice")["refresh_token"]
        self.oidc.fault(status=401, body='{"error":"invalid_client"}')
        self.refresh(helper).expect("config")
        self.wait_news(1)
        launcher = self.launcher(helper)
        places = written_memory(launcher) | {
            name: Path(f"/proc/{launcher}/{name}").read_bytes()
            for name in ("cmdline", "environ")}
        # what is there is found
        self.assertTrue(any(b"broken-config" in text
                            for text in places.values()))
        self.assertTrue(counted(helper, token))
        for secret in (token, record, "desktop-secret-value",
                       "secret-variable"):
            for place, text in places.items():
                self.assertNotIn(secret.encode(), text, place)
        self.assertRegex(Path(f"/proc/{launcher}/limits").read_text(),
                         r"Max core file size\s+0\s")

    def test_process_that_runs_hooks_is_closed_to_its_own_user(self):
        ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.settimeout(20)
        with ours, its:
            process = subprocess.Popen(
                ["/bin/sh", "-c", 'exec "$0" / / /nowhere 3<&%d' % its.fileno(),
                 self.bed.public_program("mailtoken-hooks")],
                pass_fds=[its.fileno()], user=65534, group=65534,
                extra_groups=[])
            ours.recv(4096)   # it has no settings, and says so
            self.assertEqual(
                os.stat(f"/proc/{process.pid}/environ").st_uid, 0)
        process.wait(20)

    def test_what_the_helper_can_write_is_no_hook(self):
        inside = self.state / "hook"
        inside.write_text("#!/bin/sh\n")
        inside.chmod(0o755)
        link = self.state / "link"
        link.symlink_to("/bin/true")
        good = self.program("exit 0")
        outside = good.with_name("link")
        outside.symlink_to(inside)
        for path in (inside, link, outside):
            helper = self.start(path)
            wait_until(lambda: "lies in the state directory" in helper.log(),
                       what="a line")
            helper.stop()

    def test_settings_without_a_name_have_no_hook(self):
        file = self.bed.subdir("conf") / "conf"
        file.write_text(f"hook = {self.recorder()}\n" + account(self.oidc))
        with open(file) as settings:
            helper = Mailtokend(self.bed, "", start=False, state=self.state)
            helper.config_file = f"/dev/fd/{settings.fileno()}"
            helper.start(pass_fds=[settings.fileno()])
            self.addCleanup(helper.stop)
            self.assertIn("no hook is run", helper.log())
            self.assertNotIn("mailtoken-hooks",
                             descendants(helper.process.pid).values())

    def test_program_is_looked_at_before_each_run(self):
        hook = self.recorder()
        helper = self.start(hook)
        hook.chmod(0o777)
        self.oidc.revoke()
        self.refresh(helper).expect("login")
        wait_until(lambda: "can be written" in helper.log(), what="a line")
        self.assertEqual(self.news(), [])
