"""
The first thing that a user tries: C{twistd -n prefix64} and nothing else.
"""

from __future__ import annotations

from typing import Any

from tests.kernel.lab import KernelTestCase, fetchFrom, pingFrom, suiteOf
from tests.kernel.twistd import Twistd

ADDRESS = "2001:db8::cafe"


def test_suite() -> Any:
    """
    The tests of this module.
    """
    return suiteOf(__name__)


class LoopbackTests(KernelTestCase):
    """
    2001:db8::/64 on the loopback interface.
    """

    def servesOnLoopback(self, *twistd: str) -> Twistd:
        """
        It starts, serves, and leaves nothing.

        @param twistd: options of twistd.
        """
        host = self.makeNamespace()
        before = host.dump()
        service = self.track(Twistd(host, twistd=twistd))
        service.waitForStart()
        self.assertIn(ADDRESS, fetchFrom(host, f"http://[{ADDRESS}]/", "-H", "Accept: text/plain"))
        for address in (ADDRESS, "2001:db8::ffff:ffff:ffff:ffff"):
            self.assertAnsweredOnce(pingFrom(host, address, count=2), 2)
        self.assertAnsweredOnce(pingFrom(host, ADDRESS, "-s", "4000"))
        self.assertEqual(host.run("nft", "list", "ruleset").stdout, "")
        service.stop()
        self.assertEqual(host.dump(), before)
        self.assertNotIn("Traceback", service.log())
        return service

    def test_noOptions(self) -> None:
        """
        Every address has a page and answers ping once; the start says what to try.
        """
        log = self.servesOnLoopback().log()
        self.assertIn(
            "serving every address of 2001:db8::/64 on lo; ping answered by the kernel. "
            f"Try http://[{ADDRESS}]/\n",
            log,
        )

    def test_reactors(self) -> None:
        """
        So it is in every reactor.
        """
        for reactor in ("poll", "select", "asyncio"):
            service = self.servesOnLoopback(f"--reactor={reactor}")
            self.assertIn(f"{reactor}reactor", service.log().lower())

    def test_notOurs(self) -> None:
        """
        The anycast and the excluded addresses are not served, and an address of the host inside the
        prefix is its own.
        """
        host = self.makeNamespace()
        host.ip("address add 2001:db8::b:1/128 dev lo nodad")
        service = self.track(Twistd(host, "--exclude", "2001:db8::e:0/112"))
        service.waitForStart()
        for address in ("2001:db8::", "2001:db8::e:1", "2001:db8::fdff:ffff:ffff:ff80"):
            self.assertEqual(pingFrom(host, address, wait=0.2).received, 0, address)
        self.assertAnsweredOnce(pingFrom(host, "2001:db8::b:1"))
        self.assertIn("2001:db8::b:1", fetchFrom(host, "http://[2001:db8::b:1]/"))

    def test_anotherPrefixAndPort(self) -> None:
        """
        Another prefix, and a port that the address to try then has.
        """
        host = self.makeNamespace()
        service = self.track(Twistd(host, "--prefix", "fd00:64::/48", "--http", "8080"))
        service.waitForStart()
        self.assertIn("Try http://[fd00:64::cafe]:8080/", service.log())
        address = "fd00:64:0:ffff::1"
        self.assertIn(address, fetchFrom(host, f"http://[{address}]:8080/"))
