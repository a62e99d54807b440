# SPDX-License-Identifier: ISC
"""Real mail programs, as a person configures them; see base.py.

SASL are those that log in by libsasl2, COMMAND those that take the token from
a command.
"""
from .base import MECHANISMS, Attempt, Client, Site, render
from .command import COMMAND
from .cyrus import CyrusAdmin, Imtest, Smtptest
from .etpan import EtpanImap, EtpanSmtp
from .kimap import Kimap
from .mbsync import Mbsync
from .nmh import Nmh
from .perl import AuthenSasl
from .postfix import PostfixChroot, PostfixNoChroot

SASL = (Mbsync, PostfixChroot, PostfixNoChroot, Imtest, Smtptest, EtpanImap,
        EtpanSmtp, Kimap, AuthenSasl, CyrusAdmin, Nmh)

__all__ = ["COMMAND", "MECHANISMS", "SASL", "Attempt", "Client", "Imtest",
           "Mbsync", "Site", "Smtptest", "render"]
