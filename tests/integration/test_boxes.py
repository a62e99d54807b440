# SPDX-License-Identifier: ISC
"""What is changed and looked for in mailboxes, against Dovecot."""
import email.utils
import os

from bed import BedTestCase
from integration.boxprobe import ALICE, boxes

DATE = 1_790_000_000    # 2026-09-21 14:13:20 UTC
OUR_ID = "<0123456789abcdef0123456789abcdef@example.test>"
SERVER_ID = "<AM0PR01MB1234ABCD@prod.outlook.example>"

# "inbox" is set up already; this changes it
INBOX_PREFIX = """
namespace inbox {
  prefix = INBOX.
  separator = .
}
"""
ROLES = r"""
namespace inbox {
  mailbox Ausgang {
    special_use = \Sent
    auto = create
  }
  mailbox Notizen {
    special_use = \Drafts
    auto = create
  }
  mailbox Sent {
    auto = create
  }
  mailbox "Alle Post" {
    special_use = \All
    auto = create
  }
}
"""


def message(subject="Hello", to="bob@example.test", date=DATE,
            message_id=OUR_ID, more="", body="Body\r\n"):
    return (f"From: {ALICE}\r\nTo: {to}\r\nSubject: {subject}\r\n"
            f"Message-ID: {message_id}\r\n{more}"
            f"Date: {email.utils.formatdate(date)}\r\n\r\n{body}").encode()


class BoxesTest(BedTestCase):
    def setUp(self):
        super().setUp()
        self.dovecot = self.bed.dovecot()

    def boxes(self, *commands, dovecot=None):
        dovecot = dovecot or self.dovecot
        return boxes(self.bed, dovecot.imaps_port, *commands, ca=dovecot.ca)

    def one(self, *command, dovecot=None):
        """The answer to a single command."""
        return self.boxes(command, dovecot=dovecot)[0]

    def path(self, data):
        path = self.bed.subdir("message") / "message"
        path.write_bytes(data)
        return path

    def put(self, data, mailbox="Sent", dovecot=None):
        """File a message there as somebody else would."""
        answer = self.one("append", mailbox, "", 0, self.path(data),
                          dovecot=dovecot)
        self.assertEqual(answer[-1], "done", answer)

    def assert_there(self, mailbox, *messages, dovecot=None):
        """The messages, which Dovecot keeps without their CR."""
        kept = (dovecot or self.dovecot).messages(mailbox=mailbox)
        self.assertEqual(len(kept), len(messages))
        for ours, theirs in zip(messages, kept):
            # no assertEqual: it would be busy with what differs for long
            self.assertTrue(ours.replace(b"\r\n", b"\n") == theirs,
                            theirs[:1000])

    def sent(self, verb, data=None, mailbox="", server_id="", dovecot=None):
        return self.one(verb, mailbox, OUR_ID, server_id, DATE,
                        self.path(data or message()), dovecot=dovecot)


