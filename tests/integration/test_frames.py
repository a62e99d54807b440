# SPDX-License-Identifier: ISC
"""The gateway's requests, on the socket of a running connector."""
import hashlib
import json
import os
import pty
import re
import shutil
import signal
import socket
import stat
import subprocess
import threading
import unittest
from pathlib import Path

from bed import BedTestCase, wait_until
from bed.connector import Connector
from bed.core import PATH
from bed.frames import Frames
from bed.helper import USER

from documents import document

from .test_send import Hold, Submission

NOBODY = 65534
MESSAGE = b"From: x@example.test\nSubject: hello\nMessage-ID: <%d@x>\n\nbody\n"
DRAFT = {"to": "bob@example.test", "subject": "Grüße", "body": "a body\n"}
DOCUMENT = Path(__file__).parents[2] / "docs/trionyx.md"


class FramesTestCase(BedTestCase):
    settings = {}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.sink = cls.bed.sink()
        cls.mail = cls.bed.dovecot(sink=cls.sink)

    def setUp(self):
        self.mail.doveadm("expunge", "-u", USER, "mailbox", "INBOX", "all")

    def connector(self, **settings):
        connector = Connector(self.bed, self.mail, **settings)
        connector.socket = connector.dir / "gateway"
        connector.env["TRI_ONYX_EMAIL_SOCKET"] = connector.socket
        connector.agent = connector.workspace / "agents/email"
        (connector.agent / "drafts").mkdir(parents=True)
        return connector

    def start(self, connector):
        """`run`, which listens."""
        run = connector.start()
        self.addCleanup(run.stop)

        def listens():
            if run.rc is not None:
                raise AssertionError(run.tail())
            try:
                return Frames(connector.socket)
            except OSError:
                return None
        wait_until(listens, what="the socket").close()
        return run

    def started(self, **settings):
        connector = self.connector(**settings)
        connector.process = self.start(connector)
        return connector

    def frames(self, connector):
        frames = Frames(connector.socket)
        self.addCleanup(frames.close)
        return frames

    def receive(self, connector):
        """The handle of a message that has just come, to a `run`."""
        before = set(connector.handles())
        self.mail.deliver(USER, MESSAGE % os.urandom(3)[0])
        handle, = wait_until(
            lambda: set(connector.handles()) - before, what="a message")
        return handle

    def sent(self, message_id):
        """How many messages with this id have arrived."""
        return sum(message_id.encode() in message.data
                   for message in self.sink.messages())

    def assertText(self, answer):
        """All is text, as the runtime's responses are, but `success`."""
        self.assertIsInstance(answer["success"], bool)
        for name, value in answer.items():
            if name != "success":
                self.assertIsInstance(value, str, answer)

    def assertRefused(self, answer, detail):
        self.assertText(answer)
        self.assertIs(answer["success"], False, answer)
        self.assertRegex(answer["detail"], detail)


