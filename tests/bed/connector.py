# SPDX-License-Identifier: ISC
"""mailtoken-connector with a workspace and a state of its own."""
import json

from .helper import PASSWORD, USER
from .process import wait_until


class Connector:
    """The connector for one mailbox of a Dovecot.

    auth        "password"; a Helper (its tokens); or a refresh token (text)
                for a private helper at `oidc`
    settings    more TRI_ONYX_* variables, without that prefix
    workspace, state, inbox         its directories
    """

    def __init__(self, bed, mail, auth="password", oidc=None, modules=(
            "plain", "login", "scram"), **settings):
        self.bed = bed
        self.dir = bed.subdir("connector")
        self.workspace = self.dir / "workspace"
        self.state = self.dir / "state"
        self.inbox = self.workspace / "agents/email/inbox"
        self.workspace.mkdir()
        variables = {
            "IMAP_HOST": "localhost", "IMAP_PORT": mail.imaps_port,
            "IMAP_USERNAME": USER, "SMTP_PORT": mail.submission_port,
            "WORKSPACE_DIR": self.workspace, "EMAIL_STATE_DIR": self.state,
            "TLS_CA_FILE": mail.ca} | _credentials(auth, oidc) | settings
        self.env = bed.client_env(modules) | {
            f"TRI_ONYX_{name}": value for name, value in variables.items()}
        if hasattr(auth, "socket"):
            self.env["MAILTOKEN_SOCKET"] = auth.socket

    def start(self):
        """`mailtoken-connector run`: a Process."""
        return self.bed.spawn(
            [self.bed.program("mailtoken-connector"), "run"], self.env)

    def run(self, *args, input="", timeout=60):
        """Run an operation to its end: a Result."""
        return self.bed.run([self.bed.program("mailtoken-connector"), *args],
                            self.env, input=input, timeout=timeout)

    def poll(self, rc=0):
        """`poll --once`; returns its Result with .json, and checks rc."""
        result = self.run("poll", "--once").check(rc)
        result.json = json.loads(result.out)
        return result

    def send(self, rc=0, **draft):
        """`send` a draft; returns its Result with .json."""
        draft = {"to": "bob@example.test", "subject": "a subject",
                 "body": "a body\n"} | draft
        result = self.run("send", "-", input=json.dumps(draft)).check(rc)
        result.json = json.loads(result.out)
        return result

    def handles(self):
        """The names of the published directories."""
        if not self.inbox.exists():
            return []
        return sorted(path.name for path in self.inbox.iterdir())

    def messages(self):
        """handle -> message.json of all that is published."""
        return {handle: json.loads(
            (self.inbox / handle / "message.json").read_text())
            for handle in self.handles()}

    def wait_handles(self, count, process, timeout=60):
        """Wait until `count` messages are published."""
        def arrived():
            if process.rc is not None:
                raise AssertionError(process.tail())
            return len(self.handles()) >= count
        wait_until(arrived, timeout, f"{count} messages in {self.inbox}")


def _credentials(auth, oidc):
    if auth == "password":
        return {"IMAP_AUTH": "login", "IMAP_PASSWORD": PASSWORD}
    if hasattr(auth, "socket"):
        return {"IMAP_AUTH": "oauth2"}
    return {"IMAP_AUTH": "oauth2", "OAUTH2_REFRESH_TOKEN": auth,
            "OAUTH2_CLIENT_ID": "native",
            "OAUTH2_TOKEN_URL": oidc.url("token")}
