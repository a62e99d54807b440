# SPDX-License-Identifier: ISC
"""What is in the packages, and what cmake --install makes."""
import re
import subprocess
import unittest
from pathlib import Path

from bed import BedTestCase

from .common import packages

SOURCE = Path(__file__).resolve().parents[2]
MANUALS = {path.name for path in (SOURCE / "docs/man").iterdir()}


def output(*argv, **options):
    return subprocess.run([str(arg) for arg in argv], check=True, text=True,
                          stdout=subprocess.PIPE, **options).stdout


class FilesTest(BedTestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.root = cls.bed.subdir("root")
        for deb in packages(cls.bed):
            output("dpkg-deb", "-x", deb, cls.root)

    def test_lintian_finds_nothing(self):
        changes, = (self.bed.build_dir() / "packages").glob("*.changes")
        result = self.bed.run(
            ["/usr/bin/lintian", "-EIL", "+pedantic", "--allow-root",
             "--fail-on", "error,warning,info,pedantic,experimental",
             changes], {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
            timeout=600)
        self.assertEqual((result.rc, result.out), (0, ""))

    def test_versions_agree(self):
        version = re.search(r"project\(mailtoken VERSION ([\d.]+)",
                            (SOURCE / "CMakeLists.txt").read_text())[1]
        self.assertEqual(output("dpkg-parsechangelog", "-S", "Version", "-l",
                                SOURCE / "debian/changelog").strip(), version)
        for program in "mailtoken", "mailtokend", "mailtoken-connector":
            self.assertEqual(
                output(self.root / "usr/bin" / program, "--version"),
                f"{program} {version}\n")

    def test_every_manual_is_there_and_good(self):
        found = {path.name.removesuffix(".gz"): path for path
                 in self.root.glob("usr/share/man/man*/*")}
        self.assertEqual(set(found), MANUALS)
        for path in found.values():
            text = output("gzip", "-dc", path)
            result = self.bed.run(["/usr/bin/mandoc", "-Tlint", "-Wwarning"],
                                  input=text)
            self.assertEqual(result.out, "", path)

    def test_programs_can_be_moved_and_bind_at_once(self):
        programs = [path for path in self.root.glob("usr/**/*")
                    if path.is_file() and not path.is_symlink()
                    and path.read_bytes()[:4] == b"\x7fELF"]
        self.assertEqual(len(programs), 7)
        for path in programs:
            text = output("readelf", "-hdW", path)
            self.assertIn("DYN", text, path)
            self.assertIn("BIND_NOW", text, path)

    def test_module_needs_nothing_but_the_c_library(self):
        module, = self.root.glob("usr/lib/*/sasl2/libmailtoken.so")
        self.assertEqual(re.findall(r"NEEDED.*\[(.*)\]", output(
            "readelf", "-dW", module)), ["libc.so.6"])

    # -- cmake --install ---------------------------------------------------

    def install(self, *options):
        """The files that a source install makes, of a build without tests."""
        place = self.bed.subdir("install")
        output("cmake", "-S", SOURCE, "-B", place / "build", "-DMT_TESTS=OFF",
               "-DCMAKE_INSTALL_PREFIX=/usr", *options)
        scripts = "".join(path.read_text() for path
                          in place.glob("build/**/cmake_install.cmake"))
        # what is to be built need not be there for that
        files = re.findall(r'INSTALL DESTINATION "([^"]*)" TYPE \w+(?: RENAME '
                           r'"([^"]*)")? FILES\s+"([^"]*)"', scripts)
        return {f"{where}/{rename or Path(file).name}".replace(
            "${CMAKE_INSTALL_PREFIX}", "/usr") for where, rename, file
            in files}

    def test_packages_hold_what_a_source_install_makes(self):
        """It is real in the package's own build."""
        packed = {f"/{path.relative_to(self.root)}".removesuffix(".gz")
                  for path in self.root.glob("**/*")
                  if path.is_file() or path.is_symlink()}
        for path in self.install("-DMT_SYSTEM_UNIT_DIR=/lib/systemd/system"):
            if "libmailtoken.so" not in path:
                self.assertIn(path, packed)

    def test_source_install_goes_where_it_is_told(self):
        made = self.install("-DMT_SASL_MODULE_DIR=/opt/sasl2",
                            "-DMT_SYSTEMD=OFF",
                            "-DCMAKE_INSTALL_MANDIR=/opt/man")
        self.assertIn("/opt/sasl2/libmailtoken.so", made)
        self.assertIn("/opt/man/man8/mailtokend.8", made)
        self.assertEqual([path for path in made if re.search(
            "systemd|sysusers|tmpfiles", path)], [])


class CompletionTest(BedTestCase):
    """What bash offers is what the sources have."""

    def complete(self, *words):
        """What it offers for the last of the words."""
        place = self.bed.subdir("completion")
        for name in "mailtoken", "mailtokend", "mailtoken-connector":
            (place / name).symlink_to(self.bed.program(name))
        name = words[0].replace("-", "_")
        file = {"mailtoken-connector": "connector/mailtoken-connector.bash"
                }.get(words[0], "plugin/helper/command/mailtoken.bash")
        script = (f". {SOURCE}/{file}; COMP_WORDS=(\"$@\"); "
                  "COMP_CWORD=$(($# - 1)); "
                  f"_{name}; printf '%s\\n' \"${{COMPREPLY[@]}}\"")
        result = self.bed.run(
            ["/bin/bash", "-c", script, "bash", *words],
            {"PATH": f"{place}:/usr/bin:/bin", "HOME": place,
             "MAILTOKEN_SOCKET": place / "none"}, cwd=place)
        self.assertEqual(result.err, "")
        return set(result.out.split())

    def sources(self, pattern, text):
        found = set(re.findall(pattern, text, re.M))
        self.assertTrue(found, pattern)
        return found

    def test_commands_and_their_options(self):
        folder = SOURCE / "plugin/helper/command"
        main = (folder / "main.c").read_text()
        commands = self.sources(r"&cmd_(\w+)", main)
        self.assertEqual(self.complete("mailtoken", ""), commands)
        self.assertEqual(self.complete("mailtoken", "--socket", "x", "re"),
                         {"refresh", "reject", "reload"})
        self.assertEqual(
            self.complete("mailtoken", "-"),
            {f"--{name}" for name in self.sources(
                r'\{"([a-z-]+)", \w+_argument,', main)})
        for command in commands:
            text = (folder / f"cmd_{command}.c").read_text()
            known = {f"--{name}" for name in re.findall(
                r'\{"([a-z-]+)", \w+_argument,', text)}
            with self.subTest(command):
                self.assertGreaterEqual(
                    self.complete("mailtoken", command, "-"), known)

    def test_values_of_options(self):
        self.assertIn("root", self.complete(
            "mailtoken", "doctor", "--user", "roo"))
        self.assertEqual(self.complete("mailtoken", "login", "a", "--emit",
                                       f"{SOURCE}/READ"),
                         {f"{SOURCE}/README.md"})
        self.assertIn("--state-dir", self.complete("mailtokend", "--"))
        self.assertEqual(self.complete("mailtokend", "--config",
                                       f"{SOURCE}/READ"),
                         {f"{SOURCE}/README.md"})

    def test_connector(self):
        main = (SOURCE / "connector/main.c").read_text()
        commands = self.sources(r'^    \{"([\w-]+)", "[^"]*",\s+"', main)
        self.assertEqual(self.complete("mailtoken-connector", ""), commands)
        self.assertEqual(self.complete("mailtoken-connector", "-v", "poll",
                                       "-"), {"--once"})
        self.assertEqual(self.complete("mailtoken-connector", "queue", ""),
                         {"list", "show", "retry", "drop"})
        self.assertEqual(self.complete("mailtoken-connector", "send", "--re"),
                         {"--request-id"})
        self.assertEqual(self.complete("mailtoken-connector", "send",
                                       f"{SOURCE}/READ"),
                         {f"{SOURCE}/README.md"})


if __name__ == "__main__":
    unittest.main()
