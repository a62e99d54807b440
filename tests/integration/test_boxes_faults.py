# SPDX-License-Identifier: ISC
"""What is changed and looked for in mailboxes, at servers that can little or
misbehave."""
import threading

from bed import BedTestCase
from integration.boxprobe import ALICE, boxes

OUR_ID = "<0123456789abcdef0123456789abcdef@example.test>"
MESSAGE = (f"To: bob@example.test\r\nSubject: Hello\r\nMessage-ID: {OUR_ID}"
           "\r\nDate: Mon, 21 Sep 2026 14:13:20 +0000\r\n\r\nBody\r\n")
OPENED = "* 2 EXISTS\r\n* OK [UIDVALIDITY 7] x\r\n"
SIZE = r"UID FETCH (\d+) \(UID RFC822.SIZE\)"
HEADERS = (r"UID FETCH (\S+) \(UID BODY.PEEK\[HEADER.FIELDS "
           r"\(DATE SUBJECT TO CC MESSAGE-ID\)\]<0.65536>\)")


class Peer:
    """The server's side: what it expects and says, with tags of its own."""

    def __init__(self, conn, capabilities):
        self.conn, self.tag = conn, 1
        conn.send("* OK [CAPABILITY IMAP4rev1] scripted\r\n")
        self.expect(f'LOGIN "{ALICE}" "alice-pw"')
        self.ok(code=f"[CAPABILITY IMAP4rev1 {capabilities}]")

    def expect(self, command):
        return self.conn.expect(f"{self.tag} {command}")

    def say(self, text):
        self.conn.send(text)

    def ok(self, untagged="", code=""):
        self.conn.send(f"{untagged}{self.tag} OK {code} done\r\n")
        self.tag += 1

    def no(self, text="no"):
        self.conn.send(f"{self.tag} NO {text}\r\n")
        self.tag += 1

    def bad(self):
        self.conn.send(f"{self.tag} BAD what?\r\n")
        self.tag += 1

    def select(self, name="INBOX", verb="SELECT"):
        self.expect(f'{verb} "{name}"')
        self.ok(OPENED)

    def sizes(self, there=True):
        uid = self.expect(SIZE)[1]
        self.ok(f"* 1 FETCH (UID {uid} RFC822.SIZE 10)\r\n" if there else "")

    def headers(self, text):
        """Answers a FETCH of one header."""
        uid = self.expect(HEADERS)[1]
        self.ok(f"* 1 FETCH (UID {uid} BODY[HEADER.FIELDS (DATE SUBJECT TO "
                f"CC MESSAGE-ID)]<0> {{{len(text)}}}\r\n{text})\r\n")

    def literal(self, mailbox="Sent", size=len(MESSAGE)):
        self.expect(rf'APPEND "{mailbox}" \(\\Seen\) \{{{size}\}}')
        self.say("+ go\r\n")
        data = self.conn.read(size)
        assert self.conn.readline() == ""
        return data.decode()

    def logout(self):
        self.expect("LOGOUT")
        self.ok("* BYE\r\n")


class FaultTest(BedTestCase):
    def setUp(self):
        super().setUp()
        self.path = self.bed.subdir("message") / "message"
        self.path.write_text(MESSAGE, newline="")
        self.append = ("append", "Sent", r"\Seen", 0, self.path)

    def boxes(self, script, *commands, capabilities=""):
        """What boxprobe says to a server that does script(Peer)."""
        server = self.bed.scripted_server(
            lambda conn: script(Peer(conn, capabilities)))
        answers = boxes(self.bed, server.port, *commands, host="127.0.0.1")
        server.stop()
        return answers

    def assert_broken(self, answer, text, status="RETRY_LATER"):
        self.assertRegex(answer[-2], f"^failed {status}: .*{text}")
        self.assertEqual(answer[-1], "broken")

    def assert_failed(self, answer, status, text):
        self.assertRegex(answer[-1], f"^failed {status}: .*{text}")


