# SPDX-License-Identifier: ISC
"""Nothing lost and nothing twice, whatever the server does with its numbers."""
import re
from types import SimpleNamespace

from bed import BedTestCase
from bed.connector import Connector
from bed.helper import PASSWORD, USER
from bed.process import wait_until


def message(number, message_id=True):
    field = f"Message-ID: <{number}@example.test>\n" if message_id else ""
    return (f"From: x@example.test\nSubject: {number}\n{field}\n"
            f"body {number}\n").encode()


class RealServerTest(BedTestCase):
    def setUp(self):
        self.mail = self.bed.dovecot()
        self.addCleanup(self.mail.stop)

    def connector(self, **settings):
        return Connector(self.bed, self.mail, **settings)

    def deliver(self, *numbers, **options):
        for number in numbers:
            self.mail.deliver(USER, message(number, **options))

    def save(self, mailbox, number):
        self.mail.doveadm("save", "-u", USER, "-m", mailbox,
                          input=message(number).decode())

    def doveadm(self, command, *args):
        return self.mail.doveadm(*command.split(), "-u", USER, *args)

    def assert_reset(self, poll, known, new):
        self.assertEqual(poll.json["matched"], known)
        self.assertIn(f"messages known from before: {known}, new and "
                      f"delivered: {new}, older than wanted: 0", poll.err)

    def test_known_mail_does_not_come_again_under_another_uidvalidity(self):
        connector = self.connector()
        self.deliver(*range(1, 31))
        self.assertEqual(len(connector.poll().json["delivered"]), 30)
        value = self.mail.reset_uidvalidity(USER)
        self.deliver(31)
        poll = connector.poll()
        self.assertEqual(poll.json["delivered"], ["31"])
        self.assert_reset(poll, 30, 1)
        self.assertEqual(
            connector.messages()["31"]["uidvalidity"], str(value))
        poll = connector.poll()
        self.assertEqual(poll.json["delivered"], [])
        self.assertNotIn("mailbox_reset", poll.err)

    def test_known_mail_does_not_come_again_when_the_index_is_lost(self):
        connector = self.connector()
        self.deliver(1, 2, 3)
        self.deliver(4, 4, message_id=False)
        self.assertEqual(len(connector.poll().json["delivered"]), 5)
        self.doveadm("expunge", "mailbox", "INBOX", "header", "subject", "2")
        self.mail.stop()
        home = self.mail.dir / "mail" / USER
        for path in home.glob("dovecot*"):
            path.unlink()
        self.mail.start()
        self.deliver(5)
        poll = connector.poll()
        found = connector.messages()
        self.assertEqual([found[handle]["subject"]
                          for handle in poll.json["delivered"]], ["5"])
        self.assert_reset(poll, 4, 1)
        self.assertEqual(connector.poll().json["delivered"], [])

    def test_mailbox_is_another_one_after_it_was_made_anew(self):
        connector = self.connector(EMAIL_MAILBOXES="Lists")
        self.doveadm("mailbox create", "Lists")
        self.save("Lists", 1)
        self.assertEqual(connector.poll().json["delivered"], ["Lists/1"])
        self.doveadm("mailbox delete", "Lists")
        self.doveadm("mailbox create", "Lists")
        self.save("Lists", 2)
        poll = connector.poll()
        self.assertEqual(len(poll.json["delivered"]), 1)
        self.assert_reset(poll, 0, 1)

    def test_message_that_was_moved_out_and_back_is_a_new_one(self):
        connector = self.connector()
        self.deliver(1, 2)
        self.assertEqual(connector.poll().json["delivered"], ["1", "2"])
        self.doveadm("mailbox create", "Away")
        self.doveadm("move", "Away", "mailbox", "INBOX", "uid", "1")
        self.assertEqual(connector.poll().json["delivered"], [])
        self.doveadm("move", "INBOX", "mailbox", "Away", "all")
        self.assertEqual(connector.poll().json["delivered"], ["3"])
        self.assertEqual(connector.poll().json["delivered"], [])

    def test_mail_that_another_client_has_read_arrives(self):
        connector = self.connector()
        self.deliver(1, 2)
        self.doveadm("flags add", "\\Seen", "mailbox", "INBOX", "uid", "1")
        self.assertEqual(connector.poll().json["delivered"], ["1", "2"])

    def test_only_new_mail_on_request(self):
        connector = self.connector(EMAIL_BACKFILL="new")
        self.deliver(1, 2, 3)
        self.assertEqual(connector.poll().json["delivered"], [])
        self.deliver(4)
        self.assertEqual(connector.poll().json["delivered"], ["4"])
        self.assertEqual(connector.poll().json["delivered"], [])

    def test_newest_messages_on_request(self):
        connector = self.connector(EMAIL_BACKFILL="2")
        self.deliver(1, 2, 3, 4)
        self.assertEqual(connector.poll().json["delivered"], ["3", "4"])
        connector.env["TRI_ONYX_EMAIL_BACKFILL"] = "all"
        self.deliver(5)
        self.assertEqual(connector.poll().json["delivered"], ["5"])

    def test_several_mailboxes_have_folders_of_their_own(self):
        connector = self.connector(
            EMAIL_MAILBOXES="INBOX, Lists,Clients.A=clients")
        self.deliver(1)
        for mailbox in ("Lists", "Clients.A"):
            self.doveadm("mailbox create", mailbox)
            self.save(mailbox, 1)
        poll = connector.poll()
        self.assertEqual(poll.json["delivered"],
                         ["clients/1", "Lists/1", "1"])
        self.assertIn("Email 1 written to clients for agent email", poll.err)
        agent = connector.workspace / "agents/email"
        for folder in ("inbox", "Lists", "clients"):
            self.assertTrue((agent / folder / "1/message.json").exists())
        self.assertEqual((agent / "state/last_uid").read_text(), "1")
        self.assertEqual(connector.poll().json["delivered"], [])

    def test_news_of_every_mailbox_arrive_at_once(self):
        connector = self.connector(EMAIL_MAILBOXES="INBOX,Lists",
                                   IMAP_POLL_INTERVAL=3600000)
        self.doveadm("mailbox create", "Lists")
        process = connector.start()
        self.addCleanup(process.kill_session)
        self.deliver(1)
        connector.wait_handles(1, process)
        self.save("Lists", 1)
        lists = connector.workspace / "agents/email/Lists/1"
        wait_until(lists.exists, 60, "mail in Lists")
        self.deliver(2)
        connector.wait_handles(2, process)

    def test_mailbox_that_is_not_there_keeps_back_no_other(self):
        connector = self.connector(EMAIL_MAILBOXES="None,INBOX")
        self.deliver(1)
        poll = connector.poll(75)
        self.assertEqual(poll.json["delivered"], ["1"])
        self.assertIn("cannot open the mailbox None", poll.json["detail"])

    def test_long_poll_is_shown_in_the_log(self):
        connector = self.connector()
        self.deliver(*range(120))
        poll = connector.poll()
        self.assertIn("INBOX: 64 of 120 messages (53 %)", poll.err)
        self.assertIn("INBOX: 120 of 120 messages (100 %)", poll.err)
        self.deliver(120)
        self.assertNotIn("messages (", connector.poll().err)