class Mailboxes(BoxesTest):
    def test_mailbox_is_created_once_and_subscribed(self):
        names = ("Projects", "a.b", "Grüße & mehr", "100%", 'q"\\', "日本語")
        for name in names:
            with self.subTest(name):
                self.assertEqual(
                    self.boxes(("has", name), ("create", name),
                               ("create", name), ("has", name)),
                    [["not there", "done"], ["created", "done"],
                     ["existed", "done"], ["there", "done"]])
        self.assertEqual(
            sorted(self.dovecot.doveadm("mailbox", "list", "-s", "-u",
                                        ALICE).splitlines()),
            sorted(names))

    def test_inbox_exists_in_any_case(self):
        self.dovecot.deliver(ALICE, message())
        self.assertEqual(self.boxes(("create", "inbox"), ("has", "Inbox")),
                         [["existed", "done"], ["there", "done"]])

    def test_what_cannot_be_a_name_is_not_sent(self):
        for name in ("", "a\nb", "x\r\n9 DELETE INBOX", "\x7f", "x" * 2000):
            with self.subTest(name):
                answer = self.one("create", name)
                self.assertRegex(answer[0], "^failed BAD_INPUT")

    def test_refused_name_leaves_the_connection_usable(self):
        answers = self.boxes(("create", "a..b"), ("select", "Nowhere"),
                             ("has", "INBOX"))
        self.assertRegex(answers[0][0],
                         r"^failed REFUSED: cannot create the mailbox a\.\.b")
        self.assertRegex(answers[1][0],
                         "^failed REFUSED: cannot open the mailbox Nowhere")
        self.assertEqual(answers[2], ["there", "done"])

    def test_pattern_is_no_name(self):
        self.assertEqual(self.boxes(("create", "Sent"), ("has", "S%"),
                                    ("has", "*")),
                         [["created", "done"], ["not there", "done"],
                          ["not there", "done"]])

    def test_missing_roles_have_names_to_create(self):
        self.assertEqual(
            self.boxes(("role", "sent"), ("role", "drafts"), ("role", "all")),
            [["role would-be Sent", "done"], ["role would-be Drafts", "done"],
             ["role would-be ", "done"]])

    def test_special_use_comes_before_names(self):
        dovecot = self.bed.dovecot(extra=ROLES)
        self.assertEqual(
            self.boxes(("role", "sent"), ("role", "drafts"), ("role", "all"),
                       dovecot=dovecot),
            [["role is Ausgang", "done"], ["role is Notizen", "done"],
             ["role is Alle Post", "done"]])

    def test_names_of_many_languages_are_known(self):
        for name, role in (("Gesendete Elemente", "sent"),
                           ("Envoyés", "sent"), ("送信済み", "sent"),
                           ("Entwürfe", "drafts"), ("Черновики", "drafts")):
            with self.subTest(name):
                self.assertEqual(
                    self.boxes(("create", name), ("role", role)),
                    [["created", "done"], [f"role is {name}", "done"]])
                self.dovecot.doveadm("mailbox", "delete", "-u", ALICE, name)

    def test_prefix_of_the_server_is_used(self):
        dovecot = self.bed.dovecot(extra=INBOX_PREFIX)
        self.assertEqual(
            self.boxes(("namespace",), ("role", "sent"),
                       ("create", "INBOX.Sent Items"), ("role", "sent"),
                       dovecot=dovecot),
            [["namespace 'INBOX.' '.'", "done"],
             ["role would-be INBOX.Sent", "done"], ["created", "done"],
             ["role is INBOX.Sent Items", "done"]])
        self.assertEqual(self.sent("file", dovecot=dovecot), ["done"])
        self.assertEqual(
            dovecot.doveadm("fetch", "-u", ALICE, "hdr.message-id",
                            "mailbox", "INBOX.Sent Items"),
            f"hdr.message-id: {OUR_ID}\n")


