# SPDX-License-Identifier: ISC
"""What becomes of a message when sending it goes wrong, by what goes wrong, who
files the copy in Sent, and what the policy for lost answers is.

The servers are real, and a proxy in front of the submission server breaks it.
What a case showed is a row of the table in docs/outbound.md, which

    MAILTOKEN_BUILD=build MAILTOKEN_LONG=1 MAILTOKEN_WRITE_TABLE=1 \\
        python3 -m unittest integration.test_outbound_faults.Matrix

writes anew.
"""
import collections
import concurrent.futures
import itertools
import os
import re
import unittest
from pathlib import Path

from bed import BedTestCase
from bed.clock import fast_clock
from bed.connector import Connector
from bed.helper import USER, Helper
from bed.smtp_proxy import (SmtpProxy, answer, cut, drip, goodbye, once,
                            reset, silence)
from integration.outbound import FACTOR, FILERS, Account, message_ids

LONG = bool(os.environ.get("MAILTOKEN_LONG"))
WRITE = bool(os.environ.get("MAILTOKEN_WRITE_TABLE"))
DOCUMENT = Path(__file__).parents[2] / "docs/outbound.md"
BEGIN, END = "<!-- table: begin -->\n", "<!-- table: end -->\n"
AT_ONCE = 16    # most of a case is waiting

POLICIES = ("retry", "hold")


# What goes wrong: (in words, step, what the server does).  It lasts until
# `send` has given its answer; an answer that is
# lost is lost once.
BEFORE_LOGIN = [
    ("connection lost before the greeting", "greeting", cut),
    ("connection reset before the greeting", "greeting", reset),
    ("greeting 421", "greeting", goodbye),
    ("greeting 554", "greeting", answer("554 5.3.2 not in service")),
    ("no greeting", "greeting", silence),
    ("greeting without an end", "greeting", drip),
    ("connection lost at STARTTLS", "starttls", cut),
    ("STARTTLS: 454", "starttls", answer("454 4.7.0 no TLS today")),
    ("connection lost at AUTH", "auth", cut),
    ("AUTH: 454", "auth", answer("454 4.7.0 not now")),
    ("AUTH: 535", "auth", answer("535 5.7.8 not you")),
    ("no answer to AUTH", "auth", silence),
]
BEFORE_THE_DOT = [
    (words % step.upper(), step, fault)
    for step in ("mail", "rcpt", "data")
    for words, fault in (
        ("connection lost at %s", cut),
        ("connection reset at %s", reset),
        ("%s: 451", answer("451 4.3.0 come again")),
        ("%s: 421", goodbye),
        ("%s: 550", answer("550 5.7.1 never")),
        ("no answer to %s", silence),
        ("answer to %s without an end", drip))]
AT_THE_DOT = [
    ("message: 451", "dot", answer("451 4.3.0 come again")),
    ("message: 421", "dot", goodbye),
    ("message: 554", "dot", answer("554 5.6.0 never")),
    ("connection lost before the dot arrives", "dot", cut),
    ("connection reset before the dot arrives", "dot", reset),
    ("connection lost, message accepted", "dotted", cut),
    ("connection reset, message accepted", "dotted", reset),
    ("message accepted, no answer for ten minutes", "dotted", silence),
    ("connection lost behind the answer", "answered", cut),
]
LOST = ("connection lost before the dot arrives",
        "connection lost, message accepted")
TEN_MINUTES = ("message accepted, no answer for ten minutes",)

Case = collections.namedtuple("Case", "fault step what filer policy")
Outcome = collections.namedtuple("Outcome", "told state arrived in_sent")


def all_cases():
    for fault in BEFORE_LOGIN + BEFORE_THE_DOT + AT_THE_DOT:
        for filer in FILERS:
            for policy in POLICIES:
                yield Case(*fault, filer, policy)


def share():
    """The cases where an answer is lost, and each other fault in one of the
    combinations, in turn."""
    turn = 0
    for fault in BEFORE_LOGIN + BEFORE_THE_DOT + AT_THE_DOT:
        cases = [case for case in all_cases() if case.fault == fault[0]]
        if fault[0] in LOST:
            yield from cases
        elif fault[0] not in TEN_MINUTES:
            yield cases[turn % len(cases)]
            turn += 1