class Little(FaultTest):
    """Servers without extensions."""

    def test_roles_are_found_by_plain_list(self):
        def script(peer):
            for role in range(3):
                peer.expect('LIST "" ""')
                peer.ok('* LIST (\\Noselect) "/" ""\r\n')
                peer.expect(r'LIST "" "\*"')
                peer.ok('* LIST () "/" INBOX\r\n'
                        '* LIST () "/" "Sent Items"\r\n'
                        '* LIST (\\Drafts) "/" {3}\r\nx\\y\r\n'
                        '* LIST (\\All \\NoSelect) "/" All\r\n')
            peer.logout()

        self.assertEqual(
            self.boxes(script, ("role", "sent"), ("role", "drafts"),
                       ("role", "all")),
            [["role is Sent Items", "done"], ["role is x\\y", "done"],
             ["role would-be ", "done"]])

    def test_list_options_that_are_not_understood_are_left_out(self):
        def script(peer):
            peer.expect('LIST "" ""')
            peer.ok('* LIST (\\Noselect) "/" ""\r\n')
            peer.expect(r'LIST "" "\*" RETURN \(SPECIAL-USE\)')
            peer.bad()
            peer.expect(r'LIST "" "\*"')
            peer.ok('* LIST (\\Sent) "/" Out\r\n')
            peer.logout()

        self.assertEqual(
            self.boxes(script, ("role", "sent"),
                       capabilities="SPECIAL-USE LIST-EXTENDED"),
            [["role is Out", "done"]])

    def test_existing_mailbox_without_a_code_is_looked_up(self):
        def script(peer):
            peer.expect('CREATE "Sent"')
            peer.no("Mailbox exists")
            peer.expect('LIST "" "Sent"')
            peer.ok('* LIST () "/" Sent\r\n')
            peer.expect('CREATE "a"')
            peer.no("[ALREADYEXISTS] yes")
            peer.expect('CREATE "b"')
            peer.no("not that one")
            peer.expect('LIST "" "b"')
            peer.ok('* LIST (\\NoSelect) "/" b\r\n')
            peer.expect('CREATE "c"')
            peer.ok()
            peer.expect('SUBSCRIBE "c"')
            peer.no()
            peer.logout()

        answers = self.boxes(script, ("create", "Sent"), ("create", "a"),
                             ("create", "b"), ("create", "c"))
        self.assertEqual(answers[:2], [["existed", "done"]] * 2)
        self.assert_failed(answers[2], "REFUSED", "not that one")
        self.assertEqual(answers[3], ["created", "done"])

    def test_without_move_and_places_the_message_is_looked_for(self):
        def script(peer):
            peer.select()
            peer.sizes()
            peer.expect('UID COPY 5 "Work"')
            peer.ok()
            peer.sizes()
            peer.expect(r"UID STORE 5 \+FLAGS.SILENT \(\\Deleted\)")
            peer.ok()       # and no EXPUNGE of any kind
            peer.sizes()
            peer.expect('UID COPY 6 "Work"')
            peer.ok()
            peer.sizes(there=False)
            peer.logout()

        self.assertEqual(
            self.boxes(script, ("select", "INBOX"), ("move", 5, "Work"),
                       ("move", 6, "Work"))[1:],
            [["place 0 0", "done"], ["gone", "place 0 0", "done"]])

    def test_copy_whose_original_cannot_be_removed_is_told(self):
        def script(peer):
            peer.select()
            peer.sizes()
            peer.expect('UID COPY 5 "Work"')
            peer.ok(code="[COPYUID 9 5 70]")
            peer.expect(r"UID STORE 5 \+FLAGS.SILENT \(\\Deleted\)")
            peer.no("not here")
            peer.expect(r"UID STORE 5 \+FLAGS.SILENT \(\\Deleted\)")
            peer.ok()
            peer.expect("UID EXPUNGE 5")
            peer.ok("* 1 EXPUNGE\r\n")
            peer.logout()

        answers = self.boxes(script, ("select", "INBOX"), ("move", 5, "Work"),
                             ("remove", 5), capabilities="UIDPLUS")
        self.assertEqual(answers[1][:2], ["copied", "place 9 70"])
        self.assert_failed(answers[1], "REFUSED", "not here")
        self.assertEqual(answers[2], ["done"])

    def test_search_without_an_answer_finds_nothing(self):
        def script(peer):
            peer.select()
            peer.expect(f'UID SEARCH HEADER Message-ID "{OUR_ID}"')
            peer.ok()
            peer.expect(r"UID SEARCH 1:\* SENTSINCE 31-Dec-2023 "
                        "SENTBEFORE 3-Jan-2024")
            peer.ok("* SEARCH\r\n")
            peer.logout()

        self.assertEqual(
            self.boxes(script, ("select", "INBOX"), ("search-id", OUR_ID),
                       ("search-date", 1704067200 + 3600))[1:],
            [["found 0", "done"]] * 2)

    def test_empty_mailbox_is_not_searched_by_number(self):
        def script(peer):
            peer.expect('SELECT "INBOX"')
            peer.ok("* 0 EXISTS\r\n* OK [UIDVALIDITY 7] x\r\n")
            peer.logout()

        self.assertEqual(self.boxes(script, ("select", "INBOX"),
                                    ("search-date", 1704067200))[1],
                         ["found 0", "done"])


