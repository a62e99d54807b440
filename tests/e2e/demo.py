# SPDX-License-Identifier: ISC
"""The main job, end to end, as a person would see it (run by tests/demo).

Real servers on the loopback interface: oidc-provider for OAuth2, Dovecot for
IMAP and submission.  A script takes the part of the person at the browser.
"""
import json
import re
import sys
import time
from pathlib import Path

from bed import Bed, wait_until

MESSAGES = Path("/usr/lib/python3.11/test/test_email/data")
USER = "alice@example.test"
PASSWORD = "alice-pw"

ACCOUNT = """\
[account work]
provider = microsoft
tenant = common
authorization_endpoint = {authorization}
token_endpoint = {token}
client_id = native
user = {user}
imap_host = localhost
smtp_host = localhost
permit = get
"""

MBSYNCRC = """\
IMAPAccount work
Host localhost
Port {port}
User {user}
TLSType IMAPS
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
        self.bed = bed
        self.rows = []
        self.oidc = bed.oidc(flavor="ms", rotate="1")
        self.sink = bed.sink()
        self.mail = bed.dovecot(oidc=self.oidc, sink=self.sink)
        self.socket = bed.subdir("helper") / "socket"
        self.sasl_path = bed.sasl_path(
            extra=["plain", "login", "scram"])

    def proven(self, what, how, where):
        self.rows.append((what, how, where))
        print(f"  ok  {what}: {how}", flush=True)

    def environment(self, **more):
        return {"SASL_PATH": self.sasl_path, "MAILTOKEN_SOCKET": self.socket,
                "PATH": "/usr/bin:/bin", "HOME": self.bed.dir} | more

    # ---- the steps ------------------------------------------------------

    def start_helper(self):
        conf = self.socket.parent / "mailtoken.conf"
        conf.write_text(ACCOUNT.format(
            authorization=self.oidc.url("authorization"),
            token=self.oidc.url("token"), user=USER))
        conf.chmod(0o600)
        self.helper = self.bed.spawn(
            [self.bed.program("mailtokend"), "--config", conf, "--state-dir",
             self.socket.parent / "state", "--socket", self.socket], env={})
        wait_until(self.socket.exists, what="mailtokend's socket")

    def login(self, *options):
        """`mailtoken login`, with a script in place of the person."""
        command = self.bed.spawn(
            [self.bed.program("mailtoken"), "login", "--no-browser",
             *options, "work"], env=self.environment())
        url = command.wait_output(r"^\s*(http\S+/authorize\S+)",
                                  stream="stdout")[1]
        self.oidc.login(url, USER, PASSWORD)
        if command.wait() != 0:
            raise AssertionError(command.tail())
        return url

    def check_login(self):
        url = self.login()
        form = self.oidc.log()[-1]["form"]
        assert "code_challenge_method=S256" in url and form["code_verifier"]
        status = self.bed.run([self.bed.program("mailtoken"), "status"],
                              env=self.environment()).check()
        assert re.search(r"\bwork\b.*\bok\b", status.out), status
        self.proven("login", "authorization code + PKCE S256 at a real "
                    "OAuth2 server", "mailtoken login, status")

    def deliver_messages(self):
        """Mail that nobody here wrote."""
        files = sorted(MESSAGES.glob("msg_*.txt"))
        assert len(files) > 30, f"{MESSAGES}: too few messages"
        for file in files:
            self.mail.deliver(USER, file.read_bytes())
        self.count = len(files)

    def mbsync(self):
        into = self.bed.subdir("mbsync")
        rc = into / "mbsyncrc"
        rc.write_text(MBSYNCRC.format(
            port=self.mail.imaps_port, user=USER, ca=self.mail.ca,
            dir=into))
        self.bed.run(["mbsync", "-c", rc, "-a"],
                     env=self.environment(), timeout=60).check()
        got = [*into.glob("INBOX/new/*"), *into.glob("INBOX/cur/*")]
        assert len(got) == self.count, f"mbsync got {len(got)}"
        self.proven("mbsync", f"{len(got)} messages by XOAUTH2 through "
                    "libmailtoken.so, no PassCmd", into / "INBOX")

    def connector(self, name, **settings):
        """The connector's whole job, configured by its variables alone."""
        base = self.bed.subdir(name)
        workspace = base / "workspace"
        workspace.mkdir()
        env = self.environment(
            TRI_ONYX_IMAP_HOST="localhost",
            TRI_ONYX_IMAP_PORT=self.mail.imaps_port,
            TRI_ONYX_IMAP_USERNAME=USER,
            TRI_ONYX_SMTP_PORT=self.mail.submission_port,
            TRI_ONYX_WORKSPACE_DIR=workspace,
            TRI_ONYX_EMAIL_STATE_DIR=base / "state",
            TRI_ONYX_TLS_CA_FILE=self.mail.ca, **settings)
        self.receive(name, env, workspace)
        self.send(name, env, base)

    def receive(self, name, env, workspace):
        program = self.bed.program("mailtoken-connector")
        inbox = workspace / "agents/email/inbox"
        run = self.bed.spawn([program, "run"], env=env)

        def arrived():
            assert run.rc is None, run.tail()
            return len([*inbox.glob("*/message.json")]) == self.count
        wait_until(arrived, timeout=60, what=f"{self.count} messages "
                   f"in {inbox}\n{run.tail()}")
        attachments = self.check_messages(inbox)
        run.stop()
        assert run.rc == 0, run.tail()
        self.proven(f"receive ({name})", f"{self.count} messages with "
                    f"{attachments} attachments as files", inbox)

    def check_messages(self, inbox):
        """Every message.json is complete; returns the attachments' count."""
        count = 0
        for file in inbox.glob("*/message.json"):
            message = json.loads(file.read_text())
            assert message["uid"] == file.parent.name
            for attachment in message["attachments"]:
                path = file.parent / attachment["filename"]
                assert path.stat().st_size == attachment["size"], path
                count += 1
        assert count > 5, f"only {count} attachments"
        assert not any("S" in flags for flags in self.mail.flags(USER)), \
            "a message was marked as read"
        return count

    def send(self, name, env, base):
        draft = base / "draft.json"
        draft.write_text(json.dumps({
            "to": "bob@example.test", "subject": f"Grüße ({name})",
            "body": "Sent by the demo.\n"}))
        before = len(self.sink.messages())
        result = self.bed.run(
            [self.bed.program("mailtoken-connector"), "send", draft],
            env=env, timeout=60).check()
        answer = json.loads(result.out)
        assert answer["state"] == "sent", result
        message = self.sink.wait_messages(before + 1)[-1]
        assert message.rcpt_to == ["bob@example.test"], message
        assert answer["message_id"].encode() in message.data
        self.proven(f"send ({name})", "draft accepted by submission, "
                    "SMTP AUTH with the same credentials",
                    answer["message_id"])

    def private_helper(self):
        token = self.bed.dir / "refresh-token"
        self.login("--emit", token)
        assert token.stat().st_mode & 0o777 == 0o600
        posts = len(self.oidc.log())
        self.connector("private-helper", TRI_ONYX_IMAP_AUTH="oauth2",
                       TRI_ONYX_OAUTH2_CLIENT_ID="native",
                       TRI_ONYX_OAUTH2_TOKEN_URL=self.oidc.url("token"),
                       TRI_ONYX_OAUTH2_REFRESH_TOKEN=token.read_text()
                       .strip())
        posts = len(self.oidc.log()) - posts
        self.proven("rotation", f"{posts} refreshes of the seed at a server "
                    "that rotates, none repeated",
                    self.bed.dir / "private-helper/state/helper")

    def no_secret_in_logs(self):
        """What our programs wrote holds no token that the server issued."""
        secrets = {entry["form"].get("refresh_token")
                   for entry in self.oidc.log()} - {None}
        assert secrets
        for file in self.bed.dir.glob("**/*.err"):
            text = file.read_text(errors="replace")
            assert not any(secret in text for secret in secrets), file
        self.proven("secrets", "no refresh token in any program's output",
                    f"{len(secrets)} tokens looked for")

    def run(self):
        self.start_helper()
        self.check_login()
        self.deliver_messages()
        self.mbsync()
        self.connector("mailtokend", TRI_ONYX_IMAP_AUTH="oauth2")
        self.private_helper()
        self.connector("password", TRI_ONYX_IMAP_AUTH="login",
                       TRI_ONYX_IMAP_PASSWORD=PASSWORD)
        self.no_secret_in_logs()

    def table(self):
        width = max(len(row[0]) for row in self.rows)
        print("\nproven" + " " * (width - 4) + "how")
        for what, how, where in self.rows:
            print(f"{what:<{width}}  {how}")
            print(f"{'':<{width}}  {where}")


def main():
    started = time.monotonic()
    with Bed() as bed:
        print(f"servers and files in {bed.dir} (BED_KEEP=1 keeps them)")
        demo = Demo(bed)
        demo.run()
        demo.table()
    print(f"\n{len(demo.rows)} proven in {time.monotonic() - started:.0f} s; "
          "everything is stopped and removed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
