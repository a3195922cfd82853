"""
What somebody deletes, and what becomes of an interface, in every way of routing: it is put back,
but not in a fight, and nothing is left at the end.
"""

from __future__ import annotations

from typing import Any

from tests.kernel.lab import suiteOf
from tests.kernel.namespaces import PREFIX, eventually
from tests.kernel.test_ways import ADDRESS, LISTED, MARKING, WayTestCase
from tests.kernel.twistd import Twistd
from tests.kernel.wider_lab import WiderLab

PART, BEHIND = "2001:db8:0:0:c::/80", "2001:db8::c:0:0:2"
IIF = f"to {PREFIX} iif eth0"
WAYS: dict[str, tuple[str, ...]] = {
    "input": (),
    "ports": ("--routing", "ports", "--ports", "tcp:80"),
    "fwmark": ("--routing", "fwmark"),
    "proxy": ("--ndp", "kernel"),
    "forward": ("--forward", PART),
}
RULES = {
    "input": f"{IIF} lookup 64",
    "ports": f"{IIF} ipproto tcp dport 80 lookup 64",
    "fwmark": "fwmark 0x40 lookup 64",
    "proxy": f"{IIF} lookup 64",
    "forward": f"{IIF} lookup 64",
}
"""A rule of each way, as C{ip rule} has it."""

_SLOW = 15.0
"""Seconds in which neighbor proxies are looked at."""


def test_suite() -> Any:
    """
    The tests of this module.
    """
    return suiteOf(__name__)


class ReconcileTestCase(WayTestCase):
    """
    What the tests here have in common.
    """

    def begin(self, way: str) -> tuple[WiderLab, Twistd]:
        """
        A lab in which a way works.
        """
        lab = self.makeLab()
        options = WAYS[way]
        if way == "fwmark":
            path = lab.directory / "marking"
            path.write_text(MARKING)
            lab.server.run("nft", "-f", str(path))
        if way == "proxy":
            lab.server.sysctl("neigh/eth0/proxy_delay", 0)
            options = (*options, *self.sites(lab, LISTED.replace(":", "-")))
        if way == "forward":
            lab.container(PART, BEHIND)
        service = lab.start(*options)
        self.assertWorks(lab, way)
        return lab, service

    def assertWorks(self, lab: WiderLab, way: str) -> None:
        """
        The address that the way is about is reached, soon.
        """
        address = {"proxy": LISTED, "forward": BEHIND}.get(way, ADDRESS)
        lab.router.ip("neigh flush all")
        eventually(lambda: lab.ping(address, wait=1).received, _SLOW, f"{way}: {address}")
        if way != "forward":
            self.assertIn(address, lab.fetch(f"http://[{address}]/"))

    def assertEndsWithNothing(self, lab: WiderLab, service: Twistd) -> None:
        """
        The end leaves nothing of ours; and nothing went wrong.
        """
        service.stop()
        self.assertNotIn("Traceback", service.log())
        self.assertNotIn("proto 64", lab.server.ip("-6 rule show"))
        self.assertEqual(lab.server.ip("-6 route show table 64", check=False), "")
        self.assertEqual(lab.server.ip("-6 neigh show proxy"), "")