class Appending(FaultTest):
    def test_missing_mailbox_is_created_once(self):
        def script(peer):
            peer.expect(r'APPEND "Sent" .*')
            peer.no("[TRYCREATE] not there")
            peer.expect('CREATE "Sent"')
            peer.ok()
            peer.expect('SUBSCRIBE "Sent"')
            peer.ok()
            got.append(peer.literal())
            peer.no("[TRYCREATE] still not there")
            peer.expect('CREATE "Sent"')
            peer.no("never")
            peer.expect('LIST "" "Sent"')
            peer.ok()
            peer.logout()

        got = []
        answers = self.boxes(script, self.append, ("create", "Sent"))
        self.assertEqual(got, [MESSAGE])
        self.assert_failed(answers[0], "REFUSED", "still not there")
        self.assert_failed(answers[1], "REFUSED", "never")

    def test_server_that_looks_late_is_given_it_again(self):
        def script(peer):
            peer.literal()
            peer.no("[TRYCREATE] not there")
            peer.expect('CREATE "Sent"')
            peer.ok()
            peer.expect('SUBSCRIBE "Sent"')
            peer.ok()
            peer.literal()
            peer.ok(code="[APPENDUID 3 4]")
            peer.logout()

        self.assertEqual(self.boxes(script, self.append),
                         [["place 3 4", "done"]])

    def test_place_that_is_nonsense_is_not_told(self):
        for code in ("", "[APPENDUID 3]", "[APPENDUID 0 0]",
                     "[APPENDUID 3 4:5]", "[APPENDUID x y]"):
            def script(peer):
                peer.literal()
                peer.ok(code=code)
                peer.logout()

            with self.subTest(code):
                self.assertEqual(self.boxes(script, self.append),
                                 [["place 0 0", "done"]])

    def test_refusal_before_the_bytes_leaves_the_connection_usable(self):
        for text, status in (("[LIMIT] too large", "RETRY_LATER"),
                             ("[NOPERM] no", "REFUSED"),
                             ("no", "REFUSED"),
                             ("[UNAVAILABLE] later", "RETRY_LATER")):
            def script(peer):
                peer.expect(r'APPEND "Sent" .*')
                peer.no(text)
                peer.literal()
                peer.ok()
                peer.logout()

            with self.subTest(text):
                answers = self.boxes(script, self.append, self.append)
                self.assert_failed(answers[0], status, "cannot file")
                self.assertEqual(answers[1][-1], "done")

    def test_lost_answer_breaks_the_connection(self):
        def nothing(peer):
            peer.literal()

        def bye(peer):
            peer.literal()
            peer.say("* BYE out of memory\r\n")

        def bye_before(peer):
            peer.expect(r'APPEND "Sent" .*')
            peer.say("* BYE Session expired\r\n")

        def middle(peer):
            peer.expect(r'APPEND "Sent" .*')
            peer.say("+ go\r\n")
            peer.conn.read(20)
            peer.say("* BYE no more\r\n")
            peer.conn.rst()

        def wrong_tag(peer):
            peer.literal()
            peer.say("77 OK done\r\n")
            peer.conn.readline()

        def ok_before(peer):
            peer.expect(r'APPEND "Sent" .*')
            peer.ok()
            peer.conn.readline()

        def twice(peer):
            peer.literal()
            peer.say("+ more\r\n")
            peer.conn.readline()

        def no_imap(peer):
            peer.expect(r'APPEND "Sent" .*')
            peer.say("HTTP/1.1 400 Bad Request\r\n")
            peer.conn.readline()

        def endless(peer):
            peer.expect(r'APPEND "Sent" .*')
            while True:
                peer.say("x" * 65536)

        def endless_lines(peer):
            peer.literal()
            while True:
                peer.say("* OK still working on it\r\n" * 1000)

        for script, text in ((nothing, "closed"), (bye, "out of memory"),
                             (bye_before, "Session expired"), (middle, ""),
                             (wrong_tag, "IMAP server"),
                             (ok_before, "before it had it"),
                             (twice, "IMAP server"), (no_imap, "IMAP server"),
                             (endless, "without end"),
                             (endless_lines, "more than belongs")):
            with self.subTest(script.__name__):
                self.assert_broken(self.boxes(script, self.append)[0], text)

    def test_deadline_holds_for_the_whole_command(self):
        self.path.write_bytes(b"x" * 40_000_000)

        def reads_nothing(peer):
            peer.expect(r'APPEND "Sent" .*')
            peer.say("+ go\r\n")
            self.done.wait()

        def says_little(peer):
            peer.expect(r'APPEND "Sent" .*')
            while not self.done.wait(0.05):
                peer.say("* OK wait\r\n")

        for script in reads_nothing, says_little:
            with self.subTest(script.__name__):
                self.done = threading.Event()
                server = self.bed.scripted_server(
                    lambda conn: script(Peer(conn, "")))
                answers = boxes(self.bed, server.port, ("deadline", 500),
                                self.append, host="127.0.0.1")
                self.done.set()
                self.assert_broken(answers[1], "timed? ?out|in time")


