# SPDX-License-Identifier: ISC
"""What is a mail program's own doing, with its cause: the table's footnotes."""
from dataclasses import dataclass, field

from .matrix import Lack

REFUSED = "expired", "of another"
WITHOUT = "no account", "helper down"
FIRST = "300 bytes",
LONG = "4 KB",


@dataclass
class Note:
    """A footnote for the cells of `programs` in `columns`, where they lack
    `lacks` and the person sees `pattern`."""
    programs: tuple
    columns: tuple
    lacks: set
    pattern: str
    text: str
    mechanisms: tuple = field(default=("XOAUTH2", "OAUTHBEARER"))

    def is_about(self, program, mechanism, column):
        return (program in self.programs and column in self.columns
                and mechanism in self.mechanisms)


NOTES = [
    Note(("mbsync",), REFUSED, {Lack.HIDES},
         "IMAP command 'AUTHENTICATE .*returned an error",
         "mbsync prints the whole command that failed, with the token in it, "
         "on standard error. Keep that out of logs that others read."),
    Note(("imtest", "smtptest"), REFUSED, {Lack.HIDES}, "C: A.* ",
         "imtest and smtptest print all that they send, with the token in it; "
         "they are made for that."),
    Note(("imtest", "smtptest"), LONG, {Lack.LOGIN}, "overflowed buffer",
         "imtest and smtptest have room for 3 KB and end with *overflowed "
         "buffer* before the token is sent."),
    Note(("imtest", "smtptest"), WITHOUT, {Lack.EXPLAINS},
         "no mechanism available|remote authentication server unavailable",
         "imtest and smtptest print the words of libsasl2's code (*no "
         "mechanism available*, *remote authentication server unavailable*), "
         "and not the module's text."),
    Note(("libetpan, IMAP", "libetpan, SMTP"), WITHOUT, {Lack.EXPLAINS},
         "code (28|17)",
         "Stock libetpan returns one code for every failure of libsasl2 and "
         "drops the text; `mailtoken status` tells more."),
    Note(("libetpan, SMTP",), LONG, {Lack.LOGIN}, "code 3",
         "Stock libetpan cuts SMTP commands off at 512 bytes, so that the "
         "server never sees the end of a long token's line, and waits until "
         "its time is over. IMAP is not affected."),
    Note(("Authen::SASL::Cyrus",), LONG, {Lack.LOGIN},
         "Parameter error",
         "A token that does not fit into SMTP's 512-byte line must follow it, "
         "and Net::SMTP takes a mechanism that does not begin at once for one "
         "that has failed."),
    Note(("Authen::SASL::Cyrus",), WITHOUT, {Lack.EXPLAINS},
         "Parameter error",
         "Net::SMTP tries once more without any mechanism, and the error of "
         "that (*Parameter error*) takes the place of the module's text."),
    Note(("Cyrus::IMAP::Admin",), REFUSED, {Lack.SHOWS}, "the login failed",
         "Cyrus::IMAP::Admin says that a login failed and not why."),
    Note(("Cyrus::IMAP::Admin",), WITHOUT, {Lack.EXPLAINS},
         "the login failed",
         "Cyrus::IMAP::Admin says that a login failed and not why."),
    Note(("nmh send",), FIRST, {Lack.LOGIN}, "must specify -authservice",
         "nmh's XOAUTH2 is its own code, with mhlogin(1) and tokens of its "
         "own; libsasl2 has no part in it.", ("XOAUTH2",)),
    Note(("nmh send",), ("expired",), {Lack.RECOVERS},
         "Authentication failed: eyJ",
         "nmh prints the server's challenge and hangs up, so that the module "
         "never learns of it. The next token is asked for when the present "
         "one ends, or after `mailtoken reject ACCOUNT`.", ("OAUTHBEARER",)),
    Note(("mutt, SMTP",), LONG, {Lack.LOGIN}, "500 5.5.2",
         "mutt sends an OAUTHBEARER token on the line of the AUTH command, "
         "which servers limit to 512 bytes; with XOAUTH2 it does not.",
         ("OAUTHBEARER",)),
    Note(("neomutt, IMAP", "neomutt, SMTP"), LONG, {Lack.LOGIN},
         "OAUTH token is too big",
         "neomutt takes no token that makes more than 4,096 bytes "
         "(*OAUTH token is too big*)."),
    Note(("neomutt, SMTP",), REFUSED, {Lack.SHOWS},
         "SMTP session failed: 334",
         "neomutt prints the server's challenge (`334 ` and Base64) instead "
         "of answering it, and *No authenticators available*."),
    Note(("msmtp", "git send-email, msmtp"), LONG, {Lack.LOGIN},
         "longer than 4094 characters",
         "msmtp sends no line of more than 4,094 characters, a token of about "
         "3 KB."),
    Note(("getmail6",), WITHOUT, {Lack.EXPLAINS}, "exited with (67|69)",
         "getmail prints the exit status of the command and not its text; "
         "`mailtoken get ACCOUNT` in a shell shows that."),
    Note(("git send-email",), FIRST, {Lack.LOGIN}, "No SASL mechanism found",
         "git asks its credential helper and gets the token, but hands it to "
         "Authen::SASL::Perl, which has neither mechanism in Debian 12 (*No "
         "SASL mechanism found*). Through msmtp it can send."),
]