class Appending(BoxesTest):
    def test_message_is_filed_as_it_is(self):
        data = message(body="\r\n".join(["x" * 500] * 10) + "\r\n")
        answers = self.boxes(
            ("append", "Sent", r"\Seen", DATE, self.path(data)),
            ("append", "Sent", r"\Seen \Draft", 0, self.path(data)),
            ("append", "Sent", "", DATE, self.path(data)))
        uidvalidity = int(answers[0][0].split()[1])
        self.assertEqual(answers, [[f"place {uidvalidity} {uid}", "done"]
                                   for uid in (1, 2, 3)])
        self.assert_there("Sent", data, data, data)
        self.assertEqual(self.dovecot.flags(mailbox="Sent"), ["S", "DS", ""])
        received = self.dovecot.doveadm(
            "fetch", "-u", ALICE, "date.received.unixtime",
            "mailbox", "Sent").split()[1::2]
        self.assertEqual((received[0], received[2]), (str(DATE),) * 2)

    def test_missing_mailbox_is_created(self):
        path = self.path(message())
        self.assertEqual(
            self.boxes(("append", "Über", "", 0, path), ("select", "Über"))
            [1][0].split()[2:], ["2", "1"])

    def test_large_message_is_filed(self):
        data = message(body="x" * 76 + "\r\n") + b"y" * 76 + b"\r\n"
        data += (b"z" * 76 + b"\r\n") * (40_000_000 // 78)
        self.put(data)
        self.assert_there("Sent", data)

    def test_what_is_no_message_is_not_sent(self):
        for data in (b"", b"Subject: a\0b\r\n\r\n"):
            answer = self.one("append", "Sent", "", 0, self.path(data))
            self.assertRegex(answer[0], "^failed BAD_INPUT")

    def test_quota_leaves_the_connection_usable(self):
        dovecot = self.bed.dovecot(extra="""
mail_plugins = quota
protocol imap {
  mail_plugins = quota imap_quota
}
plugin {
  quota = count:User quota
  quota_vsizes = yes
  quota_rule = *:storage=1k
}
""")
        data = message(body="x" * 4000 + "\r\n")
        answers = self.boxes(("append", "Sent", "", 0, self.path(data)),
                             ("has", "Sent"), dovecot=dovecot)
        self.assertRegex(answers[0][-1],
                         "^failed RETRY_LATER: cannot file the message: "
                         ".*Quota exceeded")
        self.assertEqual(answers[1][-1], "done")


class Moving(BoxesTest):
    """Messages 1 and 2 in INBOX; 2 is marked as deleted by somebody else."""

    def setUp(self):
        super().setUp()
        self.prepare(self.dovecot)

    def prepare(self, dovecot):
        dovecot.deliver(ALICE, message("one"), message("two"))
        dovecot.doveadm("flags", "add", "-u", ALICE, r"\Deleted", "mailbox",
                        "INBOX", "uid", "2")
        self.boxes(("create", "Über"), dovecot=dovecot)

    def test_message_is_moved_and_its_place_told(self):
        answers = self.boxes(("select", "INBOX"), ("move", 1, "Über"),
                             ("select", "Über"))
        uidvalidity = answers[2][0].split()[1]
        self.assertEqual(answers[1], [f"place {uidvalidity} 1", "done"])
        self.assertIn(b"Subject: two", self.dovecot.messages()[0])

    def test_one_that_is_gone_is_not_moved(self):
        answers = self.boxes(("select", "INBOX"), ("move", 1, "Über"),
                             ("move", 1, "Über"), ("move", 99, "Über"),
                             ("select", "Über"))
        self.assertEqual(answers[2:4], [["gone", "place 0 0", "done"]] * 2)
        self.assertEqual(answers[4][0].split()[3], "1")

    def test_missing_target_is_a_refusal(self):
        answers = self.boxes(("select", "INBOX"), ("move", 1, "Nowhere"),
                             ("move", 1, "Über"))
        self.assertRegex(answers[1][-1], "^failed REFUSED: cannot move")
        self.assertEqual(answers[2][-1], "done")

    def test_without_move_it_is_copied_and_removed(self):
        dovecot = self.bed.dovecot(
            extra="imap_capability = IMAP4rev1 UIDPLUS\n")
        self.prepare(dovecot)
        answers = self.boxes(("select", "INBOX"), ("move", 1, "Über"),
                             ("move", 1, "Über"), ("select", "Über"),
                             dovecot=dovecot)
        uidvalidity = answers[3][0].split()[1]
        self.assertEqual(answers[1], [f"place {uidvalidity} 1", "done"])
        self.assertEqual(answers[2], ["gone", "place 0 0", "done"])
        self.assertIn(b"Subject: two", dovecot.messages()[0])
        self.assertIn(b"Subject: one", dovecot.messages(mailbox="&ANw-ber")[0])

    def test_without_uidplus_nothing_is_expunged(self):
        dovecot = self.bed.dovecot(extra="imap_capability = IMAP4rev1\n")
        self.prepare(dovecot)
        answers = self.boxes(("select", "INBOX"), ("move", 1, "Über"),
                             dovecot=dovecot)
        self.assertEqual(answers[1][-1], "done")
        self.assertEqual(dovecot.flags(), ["T", "T"])
        self.assertIn(b"Subject: one", dovecot.messages(mailbox="&ANw-ber")[0])

    def test_read_only_mailbox_is_refused(self):
        self.dovecot.doveadm("mailbox", "create", "-u", ALICE, "Locked")
        directory = self.dovecot.dir / "mail" / ALICE / ".Locked"
        (directory / "dovecot-acl").write_text("owner lr\n")
        dovecot = self.bed.dovecot(extra="""
mail_plugins = acl
protocol imap {
  mail_plugins = acl imap_acl
}
plugin {
  acl = vfile
}
""")
        self.boxes(("create", "Locked"), dovecot=dovecot)
        directory = dovecot.dir / "mail" / ALICE / ".Locked"
        (directory / "dovecot-acl").write_text("owner lr\n")
        answers = self.boxes(("select", "Locked"), ("has", "INBOX"),
                             dovecot=dovecot)
        self.assertRegex(answers[0][0],
                         "^failed REFUSED: .* Locked be read only")
        self.assertEqual(answers[1][-1], "done")


class Searching(BoxesTest):
    def test_message_is_found_by_its_id(self):
        self.put(message())
        self.put(message(message_id="<other@example.test>"))
        answers = self.boxes(("select", "Sent"), ("search-id", OUR_ID),
                             ("search-id", "<nobody@example.test>"))
        self.assertEqual(
            answers[1:],
            [["found 1", f"header 1 {DATE} Hello bob@example.test", "done"],
             ["found 0", "done"]])

    def test_id_cannot_hold_a_command(self):
        for wrong in ("", "a\r\n9 DELETE INBOX", "é"):
            answers = self.boxes(("select", "INBOX"), ("search-id", wrong))
            self.assertRegex(answers[1][0], "^failed BAD_INPUT")
        self.assertEqual(
            self.boxes(("select", "INBOX"), ("search-id", 'a"\\ b'))[1],
            ["found 0", "done"])

    def test_messages_of_the_day_are_found_in_any_zone(self):
        days = [DATE + hours * 3600 for hours in (-72, -26, -1, 0, 12, 50)]
        for day in days:
            self.put(message(str(day), date=day))
        found = self.boxes(("select", "Sent"), ("search-date", DATE))[1]
        subjects = [line.split()[3] for line in found[1:-1]]
        self.assertEqual(subjects, [str(day) for day in days[1:5]])

    def test_large_mailbox_is_searched_in_pieces(self):
        directory = self.dovecot.dir / "mail" / ALICE / ".Sent" / "new"
        self.boxes(("create", "Sent"))
        directory.mkdir(exist_ok=True)
        for i in range(5_020):
            (directory / f"{DATE + i}.M{i}.host").write_bytes(
                message(str(i), date=DATE + i % 3))
        user = self.dovecot.dir / "mail" / ALICE
        owner = os.stat(user)
        for path in [directory, *directory.iterdir()]:
            os.chown(path, owner.st_uid, owner.st_gid)
        found = self.boxes(("select", "Sent"), ("search-date", DATE))[1]
        self.assertEqual((found[0], found[-1]), ("found 5020", "done"))
        self.assertEqual(len({line.split()[3] for line in found[1:-1]}),
                         5_020)

    def test_endless_header_does_not_end_the_look(self):
        self.put(message(to="bob@example.test, " * 20_000 + "x@example.test",
                         message_id="<1@example.test>"))
        self.put(message())
        self.assertEqual(self.sent("find"), ["found", "done"])


class SentCopies(BoxesTest):
    REWRITTEN = "".join((
        "Message-ID: " + SERVER_ID + "\r\n",
        "To: =?iso-8859-1?Q?B=F6b?= <BOB@example.test>,\r\n"
        "\tcarol@example.test\r\n",
        "Subject: =?iso-8859-1?Q?Gr=FC=DFe?=\r\n",
        "Date: Mon, 21 Sep 2026 16:13:20 +0200\r\n\r\nBody\r\n")).encode()
    ORIGINAL = message(subject="=?utf-8?q?Gr=C3=BC=C3=9Fe?=",
                       to="bob@example.test",
                       more="Cc: carol@example.test\r\n")

    def test_without_any_sent_mailbox_nothing_is_found(self):
        self.assertEqual(self.sent("find"), ["not found", "done"])
        self.assertEqual(self.sent("find", mailbox="Nowhere"),
                         ["not found", "done"])

    def test_copy_is_filed_once_as_read(self):
        for _ in range(3):
            self.assertEqual(self.sent("file"), ["done"])
        self.assert_there("Sent", message())
        self.assertEqual(self.dovecot.flags(mailbox="Sent"), ["S"])
        self.assertEqual(self.sent("find"), ["found", "done"])

    def test_copy_goes_where_the_settings_say(self):
        self.assertEqual(self.sent("file", mailbox="Über"), ["done"])
        self.assertEqual(self.sent("file", mailbox="Über"), ["done"])
        self.assert_there("&ANw-ber", message())
        self.assertEqual(self.sent("find"), ["not found", "done"])
        self.assertEqual(self.sent("find", mailbox="Über"), ["found", "done"])

    def test_all_mail_is_looked_through_after_sent(self):
        dovecot = self.bed.dovecot(extra=ROLES)
        self.assertEqual(self.sent("find", dovecot=dovecot),
                         ["not found", "done"])
        self.put(message(), "Alle Post", dovecot)
        self.assertEqual(self.sent("find", dovecot=dovecot),
                         ["found", "done"])
        self.put(message(), "Ausgang", dovecot)
        self.assertEqual(self.sent("find", dovecot=dovecot),
                         ["found", "done"])

    def test_replaced_id_is_found_by_the_servers(self):
        other = message("x", "x@example.test", 1_700_000_000, SERVER_ID)
        self.put(other)
        for server_id, found in ((SERVER_ID, True), (SERVER_ID[1:-1], True),
                                 (SERVER_ID[1:].split("@")[0], True),
                                 (SERVER_ID[1:-3], False),
                                 (SERVER_ID[3:-1], False),
                                 ("<short@x>", False), ("", False)):
            with self.subTest(server_id):
                self.assertEqual(
                    self.sent("find", server_id=server_id)[0],
                    "found" if found else "not found")

    def test_rewritten_header_is_known_again(self):
        self.put(self.REWRITTEN)
        self.assertEqual(self.sent("find", self.ORIGINAL), ["found", "done"])

    def test_nothing_less_than_all_three_will_do(self):
        for line, other in (
                (b"Mon, 21 Sep 2026 16:13:20", b"Mon, 21 Sep 2026 16:13:21"),
                (b"Gr=FC=DFe", b"Gr=FC=DF"),
                (b"BOB@", b"BOBBY@"),
                (b"\r\n\tcarol@example.test", b""),
                (b"\r\n\tcarol@example.test",
                 b"\r\n\tcarol@example.test, dave@example.test")):
            changed = self.REWRITTEN.replace(line, other)
            self.assertNotEqual(changed, self.REWRITTEN)
            self.put(changed)
        self.assertEqual(self.sent("find", self.ORIGINAL),
                         ["not found", "done"])

    def test_another_message_of_ours_is_not_this_one(self):
        self.put(message(message_id=OUR_ID.replace("0123", "4567")))
        self.assertEqual(self.sent("find"), ["not found", "done"])
        self.assertEqual(self.sent("file"), ["done"])
        self.assertEqual(len(self.dovecot.messages(mailbox="Sent")), 2)