class DeletionTests(ReconcileTestCase):
    """
    Somebody deletes what is ours.
    """

    def assertPutBackOnce(self, way: str) -> None:
        """
        A rule, a route, and a proxy come back with one warning each time; deleted again they are
        left alone, with one error line.
        """
        lab, service = self.begin(way)
        server, rule = lab.server, RULES[way]
        route = f"{'throw' if way == 'forward' else 'local'} {PART if way == 'forward' else PREFIX}"
        proxy = way == "proxy"
        for again in (False, True):
            server.ip(f"-6 rule del {rule} priority 64 protocol 64")
            server.ip(f"-6 route del {route} table 64 proto 64")
            if proxy:
                server.ip(f"-6 neigh del proxy {LISTED} dev eth0")
            log = "is left alone until prefix64 starts anew" if again else ": putting it back"
            eventually(lambda log=log: log in service.log(), what=f"{way}: {log}")
            isThere = not again
            self.eventuallyIs(isThere, lambda: rule in server.ip("-6 rule show"))
            self.eventuallyIs(isThere, lambda: route in server.ip("-6 route show table 64"))
            self.eventuallyIs(isThere and proxy, lambda: LISTED in server.ip("-6 neigh show proxy"))
        lines = service.log().splitlines()
        for word, most in (("#warn] somebody deleted", 1), ("#error]", 1)):
            found = [line for line in lines if word in line]
            self.assertEqual(len(found), most, "\n".join(lines))
        self.assertEndsWithNothing(lab, service)

    def eventuallyIs(self, expected: bool, look: Any) -> None:
        """
        It becomes so.
        """
        eventually(lambda: look() is expected)

    def test_input(self) -> None:
        """
        C{--routing input}.
        """
        self.assertPutBackOnce("input")

    def test_ports(self) -> None:
        """
        C{--routing ports}.
        """
        self.assertPutBackOnce("ports")

    def test_fwmark(self) -> None:
        """
        C{--routing fwmark}.
        """
        self.assertPutBackOnce("fwmark")

    def test_proxy(self) -> None:
        """
        C{--ndp kernel}.
        """
        self.assertPutBackOnce("proxy")

    def test_forward(self) -> None:
        """
        C{--forward}: the hole of what is behind.
        """
        self.assertPutBackOnce("forward")

    def test_switches(self) -> None:
        """
        What was set for C{--ndp kernel} is set again once, too; and what somebody wants otherwise
        is left at the end.
        """
        lab, service = self.begin("proxy")
        for log in (
            "somebody changed sysctls: setting",
            "somebody changes sysctls again and again",
        ):
            lab.server.sysctl("conf/eth0/proxy_ndp", 0)
            eventually(lambda log=log: log in service.log(), _SLOW)
        self.assertEndsWithNothing(lab, service)
        switches = [
            lab.server.run("cat", f"/proc/sys/net/ipv6/conf/eth0/{name}").stdout.strip()
            for name in ("forwarding", "proxy_ndp")
        ]
        self.assertEqual(switches, ["0", "0"])


class FlapTests(ReconcileTestCase):
    """
    The interface goes, and comes back.
    """

    def assertOutlives(self, way: str) -> None:
        """
        Down and up, renamed and back, deleted and made anew: each time it works again, and no flush
        of the kernel's is taken for a fight.
        """
        lab, service = self.begin(way)
        for _ in range(2):
            lab.server.ip("link set eth0 down")
            lab.server.ip("link set eth0 up")
            lab.configureServer()
            self.assertWorks(lab, way)
        for live in (True, False):
            self.rename(lab, live)
            self.assertWorks(lab, way)
        lab.server.ip("link del eth0")
        lab.link()
        lab.configure()
        lab.server.sysctl("neigh/eth0/proxy_delay", 0)
        self.assertWorks(lab, way)
        self.assertNotIn("left alone", service.log())
        self.assertEndsWithNothing(lab, service)

    def rename(self, lab: WiderLab, live: bool) -> None:
        """
        Give the interface another name, see that nothing is left there, and give it its own back.

        @param live: while it is up, with all that is configured.
        """
        server = lab.server
        if not live:
            server.ip("link set eth0 down")
        server.ip("link set eth0 name wan")
        eventually(lambda: "proxy" not in server.ip("-6 neigh show proxy"), what="proxies go")
        switch = "/proc/sys/net/ipv6/conf/wan/proxy_ndp"
        eventually(lambda: server.run("cat", switch).stdout == "0\n", what="switches go back")
        server.ip("link set wan name eth0")
        if not live:
            server.ip("link set eth0 up")
            lab.configureServer()

    def test_input(self) -> None:
        """
        C{--routing input}.
        """
        self.assertOutlives("input")

    def test_ports(self) -> None:
        """
        C{--routing ports}.
        """
        self.assertOutlives("ports")

    def test_fwmark(self) -> None:
        """
        C{--routing fwmark}.
        """
        self.assertOutlives("fwmark")

    def test_proxy(self) -> None:
        """
        C{--ndp kernel}: the switches of what is renamed, or new, too.
        """
        self.assertOutlives("proxy")

    def test_forward(self) -> None:
        """
        C{--forward}.
        """
        self.assertOutlives("forward")

    def test_loopback(self) -> None:
        """
        With lo the kernel deletes the routes, in every table: twice is no fight.
        """
        lab, service = self.begin("input")
        for _ in range(2):
            lab.server.ip("link set lo down")
            eventually(lambda: not lab.server.ip("-6 route show table 64", check=False))
            lab.server.ip("link set lo up")
            self.assertWorks(lab, "input")
        self.assertNotIn("left alone", service.log())
        self.assertEndsWithNothing(lab, service)
