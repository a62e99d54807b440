# SPDX-License-Identifier: ISC
"""The copy in Sent: it is there once, in the mailbox that the server has for
it, and what goes wrong with it changes nothing about the message."""
import concurrent.futures
import unittest

from bed import BedTestCase
from bed.mailhost import LATE, NOBODY, SERVER
from bed.smtp_proxy import answer, cut, once
from integration.outbound import Account, message_ids

AT_ONCE = 8     # most of a case is waiting
SPECIAL = """
namespace inbox {
  mailbox Gesendet {
    auto = create
    special_use = \\Sent
  }
}
"""
USUAL = """
namespace inbox {
  mailbox "Sent Items" {
    auto = create
  }
}
"""
BENEATH_INBOX = """
namespace inbox {
  separator = .
  prefix = INBOX.
}
"""
TRANSLATED = """
namespace inbox {
  mailbox Gesendet {
    auto = create
  }
}
"""


class SentTestCase(BedTestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.host = cls.bed.mail_host()
        cls.names = iter(range(100000))

    def account(self, *args, **settings):
        return Account(self.host, self.bed, f"s{next(self.names)}", *args,
                       **settings)

    def check(self, account, reply, arrived=1, in_sent=1, state="sent"):
        """What there is in the end."""
        account.settle()
        entry, = account.entries()
        self.assertEqual(entry["state"], state)
        expected = reply["message_id"].partition("@")[0]
        self.assertEqual(message_ids(account.arrived()), arrived * [expected])
        self.assertEqual(message_ids(account.in_sent()), in_sent * [expected])


class OurCopy(SentTestCase):
    FAULTS = (
        ("AUTHENTICATE", cut), ("AUTHENTICATE done", cut),
        ("LIST", cut), ("LIST done", cut),
        ("SELECT", cut), ("SELECT done", cut),
        ("EXAMINE", cut), ("EXAMINE done", cut),
        ("SEARCH", cut), ("SEARCH done", cut),
        ("SEARCH", answer("NO [UNAVAILABLE] not now")),
        ("APPEND", cut), ("APPEND done", cut),
        ("APPEND", answer("NO [UNAVAILABLE] not now")))

    def check_fault(self, place, fault):
        account = self.account(NOBODY, "append")
        account.imap.at = {place: fault}
        reply = account.send().json
        self.assertEqual(reply["state"], "sent", reply)
        account.imap.at = {}
        account.finish()
        self.check(account, reply)
        account.close()

    def test_copy_is_made_once_whatever_happens_meanwhile(self):
        cases = [(place, what) for place, fault in self.FAULTS
                 for what in (fault, once(fault))]
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            jobs = {pool.submit(self.check_fault, *case): case
                    for case in cases}
            for job, case in jobs.items():
                with self.subTest(case=case):
                    job.result()

    def test_copy_that_the_server_will_not_have_is_given_up(self):
        account = self.account(NOBODY, "append")
        account.imap.at = {"APPEND": answer("NO [OVERQUOTA] full")}
        result = account.send()
        self.assertEqual(result.json["state"], "sent")
        self.assertEqual(account.proxy.count, 1)
        for _ in range(3):
            account.work()
        self.check(account, result.json, in_sent=0)
        account.imap.at = {}
        account.finish()
        self.assertLessEqual(len(account.in_sent()), 1)
        self.assertEqual(account.proxy.count, 1)

    def test_message_that_is_there_already_is_not_filed_again(self):
        """By a server of which nobody knew that it files."""
        account = self.account(SERVER, "append")
        account.imap.at = {"AUTHENTICATE": cut}
        reply = account.send().json
        account.imap.at = {}
        account.settle()
        account.finish()
        self.check(account, reply)


class ServersCopy(SentTestCase):
    AWAY = {"AUTHENTICATE": cut, "LOGIN": cut}
    UNANSWERED = {"SEARCH": answer("NO [UNAVAILABLE] not now")}

    def test_nothing_is_sent_again_before_the_server_was_asked(self):
        for imap in (self.AWAY, self.UNANSWERED):
            for step, count in (("dot", 0), ("dotted", 1)):
                with self.subTest(imap=imap, step=step):
                    account = self.account(SERVER, "server")
                    account.proxy.at = {step: once(cut)}
                    account.imap.at = imap
                    reply = account.send().json
                    self.assertEqual(reply["state"], "uncertain")
                    for _ in range(6):
                        account.work()
                    self.assertEqual(account.proxy.count, 1)
                    self.assertEqual(len(account.arrived()), count)
                    entry, = account.entries()
                    self.assertEqual(entry["state"], "uncertain")
                    account.imap.at = {}
                    account.finish()
                    self.check(account, reply)

    def test_copy_that_is_filed_after_the_last_look(self):
        for policy, arrived, state in (("retry", 2, "sent"),
                                       ("hold", 1, "uncertain")):
            with self.subTest(policy=policy):
                account = self.account(LATE, "server", policy)
                account.proxy.at = {"dotted": once(cut)}
                reply = account.send().json
                self.assertEqual(reply["state"], "uncertain")
                account.finish()
                self.check(account, reply, arrived, arrived, state)


class WhichMailbox(BedTestCase):
    def check(self, mailboxes, expected, **settings):
        """Files once by us and once by the server."""
        host = self.bed.mail_host(mailboxes=mailboxes, sent=expected)
        account = Account(host, self.bed, "we", NOBODY, "append", **settings)
        reply = account.send().json
        self.assertEqual(reply["state"], "sent")
        account.finish()
        sent = message_ids(account.in_sent(expected))
        self.assertEqual(sent, [reply["message_id"].partition("@")[0]])
        self.assertEqual(
            [name for name in self.mailboxes(host, account)
             if "sent" in name.lower() or "gesendet" in name.lower() or
             name == expected], [expected])
        account = Account(host, self.bed, "server", SERVER, "server",
                          **settings)
        account.proxy.at = {"dotted": once(cut)}
        self.assertEqual(account.send().json["state"], "sent")
        self.assertEqual(len(account.arrived()), 1)

    @staticmethod
    def mailboxes(host, account):
        return host.dovecot.doveadm(
            "mailbox", "list", "-u", account.user).split("\n")

    def test_the_one_that_the_server_names(self):
        self.check(SPECIAL, "Gesendet")

    def test_one_of_a_usual_name(self):
        self.check(USUAL, "Sent Items")

    def test_one_of_a_usual_name_in_another_language(self):
        self.check(TRANSLATED, "Gesendet")

    def test_where_there_is_none_it_is_made(self):
        self.check("", "Sent")

    def test_the_one_that_the_settings_name(self):
        self.check(SPECIAL.replace("Gesendet", "Other"), "Kopien",
                   EMAIL_SENT_MAILBOX="Kopien")

    def test_beneath_inbox_where_the_server_has_all_there(self):
        host = self.bed.mail_host(mailboxes=BENEATH_INBOX)
        account = Account(host, self.bed, "we", NOBODY, "append")
        self.assertEqual(account.send().json["state"], "sent")
        account.finish()
        self.assertIn("INBOX.Sent", self.mailboxes(host, account))
        self.assertEqual(len(account.in_sent()), 1)


if __name__ == "__main__":
    unittest.main()
