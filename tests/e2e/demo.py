# SPDX-License-Identifier: ISC
"""The main job, end to end, as a person would see it (run by tests/demo).

Real servers on the loopback interface: oidc-provider for OAuth2, Dovecot for
IMAP and submission.  A script takes the part of the person at the browser.
"""
import json
import re
import shutil
import sys
import time
from pathlib import Path

from bed import Bed
from bed.connector import Connector
from bed.helper import USER, Helper

# Mail that nobody here wrote.
MESSAGES = Path("/usr/lib/python3.11/test/test_email/data")

MBSYNCRC = """\
IMAPAccount work
Host localhost
Port {port}
User {user}
SSLType IMAPS
CertificateFile {ca}
AuthMechs XOAUTH2

IMAPStore remote
Account work

MaildirStore local
Path {dir}/
Inbox {dir}/INBOX

Channel inbox
Far :remote:
Near :local:
Sync Pull
Create Near
"""


class Demo:
    """Does one step after the other and keeps what was proven."""

    def __init__(self, bed):
        self.bed, self.rows = bed, []
        self.results = bed.build_dir() / "demo"
        shutil.rmtree(self.results, ignore_errors=True)
        self.results.mkdir()
        self.oidc = bed.oidc(flavor="ms", rotate="1")
        self.sink = bed.sink()
        self.mail = bed.dovecot(oidc=self.oidc, sink=self.sink)
        self.helper = Helper(bed, self.oidc)

    def proven(self, what, how, where):
        self.rows.append((what, how, where))
        print(f"  ok  {what}: {how}", flush=True)

    def keep(self, name, source):
        """Copy what is worth looking at out of the bed; returns where."""
        place = self.results / name
        if isinstance(source, bytes):
            place.write_bytes(source)
        else:
            shutil.copytree(source, place)
        return place

    def login(self):
        url = self.helper.log_in()
        form = self.oidc.log()[-1]["form"]
        assert "code_challenge_method=S256" in url and form["code_verifier"]
        status = self.helper.command("status").check()
        assert re.search(r"\bwork\b.*\bok\b", status.out), status
        self.proven("login", "mailtoken login by authorization code and PKCE",
                    self.keep("status.txt", status.out.encode()))

    def deliver(self):
        files = sorted(MESSAGES.glob("msg_*.txt"))
        assert len(files) > 30, f"{MESSAGES}: too few messages"
        self.mail.deliver(USER, *(file.read_bytes() for file in files))
        self.count = len(files)

    def mbsync(self):
        into = self.bed.subdir("mbsync")
        rc = into / "mbsyncrc"
        rc.write_text(MBSYNCRC.format(port=self.mail.imaps_port, user=USER,
                                      ca=self.mail.ca, dir=into))
        env = self.bed.client_env(MAILTOKEN_SOCKET=self.helper.socket)
        result = self.bed.run(["/usr/bin/mbsync", "-c", rc, "-a"], env,
                              timeout=60).check()
        got = [*into.glob("INBOX/new/*"), *into.glob("INBOX/cur/*")]
        # mbsync leaves out what has no proper header, and says so
        skipped = result.err.count("incomplete header; skipping")
        assert len(got) == self.count - skipped, result
        self.proven("mbsync", f"{len(got)} messages by XOAUTH2 through "
                    f"libmailtoken.so, no PassCmd ({skipped} too broken for "
                    "it)", self.keep("mbsync", into / "INBOX"))

    def connector(self, word, title, auth):
        """Receive and send, configured by the variables alone."""
        connector = Connector(self.bed, self.mail, auth, self.oidc)
        run = connector.start()
        connector.wait_handles(self.count, run)
        attachments = self.check_messages(connector.inbox)
        run.stop()
        assert run.rc == 0, run.tail()
        self.proven(f"receive, {title}", f"{self.count} messages, "
                    f"{attachments} attachments",
                    self.keep(f"inbox-{word}", connector.inbox))
        self.send(word, title, connector)

    def check_messages(self, inbox):
        """Every message.json is complete; returns the attachments' count."""
        count = 0
        for file in inbox.glob("*/message.json"):
            message = json.loads(file.read_text())
            assert message["uid"] == file.parent.name, file
            for attachment in message["attachments"]:
                path = file.parent / attachment["filename"]
                assert path.stat().st_size == attachment["size"], path
                count += 1
        assert count > 5, f"only {count} attachments"
        assert not any("S" in flags for flags in self.mail.flags(USER)), \
            "a message was marked as read"
        return count

    def send(self, word, title, connector):
        before = len(self.sink.messages())
        sent = connector.send(subject=f"Grüße ({title})")
        assert sent.json["state"] == "sent", sent
        message = self.sink.wait_messages(before + 1)[-1]
        assert message.rcpt_to == ["bob@example.test"], message
        assert sent.json["message_id"].encode() in message.data
        self.proven(f"send, {title}", "a draft through SMTP AUTH",
                    self.keep(f"sent-{word}.eml", message.data))

    def seed(self):
        """The refresh token of a second login, written to a file once."""
        file = self.bed.dir / "refresh-token"
        self.helper.log_in("--emit", file)
        assert file.stat().st_mode & 0o777 == 0o600, oct(file.stat().st_mode)
        return file.read_text().strip()

    def no_secret_in_output(self):
        tokens = {entry["form"].get("refresh_token")
                  for entry in self.oidc.log()} - {None}
        ours = [file for file in self.bed.dir.glob("mailtoken*")
                if file.is_file()]
        assert tokens and ours
        for file in ours:
            text = file.read_text(errors="replace")
            assert not any(token in text for token in tokens), file
        output = "".join(f"==> {file.name} <==\n{file.read_text()}"
                         for file in ours).encode()
        self.proven("no secret told", f"none of {len(tokens)} refresh tokens "
                    f"in {len(ours)} outputs of our programs",
                    self.keep("outputs.txt", output))

    def run(self):
        self.login()
        self.deliver()
        self.mbsync()
        self.connector("mailtokend", "token of mailtokend", self.helper)
        self.connector("private", "token of a private helper", self.seed())
        self.connector("password", "password", "password")
        self.no_secret_in_output()

    def table(self):
        width = max(len(what) for what, _, _ in self.rows)
        print(f"\n{'proven':<{width}}  how, and where to look")
        for what, how, where in self.rows:
            print(f"{what:<{width}}  {how}\n{'':<{width}}  {where}")


def main():
    started = time.monotonic()
    with Bed() as bed:
        demo = Demo(bed)
        demo.run()
        demo.table()
    print(f"\n{len(demo.rows)} things proven in "
          f"{time.monotonic() - started:.0f} s; the servers are gone, the "
          "results stay")
    return 0


if __name__ == "__main__":
    sys.exit(main())