class Mailbox:
    """A mailbox whose server can be told to misbehave.

    messages    [uid, bytes], in the order in which they are listed
    hidden      UIDs that cannot be seen yet
    exists      what EXAMINE says, if not the truth
    """

    def __init__(self):
        self.uidvalidity, self.exists = 7, None
        self.messages, self.hidden, self.ghosts = [], set(), set()
        self.nil = set()
        self.commands = []

    def add(self, uid):
        self.messages.append((uid, message(uid).replace(b"\n", b"\r\n")))

    def __call__(self, conn):
        conn.send("* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR] ready\r\n")
        while True:
            tag, command = conn.readline().rstrip("\r\n").split(" ", 1)
            if command.startswith("EXAMINE"):
                self.examine(conn)
            elif command.startswith("UID FETCH"):
                self.commands.append(command)
                self.fetch(conn, *re.match(r"UID FETCH (\S+) \((.*)\)$",
                                           command).groups())
            conn.send(f"{tag} OK done\r\n")
            if command == "LOGOUT":
                return

    def examine(self, conn):
        exists = len(self.visible()) if self.exists is None else self.exists
        uidnext = max([uid for uid, _ in self.messages], default=0) + 1
        conn.send(f"* {exists} EXISTS\r\n"
                  f"* OK [UIDVALIDITY {self.uidvalidity}] x\r\n")
        if uidnext < 2 ** 32:
            conn.send(f"* OK [UIDNEXT {uidnext}] x\r\n")

    def visible(self):
        return [(uid, raw) for uid, raw in self.messages
                if uid not in self.hidden]

    def fetch(self, conn, uid_set, items):
        for number, (uid, raw) in enumerate(self.visible(), 1):
            if not contains(uid_set, uid):
                continue
            answer = f"* {number} FETCH (UID {uid}"
            if "INTERNALDATE" in items:
                day, second = divmod(uid % 1000, 60)
                answer += (f' INTERNALDATE "{day + 1:2}-Jan-2026 10:00:'
                           f'{second:02} +0100"')
            if "HEADER.FIELDS" in items:
                field = re.search(rb"Message-ID.*?\r\n", raw)[0].decode()
                answer += (" BODY[HEADER.FIELDS (MESSAGE-ID)] "
                           f"{{{len(field) + 2}}}\r\n{field}\r\n")
            if "RFC822.SIZE" in items:
                answer += f" RFC822.SIZE {len(raw)}"
            if "BODY.PEEK[]" in items:
                if uid in self.ghosts:
                    continue
                answer += (" BODY[] NIL" if uid in self.nil else
                           f" BODY[] {{{len(raw)}}}\r\n{raw.decode()}")
            conn.send(answer + ")\r\n")