class Moving(FaultTest):
    def move(self, script, capabilities="MOVE UIDPLUS", commands=()):
        def whole(peer):
            peer.select()
            peer.sizes()
            script(peer)

        return self.boxes(whole, ("select", "INBOX"), ("move", 5, "Work"),
                          *commands, capabilities=capabilities)[1]

    def test_place_that_is_nonsense_is_not_told(self):
        for code in ("[COPYUID 9 6 70]", "[COPYUID 9 5:6 70:71]",
                     "[COPYUID 9 5 0]", "[COPYUID 9 5 70,71]", "[COPYUID]",
                     "[COPYUID 99999999999 5 70]", "[APPENDUID 9 70]"):
            def script(peer):
                peer.expect('UID MOVE 5 "Work"')
                peer.ok(f"* OK {code} x\r\n* 1 EXPUNGE\r\n", code)
                peer.sizes(there=False)
                peer.logout()

            with self.subTest(code):
                self.assertEqual(self.move(script), ["place 0 0", "done"])

    def test_place_is_taken_from_either_reply(self):
        for untagged, code in (("* OK [COPYUID 9 5 70] x\r\n", ""),
                               ("", "[COPYUID 9 5 70]"),
                               ("* OK [COPYUID 9 5 70] x\r\n* LIST () \"/\" "
                                "{20}\r\n* OK [COPYUID 8 5 1]\r\n", "")):
            def script(peer):
                peer.expect('UID MOVE 5 "Work"')
                peer.ok(untagged, code)
                peer.logout()

            self.assertEqual(self.move(script), ["place 9 70", "done"])

    def test_move_that_does_nothing_is_not_believed(self):
        def script(peer):
            peer.expect('UID MOVE 5 "Work"')
            peer.ok()
            peer.sizes()

        self.assert_broken(self.move(script), "still has it")

    def test_refusal_leaves_the_connection_usable(self):
        for text, status in (("[TRYCREATE] nowhere", "REFUSED"),
                             ("[INUSE] later", "RETRY_LATER")):
            def script(peer):
                peer.expect('UID MOVE 5 "Work"')
                peer.no(text)
                peer.logout()

            answer = self.move(script)
            self.assert_failed(answer, status, "cannot move")
            self.assertEqual(answer[0], "place 0 0")

    def test_lost_answer_breaks_the_connection(self):
        def script(peer):
            peer.expect('UID MOVE 5 "Work"')

        self.assert_broken(self.move(script), "closed")

    def test_message_0_is_nobodys(self):
        def script(peer):
            peer.select()
            peer.logout()

        self.assert_failed(
            self.boxes(script, ("select", "INBOX"), ("move", 0, "Work"))[1],
            "BUG", "message 0")


