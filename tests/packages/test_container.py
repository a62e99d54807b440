# SPDX-License-Identifier: ISC
"""The recipe of the container, its steps carried out without an engine."""
import os
import re
import shlex
import shutil
import unittest
from pathlib import Path

from bed.process import wait_until

from .build import copy_sources
from .common import ALICE, CA, BoxTestCase, packages

SOURCE = Path(__file__).resolve().parents[2]
PLACE = SOURCE / "docs/container"
INIT = "/usr/bin/sleep infinity"
# what its base image has besides
BARE = ("ca-certificates",)


def stages():
    """Lists of (instruction, rest of the line), one for each FROM."""
    text = (PLACE / "Containerfile").read_text()
    lines = [line.split(" ", 1) for line in text.splitlines()
             if line and not line.startswith("#")]
    starts = [i for i, (name, _) in enumerate(lines) if name == "FROM"]
    return [lines[start:end] for start, end in zip(starts,
                                                   starts[1:] + [None])]


class Stage:
    """Carries the instructions out in a box."""

    def __init__(self, box, copy):
        self.box, self.copy = box, copy
        self.env, self.user, self.directory = {}, None, "/"
        self.argv = {}

    def carry_out(self, name, rest):
        if name == "RUN":
            self.box.sh(f"export DEBIAN_FRONTEND=noninteractive; "
                        f"cd {self.directory}; {rest}", timeout=900)
        elif name == "WORKDIR":
            self.directory = rest
            self.box.sh(f"mkdir -p {rest}")
        elif name == "COPY":
            target = Path(self.directory, rest.split()[-1])
            place = self.box.root / target.relative_to("/")
            place.mkdir(parents=True, exist_ok=True)
            self.copy(place)
        elif name == "ENV":
            self.env |= dict(word.split("=", 1) for word in shlex.split(rest))
        elif name == "USER":
            self.user = rest
        elif name in ("ENTRYPOINT", "CMD"):
            self.argv[name] = re.findall(r'"([^"]*)"', rest)
        elif name != "FROM":
            raise AssertionError(f"{name}: this test does not know it")


class ContainerTest(BoxTestCase):
    def built(self):
        """The packages: of the first stage in a long run, else those that
        packages.build made by the same commands."""
        if not os.environ.get("MAILTOKEN_LONG"):
            return packages(self.bed)
        box = self.new_box(init=INIT, packages=BARE)
        stage = Stage(box, lambda place: copy_sources(SOURCE, place))
        for line in stages()[0]:
            stage.carry_out(*line)
        place = self.bed.subdir("built")
        for deb in (box.root / "src").glob("*.deb"):
            shutil.copy(deb, place)
        box.stop()
        return sorted(place.iterdir())

    def test_container_delivers_mail(self):
        debs = self.built()
        self.assertEqual(len(debs), 3)
        box = self.new_box(init=INIT, packages=BARE)
        stage = Stage(box, lambda place: [shutil.copy(deb, place)
                                          for deb in debs])
        for line in stages()[1]:
            stage.carry_out(*line)
        self.assertFalse((box.root / "lib/systemd/systemd").exists())
        seed = self.oidc.mint(ALICE)["refresh_token"]
        box.write("/run/seed", seed)
        process = self.bed.spawn(box.argv(
            [*stage.argv["ENTRYPOINT"], *stage.argv["CMD"]], stage.user),
            {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"} | stage.env | {
                f"TRI_ONYX_{name}": value for name, value in {
                    "IMAP_HOST": "localhost", "IMAP_AUTH": "oauth2",
                    "IMAP_PORT": self.mail.imaps_port,
                    "IMAP_USERNAME": ALICE, "TLS_CA_FILE": CA,
                    "SMTP_PORT": self.mail.submission_port,
                    "OAUTH2_CLIENT_ID": "native",
                    "OAUTH2_TOKEN_URL": self.oidc.url("token"),
                    "OAUTH2_SCOPE": "mail",
                    "OAUTH2_REFRESH_TOKEN_FILE": "/run/seed",
                    # as empty as in an .env
                    "OAUTH2_TENANT": "", "SMTP_HOST": ""}.items()})
        self.mail.deliver(ALICE, b"Subject: contained\n\nhi\n")
        inbox = box.root / "workspace/agents/email/inbox"

        def arrived():
            if process.rc is not None:
                raise AssertionError(process.tail())
            return inbox.exists() and list(inbox.glob("*/message.json"))
        wait_until(arrived, 60, "a message")

    def test_composition_sets_what_there_is(self):
        text = (PLACE / "compose.yaml").read_text()
        table = (SOURCE / "connector/config_table.c").read_text()
        known = set(re.findall(r'"(TRI_ONYX_\w+)"', table))
        named = set(re.findall(r"^      (TRI_ONYX_\w+):", text, re.M))
        self.assertIn("TRI_ONYX_IMAP_HOST", named)
        self.assertEqual(sorted(named - known - {
            f"{name}_FILE" for name in known}), [])


if __name__ == "__main__":
    unittest.main()