class Matrix(BedTestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.host = cls.bed.mail_host()

    def test_every_fault_comes_to_its_end(self):
        cases = list(all_cases() if LONG else share())
        self.assertGreater(len(cases), 40)
        outcomes = {}
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            jobs = {pool.submit(self.outcome, number, case): case
                    for number, case in enumerate(cases)}
            for job, case in jobs.items():
                with self.subTest(**case._asdict()):
                    outcomes[case] = job.result()
                    self.check(case, outcomes[case])
        self.check_table(outcomes)

    def outcome(self, number, case):
        """Send a message, with this fault until there is an answer, and work
        until nothing is left to do."""
        filing, copy = FILERS[case.filer]
        account = Account(self.host, self.bed, str(number), filing, copy,
                          case.policy)
        lost = case.step in ("dot", "dotted") and \
            case.what in (cut, reset, silence)
        account.proxy.at = {
            case.step: once(case.what) if lost else case.what}
        reply = account.send().json
        account.proxy.at = {}
        account.settle()
        account.finish()
        account.settle()
        entry, = account.entries()
        arrived, filed = account.arrived(), account.in_sent()
        self.assertEqual(len(arrived), len(account.proxy.accepted))
        account.close()
        expected = {reply["message_id"].partition("@")[0]}
        self.assertLessEqual(set(message_ids(arrived + filed)), expected)
        return Outcome(reply["state"], entry["state"], len(arrived),
                       len(filed))

    def check(self, case, outcome):
        told, state, arrived, in_sent = outcome
        # never none, unless somebody was told
        if not arrived:
            self.assertIn(state, ("failed", "uncertain"))
            self.assertIn(told, ("refused", "uncertain"))
        if told == "sent":
            self.assertEqual(state, "sent")
        self.assertNotEqual(state, "queued")
        # never two, but where nobody can know, and by that policy only
        asks_the_server = FILERS[case.filer][1] == "server"
        if asks_the_server or case.policy == "hold" or \
                case.step not in ("dot", "dotted"):
            self.assertLessEqual(arrived, 1)
        self.assertLessEqual(arrived, 2)
        # the copy is there, once
        if asks_the_server:
            self.assertEqual(in_sent, arrived)
        elif case.filer == "we":
            self.assertEqual(in_sent, int(state == "sent"))
        else:
            self.assertEqual(in_sent, 0)

    def check_table(self, outcomes):
        text = DOCUMENT.read_text()
        before, rest = text.split(BEGIN)
        written, after = rest.split(END)
        if LONG:
            table = "".join(rows(outcomes))
            if WRITE:
                DOCUMENT.write_text(before + BEGIN + table + END + after)
            else:
                self.assertEqual(written, table)
            return
        found = read_rows(written)
        for case, outcome in outcomes.items():
            with self.subTest(**case._asdict()):
                self.assertEqual(
                    found[case.fault, case.filer, case.policy], outcome)


class LostLogin(BedTestCase):
    """A token that ends within a session says nothing about the message."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.oidc = cls.bed.oidc(flavor="ms")
        cls.sink = cls.bed.sink()
        cls.mail = cls.bed.dovecot(oidc=cls.oidc, sink=cls.sink)

    def test_message_is_sent_with_the_next_token(self):
        """All replies at all steps, or each of them once."""
        replies = ("530 5.7.57 Client not authenticated",
                   "535 5.7.3 Authentication unsuccessful",
                   "454 4.7.0 Temporary authentication failure")
        for i, step in enumerate(("mail", "rcpt", "data", "dot")):
            for j, reply in enumerate(replies):
                if not LONG and (i + j) % 3:
                    continue
                with self.subTest(step=step, reply=reply):
                    self.check(step, reply)

    def check(self, step, reply):
        def expire(_conn):
            self.oidc.expire(USER)      # which the helper cannot know
            return reply

        # a new one each time: it takes no second complaint within a minute
        helper = Helper(self.bed, self.oidc)
        helper.log_in()
        proxy = SmtpProxy(self.bed, self.mail.submission_port)
        connector = Connector(self.bed, self.mail, auth=helper,
                              SMTP_PORT=proxy.port)
        connector.env |= fast_clock(FACTOR)
        before = len(self.sink.messages())
        proxy.at = {step: once(expire)}
        result = connector.send()
        self.assertEqual(result.json["state"], "sent", result)
        sent, = self.sink.messages()[before:]
        self.assertIn(result.json["message_id"].encode(), sent.data)
        self.assertGreater(proxy.count, 1)
        helper.process.stop()


# -- the table in the document ---------------------------------------------

HEAD = ("| what goes wrong | who files the copy | policy | `send` says |"
        " in the end | arrived | in Sent |\n|---|---|---|---|---|---|---|\n")
ANY = "any"
BREAK = "<br>"


def rows(outcomes):
    """The text of the table: lines, those of faults with equal outcomes in
    one.  What Sent has where nobody fills it is left out: nothing."""
    faults = collections.defaultdict(list)
    for fault in dict.fromkeys(case.fault for case in outcomes):
        faults[tuple(_cells({
            (case.filer, case.policy): outcome
            for case, outcome in outcomes.items() if case.fault == fault
        }))].append(fault)
    yield HEAD
    for lines, names in faults.items():
        for line in lines:
            yield f"| {BREAK.join(names)} | {line} |\n"


def _cells(outcomes):
    """The rest of the lines of one fault."""
    groups = collections.defaultdict(list)
    for (filer, policy), outcome in outcomes.items():
        if filer == "nobody":
            same = [o for o in groups if o[:3] == outcome[:3]]
            outcome = same[0] if same else outcome
        groups[outcome].append((filer, policy))
    for outcome, pairs in groups.items():
        for filers, policies in _rectangles(pairs):
            yield " | ".join([_names(filers, FILERS),
                              _names(policies, POLICIES),
                              *map(str, outcome)])


def _rectangles(pairs):
    """(filers, policies) that make up the pairs."""
    by_policies = collections.defaultdict(list)
    for filer in dict.fromkeys(filer for filer, _ in pairs):
        by_policies[tuple(p for f, p in pairs if f == filer)].append(filer)
    for policies, filers in by_policies.items():
        yield filers, policies


def _names(names, every):
    return ANY if len(names) == len(every) else BREAK.join(names)


def read_rows(text):
    """(fault, filer, policy) -> Outcome, of a text that rows() made."""
    found = {}
    for line in text.splitlines()[2:]:
        faults, filers, policies, told, state, arrived, in_sent = re.findall(
            r"(?<=\| ).*?(?= \|)", line)
        filers = FILERS if filers == ANY else filers.split(BREAK)
        policies = POLICIES if policies == ANY else policies.split(BREAK)
        for case in itertools.product(faults.split(BREAK), filers, policies):
            found[case] = Outcome(told, state, int(arrived),
                                  0 if case[1] == "nobody" else int(in_sent))
    return found


if __name__ == "__main__":
    unittest.main()