def contains(uid_set, uid):
    for part in uid_set.split(","):
        first, _, last = part.partition(":")
        if int(first) <= uid and (last == "*" or uid <= int(last or first)):
            return True
    return False


class ScriptedServerTest(BedTestCase):
    def setUp(self):
        self.mailbox = Mailbox()
        server = self.bed.scripted_server(self.mailbox)
        self.addCleanup(server.stop)
        self.connector = Connector(self.bed, SimpleNamespace(
            imaps_port=server.port, submission_port=1, ca=self.bed.tls.ca),
            IMAP_SSL="false", IMAP_PASSWORD=PASSWORD)

    def poll(self):
        return self.connector.poll().json

    def test_late_mail_arrives(self):
        for uid in range(1, 8):
            self.mailbox.add(uid)
        self.mailbox.hidden = {1, 4}
        self.assertEqual(self.poll()["delivered"], list("23567"))
        self.mailbox.hidden = {4}
        found = self.poll()
        self.assertEqual(found["delivered"], ["1"])
        self.assertEqual(found["reconcile_found"], 1)
        self.mailbox.hidden = set()
        self.assertEqual(self.poll()["delivered"], ["4"])
        self.assertEqual(self.poll()["delivered"], [])
        self.assertIn("UID FETCH 1:7 (UID)", self.mailbox.commands)

    def test_order_and_repetition_do_not_matter(self):
        for uid in (5, 3, 9, 3, 1):
            self.mailbox.add(uid)
        self.mailbox.messages.append(self.mailbox.messages[0])
        # one message twice in the answer to a fetch fails it, what came whole
        # is kept, and the rest comes singly
        for _ in range(4):
            self.connector.run("poll", "--once")
        self.assertEqual(self.connector.handles(), list("1359"))

    def test_more_is_announced_than_there_is(self):
        self.mailbox.exists = 1000
        self.assertEqual(self.poll()["delivered"], [])
        self.mailbox.add(1)
        self.assertEqual(self.poll()["delivered"], ["1"])

    def test_what_is_not_given_keeps_back_nothing(self):
        for uid in (1, 2, 3):
            self.mailbox.add(uid)
        self.mailbox.ghosts, self.mailbox.nil = {1}, {2}
        found = self.poll()
        self.assertEqual(found["delivered"], ["3"])
        self.assertEqual(found["gone"], 2)
        self.mailbox.ghosts, self.mailbox.nil = set(), set()
        self.assertEqual(self.poll()["delivered"], ["2", "1"])
        self.assertEqual(
            self.connector.messages()["2"]["subject"], "2")

    def test_old_mail_stays_unwanted_under_other_numbers(self):
        self.connector.env["TRI_ONYX_EMAIL_BACKFILL"] = "1"
        for uid in (1, 2, 3, 4):
            self.mailbox.add(uid)
        self.assertEqual(self.poll()["delivered"], ["4"])
        self.mailbox.add(5)
        self.mailbox.uidvalidity = 8
        poll = self.connector.poll()
        self.assertEqual(poll.json["delivered"], ["5"])
        self.assertIn("known from before: 1, new and delivered: 1, older "
                      "than wanted: 3", poll.err)
        self.mailbox.uidvalidity = 7
        self.assertEqual(self.poll()["delivered"], [])

    def test_highest_uid(self):
        self.mailbox.add(1)
        self.mailbox.add(2 ** 32 - 1)
        self.assertEqual(self.poll()["delivered"], ["1", "4294967295"])
        self.assertEqual(self.poll()["delivered"], [])
