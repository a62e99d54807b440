# SPDX-License-Identifier: ISC
"""Mail servers that refuse a login in the words of Exchange Online, which
Dovecot does not use.  Each returns its port as `mailtoken test` takes it."""


def exchange_smtp(test, answer):
    """An SMTP server that answers so to the token."""
    def talk(conn):
        conn.send("220 here\r\n")
        conn.expect("EHLO .*")
        conn.send("250-here\r\n250 STARTTLS\r\n")
        conn.expect("STARTTLS")
        conn.send("220 go\r\n")
        conn.starttls()
        conn.expect("EHLO .*")
        conn.send("250-here\r\n250 AUTH LOGIN XOAUTH2\r\n")
        conn.expect("AUTH XOAUTH2")
        conn.send("334 \r\n")
        conn.expect("[A-Za-z0-9+/=]+")
        conn.send(answer + "\r\n")
        conn.readline()
    server = test.bed.scripted_server(talk, test.bed.tls.cert(),
                                      implicit=False)
    test.addCleanup(server.stop)
    return f"{server.port},starttls"


def exchange_imap(test, answer, say=lambda conn: None):
    """An IMAP server that answers so to the token, and does `say` before it."""
    def talk(conn):
        conn.send("* OK here\r\n")
        tag = conn.expect("(.*) CAPABILITY")[1]
        conn.send("* CAPABILITY IMAP4rev1 AUTH=XOAUTH2 AUTH=\x1b[J "
                  "SASL-IR\r\n"
                  f"{tag} OK done\r\n")
        say(conn)
        tag = conn.expect("(.*) AUTHENTICATE XOAUTH2 .*")[1]
        conn.send(f"{tag} {answer}\r\n")
        conn.readline()
    server = test.bed.scripted_server(talk, test.bed.tls.cert())
    test.addCleanup(server.stop)
    return f"{server.port},tls"
