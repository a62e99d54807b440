# SPDX-License-Identifier: ISC
"""The matrix of mail programs, and docs/clients.md, which keeps it."""
import unittest

from bed import BedTestCase
from bed.clients import COMMAND, SASL
from bed.clients.command import Getmail, GitSendEmail
from bed.clients.nmh import Nmh

from . import clients
from .matrix import Bench, measure
from .notes import NOTES

REWRITE = ("docs/clients.md is not what was measured; write it with\n"
           "    cd tests && MAILTOKEN_BUILD=... python3 -m e2e.clients --write")


class MatrixTest(BedTestCase):
    """A table; its test prints it."""
    def setUp(self):
        self.bench = Bench(self.bed)
        self.maxDiff = None

    def check(self, name):
        cells = measure(self.bench, clients.TABLES[name])
        table = str(clients.Table(cells))
        print(f"\n{table}", flush=True)
        self.assertEqual(clients.complaints(cells), [])
        document = clients.DOCUMENT.read_text()
        self.assertEqual(clients.block(document, f"table {name}"), table,
                         REWRITE)


class SaslTest(MatrixTest):
    def test_programs_of_libsasl2(self):
        self.check("libsasl2")

    def test_nmh_does_xoauth2_without_libsasl2(self):
        client = self.bench.client(Nmh)
        attempt, asked = client.traced("XOAUTH2", "-authservice", "gmail")
        self.assertFalse(asked)
        self.assertIn("mhlogin", attempt.text)      # its own tokens
        _, asked = client.traced("OAUTHBEARER")
        self.assertTrue(asked)


class CommandTest(MatrixTest):
    def test_programs_of_a_token_command(self):
        self.check("command")

    def test_git_has_the_token_and_does_not_send_it(self):
        client = self.bench.client(GitSendEmail)
        for mechanism in client.mechanisms:
            before = self.bench.attempts()
            with self.bench.helper(client, mechanism):
                attempt = client.login(mechanism)
                # it was fetched from the server, for git's credential helper
                self.assertEqual(self.bench.refreshes(), 1)
            self.assertFalse(attempt.ok)
            self.assertEqual(self.bench.attempts(), before)

    def test_getmail_knows_one_mechanism(self):
        self.assertEqual(Getmail.mechanisms, ("XOAUTH2",))
        self.assertNotIn("OAUTHBEARER", Getmail.source())


class DocumentTest(unittest.TestCase):
    def test_document_has_the_lines_that_are_tested(self):
        self.maxDiff = None
        document = clients.DOCUMENT.read_text()
        for name, text in clients.configurations().items():
            self.assertEqual(clients.block(document, name), text, REWRITE)

    def test_document_has_no_other_lines(self):
        names = {f"table {name}" for name in clients.TABLES}
        self.assertEqual(
            clients.names_in(clients.DOCUMENT.read_text()),
            names | set(clients.configurations()))

    def test_notes_are_about_programs_of_the_tables(self):
        known = {kind.name for kind in SASL + COMMAND}
        for note in NOTES:
            self.assertLessEqual(set(note.programs), known, note.text)


if __name__ == "__main__":
    unittest.main()
