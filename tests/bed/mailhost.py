# SPDX-License-Identifier: ISC
"""A provider of mail: Postfix takes messages from who logs in, Dovecot keeps
them, and what was sent is filed in the sender's Sent, or not, or in its way.
Root only."""
import smtplib
import threading

from .scripted import ScriptedServer
from .smtp_proxy import SmtpProxy

PASSWORD = "alice-pw"
# How Sent is filled.
NOBODY = "nobody"       # it is not
SERVER = "server"       # by the server
REPLACED = "replaced"   # the same, and the message gets another Message-ID
LATE = "late"           # by the server, but not before late.file(user)
_FILING = (NOBODY, SERVER, REPLACED, LATE)

_DOVECOT = """
recipient_delimiter = +
lmtp_save_to_detail_mailbox = yes
lda_mailbox_autocreate = yes
passdb {
  driver = static
  args = password=%s
}
service auth {
  inet_listener {
    address = 127.0.0.1
    port = %d
  }
}
"""
_MAILBOXES = """
namespace inbox {
  mailbox Sent {
    auto = create
    special_use = \\Sent
  }
}
"""
_SMTPD = """
127.0.0.1:{port} inet n - n - - smtpd
  -o cleanup_service_name=cleanup-{filing}
  -o smtpd_sasl_auth_enable=yes
  -o smtpd_sasl_type=dovecot
  -o smtpd_sasl_path=inet:127.0.0.1:{auth}
  -o smtpd_recipient_restrictions=permit_sasl_authenticated,reject
cleanup-{filing} unix n - n - 0 cleanup
"""


class MailHost:
    """Any user @example.test has PASSWORD and a mailbox.

    dovecot     its IMAP server
    late        what files for LATE: file(user)
    """

    def __init__(self, bed, mailboxes=_MAILBOXES, sent="Sent"):
        """mailboxes: of the users, as dovecot.conf has them; sent: the one in
        which the server files."""
        self._bed, auth = bed, bed.port()
        self.dovecot = bed.dovecot(
            users={}, extra=_DOVECOT % (PASSWORD, auth) + mailboxes)
        self.late = _LateFiler(bed, self.dovecot.lmtp_port)
        self._ports = {filing: bed.port() for filing in _FILING}
        maps = self._write_maps(bed.subdir("maps"), sent)
        services = "lmtp unix - - n - - lmtp\n"
        for filing, port in self._ports.items():
            services += _SMTPD.format(port=port, filing=filing, auth=auth)
            if filing != NOBODY:
                services += f"  -o sender_bcc_maps=regexp:{maps}/bcc\n"
            if filing == REPLACED:
                services += f"  -o header_checks=regexp:{maps}/replace\n"
        self._postfix = bed.postfix(
            relay_port=1, ca=bed.tls.ca, services=services, settings={
                "relayhost": "", "recipient_delimiter": "+",
                "virtual_mailbox_domains": "example.test",
                "transport_maps": f"regexp:{maps}/transport",
                "virtual_transport":
                    f"lmtp:inet:127.0.0.1:{self.dovecot.lmtp_port}",
                "smtpd_client_connection_count_limit": "0",
                "lmtp_destination_concurrency_limit": "50"})

    def submission(self, filing):
        """A new SmtpProxy in front of the submission server."""
        return SmtpProxy(self._bed, self._ports[filing])

    def _write_maps(self, maps, sent):
        (maps / "bcc").write_text(rf"/^(.*)@(.*)$/ $1+{sent}@$2" "\n")
        (maps / "replace").write_text(
            r"/^Message-ID: *<(.*)@.*>/ REPLACE Message-ID: "
            r"<of-the-server.$1@mail.example.test>" "\n")
        (maps / "transport").write_text(
            rf"/^{LATE}-.*\+Sent@/ lmtp:inet:127.0.0.1:{self.late.port}" "\n")
        return maps


class _LateFiler:
    """Takes copies for Sent from Postfix, by LMTP, and delivers each when told
    to."""

    def __init__(self, bed, target):
        self._target, self._users = target, {}
        self._lock = threading.Lock()
        server = ScriptedServer(bed.port(), self._session)
        self.port = server.port
        bed.on_exit(server.stop)

    def file(self, user):
        """Deliver what there is, or will be, for this user."""
        self._event(user).set()

    def _event(self, user):
        with self._lock:
            return self._users.setdefault(user, threading.Event())

    def _session(self, conn):
        conn.send("220 late.test LMTP\r\n")
        sender = recipient = ""
        while True:
            line = conn.readline()
            verb = line[:4].upper()
            path = line.partition("<")[2].partition(">")[0]
            if verb == "MAIL":
                sender = path
            elif verb == "RCPT":
                recipient = path
            elif verb == "DATA":
                conn.send("354 go on\r\n")
                self._take(sender, recipient, conn.read_dot())
            conn.send("221 2.0.0 bye\r\n" if verb == "QUIT" else
                      "250 2.0.0 ok\r\n")
            if verb == "QUIT":
                return

    def _take(self, sender, recipient, data):
        self._event(recipient.replace("+Sent@", "@")).wait(60)
        with smtplib.LMTP("127.0.0.1", self._target) as lmtp:
            lmtp.sendmail(sender, [recipient], data)