class FramesTest(FramesTestCase):
    """One connector for all."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.one = cls.connector(cls)
        cls.run_ = cls.one.start()
        cls.one.wait_handles(0, cls.run_)
        wait_until(cls.one.socket.exists, what="the socket")

    def setUp(self):
        super().setUp()
        self.gateway = self.frames(self.one)

    def write_draft(self, name="a.json", **fields):
        draft = self.one.agent / "drafts" / name
        draft.write_text(json.dumps(DRAFT | fields))
        return hashlib.sha256(draft.read_bytes()).hexdigest()

    # -- sending -----------------------------------------------------------

    def test_approved_draft_is_sent_as_it_stands_in_the_request(self):
        answer = self.gateway.ask(
            "send_email_request", request_id="s1", agent_name="email",
            draft=DRAFT)
        message_id = answer.pop("message_id")
        self.assertEqual(answer, {
            "type": "send_email_response", "request_id": "s1",
            "success": True, "state": "sent", "detail": "sent"})
        self.assertEqual(self.sent(message_id), 1)
        self.assertIn(f"message_id={message_id}", self.run_.stderr_text())

    def test_draft_of_a_file_must_be_the_one_that_was_approved(self):
        digest = self.write_draft(subject="approved")
        path = "/workspace/agents/email/drafts/a.json"
        answer = self.gateway.ask("send_email_request", draft_path=path,
                                  draft_sha256=digest)
        self.assertEqual(answer["state"], "sent", answer)
        self.write_draft(subject="swapped")
        before = len(self.sink.messages())
        self.assertRefused(self.gateway.ask(
            "send_email_request", draft_path=path, draft_sha256=digest),
            "sha256|SHA-256")
        self.assertEqual(len(self.sink.messages()), before)

    def test_attached_file_must_be_the_one_that_was_approved(self):
        file = self.one.agent / "drafts/figures.csv"
        attached = {"path": "drafts/figures.csv"}
        pinned = attached | {"sha256": hashlib.sha256(b"1,2").hexdigest()}
        file.write_text("1,2")
        before = len(self.sink.messages())

        def ask(attachment):
            return self.gateway.ask("send_email_request", draft=DRAFT | {
                "attachments": [attachment]})
        self.assertRefused(ask(attached), "^attachment 1 .* no sha256")
        digest = self.write_draft("with.json", attachments=[attached])
        self.assertRefused(self.gateway.ask(
            "send_email_request", draft_path="drafts/with.json",
            draft_sha256=digest), "^attachment 1 .* no sha256")
        file.write_text("3,4")
        self.assertRefused(ask(pinned), "^attachment 1 is not what its sha256")
        self.assertEqual(len(self.sink.messages()), before)
        file.write_text("1,2")
        self.assertEqual(ask(pinned)["state"], "sent")

    def test_path_alone_is_refused_as_the_runtime_would_send_it(self):
        self.write_draft()
        before = len(self.sink.messages())
        self.assertRefused(self.gateway.ask(
            "send_email_request", request_id="p1",
            draft_path="/workspace/agents/email/drafts/a.json"),
            "^draft_path alone is refused.*TRI_ONYX_EMAIL_ALLOW_DRAFT_PATH")
        self.assertEqual(len(self.sink.messages()), before)

    def test_same_request_twice_at_once_is_one_message(self):
        answers, others = [], [self.frames(self.one) for _ in range(8)]

        def ask(frames):
            answers.append(frames.ask(
                "send_email_request", request_id="twice", draft=DRAFT))
        threads = [threading.Thread(target=ask, args=(frames,))
                   for frames in others]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        message_id, = {answer["message_id"] for answer in answers}
        self.assertEqual({answer["state"] for answer in answers}, {"sent"})
        self.assertEqual(self.sent(message_id), 1)
        again = self.gateway.ask(
            "send_email_request", request_id="twice", draft=DRAFT)
        self.assertEqual((again["state"], again["message_id"]),
                         ("sent", message_id))
        self.assertRefused(self.gateway.ask(
            "send_email_request", request_id="twice",
            draft=DRAFT | {"subject": "another"}),
            "^request_id was used for another message$")
        self.assertEqual(self.sent(message_id), 1)

    def test_same_request_is_answered_though_its_files_are_gone(self):
        """An agent tidies up while the answer is still on its way."""
        def ask(request_id, **draft):
            return self.gateway.ask(
                "send_email_request", request_id=request_id, **draft)
        file = self.one.agent / "drafts/report.txt"
        file.write_text("content")
        attached = {"path": "drafts/report.txt",
                    "sha256": hashlib.sha256(b"content").hexdigest()}
        inline = {"draft": DRAFT | {"attachments": [attached]}}
        path = {"draft_path": "drafts/gone.json",
                "draft_sha256": self.write_draft("gone.json", body="gone")}
        first = {"gone1": inline, "gone2": path}
        first = {name: (draft, ask(name, **draft))
                 for name, draft in first.items()}
        file.write_text("another")
        (self.one.agent / "drafts/gone.json").unlink()
        for request_id, (draft, answer) in first.items():
            self.assertEqual(answer["state"], "sent", answer)
            self.assertEqual(ask(request_id, **draft), answer)
            self.assertEqual(self.sent(answer["message_id"]), 1)
        # nothing but the same request is
        self.assertRefused(ask("gone3", **path), "^cannot read draft: :enoent")
        self.assertRefused(ask("gone1", **path), "^cannot read draft: :enoent")
        self.assertRefused(
            ask("gone2", **path | {"draft_sha256": "0" * 64}),
            "^cannot read draft: :enoent")

    def test_what_is_wrong_with_a_draft_is_said_as_the_gateway_did(self):
        cases = [
            ({"draft": {}}, "missing required field: to"),
            ({"draft": DRAFT | {"subject": None}},
             "missing required field: subject"),
            ({"draft": DRAFT | {"body": ""}}, "empty required field: body"),
            ({"draft": DRAFT | {"to": "bob"}}, "invalid email address: bob"),
            ({"draft": DRAFT | {"cc": 7}},
             "email address must be a string"),
            ({"draft_path": "nothing.json", "draft_sha256": "0" * 64},
             "cannot read draft: :enoent"),
            ({"draft_path": "../email2/a.json", "draft_sha256": "0" * 64},
             "path traversal rejected"),
            ({"draft_path": "/workspace/agents/email/../../x",
              "draft_sha256": "0" * 64}, "path traversal rejected"),
            ({}, "missing required field: draft_path"),
            ({"draft": "x"}, "draft must be a JSON object"),
        ]
        for frame, detail in cases:
            with self.subTest(frame=frame):
                self.assertRefused(self.gateway.ask(
                    "send_email_request", request_id="d", **frame),
                    f"^{re.escape(detail)}$")

    def test_link_in_the_drafts_leads_nowhere(self):
        secret = self.one.dir / "secret.json"
        secret.write_text(json.dumps(DRAFT))
        (self.one.agent / "drafts/link.json").symlink_to(secret)
        self.assertRefused(self.gateway.ask(
            "send_email_request", draft_path="drafts/link.json",
            draft_sha256=hashlib.sha256(secret.read_bytes()).hexdigest()),
            "^path traversal rejected$")

    def test_refusal_of_the_server_is_told_and_the_queue_has_it(self):
        self.sink.fail(550, "5.1.1 nobody there", at="rcpt", times=1)
        answer = self.gateway.ask("send_email_request", draft=DRAFT)
        self.assertRefused(answer, "^SMTP send failed: .*nobody there")
        listed = self.gateway.ask("queue_request", request_id="q")
        self.assertEqual(listed["type"], "queue_response")
        entry, = (entry for entry in listed["entries"]
                  if entry["message_id"] == answer["message_id"])
        self.assertEqual(entry["state"], "failed")
        shown = self.gateway.ask("queue_request", action="show",
                                 entry=str(entry["id"]))
        self.assertEqual(shown["entry"], entry)
        again = self.gateway.ask("queue_request", action="retry",
                                 entry=str(entry["id"]))
        self.assertIs(again["success"], True, again)
        wait_until(lambda: self.sent(answer["message_id"]) == 1)

    # -- the rest ----------------------------------------------------------

    def test_draft_is_saved_by_its_path_alone(self):
        self.write_draft(subject="saved")
        answer = self.gateway.ask(
            "save_draft_request", request_id="d1",
            draft_path="/workspace/agents/email/drafts/a.json")
        self.assertText(answer)
        self.assertEqual(
            (answer["type"], answer["success"], answer["detail"]),
            ("save_draft_response", True, "draft saved to IMAP Drafts"))
        drafts = self.mail.messages(mailbox="Drafts")
        self.assertEqual(sum(b"saved" in draft for draft in drafts), 1)

    def test_folder_is_made_and_mail_moved(self):
        answer = self.gateway.ask("create_folder_request", request_id="f1",
                                  agent_name="email", folder_name="receipts")
        self.assertEqual(answer, {
            "type": "create_folder_response", "success": True,
            "detail": "created", "request_id": "f1"})
        handle = self.receive(self.one)
        answer = self.gateway.ask(
            "move_email_request", request_id="m1", agent_name="email",
            uid=handle, source_folder="inbox", dest_folder="receipts")
        self.assertText(answer)
        self.assertEqual(
            (answer["type"], answer["success"], answer["detail"]),
            ("move_email_response", True, "moved"))
        self.assertTrue((self.one.agent / "receipts" / answer["uid"] /
                         "message.json").exists())
        self.assertFalse((self.one.inbox / handle).exists())

    def test_folder_names_and_handles_are_refused_as_the_gateway_did(self):
        move = {"uid": "1", "source_folder": "inbox", "dest_folder": "x"}
        cases = [
            ("create_folder_request", {"folder_name": "a..b"},
             "folder name must not contain path traversal: a..b"),
            ("create_folder_request", {"folder_name": "a/b"},
             "folder name must not contain path separators: a/b"),
            ("create_folder_request", {"folder_name": "a b"},
             "folder name must be alphanumeric with hyphens/underscores: "
             "a b"),
            ("create_folder_request", {}, "missing required field: "
             "folder_name"),
            ("move_email_request", move | {"dest_folder": "../x"},
             "folder name must not contain path traversal: ../x"),
            ("move_email_request", {"source_folder": "a"},
             "missing required field: uid"),
            ("move_email_request", move | {"uid": 1}, "uid must be text"),
            ("queue_request", {"action": "flush"},
             "action is 'flush'; there are list, show, retry and drop"),
            ("send_email_request", {"agent_name": "eve", "draft": DRAFT},
             "no account is that of the agent eve"),
        ]
        for type_, frame, detail in cases:
            with self.subTest(type=type_, frame=frame):
                answer = self.gateway.ask(type_, request_id="e", **frame)
                self.assertRefused(answer, f"^{re.escape(detail)}$")
                self.assertEqual(answer["type"],
                                 type_.replace("request", "response"))
        self.assertRefused(self.gateway.ask(
            "move_email_request", **move | {"uid": "1:*"}), "uid|handle")
        self.assertRefused(self.gateway.ask(
            "move_email_request", **move | {"uid": "4711"}),
            "^source email directory not found: .*/inbox/4711$")

    def test_status_poll_and_wake_are_answered(self):
        status = self.gateway.ask("status_request", request_id="x")
        self.assertEqual((status["type"], status["request_id"]),
                         ("status_response", "x"))
        self.assertEqual(status["accounts"][0]["agent"], "email")
        self.assertIs(self.gateway.ask("poll_request")["success"], True)
        self.assertEqual(self.gateway.ask("outbox_request"), {
            "type": "outbox_response", "success": True, "detail": "woken"})

    # -- the socket --------------------------------------------------------

    def test_garbage_is_answered_and_harms_nothing(self):
        for line in (b"", b"{", b"[]", b"null", b"{}", b'{"type":7}',
                     b'{"type":"x"', b'"x"', b"\x00", b"\xff\xfe",
                     b'{"type":"\x01"}', b'{"a":' + b"[" * 100_000,
                     b'{"type":"nothing_request","request_id":"g"}',
                     b'{"type":"send_email_response","request_id":"g"}',
                     b'{"type":"poll_request","request_id":7}',
                     b'{"type":"poll_request","request_id":"' +
                     b"i" * 129 + b'"}', b"x" * 300_000,
                     b'{"type":"poll_request","request_id":"a\\u0000"}'):
            with self.subTest(line=line[:60]):
                self.gateway.write(line + b"\n")
                answer = self.gateway.read()
                self.assertEqual(answer["type"], "error")
                self.assertTrue(answer["detail"])
                if b'"g"' in line:
                    self.assertEqual(answer["request_id"], "g")
                    self.assertEqual(answer["detail"],
                                     "unknown request type")
        self.assertTrue(self.gateway.ask("status_request")["success"])

    def test_mode_and_group_are_those_of_the_directory(self):
        info = self.one.socket.stat()
        self.assertTrue(stat.S_ISSOCK(info.st_mode))
        self.assertEqual(stat.S_IMODE(info.st_mode), 0o660)
        self.assertEqual(info.st_gid, self.one.dir.stat().st_gid)

    def test_thousand_connections_delay_nobody(self):
        crowd = []
        self.addCleanup(lambda: [s.close() for s in crowd])
        for _ in range(1000):
            one = socket.socket(socket.AF_UNIX)
            one.connect(str(self.one.socket))
            crowd.append(one)
        self.assertTrue(self.gateway.ask("status_request")["success"])
        self.assertTrue(self.one.poll().json["success"])   # the other socket
        refused = sum(b"too many connections" in one.recv(200)
                      for one in crowd[300:])
        self.assertEqual(refused, 700)
        for one in crowd:
            one.close()

        def there_is_room():
            with Frames(self.one.socket) as frames:
                answer = frames.ask("status_request")
                return answer["type"] == "status_response"
        wait_until(there_is_room)

    def test_who_does_not_read_delays_nobody(self):
        silent = self.frames(self.one)
        silent._socket.setblocking(False)
        line = b'{"type":"status_request"}\n'
        taken = 0
        try:
            while taken < 50_000_000:
                taken += silent._socket.send(line * 100)
        except BlockingIOError:
            pass
        self.assertLess(taken, 50_000_000)
        self.assertTrue(self.gateway.ask("status_request")["success"])


class PlacesTest(FramesTestCase):
    """Who may, and where the socket is."""

    def ask_as(self, user, path):
        """What a process of that user gets for a status request."""
        program = (
            "import socket, sys\n"
            "s = socket.socket(socket.AF_UNIX)\n"
            "s.connect(sys.argv[1])\n"
            "try:\n"
            "    s.sendall(b'{\"type\":\"status_request\"}\\n')\n"
            "    print(s.makefile().readline(), end='')\n"
            "except OSError:\n"
            "    pass\n")
        return subprocess.run(
            ["/usr/bin/python3", "-c", program, path], user=user, group=NOBODY,
            extra_groups=[], stdout=subprocess.PIPE, text=True, timeout=30,
            cwd="/", check=True).stdout

    @unittest.skipIf(os.geteuid(), "needs root")
    def test_users_that_are_not_named_are_turned_away(self):
        connector = self.connector(EMAIL_SOCKET_ALLOW="8, mail,1001")
        for path in connector.dir, *connector.dir.parents[:-1]:
            path.chmod(path.stat().st_mode | 0o011)
        os.chown(connector.dir, -1, NOBODY)     # as a shared volume would
        run = self.start(connector)
        self.assertEqual(connector.socket.stat().st_gid, NOBODY)
        self.assertIn('"success":true',
                      self.ask_as(1001, connector.socket))
        for _ in range(3):
            self.assertEqual(self.ask_as(1002, connector.socket), "")
        self.assertEqual(run.stderr_text().count("user 1002"), 1)
        self.assertIn("TRI_ONYX_EMAIL_SOCKET_ALLOW", run.stderr_text())
        self.assertEqual(self.ask_as(0, connector.socket)[:1], "{")

    def test_socket_is_removed_and_a_stale_one_replaced(self):
        connector = self.connector()
        run = self.start(connector)
        run.kill()
        self.assertTrue(connector.socket.exists())
        run = self.start(connector)
        run.stop()
        self.assertFalse(connector.socket.exists())

    def test_socket_that_another_one_serves_is_left_alone(self):
        first, second = self.started(), self.connector()
        second.env["TRI_ONYX_EMAIL_SOCKET"] = first.socket
        result = second.run("run").check(75)
        self.assertIn("another process listens", result.err)
        with Frames(first.socket) as frames:
            self.assertTrue(frames.ask("status_request")["success"])

    def test_wrong_settings_are_named(self):
        connector = self.connector()
        file = connector.dir / "file"
        file.touch()
        cases = [
            ({"EMAIL_SOCKET": connector.workspace / "s"}, "workspace"),
            ({"EMAIL_SOCKET": "/nonexistent/s"}, "TRI_ONYX_EMAIL_SOCKET"),
            ({"EMAIL_SOCKET": connector.dir / ("s" * 120)},
             "too long for a socket; set TRI_ONYX_EMAIL_SOCKET"),
            ({"EMAIL_SOCKET": file}, "is no socket"),
            ({"EMAIL_SOCKET_ALLOW": "nobody-of-this-name"},
             "TRI_ONYX_EMAIL_SOCKET_ALLOW"),
            ({"EMAIL_ALLOW_DRAFT_PATH": "perhaps"},
             "TRI_ONYX_EMAIL_ALLOW_DRAFT_PATH"),
        ]
        for settings, said in cases:
            with self.subTest(settings=settings):
                connector.env |= {"TRI_ONYX_EMAIL_SOCKET": connector.socket,
                                  "TRI_ONYX_EMAIL_SOCKET_ALLOW": "",
                                  "TRI_ONYX_EMAIL_ALLOW_DRAFT_PATH": ""}
                connector.env |= {f"TRI_ONYX_{name}": value
                                  for name, value in settings.items()}
                self.assertIn(said, connector.run("run").check(78).err)
        self.assertTrue(file.exists())

    def test_path_alone_is_taken_where_that_is_allowed(self):
        connector = self.started(EMAIL_ALLOW_DRAFT_PATH="true")
        (connector.agent / "drafts/a.json").write_text(json.dumps(DRAFT))
        with Frames(connector.socket) as frames:
            answer = frames.ask("send_email_request", request_id="p",
                                draft_path="drafts/a.json")
        self.assertEqual(answer["state"], "sent", answer)


class PatienceTest(FramesTestCase):
    def test_who_asks_has_an_answer_before_the_runtime_gives_up(self):
        server, held = Submission(self.bed, implicit_tls=False), Hold()
        server.at = {"data": held}
        connector = self.started(SMTP_PORT=server.port)
        with Frames(connector.socket) as frames:
            answer = frames.ask("send_email_request", request_id="slow",
                                draft=DRAFT)
            self.assertEqual((answer["success"], answer["state"]),
                             (True, "queued"), answer)
            self.assertEqual(answer["detail"], "queued")
            held.release()
            again = frames.ask("send_email_request", request_id="slow",
                               draft=DRAFT)
        self.assertEqual((again["state"], again["message_id"]),
                         ("sent", answer["message_id"]))
        self.assertEqual(server.accepted, [answer["message_id"]])

    def test_agent_whose_server_is_silent_delays_no_other(self):
        """The gateway has a connection for each request, of whichever agent."""
        silent = socket.create_server(("127.0.0.1", 0), backlog=200)
        self.addCleanup(silent.close)
        connector = self.connector()
        accounts = connector.dir / "accounts"
        accounts.mkdir()
        password = connector.dir / "password"
        password.write_text("bob-pw")
        password.chmod(0o600)
        (accounts / "bob.conf").write_text(
            f"imap_host = localhost\nimap_port = {silent.getsockname()[1]}\n"
            f"imap_username = bob@example.test\n"
            f"imap_password_file = {password}\nemail_agent = bob\n")
        connector.env["TRI_ONYX_EMAIL_ACCOUNTS_DIR"] = accounts
        connector.process = self.start(connector)
        for _ in range(100):
            frames = self.frames(connector)
            self.assertTrue(frames.ask("status_request").get("success"))
            frames.send("create_folder_request", agent_name="bob",
                        folder_name="x")
        self.assertEqual(frames.read()["detail"], "too many requests")
        answer = self.frames(connector).ask("send_email_request", draft=DRAFT)
        self.assertEqual(answer.get("state"), "sent", answer)

    def test_end_answers_who_waits(self):
        server, held = Submission(self.bed, implicit_tls=False), Hold()
        server.at = {"mail": held}
        connector = self.started(SMTP_PORT=server.port)
        with Frames(connector.socket) as frames:
            frames.send("send_email_request", request_id="e", draft=DRAFT)
            held.wait()
            connector.process.signal(signal.SIGTERM)
            answer = frames.read()
        self.assertEqual((answer["state"], answer["request_id"]),
                         ("queued", "e"), answer)
        held.release()
        self.assertEqual(connector.process.wait(), 0)


class CommandsTest(FramesTestCase):
    """The same by commands, beside `run` and without it."""

    def json(self, connector, *args, rc=0, input=""):
        result = connector.run(*args, input=input).check(rc)
        self.assertEqual(result.out.count("\n"), 1)
        return json.loads(result.out)

    def check_commands(self, connector, name):
        created = self.json(connector, "create-folder", name)
        self.assertEqual(created["detail"], "created")
        self.mail.deliver(USER, MESSAGE % 1)
        connector.poll()    # or `run` was faster
        handle = connector.handles()[-1]
        moved = self.json(connector, "move", handle, "inbox", name)
        self.assertTrue(
            (connector.agent / name / moved["uid"]).is_dir(), moved)
        draft = json.dumps(DRAFT)
        sent = self.json(connector, "send", "--request-id", name, "-",
                         input=draft)
        self.assertEqual(sent["state"], "sent", sent)
        again = self.json(connector, "send", "--request-id", name, "-",
                          input=draft)
        self.assertEqual(again["message_id"], sent["message_id"])
        self.assertEqual(self.sent(sent["message_id"]), 1)
        saved = self.json(connector, "save-draft", "-", input=draft)
        self.assertEqual(saved["detail"], "draft saved to IMAP Drafts")
        listed = self.json(connector, "queue")
        self.assertIn(sent["message_id"], [
            entry["message_id"] for entry in listed["entries"]])

    def test_commands_work_with_and_without_run(self):
        connector = self.connector()
        self.check_commands(connector, "without")
        self.start(connector)
        self.check_commands(connector, "beside")

    def test_exit_codes(self):
        connector = self.connector()
        for args, rc in (
                (["move", "1", "inbox"], 64), (["move"], 64),
                (["create-folder"], 64), (["create-folder", "a", "b"], 64),
                (["queue", "show"], 64), (["queue", "show", "x"], 64),
                (["queue", "flush"], 64), (["queue", "list", "1"], 64),
                (["send", "--request-id", "-"], 64),
                (["send", "--request-id", "", "-"], 64),
                (["send", "-a"], 64), (["status", "-a", "x"], 64),
                (["queue", "--json", "--json"], 0), (["queue", "list"], 0),
                (["create-folder", "--", "-x"], 0),
                (["create-folder", "a/b"], 65),
                (["move", "1:*", "inbox", "x"], 65),
                (["move", "4711", "inbox", "x"], 65),
                (["queue", "show", "4711"], 1),
                (["create-folder", "-a", "nobody", "x"], 67),
                (["status"], 69)):
            with self.subTest(args=args):
                result = connector.run(*args).check(rc)
                self.assertEqual(result.out.count("\n"), rc != 64)

    def test_queue_is_a_table_for_people(self):
        connector = self.connector()
        connector.send(subject="Grüße")

        def on_terminal(*args):
            ours, theirs = pty.openpty()
            process = self.bed.spawn(
                [self.bed.program("mailtoken-connector"), "queue", *args],
                connector.env, stdout=theirs)
            self.assertEqual(process.wait(), 0, process.tail())
            os.close(theirs)
            text = b""
            try:
                while part := os.read(ours, 4096):
                    text += part
            except OSError:     # nobody has the other end any more
                pass
            os.close(ours)
            return text.decode()
        head, line, *_ = on_terminal().splitlines()
        self.assertRegex(head, "^ID +STATE")
        self.assertRegex(line, "^1 +sent .*bob@example.test +Grüße")
        self.assertEqual(json.loads(on_terminal("--json"))["success"], True)

    def test_account_of_a_file_is_named(self):
        connector = self.connector()
        accounts = connector.dir / "accounts"
        accounts.mkdir()
        password = connector.dir / "password"
        password.write_text("bob-pw")
        password.chmod(0o600)
        (accounts / "bob.conf").write_text(
            f"imap_host = localhost\nimap_port = {self.mail.imaps_port}\n"
            f"imap_username = bob@example.test\n"
            f"smtp_port = {self.mail.submission_port}\n"
            f"imap_password_file = {password}\nemail_agent = bob\n"
            f"tls_ca_file = {self.mail.ca}\n")
        connector.env["TRI_ONYX_EMAIL_ACCOUNTS_DIR"] = accounts
        result = self.json(connector, "send", "-a", "bob", "-",
                           input=json.dumps(DRAFT))
        self.assertEqual(result["state"], "sent", result)
        self.assertEqual(self.sink.messages()[-1].mail_from,
                         "bob@example.test")
        self.start(connector)
        with Frames(connector.socket) as frames:
            answer = frames.ask("create_folder_request", agent_name="bob",
                                folder_name="hers")
        self.assertIs(answer["success"], True, answer)
        self.assertTrue(
            (connector.workspace / "agents/bob/hers").is_dir())


# Encodes and decodes as the gateway's library does, as far as this goes.
JASON = """
defmodule Jason do
  def encode!(term), do: :jiffy.encode(term, [:use_nil])
  def decode!(text), do: :jiffy.decode(text, [:return_maps, :use_nil])
  def decode(text) do
    {:ok, decode!(text)}
  catch
    kind, reason -> {:error, %{kind: kind, reason: reason}}
  end