class Looking(FaultTest):
    """After the roles, which are the same each time."""

    def look(self, *scripts, verb="find", server_id=""):
        def whole(peer):
            self.roles(peer)
            for script in scripts:
                script(peer)
            peer.logout()

        return self.boxes(whole, (verb, "", OUR_ID, server_id, 1790000000,
                                  self.path))[0]

    @staticmethod
    def roles(peer):
        peer.expect('LIST "" ""')
        peer.ok('* LIST (\\Noselect) "/" ""\r\n')
        peer.expect(r'LIST "" "\*"')
        peer.ok('* LIST (\\Sent) "/" Sent\r\n* LIST (\\All) "/" Sent\r\n')

    @staticmethod
    def examine(peer):
        peer.select("Sent", "EXAMINE")

    @staticmethod
    def search_id(*uids, refuse=""):
        def script(peer):
            peer.expect("UID SEARCH HEADER Message-ID .*")
            if refuse:
                peer.no(refuse)
            else:
                peer.ok("* SEARCH" + "".join(f" {n}" for n in uids) + "\r\n")
        return script

    @staticmethod
    def search_date(*uids, refuse=""):
        def script(peer):
            peer.expect(r"UID SEARCH 1:\* SENTSINCE 20-Sep-2026 "
                        "SENTBEFORE 23-Sep-2026")
            if refuse:
                peer.no(refuse)
            else:
                peer.ok("* SEARCH" + "".join(f" {n}" for n in uids) + "\r\n")
        return script

    @staticmethod
    def header(text):
        return lambda peer: peer.headers(text)

    def test_what_a_search_finds_is_compared(self):
        other = MESSAGE.replace(OUR_ID, "<x@example.test>").replace(
            "Hello", "Bye")
        self.assertEqual(
            self.look(self.examine, self.search_id(3), self.header(other),
                      self.search_date(3), self.header(other), self.roles),
            ["not found", "done"])
        self.assertEqual(
            self.look(self.examine, self.search_id(3), self.header(MESSAGE)),
            ["found", "done"])

    def test_server_that_does_not_search_headers_is_not_believed(self):
        self.assertEqual(
            self.look(self.examine, self.search_id(), self.search_date(4),
                      self.header(MESSAGE)),
            ["found", "done"])

    def test_header_without_its_end_is_compared_with_nothing(self):
        text = MESSAGE.partition("Message-ID")[0].replace(
            "To:", "Date: Mon, 21 Sep 2026 14:13:20 +0000\r\nTo:")
        text += "Message-ID: <"
        text += "x" * (65536 - len(text))   # and a Cc, perhaps
        self.assertEqual(
            self.look(self.examine, self.search_id(), self.search_date(4),
                      self.header(text), self.roles), ["not found", "done"])
        self.assertEqual(
            self.look(self.examine, self.search_id(), self.search_date(4),
                      self.header(text[:-1])), ["found", "done"])

    def test_refused_search_is_no_answer(self):
        for scripts in ((self.search_id(refuse="[BADCHARSET] no"),),
                        (self.search_id(), self.search_date(refuse="no"))):
            self.assert_failed(self.look(self.examine, *scripts), "REFUSED",
                               "cannot search")
        self.assert_failed(
            self.look(self.examine, self.search_id(refuse="[LIMIT] slow")),
            "RETRY_LATER", "cannot search")

    def test_refused_list_is_no_answer(self):
        def script(peer):
            peer.expect('LIST "" ""')
            peer.no("not now")
            peer.logout()

        answer = self.boxes(script, ("find", "", OUR_ID, "", 1790000000,
                                     self.path))[0]
        self.assert_failed(answer, "REFUSED", "cannot list")

    def test_broken_answers_are_no_answer(self):
        def hopeless(line):
            def script(peer):
                peer.expect("UID SEARCH HEADER Message-ID .*")
                peer.ok(line + "\r\n")
            return script

        for line, text in (("* SEARCH x", "not understood"),
                           ("* SEARCH 1:9", "not understood"),
                           ("* SEARCH " + "1 " * 40000, "without end"),
                           ("* BYE enough", "enough")):
            with self.subTest(line[:20]):
                self.assert_broken(
                    self.look(self.examine, hopeless(line)), text)

    def test_sent_that_cannot_be_opened_is_no_answer(self):
        def script(peer):
            peer.expect('EXAMINE "Sent"')
            peer.no("[NOPERM] no")

        self.assert_broken(self.look(script), "cannot open the mailbox Sent")

    def test_headers_that_are_refused_are_no_answer(self):
        def no(peer):
            peer.expect(HEADERS)
            peer.no("not now")

        def too_large(peer):
            peer.expect(HEADERS)
            peer.say("* 1 FETCH (UID 3 BODY[HEADER.FIELDS (DATE SUBJECT TO CC "
                     "MESSAGE-ID)]<0> {65537}\r\n")

        def whole(peer):
            peer.expect(HEADERS)
            peer.say("* 1 FETCH (UID 3 BODY[] {5}\r\n")

        self.assert_failed(
            self.look(self.examine, self.search_id(3), no), "RETRY_LATER",
            "not now")
        self.assert_broken(
            self.look(self.examine, self.search_id(3), too_large), "larger")
        self.assert_broken(
            self.look(self.examine, self.search_id(3), whole),
            "nobody asked for")

    def test_copy_is_not_filed_when_the_look_fails(self):
        self.assert_failed(
            self.look(self.examine, self.search_id(refuse="no"), verb="file"),
            "REFUSED", "cannot search")

    def test_copy_that_is_there_is_not_filed_again(self):
        self.assertEqual(
            self.look(self.examine, self.search_id(3), self.header(MESSAGE),
                      verb="file"), ["done"])

    def test_copy_is_filed_with_its_date(self):
        def script(peer):
            peer.expect(r'APPEND "Sent" \(\\Seen\) '
                        r'"21-Sep-2026 14:13:20 \+0000" \{\d+\}')
            peer.say("+ \r\n")
            got.append(peer.conn.read(len(MESSAGE)).decode())
            peer.conn.readline()
            peer.ok()

        got = []
        self.assertEqual(
            self.look(self.examine, self.search_id(), script, verb="file"),
            ["done"])
        self.assertEqual(got, [MESSAGE])
