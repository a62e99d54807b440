# SPDX-License-Identifier: ISC
"""A small certificate authority, made anew for each bed with openssl(1)."""
import ipaddress
import itertools
import subprocess
from pathlib import Path

_CONFIG = """\
[req]
distinguished_name = name
prompt = no
[name]
[authority]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[server]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectKeyIdentifier = hash
"""
_LOCAL = ("localhost", "127.0.0.1", "::1")


class Tls:
    """`ca` is the authority's certificate; cert() issues one for a server."""

    def __init__(self, directory):
        self.dir = Path(directory)
        self.dir.mkdir(mode=0o755)
        self._count = itertools.count(1)
        self._config = self.dir / "openssl.cnf"
        self._config.write_text(_CONFIG)
        self.ca, self._ca_key = self._make(
            "ca", "mailtoken test authority", "authority")

    def cert(self, names=_LOCAL, self_signed=False, expired=False):
        """Issue a certificate for host names and addresses.

        Returns (certificate, key), two PEM files.
        """
        sans = ",".join(f"IP:{name}" if _is_address(name) else f"DNS:{name}"
                        for name in names)
        options = ["-addext", f"subjectAltName={sans}"]
        if not self_signed and not expired:
            options += ["-CA", self.ca, "-CAkey", self._ca_key]
        pair = self._make(f"server{next(self._count)}", names[0], "server",
                          options)
        if expired:
            self._expire(*pair, self_signed)
        return pair

    def _make(self, stem, common_name, section, options=()):
        cert, key = self.dir / f"{stem}.pem", self.dir / f"{stem}.key"
        _openssl("req", "-x509", "-config", self._config, "-days", "30",
                 "-extensions", section, "-subj", f"/CN={common_name}",
                 "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                 "-nodes", "-keyout", key, "-out", cert, *options)
        return cert, key

    def _expire(self, cert, key, self_signed):
        """Sign a self-signed one again, for a time that is over."""
        signer = (["-signkey", key] if self_signed else
                  ["-CA", self.ca, "-CAkey", self._ca_key])
        _openssl("x509", "-in", cert, "-out", cert, "-days", "-1", *signer)


def _openssl(*args):
    done = subprocess.run(["openssl", *args], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"openssl {args[0]}: {done.stderr}")


def _is_address(name):
    try:
        ipaddress.ip_address(name)
        return True
    except ValueError:
        return False