end
"""

CALLS = """
alias TriOnyx.Connectors.Email
[agent_dir, handle] = System.argv()
path = fn name -> Path.join([agent_dir, "drafts", name]) end
{:ok, draft} = Email.read_draft(path.("a.json"))
frame = %{request_id: "ex1", agent_name: "email", draft: draft}
show = fn term -> IO.puts(inspect(term, printable_limit: :infinity)) end
show.(Email.send_email(frame))
show.(Email.send_email(frame))
show.(Email.send_email(%{frame | draft: %{}, request_id: "ex2"}))
show.(Email.save_draft(%{agent_name: "email", draft_path: "drafts/a.json"}))
show.(Email.create_folder("elixir", agent_dir))
show.(Email.create_folder("../x", agent_dir))
show.(Email.move_email(handle, "inbox", "elixir", agent_dir))
show.(Email.move_email("4711", "inbox", "elixir", agent_dir))
show.(Email.read_draft(path.("nothing.json")))
show.(Email.read_draft(path.("list.json")))
System.put_env("TRI_ONYX_EMAIL_SOCKET", "/nonexistent/socket")
show.(Email.create_folder("elixir", agent_dir))
"""


@unittest.skipUnless(shutil.which("elixir"), "needs Elixir")
class PageTest(FramesTestCase):
    """The examples of docs/trionyx.md, as they stand there."""

    def setUp(self):
        super().setUp()
        self.page = self.started()
        draft = json.dumps(DRAFT)
        (self.page.agent / "drafts/a.json").write_text(draft)
        self.values = {
            '"uid":"17"': f'"uid":"{self.receive(self.page)}"',
            "9f86d0…": hashlib.sha256(draft.encode()).hexdigest()}

    def lines(self):
        for step in document.read(DOCUMENT):
            if step.kind == "tested by" and step.text.startswith("{"):
                yield from (line.split("   ")[0]
                            for line in step.text.splitlines())

    def ask(self, frames, line):
        for shown, real in self.values.items():
            line = line.replace(shown, real)
        frames.write(line.encode() + b"\n")
        answer = frames.read()
        if answer.get("entries"):
            self.values['"entry":"7"'] = (
                f'"entry":"{answer["entries"][0]["id"]}"')
        return answer

    def test_requests_are_answered_as_it_shows(self):
        frames = self.frames(self.page)
        answer = self.ask(frames, '{"type":"?","request_id":"r1"}')
        for line in self.lines():
            if "_request" in line:
                answer = self.ask(frames, line)
                self.assertNotEqual(answer["type"], "error", line)
                continue
            self.assertLessEqual(set(re.findall(r'[{,]"(\w+)":', line)),
                                 self.names(answer), line)
            for name in "type", "detail", "request_id":
                for value in re.findall(rf'[^{{\[]"{name}":"([^"…<]*)"', line):
                    self.assertEqual(answer[name], value, line)

    def names(self, value):
        """Of all members, at any depth."""
        if isinstance(value, list):
            value = dict(enumerate(value))
        if not isinstance(value, dict):
            return set()
        return set(value).union(*map(self.names, value.values()))

    def test_request_by_hand(self):
        command, = (step.text for step in document.read(DOCUMENT)
                    if step.text.startswith("python3"))
        result = self.bed.run(["sh", "-c", command.replace(
            "/run/mail/gateway", str(self.page.socket))], {"PATH": PATH})
        self.assertIn('"status_response"', result.check().out)


class GatewayTest(FramesTestCase):
    """The gateway's side, as the document has it."""

    def module(self):
        """What docs/trionyx.md adds to the gateway."""
        diff = re.search(r"^```diff\n(.*?)^```", DOCUMENT.read_text(),
                         re.M | re.S)[1]
        head, *lines = diff.splitlines()[2:]
        self.assertEqual(head, f"@@ -0,0 +1,{len(lines)} @@")
        for line in lines:
            self.assertEqual(line[:1], "+", line)
        return "\n".join(line[1:] for line in lines)

    def test_module_of_the_document_does_what_the_gateway_expects(self):
        connector = self.started()
        handle = self.receive(connector)
        drafts = connector.agent / "drafts"
        (drafts / "a.json").write_text(json.dumps(DRAFT))
        (drafts / "list.json").write_text("[]")
        script = connector.dir / "gateway.exs"
        script.write_text("\n".join((JASON, self.module(), CALLS)))
        result = self.bed.run(
            ["elixir", script, connector.agent, handle],
            {"PATH": os.environ["PATH"], "HOME": connector.dir,
             "LANG": "C.UTF-8", "TRI_ONYX_EMAIL_SOCKET": connector.socket},
            timeout=120).check()
        answers = result.out.splitlines()
        message_id = re.fullmatch(r'\{:ok, "(<.*>)"\}', answers[0])[1]
        self.assertEqual(answers, [
            f'{{:ok, "{message_id}"}}', f'{{:ok, "{message_id}"}}',
            '{:error, "missing required field: to"}',
            "{:ok, :saved}", "{:ok, :created}",
            '{:error, "folder name must not contain path traversal: ../x"}',
            "{:ok, :moved}",
            '{:error, "source email directory not found: '
            f'{connector.inbox}/4711"}}',
            '{:error, "cannot read draft: :enoent"}',
            '{:error, "invalid JSON in draft file"}',
            '{:error, "email connector: :enoent"}'], result)
        self.assertEqual(self.sent(message_id), 1)
        self.assertTrue((connector.agent / "elixir" / handle).is_dir())


if __name__ == "__main__":
    unittest.main()
