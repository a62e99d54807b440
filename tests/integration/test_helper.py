# SPDX-License-Identifier: ISC
"""mailtokend against a real OAuth2 server, asked over its socket."""
import contextlib
import json
import os
import resource
import select
import socket
import stat
import subprocess
import urllib.parse
from pathlib import Path

from bed import BedTestCase, wait_until
from bed.core import PATH
from bed.sealed import read_record
from bed.tokensock import Mailtokend, TokenSocket, account, encode, passed

USER, BOB = "alice@example.test", "bob@example.test"
NOBODY = 65534


class HelperTestCase(BedTestCase):
    """A server that each test finds as if new, and helpers for the account
    "alice" on demand."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.oidc = cls.bed.oidc()
        cls.settings = cls.oidc.config()

    def setUp(self):
        self.oidc.release()
        self.oidc.config(**self.settings)
        self.oidc.clear_log()

    def helper(self, start=True, **settings):
        helper = Mailtokend(self.bed, account(self.oidc, **settings), start)
        self.addCleanup(lambda: helper.process and helper.process.stop())
        return helper

    def logged_in(self, **settings):
        helper = self.helper(**settings)
        helper.login(self.oidc, "alice").expect()
        return helper

    def posts(self, grant_type="refresh_token"):
        """What was sent to the token endpoint, in order."""
        return [entry for entry in self.oidc.log()
                if entry["form"].get("grant_type") == grant_type]

    def get(self, helper, **fields):
        return helper.call("get", account="alice", **fields)

    def refresh(self, helper, **fields):
        return helper.call("refresh", account="alice", **fields)


def as_user(uid, groups, function):
    """function() in a child that runs as `uid`; its text."""
    read, write = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            os.setgroups(groups)
            os.setgid(uid)
            os.setuid(uid)
            os.write(write, str(function()).encode())
        except BaseException as error:
            os.write(write, repr(error).encode())
        finally:
            os._exit(0)
    os.close(write)
    with os.fdopen(read) as pipe:
        text = pipe.read()
    os.waitpid(pid, 0)
    return text


def written_memory(pid):
    """name of mapping -> contents, of all that the process can write."""
    found = {}
    with open(f"/proc/{pid}/maps") as maps, \
            open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for line in maps:
            place, rights, *rest = line.split()
            start, end = (int(text, 16) for text in place.split("-"))
            if rights.startswith("rw"):
                memory.seek(start)
                found[rest[3] if len(rest) > 3 else place] = \
                    memory.read(end - start)
    return found


def counted(helper, secret):
    """How often the text is in the memory of a Mailtokend."""
    memory = written_memory(helper.process.pid)
    return sum(text.count(secret.encode()) for text in memory.values())


class LoginTest(HelperTestCase):
    def begin(self, connection, **fields):
        fields = {"account": "alice",
                  "redirect_uri": "http://127.0.0.1:1"} | fields
        return connection.call("login-begin", **fields).expect()

    def test_login_by_code_and_pkce_is_stored_and_serves(self):
        helper = self.helper()
        self.assertEqual(helper.status("alice")["state"], "needs-login")
        self.get(helper).expect("login")
        reply = helper.login(self.oidc, "alice").expect()
        self.assertEqual((reply["account"], reply["user"]), ("alice", USER))
        token = self.get(helper).expect()
        self.assertEqual((token["user"], token["serial"]), (USER, "1"))
        form = self.posts("authorization_code")[0]["form"]
        self.assertEqual(len(form["code_verifier"]), 43)
        self.assertNotIn("client_secret", form)
        self.assertEqual(helper.stop(), 0)
        helper.start()
        self.assertEqual(self.get(helper).expect()["serial"], "2")

    def test_address_asks_for_everything(self):
        helper = self.helper(redirect_host="localhost")
        self.assertEqual(helper.status("alice")["redirect_host"],
                         "localhost")
        with helper.connect() as connection:
            begin = self.begin(connection, redirect_uri="http://localhost:1")
        query = dict(urllib.parse.parse_qsl(
            urllib.parse.urlsplit(begin["url"]).query))
        self.assertEqual(query["code_challenge_method"], "S256")
        self.assertEqual(len(query["code_challenge"]), 43)
        self.assertGreaterEqual(len(query["state"]), 32)
        self.assertEqual(query["redirect_uri"], "http://localhost:1")
        self.assertEqual(query["login_hint"], USER)

    def test_confidential_client_sends_its_secret(self):
        file = self.bed.subdir("secret") / "secret"
        file.write_text("desktop-secret-value\n")
        file.chmod(0o600)
        helper = self.logged_in(client_id="desktop-secret",
                                client_secret_file=file)
        self.refresh(helper).expect()
        for entry in self.posts() + self.posts("authorization_code"):
            self.assertEqual(entry["form"]["client_secret"],
                             "desktop-secret-value")

    def test_redirect_must_be_plain_http_to_loopback(self):
        helper = self.helper()
        for uri in ("https://127.0.0.1:1", "http://192.0.2.1:1",
                    "http://localhost.evil.test:1", "http://a@127.0.0.1:1",
                    "http://127.0.0.1:1/?x=1", "http://127.0.0.1:1#x",
                    "http://127.0.0.1:99999", "javascript:1", ""):
            helper.call("login-begin", account="alice",
                        redirect_uri=uri).expect("bad")

    def test_wrong_state_is_refused_and_the_login_goes_on(self):
        helper = self.helper()
        with helper.connect() as connection:
            begin = self.begin(connection)
            good = self.oidc.walk(begin["url"])
            for bad in (good.replace("state=", "state=x"),
                        good.replace("state=", "nostate="),
                        good + "&state=again", "http://127.0.0.1:1/",
                        "?state=%00", "?code=x", "nonsense"):
                connection.call("login-finish", id=begin["id"],
                                redirect=bad).expect("bad")
            self.assertEqual(self.posts("authorization_code"), [])
            connection.call("login-finish", id=begin["id"],
                            redirect=good).expect()

    def test_answer_of_another_server_ends_the_login(self):
        # (setting `issuer`, what the server says) that must not pass
        other = "https://evil.example.test"
        for issuer, iss in ((self.oidc.issuer, other),
                            (self.oidc.issuer, "omit"), (None, other)):
            with self.subTest(issuer=issuer, iss=iss):
                self.oidc.config(iss=iss)
                helper = self.helper(issuer=issuer)
                reply = helper.login(self.oidc, "alice").expect("config")
                self.assertIn("issuer", reply["text"])
        self.assertEqual(self.posts("authorization_code"), [])

    def test_right_or_unsaid_issuer_is_accepted(self):
        for issuer, iss in ((self.oidc.issuer, None), (None, None),
                            (None, "omit")):
            self.oidc.config(iss=iss)
            self.helper(issuer=issuer).login(self.oidc, "alice").expect()

    def test_denied_login_says_so(self):
        helper = self.helper()
        reply = helper.login(self.oidc, "alice", deny=True).expect("login")
        self.assertIn("access_denied", reply["text"])

    def test_code_is_never_exchanged_twice(self):
        helper = self.helper()
        self.oidc.fault(grant_type="authorization_code", after=True,
                        reset=True)
        with helper.connect() as connection:
            begin = self.begin(connection)
            redirect = self.oidc.walk(begin["url"])
            reply = connection.call("login-finish", id=begin["id"],
                                    redirect=redirect).expect("later")
            self.assertIn("begin the login again", reply["text"])
            connection.call("login-finish", id=begin["id"],
                            redirect=redirect).expect("login")
        self.assertEqual(len(self.posts("authorization_code")), 1)

    def test_code_that_was_never_sent_is_kept(self):
        helper = self.helper()
        with helper.connect() as connection:
            begin = self.begin(connection)
            redirect = self.oidc.walk(begin["url"])
            self.oidc.stop()
            connection.call("login-finish", id=begin["id"],
                            redirect=redirect).expect("later")
            self.oidc.start()
            connection.call("login-finish", id=begin["id"],
                            redirect=redirect).expect()

    def test_new_login_ends_the_one_before(self):
        helper = self.helper()
        with helper.connect() as connection:
            old = self.begin(connection)
            new = self.begin(connection)
            redirect = self.oidc.walk(old["url"])
            connection.call("login-finish", id=old["id"],
                            redirect=redirect).expect("login")
            connection.call("login-cancel", id=new["id"]).expect()
            connection.call("login-finish", id=new["id"],
                            redirect=redirect).expect("login")

    def test_login_without_refresh_token_is_refused(self):
        self.oidc.fault(grant_type="authorization_code", status=200, body=(
            '{"access_token":"x","token_type":"Bearer","expires_in":60}'))
        helper = self.helper()
        reply = helper.login(self.oidc, "alice").expect("config")
        self.assertIn("offline_access", reply["text"])
        self.get(helper).expect("login")

    def test_login_that_does_not_cover_the_scope_is_refused(self):
        self.oidc.fault(grant_type="authorization_code", status=200, body=(
            '{"access_token":"x","token_type":"Bearer","expires_in":60,'
            '"refresh_token":"y","scope":"other"}'))
        helper = self.helper()
        reply = helper.login(self.oidc, "alice").expect("login")
        self.assertIn("mail", reply["text"])
        self.get(helper).expect("login")

    def emit(self, helper, file):
        with helper.connect() as connection:
            begin = self.begin(connection)
            redirect = self.oidc.walk(begin["url"])
            return connection.call("login-finish", fd=file.fileno(), emit=1,
                                   id=begin["id"], redirect=redirect)

    def test_emit_writes_the_token_and_stores_nothing(self):
        helper = self.helper()
        with passed("") as file:
            self.emit(helper, file).expect()
            file.seek(0)
            token = file.read().decode()
        self.assertRegex(token, r"\A\S{20,}\n\Z")
        self.assertEqual(self.oidc.refresh(token.strip())[0], 200)
        self.assertEqual(helper.status("alice")["state"], "needs-login")
        self.get(helper).expect("login")
        self.assertEqual({path.name for path in helper.state.iterdir()},
                         {"lock", "key", "store.key"})

    def test_emit_wants_a_closed_regular_file(self):
        helper = self.helper()
        with passed("") as file:
            os.fchmod(file.fileno(), 0o644)
            self.emit(helper, file).expect("bad")
        read, write = os.pipe()
        with os.fdopen(read), os.fdopen(write, "w") as pipe:
            self.emit(helper, pipe).expect("bad")
        self.assertEqual(self.posts("authorization_code"), [])


class RefreshTest(HelperTestCase):
    def test_rotated_token_is_saved_before_answer(self):
        # The server ends the family when an old token is used: whoever is
        # killed right after an answer must find the new one on disk.
        helper = self.logged_in()
        for _ in range(10):
            self.refresh(helper).expect()
            helper.kill()
            helper.start()
        self.assertEqual({e["status"] for e in self.posts()}, {200})
        self.assertEqual(len(self.posts()), 10)

    def test_256_askers_make_one_request(self):
        helper = self.logged_in()
        helper.call("reject", account="alice", serial=1).expect()
        self.oidc.fault(hang=True)
        askers = [helper.connect() for _ in range(256)]
        for asker in askers:
            asker.send("get", account="alice")
        # who is asked this has seen all that came before
        self.assertEqual(helper.status("alice")["state"], "refreshing")
        self.oidc.release()
        replies = [asker.receive().expect() for asker in askers]
        self.assertEqual({reply["serial"] for reply in replies}, {"2"})
        self.assertEqual(len(self.posts()), 1)
        for asker in askers:
            asker.close()

    def test_asker_who_leaves_does_not_stop_the_request(self):
        helper = self.logged_in()
        helper.call("reject", account="alice", serial=1).expect()
        self.oidc.fault(hang=True)
        asker = helper.connect()
        asker.send("get", account="alice")
        wait_until(lambda: self.posts(), what="the request")
        asker.close()
        with helper.connect() as other:
            other.send("get", account="alice")
            self.oidc.release()
            self.assertEqual(other.receive().expect()["serial"], "2")
        self.assertEqual(len(self.posts()), 1)

    def test_good_token_is_not_refreshed(self):
        helper = self.logged_in()
        for min_ttl in (0, 60, 3000):
            self.assertEqual(
                self.get(helper, min_ttl=min_ttl).expect()["serial"], "1")
        self.assertEqual(self.posts(), [])

    def test_expired_token_is_refreshed(self):
        self.oidc.config(at_ttl=3)
        helper = self.logged_in()
        self.oidc.config(at_ttl=3600)
        wait_until(lambda: helper.status("alice")["expires_in"] == "0",
                   what="the end of the token")
        self.assertEqual(self.get(helper).expect()["serial"], "2")

    def test_token_in_use_is_replaced_ahead_of_need(self):
        self.oidc.config(at_ttl=10)
        helper = self.logged_in()
        self.assertEqual(self.get(helper).expect()["serial"], "1")
        self.oidc.config(at_ttl=3600)
        wait_until(lambda: helper.status("alice")["serial"] == "2",
                   what="the refresh")
        self.assertLess(self.posts()[0]["time"], self.granted() + 10)
        self.assertEqual(self.get(helper).expect()["serial"], "2")
        self.assertEqual(len(self.posts()), 1)

    def granted(self):
        """When the login was made, as the log has times."""
        return self.posts("authorization_code")[0]["time"]

    def test_valid_token_is_served_while_the_next_is_fetched(self):
        self.oidc.config(at_ttl=26)
        helper = self.logged_in()
        self.oidc.fault(hang=True)
        # a wish that is met in the first fifth of the token's life only
        self.get(helper, min_ttl=86400).expect()
        wait_until(self.posts, what="the request")
        reply = self.get(helper, wait_ms=0).expect()
        self.assertEqual(reply["serial"], "1")
        self.assertEqual(helper.status("alice")["state"], "refreshing")
        self.oidc.release()

    def test_login_that_nobody_uses_is_kept_alive(self):
        helper = self.logged_in(keep_alive="2s")
        wait_until(lambda: len(self.posts()) == 2, what="two refreshes")
        helper.stop()
        helper.start()
        wait_until(lambda: len(self.posts()) == 3, what="another one")
        self.assertEqual({e["status"] for e in self.posts()}, {200})

    def test_lifetime_may_be_text_or_missing_or_absurd(self):
        helper = self.logged_in()
        for how in ("string", "omit", "negative"):
            self.oidc.config(expires_in=how)
            reply = self.refresh(helper).expect()
            self.assertIn(int(reply["expires_in"]), range(3000, 3601), how)

    def test_token_type_in_any_case(self):
        helper = self.logged_in()
        self.oidc.fault(status=200, body=(
            '{"access_token":"lower","token_type":"bearer"}'))
        self.refresh(helper).expect()
        self.assertEqual(self.get(helper)["token"], "lower")

    def test_wait_is_bounded(self):
        helper = self.logged_in()
        self.oidc.fault(hang=True)
        helper.call("refresh", account="alice", wait_ms=50).expect("later")
        # the good one is still served
        self.assertEqual(self.get(helper, wait_ms=50).expect()["serial"],
                         "1")
        self.oidc.release()

    def test_invalid_grant_makes_no_further_request(self):
        helper = self.logged_in()
        self.oidc.revoke(USER)
        reply = self.refresh(helper).expect("login")
        self.assertIn("mailtoken login alice", reply["text"])
        helper.call("reject", account="alice", serial=1)
        for _ in range(3):
            self.get(helper).expect("login")
            self.refresh(helper).expect("login")
        self.assertEqual(helper.stop(), 0)
        helper.start()
        self.assertEqual(helper.status("alice")["state"], "needs-login")
        self.get(helper).expect("login")
        self.assertEqual(len(self.posts()), 1)
        # the token is marked, not deleted
        record = read_record(helper.state, "alice")
        self.assertIn("invalid_grant", record["dead"]["reason"])
        self.assertTrue(record["refresh_token"])
        helper.login(self.oidc, "alice").expect()
        self.get(helper).expect()
        self.refresh(helper).expect()

    def test_endpoint_down_pauses_and_serves_the_good_token(self):
        helper = self.logged_in()
        self.oidc.fault(times=99, status=503)
        reply = self.refresh(helper).expect("later")
        self.assertIn("503", reply["text"])
        self.assertGreaterEqual(int(reply["retry_s"]), 1)
        self.assertEqual(self.get(helper).expect()["serial"], "1")
        status = helper.status("alice")
        self.assertEqual(status["state"], "degraded")
        self.assertGreaterEqual(int(status["next_attempt_s"]), 1)
        helper.call("reject", account="alice", serial=1)
        for _ in range(5):
            self.get(helper).expect("later")
        self.assertEqual(len(self.posts()), 1)
        self.oidc.release()
        self.refresh(helper).expect()
        self.assertEqual(helper.status("alice")["state"], "ok")

    def test_tokens_are_taken_when_only_the_end_of_the_reply_is_lost(self):
        body = json.dumps({"access_token": "new", "refresh_token": "rotated",
                           "token_type": "Bearer"})

        def script(conn):
            while conn.readline():
                pass
            conn.send("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                      f"Content-Length: {len(body) + 2}\r\n\r\n{body}")

        server = self.bed.scripted_server(script)
        helper = self.helper(
            token_endpoint=f"http://127.0.0.1:{server.port}/token")
        with passed("seed") as file:
            helper.call("seed", fd=file.fileno(), account="alice").expect()
        self.assertEqual(self.get(helper).expect()["token"], "new")
        record = read_record(helper.state, "alice")
        self.assertEqual(record["refresh_token"], "rotated")

    def test_retry_after_is_honoured(self):
        helper = self.logged_in()
        self.oidc.fault(status=429, headers={"retry-after": "120"})
        reply = self.refresh(helper).expect("later")
        self.assertIn(int(reply["retry_s"]), range(60, 121))

    def test_what_is_no_answer_is_temporary(self):
        helper = self.logged_in()
        html = "<html>please sign in</html>"
        for fault in ({"status": 200, "body": html},
                      {"status": 400, "body": html},
                      {"status": 404, "body": html},
                      {"status": 307, "headers": {"location": "/else"}},
                      {"status": 502, "body": '{"error":"invalid_grant"}'},
                      {"status": 200, "body": "{}"},
                      {"status": 200, "body": "x" * 70000},
                      {"status": 200, "body": '{"access_token":"a\\tb"}'},
                      {"reset": True}):
            with self.subTest(**fault):
                self.oidc.fault(**fault)
                self.refresh(helper).expect("later")
                self.refresh(helper).expect()
        # a redirect is not followed
        self.assertNotIn("/else", [e["path"] for e in self.oidc.log(None)])

    def test_what_the_settings_must_cure_is_not_repeated(self):
        helper = self.logged_in()
        self.oidc.fault(status=401, body='{"error":"invalid_client"}')
        self.refresh(helper).expect("config")
        helper.call("reject", account="alice", serial=1)
        self.get(helper).expect("config")
        self.assertEqual(helper.status("alice")["state"], "broken-config")
        self.assertEqual(len(self.posts()), 1)
        helper.reload()
        self.get(helper).expect()

    def test_restart_tries_once_what_an_administrator_must_mend(self):
        for status, error, word in ((400, "access_denied", "admin"),
                                    (401, "invalid_client", "config")):
            helper = self.logged_in()
            self.oidc.fault(times=99, status=status,
                            body=json.dumps({"error": error}))
            self.refresh(helper).expect(word)
            helper.stop()
            self.oidc.clear_log()
            helper.start()
            for _ in range(3):
                self.get(helper).expect(word)
            self.assertEqual(len(self.posts()), 1)
            self.oidc.release()

    def test_status_tells_the_age_of_the_login(self):
        helper = self.logged_in()
        login_at = helper.status("alice")["login_at"]
        self.assertRegex(login_at, r"\A20..-..-..T..:..:..Z\Z")
        helper.stop()
        helper.start()
        self.refresh(helper).expect()
        self.assertEqual(helper.status("alice")["login_at"], login_at)

    def test_empty_400_ends_the_login(self):
        helper = self.logged_in()
        self.oidc.fault(status=400, body="")
        self.refresh(helper).expect("login")

    def test_microsofts_numbers_explain_and_soften(self):
        def error(number):
            return json.dumps({"error": "invalid_grant",
                               "error_codes": [number]})
        helper = self.logged_in()
        self.oidc.fault(status=400, body=error(90033))
        self.refresh(helper).expect("later")
        self.oidc.fault(status=400, body=error(53003))
        reply = self.refresh(helper).expect("admin")
        self.assertIn("Conditional Access", reply["text"])
        self.assertEqual(helper.status("alice")["state"], "needs-admin")
        self.oidc.fault(status=400, body=error(50173))
        reply = self.refresh(helper).expect("login")
        self.assertIn("password was changed", reply["text"])

    def test_reject_brings_one_refresh_per_serial(self):
        helper = self.logged_in()
        for _ in range(2):
            helper.call("reject", account="alice", serial=1).expect()
            self.assertEqual(self.get(helper).expect()["serial"], "2")
        # a server that refuses everything does not make a loop
        helper.call("reject", account="alice", serial=2).expect()
        self.assertEqual(self.get(helper).expect()["serial"], "2")
        self.assertEqual(len(self.posts()), 1)

    def test_private_ca_is_used_and_needed(self):
        self.oidc = self.bed.oidc(tls=True)
        helper = self.helper(ca_file=None)
        reply = helper.login(self.oidc, "alice").expect("later")
        self.assertIn("certificate", reply["text"].lower())
        self.logged_in()
        self.assertEqual(len(self.posts("authorization_code")), 1)


class CrashTest(HelperTestCase):
    def test_lost_answer_is_named_when_the_old_token_is_refused(self):
        for how in "reset", "truncated":
            with self.subTest(how):
                helper = self.logged_in()
                fault = ({"reset": True} if how == "reset"
                         else {"truncate": 20})
                self.oidc.fault(after=True, **fault)
                self.refresh(helper).expect("later")
                self.assertIn("interrupted", helper.status("alice")["alarm"])
                reply = self.refresh(helper).expect("login")
                self.assertRegex(
                    reply["text"], r"a refresh begun at 20\S+Z was "
                    r"interrupted before its answer was stored")
                helper.stop()
                helper.start()
                self.assertIn("interrupted", helper.status("alice")["text"])

    def test_lost_answer_costs_nothing_where_the_old_token_stays_good(self):
        self.oidc.config(rotate="keep")
        helper = self.logged_in()
        self.oidc.fault(after=True, reset=True)
        self.refresh(helper).expect("later")
        self.refresh(helper).expect()
        status = helper.status("alice")
        self.assertEqual((status["state"], status["alarm"]), ("ok", ""))

    def test_kill_during_the_request_is_named(self):
        helper = self.logged_in()
        self.oidc.fault(after=True, hang=True)
        with helper.administer() as asker:
            asker.send("refresh", account="alice")
            wait_until(lambda: self.posts(), what="the request")
            helper.kill()
        self.oidc.release()
        helper.start()
        self.assertIn("interrupted", helper.status("alice")["alarm"])
        reply = self.get(helper).expect("login")
        self.assertIn("interrupted", reply["text"])

    def test_orderly_end_finishes_the_request(self):
        helper = self.logged_in()
        self.oidc.fault(hang=True)
        with helper.administer() as asker:
            asker.send("refresh", account="alice")
            wait_until(lambda: self.posts(), what="the request")
            helper.process.signal(15)
            wait_until(lambda: not helper.socket.exists(),
                       what="the end of listening")
            self.oidc.release()
            self.assertEqual(asker.receive().expect()["serial"], "2")
        self.assertEqual(helper.process.wait(), 0)
        helper.start()
        self.refresh(helper).expect()
        self.assertEqual({e["status"] for e in self.posts()}, {200})


class DiskTest(HelperTestCase):
    def limit_files(self, helper, size):
        resource.prlimit(helper.process.pid, resource.RLIMIT_FSIZE,
                         (size, resource.RLIM_INFINITY))

    def test_full_disk_is_met_before_the_request(self):
        helper = self.logged_in()
        self.limit_files(helper, 4096)
        reply = self.refresh(helper).expect("later")
        self.assertIn("alice.next", reply["text"])
        self.assertEqual(self.posts(), [])
        self.assertEqual(self.get(helper).expect()["serial"], "1")
        self.limit_files(helper, resource.RLIM_INFINITY)
        self.refresh(helper).expect()

    def test_full_disk_is_met_before_a_code_is_spent(self):
        helper = self.helper()
        self.limit_files(helper, 4096)
        with helper.connect() as connection:
            begin = connection.call("login-begin", account="alice",
                                    redirect_uri="http://127.0.0.1:1")
            redirect = self.oidc.walk(begin["url"])
            connection.call("login-finish", id=begin["id"],
                            redirect=redirect).expect("later")
            self.assertEqual(self.posts("authorization_code"), [])
            self.limit_files(helper, resource.RLIM_INFINITY)
            connection.call("login-finish", id=begin["id"],
                            redirect=redirect).expect()

    def test_token_that_cannot_be_saved_is_served_and_raises_the_alarm(self):
        helper = self.logged_in()
        record = helper.state / "alice.token"
        record.unlink()
        record.mkdir()      # a directory cannot be replaced by a file
        self.refresh(helper).expect("config")   # it must be read, too
        record.rmdir()
        helper.login(self.oidc, "alice").expect()
        self.oidc.fault(hang=True)
        with helper.administer() as asker:
            asker.send("refresh", account="alice")
            wait_until(lambda: [e for e in self.posts() if e["fault"]],
                       what="the request")
            record.unlink()
            record.mkdir()
            self.oidc.release()
            serial = asker.receive().expect()["serial"]
        self.assertEqual(self.get(helper).expect()["serial"], serial)
        self.assertIn("in memory only", helper.status("alice")["alarm"])
        # nothing is sent before the last answer is safe
        reply = self.refresh(helper).expect("later")
        self.assertIn("alice.", reply["text"])
        record.rmdir()
        self.assertEqual(helper.stop(), 0)      # saves it at the latest now
        helper.start()
        self.refresh(helper).expect()
        self.assertEqual(helper.status("alice")["alarm"], "")


class FullDiskTest(HelperTestCase):
    """A store on a disk of its own, which can be filled to the last byte."""

    def setUp(self):
        super().setUp()
        self.work = self.helper(start=False)
        self.work.state.mkdir()
        holder = self.bed.spawn(
            ["unshare", "--mount", "sh", "-c", "mount --make-rprivate / && "
             f"mount -t tmpfs -o size=512k t {self.work.state} && "
             "echo ready && exec cat"], {"PATH": PATH}, stdin=True)
        self.addCleanup(holder.stop)
        holder.wait_output("^ready$", "stdout")
        argv = self.work.argv
        self.work.argv = lambda *more: [
            "nsenter", f"--target={holder.pid}", "--mount", *argv(*more)]
        self.disk = Path(f"/proc/{holder.pid}/root{self.work.state}")
        self.work.start()
        self.work.login(self.oidc, "alice").expect()

    def fill(self):
        with open(self.disk / "filler", "wb", 0) as file:
            for size in 4096, 1:
                with contextlib.suppress(OSError):
                    while True:
                        file.write(b"x" * size)

    def test_before_a_refresh(self):
        self.fill()
        reply = self.refresh(self.work).expect("later")
        self.assertRegex(reply["text"], "alice.next: No space left")
        self.assertEqual(self.posts(), [])
        self.assertEqual(self.get(self.work).expect()["serial"], "1")
        self.assertEqual(self.work.status("alice")["state"], "degraded")
        (self.disk / "filler").unlink()
        self.refresh(self.work).expect()

    def test_during_a_refresh(self):
        self.oidc.fault(hang=True)
        with self.work.administer() as asker:
            asker.send("refresh", account="alice")
            wait_until(self.posts, what="the request")
            self.fill()
            self.oidc.release()
            asker.receive().expect()
        # the room for it was taken before
        self.assertEqual(self.work.status("alice")["alarm"], "")
        self.work.kill()
        (self.disk / "filler").unlink()
        self.work.start()
        self.refresh(self.work).expect()
        self.assertEqual({e["status"] for e in self.posts()}, {200})

    def test_after_a_refresh(self):
        self.refresh(self.work).expect()
        self.fill()
        self.work.kill()
        self.work.start()       # recovery needs no room
        self.refresh(self.work).expect("later")
        self.assertEqual(len(self.posts()), 1)
        (self.disk / "filler").unlink()
        self.refresh(self.work).expect()


class SeedTest(HelperTestCase):
    def seed(self, helper, text):
        with passed(text) as file:
            return helper.call("seed", fd=file.fileno(), account="alice")

    def mint(self):
        return self.oidc.mint(USER, scope="mail")["refresh_token"]

    def sent(self):
        return [e["form"]["refresh_token"] for e in self.posts()]

    def test_seed_serves_and_is_taken_once(self):
        helper = self.helper()
        seed = self.mint()
        self.seed(helper, seed + "\n").expect()
        self.get(helper).expect()
        self.assertEqual(self.sent(), [seed])
        self.refresh(helper).expect()
        # seen before: changes nothing, also after a restart
        helper.stop()
        helper.start()
        self.seed(helper, seed).expect()
        self.refresh(helper).expect()
        self.assertNotIn(seed, self.sent()[1:])
        self.assertEqual({e["status"] for e in self.posts()}, {200})

    def test_seed_that_is_being_tried_may_be_given_again(self):
        helper = self.helper()
        seed = self.mint()
        self.seed(helper, seed).expect()
        self.oidc.fault(hang=True)
        with helper.connect() as asking:
            asking.send("get", account="alice")
            wait_until(lambda: self.posts(), what="the request")
            self.seed(helper, seed).expect()
            self.seed(helper, "another").expect("later")
            self.oidc.release()
            asking.receive().expect()
        self.assertEqual(self.sent(), [seed])

    def test_new_seed_replaces_the_login_after_its_first_refresh(self):
        helper = self.logged_in()
        seed = self.mint()
        self.seed(helper, seed).expect()
        self.assertEqual(self.get(helper).expect()["serial"], "2")
        self.assertEqual(self.sent(), [seed])
        self.refresh(helper).expect()
        self.assertEqual(len(self.posts()), 2)

    def test_new_seed_that_fails_keeps_the_old_login(self):
        helper = self.logged_in()
        self.seed(helper, "never-issued").expect()
        # the good token serves, and who wants another gets one
        self.assertEqual(self.get(helper).expect()["serial"], "1")
        self.assertEqual(self.sent(), ["never-issued"])
        self.assertEqual(self.refresh(helper).expect()["serial"], "2")
        self.assertEqual([e["status"] for e in self.posts()], [400, 200])
        status = helper.status("alice")
        self.assertEqual(status["state"], "ok")
        self.assertIn("refused", status["alarm"])
        self.refresh(helper).expect()
        self.assertEqual(self.sent().count("never-issued"), 1)
        # and it is not tried again when it is given again
        self.seed(helper, "never-issued").expect()
        self.refresh(helper).expect()
        self.assertEqual(self.sent().count("never-issued"), 1)
        helper.login(self.oidc, "alice").expect()
        self.assertEqual(helper.status("alice")["alarm"], "")

    def test_seed_in_trouble_lets_the_login_serve_and_is_tried_later(self):
        helper = self.logged_in()
        seed = self.mint()
        self.seed(helper, seed).expect()
        self.oidc.fault(status=503)
        self.assertEqual(self.refresh(helper).expect()["serial"], "2")
        self.assertEqual(self.sent()[0], seed)
        self.assertNotEqual(self.sent()[1], seed)
        # not at every get
        self.assertEqual(self.get(helper).expect()["serial"], "2")
        self.assertEqual(len(self.posts()), 2)

    def test_without_a_login_the_failed_seed_is_the_state(self):
        helper = self.helper()
        self.seed(helper, "never-issued").expect()
        reply = self.get(helper).expect("login")
        self.assertIn("invalid_grant", reply["text"])
        helper.stop()
        helper.start()
        self.assertEqual(helper.status("alice")["state"], "needs-login")
        self.get(helper).expect("login")
        self.assertEqual(len(self.posts()), 1)
        # a better one helps
        self.seed(helper, self.mint()).expect()
        self.get(helper).expect()

    def test_seed_revives_a_dead_login(self):
        helper = self.logged_in()
        self.oidc.revoke(USER)
        self.refresh(helper).expect("login")
        self.seed(helper, self.mint()).expect()
        self.get(helper, min_ttl=3600).expect()
        self.assertEqual(helper.status("alice")["state"], "ok")

    def test_seed_may_come_through_a_pipe(self):
        helper = self.helper()
        read, write = os.pipe()
        with helper.administer() as connection, os.fdopen(read) as pipe:
            connection.send("seed", fd=pipe.fileno(), account="alice")
            # others are served meanwhile
            helper.call("exists", account="alice").expect()
            os.write(write, self.mint().encode())
            os.close(write)
            connection.receive().expect()
        self.get(helper).expect()

    def test_what_is_no_token_is_refused(self):
        helper = self.helper()
        for text in ("", "\n", "two words", "a\nb", "a\0b", "x" * 70000):
            self.seed(helper, text).expect("bad")
        helper.call("seed", account="alice").expect("bad")
        self.assertEqual(helper.status("alice")["state"], "needs-login")


class AccessTest(HelperTestCase):
    def open_helper(self, **settings):
        """Files keep nobody out: what is refused is refused by the helper."""
        helper = self.logged_in(**settings)
        helper.socket.chmod(0o666)
        helper.admin.chmod(0o666)
        return helper

    def ask(self, helper, verb="get", groups=(), **fields):
        """A request as nobody; the status."""
        fields = fields or {"account": "alice"}
        return as_user(NOBODY, list(groups), lambda: helper.call(
            verb, **fields).status)

    def test_foreign_uid_is_told_of_no_account(self):
        helper = self.open_helper()
        verbs = ("exists", "get", "reject", "subscribe", "status", "refresh",
                 "login-begin", "seed")
        unknown = repr(helper.call("get", account="unknown"))
        for verb in verbs:
            self.assertEqual(self.ask(helper, verb), "none", verb)
        self.assertEqual(as_user(NOBODY, [], lambda: repr(helper.call(
            "get", account="alice"))), unknown)
        self.assertEqual(self.ask(helper, service="imap", host="localhost"),
                         "none")
        self.assertEqual(as_user(NOBODY, [], lambda: helper.call(
            "status")["accounts"]), "")
        # the log tells the difference
        self.assertRegex(helper.log(), rf"refused account=alice uid={NOBODY}")

    def test_refusals_are_logged_and_do_not_fill_the_log(self):
        helper = Mailtokend(self.bed, account(self.oidc) +
                            account(self.oidc, "bob"))
        self.addCleanup(helper.process.stop)
        helper.socket.chmod(0o666)

        def ask(*names):
            with helper.connect() as connection:
                for name in names:
                    connection.call("get", account=name).expect("none")
        for uid in NOBODY, NOBODY - 1:
            self.assertEqual(as_user(uid, [], lambda: ask(
                *["alice"] * 200, "bob", "alice", "bob")), "None")
        for uid in NOBODY, NOBODY - 1:
            for name in "alice", "bob":
                self.assertEqual(helper.log().count(
                    f"refused account={name} uid={uid} "), 1)

    def test_allow_lets_use_but_not_manage(self):
        for allow, groups in ((f"uid:{NOBODY}", []), ("uid:nobody", []),
                              ("gid:mail", [8])):
            with self.subTest(allow):
                helper = self.open_helper(allow=allow)
                self.assertEqual(self.ask(helper, groups=groups), "ok")
                self.assertEqual(
                    self.ask(helper, "exists", groups), "ok")
                self.assertEqual(
                    self.ask(helper, "status", groups), "none")
                self.assertEqual(
                    self.ask(helper, "refresh", groups), "none")
        self.assertEqual(self.ask(helper), "none")

    def test_owner_of_the_settings_file_may_manage(self):
        helper = self.helper(start=False)
        os.chown(helper.config_file, NOBODY, NOBODY)
        helper.start()
        helper.socket.chmod(0o666)
        self.assertEqual(self.ask(helper, "status"), "ok")
        self.assertEqual(self.ask(helper), "login")

    def test_login_does_not_serve_who_gets_hold_of_its_accounts_name(self):
        helper = self.logged_in()
        helper.socket.chmod(0o666)
        os.chown(helper.config_file, NOBODY, NOBODY)
        helper.reload()
        self.assertEqual(self.ask(helper), "login")
        status = helper.status("alice")
        self.assertRegex(status["text"], "owner is not the one")
        helper.stop()
        helper.start()
        helper.socket.chmod(0o666)
        self.assertEqual(self.ask(helper), "login")
        # whose it was has it still
        os.chown(helper.config_file, 0, 0)
        helper.reload()
        self.get(helper).expect()

    def test_seed_of_who_owned_the_account_before_is_not_taken(self):
        helper = self.helper(start=False)
        os.chown(helper.config_file, NOBODY, NOBODY)
        helper.start()
        helper.admin.chmod(0o666)
        read, write = os.pipe()
        self.addCleanup(os.close, read)
        os.seteuid(NOBODY)
        try:
            connection = helper.administer()
        finally:
            os.seteuid(0)
        with connection:
            connection.send("seed", fd=read, account="alice")
            os.chown(helper.config_file, 0, 0)
            helper.reload()
            os.write(write, b"theirs")
            os.close(write)
            connection.receive().expect("none")
        self.get(helper).expect("login")

    def test_by_name_only_where_it_is_permitted(self):
        helper = self.logged_in(permit=None)
        reply = self.get(helper).expect("config")
        self.assertIn("permit = get", reply["text"])
        helper.call("get", service="imap", host="localhost").expect()

    def test_what_it_is_for_must_be_permitted_beside(self):
        helper = self.logged_in(permit="git-credential")
        here = {"service": "imap", "host": "localhost"}
        helper.call("get", **here).expect()
        for verb in "exists", "get":
            helper.call(verb, **here, **{"for": "git-credential"}).expect()
            reply = helper.call(verb, **here, **{"for": "socketmap"})
            self.assertIn("permit = socketmap", reply.expect("config")["text"])
            helper.call(verb, **here, **{"for": "nonsense"}).expect("bad")
        self.assertIn("serial=1 for=git-credential user=", helper.log())
        # the word is no way around that for the account's name
        reply = self.get(helper, **{"for": "git-credential"}).expect("config")
        self.assertIn("permit = get", reply["text"])
        # nor does it outlive its request
        with helper.connect() as connection:
            connection.call("exists", **here, **{"for": "socketmap"}).expect(
                "config")
            connection.call("exists", **here).expect()
            connection.call("subscribe", account="alice").expect()

    def test_an_account_that_permits_it_is_told_from_one_that_does_not(self):
        helper = Mailtokend(self.bed, account(
            self.oidc, permit="git-credential") + account(
                self.oidc, "bob", "bob@example.test"))
        self.addCleanup(lambda: helper.process.stop())
        here = {"service": "imap", "host": "localhost"}
        helper.call("exists", **here).expect("config")
        reply = helper.call("exists", **here, **{"for": "git-credential"})
        self.assertEqual(reply.expect()["account"], "alice")

    def test_token_goes_to_the_named_host_only(self):
        helper = self.logged_in(smtp_host="smtp.example.test")
        cases = [("imap", "localhost", "ok"), ("imap", "LOCALHOST", "ok"),
                 ("smtp", "SMTP.example.test", "ok"),
                 ("smtp", "localhost", "none"),
                 ("imap", "localhost.", "none"), ("imap", "", "none"),
                 ("pop", "localhost", "none"), ("ldap", "localhost", "none")]
        for service, host, status in cases:
            for verb in "get", "exists":
                helper.call(verb, service=service, host=host).expect(status)
        helper.call("get", service="imap").expect("bad")
        helper.call("get").expect("bad")

    def test_user_tells_accounts_at_one_host_apart(self):
        two = (account(self.oidc) +
               account(self.oidc, "bob", "bob@example.test"))
        helper = Mailtokend(self.bed, two)
        self.addCleanup(lambda: helper.process.stop())

        def exists(**user):
            return helper.call("exists", service="imap", host="localhost",
                               **user)
        exists().expect("config")
        self.assertEqual(exists(user="Bob@example.test")["account"], "bob")
        self.assertEqual(exists(user="bob")["account"], "bob")
        exists(user="carol@example.test").expect("none")
        self.assertEqual(helper.call("status")["accounts"], "alice bob")

    def test_login_name_or_else_authorization_identity_selects_the_account(
            self):
        helper = self.helper()
        helper.write(account(self.oidc, smtp_host="localhost")
                     + account(self.oidc, "bob", BOB, smtp_host="localhost",
                               smtp_user="robert@example.test"))
        helper.reload()
        for service, user, authzid, expected in (
                ("imap", USER, None, "alice"),
                ("imap", USER, BOB, "alice"),
                ("imap", "carol", BOB, "bob"),
                ("imap", "carol", "dave", None),
                ("imap", "robert@example.test", None, None),
                ("smtp", "robert@example.test", None, "bob"),
                ("smtp", BOB, None, "bob")):
            fields = {"authzid": authzid} if authzid else {}
            reply = helper.call("exists", service=service, host="localhost",
                                user=user, **fields)
            self.assertEqual(reply.get("account"), expected,
                             (service, user, authzid))

    def test_user_of_an_account_goes_before_what_others_use_it_for(self):
        helper = self.helper()
        helper.write(account(self.oidc, smtp_host="localhost")
                     + account(self.oidc, "office", "office@example.test",
                               smtp_host="localhost", smtp_user=USER)
                     + account(self.oidc, USER, BOB, smtp_host="localhost"))
        helper.reload()
        for user, expected in ((USER, "alice"), (BOB, USER),
                               ("office@example.test", "office"),
                               ("office", "office")):
            reply = helper.call("exists", service="smtp", host="localhost",
                                user=user).expect()
            self.assertEqual(reply["account"], expected, user)

    def test_service_of_another_kind_has_a_host_of_its_own(self):
        helper = self.helper(other_host="news.test", other_user="n@x.test")
        for service, host, status in (("nntp", "news.test", "ok"),
                                      ("nntp", "localhost", "none"),
                                      ("imap", "news.test", "none")):
            helper.call("exists", service=service, host=host,
                        user=USER).expect(status)
        helper.call("exists", service="nntp", host="news.test",
                    user="n@x.test").expect()

    def test_server_is_told_what_the_account_or_else_the_program_says(self):
        helper = self.logged_in(smtp_host="localhost", user="shared@x.test",
                                smtp_user=USER)
        for service, user, authzid, told in (
                ("imap", "shared@x.test", None, "shared@x.test"),
                ("imap", "alice", None, "shared@x.test"),
                ("imap", "alice", "box@x.test", "box@x.test"),
                ("imap", "carol", "alice", "shared@x.test"),
                ("smtp", "shared@x.test", None, USER),
                ("smtp", USER, "box@x.test", USER)):
            fields = {"authzid": authzid} if authzid else {}
            reply = helper.call("get", service=service, host="localhost",
                                user=user, **fields).expect()
            self.assertEqual(reply["user"], told, (service, user, authzid))
        self.assertEqual(helper.call("get", account="alice")["user"],
                         "shared@x.test")

    def test_account_by_name_serves_its_own_servers_only(self):
        helper = self.logged_in(permit=None)
        chosen = {"account": "alice", "service": "imap", "user": "carol"}
        self.assertIn("token", helper.call("get", host="localhost", **chosen))
        helper.call("get", host="elsewhere.test", **chosen).expect("none")
        helper.call("get", host="localhost",
                    **chosen | {"service": "smtp"}).expect("none")
        helper.call("get", host="localhost",
                    **chosen | {"account": "bob"}).expect("none")
        helper.call("get", account="alice").expect("config")
        helper.call("get", account="alice", service="imap").expect("bad")

    def test_who_waits_gets_what_the_settings_say_by_then(self):
        here = {"service": "imap", "host": "localhost"}
        before = {"allow": f"uid:{NOBODY}", "permit": "get git-credential"}
        for ask, after, status in (
                (here, {"permit": None}, "ok"),
                (here, {"allow": "uid:1"}, "none"),
                (here, {"imap_host": "elsewhere.test"}, "none"),
                (here, {"name": "another"}, "none"),
                (here | {"for": "git-credential"}, {"permit": "get"},
                 "config"),
                ({"account": "alice"}, {"permit": None}, "config")):
            with self.subTest(ask=ask, after=after):
                helper = self.open_helper(**before)
                helper.call("reject", account="alice").expect()
                self.oidc.clear_log()
                self.oidc.fault(hang=True)
                os.seteuid(NOBODY)
                try:
                    asker = helper.connect()
                finally:
                    os.seteuid(0)
                with asker:
                    asker.send("get", **ask)
                    wait_until(self.posts, what="the request")
                    helper.write(account(self.oidc, **before | after))
                    helper.reload()
                    self.oidc.release()
                    asker.receive().expect(status)
                handed_out = helper.log().count("token handed out")
                self.assertEqual(handed_out, status == "ok")

    def test_question_without_a_wait_is_answered_at_once(self):
        helper = self.logged_in()
        helper.process.stop()       # a new one has no access token yet
        helper.start()
        self.oidc.fault(hang=True)
        ask = {"service": "imap", "host": "localhost", "wait_ms": 0}
        reply = helper.call("get", **ask).expect("later")
        self.assertEqual(reply["account"], "alice")
        self.oidc.release()

    def test_others_leave_connections_for_root_and_the_helpers_own_user(self):
        helper = self.helper(start=False)
        few = ["/usr/bin/prlimit", "--nofile=320:320", *helper.argv()]
        helper.argv = lambda *more: [*few, *more]
        helper.start()
        helper.socket.chmod(0o666)
        with contextlib.ExitStack() as stack:
            os.seteuid(NOBODY)
            try:
                for _ in range(300):
                    stack.enter_context(helper.connect())
            finally:
                os.seteuid(0)
            wait_until(lambda: "too many connections" in helper.log(),
                       what="the limit")
            self.assertEqual(helper.call("status").expect()["accounts"],
                             "alice")
        # once for all of them
        self.assertEqual(helper.log().count("too many connections"), 1)

    def test_each_token_leaves_an_audit_line(self):
        helper = self.logged_in()
        token = helper.call("get", service="imap", host="localhost",
                            authzid="x serial=9\nforged")
        line = (f"token handed out account=alice uid={os.getuid()} "
                f"pid={os.getpid()} service=imap host=localhost serial=1 "
                "for=- user=x serial=9?forged\n")
        self.assertIn(line, helper.log())
        self.assertNotIn(token["token"], helper.log())

    def test_no_secret_in_log_arguments_or_environment(self):
        file = self.bed.subdir("secret") / "secret"
        file.write_text("desktop-secret-value")
        file.chmod(0o600)
        helper = self.helper(start=False, client_id="desktop-secret",
                             client_secret_file=file)
        helper.start("-v")
        helper.login(self.oidc, "alice").expect()
        token = self.get(helper)["token"]
        self.refresh(helper).expect()
        self.oidc.revoke(USER)
        self.refresh(helper).expect("login")
        secrets = {token, "desktop-secret-value"}
        for entry in self.oidc.log():
            form = entry["form"]
            secrets |= {form.get(name) for name in
                        ("refresh_token", "code", "code_verifier")}
        proc = f"/proc/{helper.process.pid}/"
        for place in (helper.process.err, helper.process.out,
                      proc + "cmdline", proc + "environ"):
            with open(place, "rb") as f:
                text = f.read()
            for secret in secrets - {None}:
                self.assertNotIn(secret.encode(), text, place)

    def test_memory_holds_a_secret_once_and_no_longer_than_needed(self):
        if self.bed.is_sanitized("mailtokend"):
            return  # a sanitizer's heap keeps what was released
        file = self.bed.subdir("secret") / "secret"
        file.write_text("desktop-secret-value")
        file.chmod(0o600)
        for tls in False, True:
            oidc = self.bed.oidc(tls=tls)
            self.addCleanup(oidc.stop)
            helper = Mailtokend(self.bed, account(
                oidc, client_id="desktop-secret", client_secret_file=file))
            helper.login(oidc, "alice").expect()
            self.refresh(helper).expect()
            self.refresh(helper).expect()
            token = self.get(helper)["token"]
            forms = [entry["form"] for entry in oidc.log()]
            record = read_record(helper.state, "alice")
            gone = {form.get(name) for form in forms for name in
                    ("code", "code_verifier", "refresh_token")} - {None}
            gone.add(record["refresh_token"])
            self.assertEqual(len(gone), 5)
            # what served the last request goes with its connection, which
            # the helper notices a moment after we have closed it
            wait_until(lambda: counted(helper, token) == 1,
                       what="one copy of the access token")
            self.assertEqual(counted(helper, "desktop-secret-value"), 1)
            for secret in gone:
                self.assertEqual(counted(helper, secret), 0)
            helper.process.stop()

    def test_store_is_closed_to_others(self):
        helper = self.logged_in()
        self.assertEqual(stat.S_IMODE(helper.state.stat().st_mode), 0o700)
        for path in helper.state.iterdir():
            self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o600)
        self.assertEqual(stat.S_IMODE(helper.socket.stat().st_mode), 0o600)

    def test_process_leaves_no_dump(self):
        helper = self.helper()
        with open(f"/proc/{helper.process.pid}/limits") as f:
            self.assertRegex(f.read(), r"Max core file size +0 +0 ")


class SettingsTest(HelperTestCase):
    def test_changed_endpoint_never_gets_the_old_token(self):
        helper = self.logged_in()
        other = self.bed.oidc()
        self.addCleanup(other.stop)
        before = helper.config_file.read_text()
        helper.write(account(other))
        helper.reload()
        self.assertEqual(helper.status("alice")["state"], "needs-login")
        self.get(helper).expect("login")
        reply = self.refresh(helper).expect("login")
        self.assertIn("endpoint", reply["text"])
        helper.stop()
        helper.start()
        self.get(helper).expect("login")
        self.assertEqual(other.log(), [])
        # and it is not lost
        helper.write(before)
        helper.reload()
        self.get(helper).expect()

    def test_reload_keeps_the_token_unless_it_would_be_another(self):
        helper = self.logged_in()
        helper.write(account(self.oidc, imap_host="imap.example.test"))
        helper.reload()
        helper.call("get", service="imap", host="localhost").expect("none")
        self.assertEqual(self.get(helper).expect()["serial"], "1")
        helper.write(account(self.oidc, scope="mail imap offline_access"))
        helper.reload()
        self.assertEqual(self.get(helper).expect()["serial"], "2")

    def test_bad_settings_are_not_taken_over(self):
        helper = self.logged_in()
        helper.write("nonsense")
        helper.reload()
        self.get(helper).expect()
        self.assertRegex(helper.log(), r"mailtoken\.conf:1: ")

    def test_account_may_go_and_come(self):
        helper = self.logged_in()
        helper.write("")
        helper.reload()
        self.get(helper).expect("none")
        helper.write(account(self.oidc) + account(self.oidc, "bob"))
        helper.reload()
        self.get(helper).expect()
        helper.call("get", account="bob").expect("login")

    def test_check_says_whether_settings_are_good(self):
        helper = self.helper(start=False)
        self.bed.run(helper.argv("--check")).check(0)
        self.assertFalse(helper.state.exists())
        good = helper.config_file.read_text()
        bad = [("user =", "usr =", "unknown setting 'usr'"),
               ("client_id = native", "", "'client_id' is not set"),
               (self.oidc.url("token"), "http://example.test/token",
                "https is required"),
               ("permit = get", "permit = all", "permit: 'all'")]
        for old, new, message in bad:
            helper.write(good.replace(old, new))
            result = self.bed.run(helper.argv("--check")).check(78)
            self.assertIn(message, result.err)
        helper.write(good)
        helper.config_file.chmod(0o664)
        result = self.bed.run(helper.argv("--check")).check(78)
        self.assertIn("chmod", result.err)

    def test_settings_may_come_by_descriptor(self):
        fd = os.memfd_create("settings")
        os.write(fd, account(self.oidc).encode())
        self.addCleanup(os.close, fd)
        program = self.bed.public_program("mailtokend")
        argv = [program, "--check", "--config", f"/dev/fd/{fd}"]
        for user in [], ["setpriv", "--reuid", "nobody", "--regid",
                         "nogroup", "--clear-groups"]:
            if user and os.getuid():
                continue
            done = subprocess.run([*user, *argv], pass_fds=[fd],
                                  capture_output=True, text=True)
            self.assertEqual(done.returncode, 0, done.stderr)


class ProcessTest(HelperTestCase):
    def test_second_helper_on_one_store_ends_with_75(self):
        helper = self.helper()
        rival = Mailtokend(self.bed, account(self.oidc), start=False,
                           state=helper.state)
        result = self.bed.run(rival.argv("--socket", rival.socket)).check(75)
        self.assertIn(str(helper.state / "lock"), result.err)
        self.assertFalse(rival.socket.exists())

    def test_socket_of_a_live_helper_is_not_taken(self):
        helper = self.helper()
        rival = Mailtokend(self.bed, account(self.oidc), start=False)
        self.bed.run(rival.argv("--socket", helper.socket)).check(75)
        helper.call("exists", account="alice").expect()

    def test_socket_of_a_dead_helper_is_replaced(self):
        helper = self.helper()
        helper.kill()
        self.assertTrue(helper.socket.exists())
        helper.start()
        self.assertEqual(helper.stop(), 0)
        self.assertFalse(helper.socket.exists())

    def once(self, helper):
        ours, theirs = socket.socketpair()
        code = ("import os, sys; os.dup2(int(sys.argv[1]), 3); "
                "os.set_inheritable(3, True); "
                "os.execv(sys.argv[2], sys.argv[2:])")
        process = self.bed.spawn(
            ["/usr/bin/python3", "-c", code, theirs.fileno(),
             *helper.argv("--once")], pass_fds=[theirs.fileno()])
        theirs.close()
        return process, TokenSocket(sock=ours)

    def test_once_serves_one_connection_and_ends(self):
        helper = self.logged_in()
        helper.stop()
        process, connection = self.once(helper)
        connection.call("get", account="alice").expect()
        connection.call("status", account="alice").expect()
        self.assertIsNone(process.rc)
        connection.close()
        self.assertEqual(process.wait(), 0)
        self.assertEqual(process.stderr_text(), "")
        self.assertFalse(helper.socket.exists())

    def test_once_finishes_its_request_when_the_caller_is_gone(self):
        helper = self.logged_in()
        helper.stop()
        self.oidc.fault(hang=True)
        process, connection = self.once(helper)
        connection.send("get", account="alice")
        wait_until(lambda: self.posts(), what="the request")
        connection.close()
        self.oidc.release()
        self.assertEqual(process.wait(), 0)
        helper.start()
        self.get(helper).expect()
        self.assertEqual({e["status"] for e in self.posts()}, {200})

    def test_once_waits_for_the_store_in_turn(self):
        helper = self.logged_in()
        helper.stop()
        first, connection = self.once(helper)
        connection.call("status", account="alice").expect()
        second, other = self.once(helper)
        other.send("get", account="alice")
        connection.close()
        other.receive().expect()
        other.close()
        self.assertEqual((first.wait(), second.wait()), (0, 0))

    def test_lifeline_ends_it_in_order(self):
        helper = self.helper(start=False)
        helper.start("--lifeline", stdin=True)
        helper.login(self.oidc, "alice").expect()
        self.oidc.fault(hang=True)
        with helper.administer() as asker:
            asker.send("refresh", account="alice")
            wait_until(lambda: self.posts(), what="the request")
            helper.process.close_stdin()
            wait_until(lambda: not helper.socket.exists(),
                       what="the end of listening")
            self.oidc.release()
            asker.receive().expect()
        self.assertEqual(helper.process.wait(), 0)

    def start_by_manager(self, helper, **env):
        """As systemd would, with a listening socket as descriptor 3."""
        listener = socket.socket(socket.AF_UNIX)
        self.addCleanup(listener.close)
        listener.bind(str(helper.socket))
        listener.listen()
        code = ("import os, sys; os.dup2(int(sys.argv[1]), 3); "
                "os.set_inheritable(3, True); "
                "os.environ.update(LISTEN_FDS='1', "
                "LISTEN_PID=str(os.getpid())); "
                "os.execv(sys.argv[2], sys.argv[2:])")
        helper.process = self.bed.spawn(
            ["/usr/bin/python3", "-c", code, listener.fileno(),
             *helper.argv()], env, pass_fds=[listener.fileno()])

    def test_service_manager_gives_the_socket_and_is_notified(self):
        helper = self.helper(start=False)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.settimeout(20)
            manager.bind(str(helper.dir / "notify"))
            self.start_by_manager(helper, NOTIFY_SOCKET=helper.dir / "notify")
            self.assertEqual(manager.recv(1000), b"READY=1")
            helper.call("exists", account="alice").expect()
            helper.process.signal(1)
            self.assertIn(b"RELOADING=1", manager.recv(1000))
            self.assertEqual(manager.recv(1000), b"READY=1")
            helper.process.signal(15)
            self.assertEqual(manager.recv(1000), b"STOPPING=1")
        self.assertEqual(helper.process.wait(), 0)
        self.assertTrue(helper.socket.exists())     # the manager's

    def test_ordinary_user_has_a_helper_at_home(self):
        home = self.bed.subdir("home")
        config = home / ".config/mailtoken/accounts.d"
        config.mkdir(parents=True)
        (config / "a.conf").write_text(account(self.oidc))
        for path in home, *home.rglob("*"):
            os.chown(path, NOBODY, NOBODY)
        argv = ["setpriv", "--reuid", NOBODY, "--regid", NOBODY,
                "--clear-groups", self.bed.public_program("mailtokend"),
                "--socket", home / "socket"]
        process = self.bed.spawn(argv, {"HOME": home})
        wait_until(lambda: process.rc is not None or
                   (home / "socket").exists(), what="the socket")
        self.assertIsNone(process.rc, process.tail())

        def ask():
            with TokenSocket(home / "socket") as connection:
                return connection.call("get", account="alice").status
        self.assertEqual(as_user(NOBODY, [], ask), "login")
        self.assertTrue((home / ".local/state/mailtoken/lock").exists())

    def at_home(self, **files):
        """NOBODY's own helper with these files in accounts.d, each (owner,
        text): (process, directory of the files, function that runs the
        command)."""
        home = self.bed.subdir("home")
        accounts = home / ".config/mailtoken/accounts.d"
        accounts.mkdir(parents=True)
        (accounts.parent / "mailtoken.conf").write_text("hook = /bin/true\n")
        for path in home, *home.rglob("*"):
            os.chown(path, NOBODY, NOBODY)
        for name, (owner, text) in files.items():
            path = accounts / f"{name}.conf"
            path.write_text(text)
            os.chown(path, owner, owner)
        user = ["setpriv", "--reuid", NOBODY, "--regid", NOBODY,
                "--clear-groups"]
        process = self.bed.spawn(
            [*user, self.bed.public_program("mailtokend"), "--socket",
             home / "socket"], {"HOME": home})
        wait_until(lambda: process.rc is not None or
                   (home / "socket").exists(), what="the socket")
        self.assertIsNone(process.rc, process.tail())
        return process, accounts, lambda *args: self.bed.run(
            [*user, self.bed.public_program("mailtoken"), "--socket",
             home / "socket", *args], {"HOME": home})

    def test_file_of_another_user_that_is_no_good_is_left_out(self):
        process, accounts, run = self.at_home(
            a=(NOBODY - 1, account(self.oidc, "bob") + "nonsense\n"),
            b=(NOBODY, account(self.oidc)))
        result = run("reload").check()
        self.assertEqual(result.out, "settings read again: 1 account\n")
        self.assertRegex(result.err, "left out.* 1 file .*the log")
        self.assertEqual(process.stderr_text().count(
            f"left out, with all of its accounts: {accounts}/a.conf:"), 2)
        # nor does it keep the hooks from being read
        self.assertNotIn("hooks stay as they were", process.stderr_text())
        (accounts / "a.conf").write_text(account(self.oidc, "bob"))
        result = run("reload").check()
        self.assertEqual((result.out, result.err),
                         ("settings read again: 2 accounts\n", ""))

    def test_account_that_another_user_allows_stands_in_nobodys_way(self):
        """However much it looks like theirs."""
        for mine in {}, {"user": BOB, "imap_user": USER}:
            _, accounts, _ = self.at_home(
                a=(NOBODY - 1, account(self.oidc, "trap",
                                       allow=f"uid:{NOBODY}")),
                b=(NOBODY, account(self.oidc, **mine)))
            home = accounts.parents[2]

            def ask(**fields):
                with TokenSocket(home / "socket") as connection:
                    reply = connection.call("exists", service="imap",
                                            host="localhost", **fields)
                    return reply.get("account", reply)
            for fields in {"user": USER}, {}:
                self.assertEqual(
                    as_user(NOBODY, [], lambda: ask(**fields)), "alice")
            # it can be meant all the same
            self.assertEqual(as_user(NOBODY, [], lambda: ask(
                account="trap", user=USER)), "trap")

    def test_system_helper_uses_the_systems_places(self):
        # a machine of its own, as far as files go
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
        root = Path(f"/proc/{process.pid}/root")
        path = root / "run/mailtoken/socket"
        lock = root / "var/lib/mailtoken/lock"
        wait_until(lambda: process.rc is not None or lock.exists(),
                   what="the store")
        self.assertIsNone(process.rc, process.tail())

        def reload(text):
            conf.write_text(text)
            count = process.stderr_text().count("settings read again")
            process.signal(1)
            wait_until(lambda: process.stderr_text().count(
                "settings read again") > count, what="the settings")

        # without an account there is no socket
        reload("")
        self.assertFalse(path.exists())
        reload(account(self.oidc))
        info = path.stat()
        self.assertEqual(stat.S_IMODE(info.st_mode), 0o660)
        self.assertEqual((info.st_uid, info.st_gid), (0, 4711))
        self.assertEqual(stat.S_IMODE(path.parent.stat().st_mode), 0o755)
        self.assertEqual(stat.S_IMODE(lock.parent.stat().st_mode), 0o700)
        with TokenSocket(path) as connection:
            connection.call("get", account="alice").expect("login")
        reload("")
        self.assertFalse(path.exists())
        process.stop()

    def test_wrong_options_are_a_usage_error(self):
        program = self.bed.program("mailtokend")
        for args in (["--nonsense"], ["word"], ["--config"],
                     ["--once", "--socket", "/x"]):
            self.bed.run([program, *args]).check(64)


class SocketTest(HelperTestCase):
    def test_subscriber_sees_every_state(self):
        helper = self.helper()
        with helper.connect() as events:
            events.call("subscribe", account="alice").expect()
            first = events.receive().expect("event")
            self.assertEqual((first["account"], first["state"]),
                             ("alice", "needs-login"))
            helper.login(self.oidc, "alice").expect()
            states = [events.receive()]
            self.refresh(helper).expect()
            states += [events.receive(), events.receive()]
            self.oidc.revoke(USER)
            self.refresh(helper).expect("login")
            states += [events.receive(), events.receive()]
        self.assertEqual(
            [(event["state"], event["serial"]) for event in states],
            [("ok", "1"), ("refreshing", "1"), ("ok", "2"),
             ("refreshing", "2"), ("needs-login", "2")])

    def test_several_requests_on_one_connection_are_answered_in_order(self):
        helper = self.logged_in()
        with helper.administer() as connection:
            connection.socket.sendall(
                encode("refresh", account="alice") +
                encode("get", account="alice") +
                encode("exists", account="alice") +
                encode("nonsense") + encode("status"))
            replies = [connection.receive() for _ in range(5)]
        self.assertEqual([reply.status for reply in replies],
                         ["ok", "ok", "ok", "bad", "ok"])
        self.assertEqual(replies[1]["serial"], "2")

    def test_descriptor_belongs_to_the_frame_it_came_with(self):
        helper = self.helper()
        with helper.administer() as connection, passed("seed-one") as file:
            connection.send("exists", account="alice")
            connection.send("seed", fd=file.fileno(), account="alice")
            connection.send("seed", account="alice")
            self.assertEqual([connection.receive().status for _ in range(3)],
                             ["ok", "ok", "bad"])

    def test_malformed_frame_ends_the_connection(self):
        helper = self.helper()
        for data in (b"2\tget\n", b"\n", b"1\n", b"1\tget\tx\n",
                     b"1\tget\taccount=\\x\n", b"1\tget\ta=\0\n", b"GET /\n"):
            with self.subTest(data), helper.connect() as connection:
                connection.socket.sendall(data + b"1\tstatus\n")
                connection.receive().expect("bad")
                with self.assertRaises((EOFError, ConnectionResetError)):
                    connection.receive()

    def test_endless_frame_ends_the_connection(self):
        helper = self.helper()
        with helper.connect() as connection:
            with self.assertRaises((BrokenPipeError, ConnectionResetError)):
                for _ in range(100):
                    connection.socket.sendall(b"x" * 4096)

    def test_unfinished_frame_ends_the_connection_and_delays_nobody(self):
        helper = self.logged_in()
        with helper.connect() as stuck:
            stuck.socket.sendall(b"1\tget\tacc")
            self.get(helper).expect()
            # not by having waited for its end
            self.assertTrue(self.is_open(stuck))
            with self.assertRaises(EOFError):
                stuck.receive()

    def is_open(self, connection):
        """Whether the helper has neither answered nor ended it."""
        return not select.select([connection.socket], [], [], 0)[0]

    def test_frame_that_trickles_in_ends_the_connection(self):
        helper = self.logged_in()
        with helper.connect() as slow:
            # bytes, each long before the helper's patience with one ends
            for _ in range(60):
                slow.socket.sendall(b"x")
                if select.select([slow.socket], [], [], 0.25)[0]:
                    break
            with self.assertRaises((EOFError, ConnectionResetError)):
                slow.receive()
            self.get(helper).expect()

    def test_idle_connections_stay(self):
        helper = self.logged_in()
        idle = [helper.connect() for _ in range(400)]
        self.get(helper).expect()
        for connection in idle:
            connection.call("exists", account="alice").expect()
            connection.close()

    def test_peer_that_takes_no_reply_delays_nobody(self):
        self.oidc.config(at_size=8192)
        helper = self.logged_in()
        with helper.connect() as greedy:
            greedy.socket.setblocking(False)
            try:
                while True:
                    greedy.socket.send(encode("get", account="alice"))
            except BlockingIOError:
                pass
            self.get(helper).expect()
            # not by having waited for its end
            with self.assertRaises(BlockingIOError):
                while True:
                    greedy.socket.send(b"x")

    def test_half_closed_connection_gets_its_reply(self):
        helper = self.logged_in()
        self.oidc.fault(hang=True)
        with helper.administer() as connection:
            connection.send("refresh", account="alice")
            connection.socket.shutdown(socket.SHUT_WR)
            wait_until(lambda: self.posts(), what="the request")
            self.oidc.release()
            connection.receive().expect()
