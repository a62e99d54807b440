# SPDX-License-Identifier: ISC
"""The test bed: real servers on private ports, gone when the test is.

    from bed import Bed
    with Bed() as bed:
        oidc = bed.oidc()
        mail = bed.dovecot(oidc=oidc, sink=bed.sink())

See the docstrings of Bed and of each server's class.
"""
from .core import Bed, BedTestCase
from .process import alive, wait_until

__all__ = ["Bed", "BedTestCase", "alive", "wait_until"]
