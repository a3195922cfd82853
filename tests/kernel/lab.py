"""
A router and a server on a link, and what a visitor at the router does.
"""

from __future__ import annotations

import atexit
import os
import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from twisted.trial.runner import TestLoader, TestSuite
from twisted.trial.unittest import SynchronousTestCase

from tests.kernel.namespaces import (
    INSIDE,
    OUTSIDE,
    PREFIX,
    ROUTER_LINK_LOCAL,
    SECOND_PREFIX,
    SERVER_LINK_LOCAL,
    Namespace,
    makeLink,
)
from tests.kernel.twistd import Twistd
from tests.kernel.wire import Wire
from tests.support import requirePrograms, requireRoot

PROGRAMS = ("ip", "nft", "ping", "curl", "ndisc6")


@dataclass(frozen=True)
class Ping:
    """
    What ping(8) said.

    @ivar text: all of it.
    """

    text: str

    @property
    def received(self) -> int:
        """How many requests were answered."""
        return int(self._number(r"(\d+) received"))

    @property
    def duplicates(self) -> int:
        """How many replies more than one to each request came."""
        return int(self._number(r"\+(\d+) duplicates"))

    def _number(self, pattern: str) -> str:
        found = re.search(pattern, self.text)
        return found[1] if found else "0"


class Lab:
    """
    Two namespaces that eth0 joins. The router has an address outside of the prefixes, which are on
    its link; the server's default route leads to the router.

    @ivar directory: for what the services are to read.
    @ivar services: what runs, or ran, on the server.
    """

    def __init__(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="prefix64-test-"))
        self.router = Namespace("router")
        self.server = Namespace("server")
        self.services: list[Twistd] = []
        self._wires: list[Wire] = []

    def build(self, *own: str, inside: bool = False) -> None:
        """
        Make it.

        @param own: addresses of the server itself.
        @param inside: whether the router has an address inside the prefix, too.
        """
        for namespace in (self.router, self.server):
            namespace.make()
        self.join(*own, inside=inside)

    def join(self, *own: str, inside: bool = False) -> None:
        """
        Make the link, and give both ends their addresses and routes.
        """
        self.link()
        self.configure(*own, inside=inside)

    def configure(self, *own: str, inside: bool = False) -> None:
        """
        Give both ends their addresses and routes.
        """
        self.router.ip(f"address add {ROUTER_LINK_LOCAL}/64 dev eth0 nodad")
        self.router.ip(f"address add {OUTSIDE}/64 dev eth0 nodad")
        for prefix in (PREFIX, SECOND_PREFIX):
            self.router.ip(f"route add {prefix} dev eth0 src {OUTSIDE}")
        if inside:
            self.router.ip(f"address add {INSIDE}/128 dev eth0 nodad")
        self.configureServer(*own)

    def link(self) -> None:
        """
        Make the link alone.
        """
        makeLink(self.router, self.server)

    def configureServer(self, *own: str) -> None:
        """
        Give the server's end its addresses and its route, as an administrator does who brings it
        up: the kernel removes them when it goes down.
        """
        self.server.ip(f"address add {SERVER_LINK_LOCAL}/64 dev eth0 nodad")
        for address in own:
            self.server.ip(f"address add {address}/128 dev eth0 nodad")
        self.server.ip(f"route add default via {ROUTER_LINK_LOCAL} dev eth0")

    def close(self) -> None:
        """
        End what runs, and remove everything, however far L{build} came.
        """
        for wire in self._wires:
            wire.close()
        try:
            for service in self.services:
                service.close()
        finally:
            for namespace in (self.router, self.server):
                namespace.remove()
            shutil.rmtree(self.directory, ignore_errors=True)

    def launch(self, *options: str, twistd: tuple[str, ...] = ()) -> Twistd:
        """
        Start a service on the server, and do not wait for it.
        """
        service = Twistd(self.server, *options, twistd=twistd)
        self.services.append(service)
        return service

    def start(self, *options: str, twistd: tuple[str, ...] = ()) -> Twistd:
        """
        Serve the prefix on eth0, and wait until it is served.

        @param options: further options of prefix64.
        """
        service = self.launch("--iface", "eth0", "--prefix", PREFIX, *options, twistd=twistd)
        service.waitForStart()
        return service

    def wire(self) -> Wire:
        """
        The router's end of the link.
        """
        wire = Wire(self.router)
        self._wires.append(wire)
        return wire

    def ping(self, address: str, *options: str, count: int = 1, wait: float = 2) -> Ping:
        """
        Ping from the router.

        @param wait: seconds for a reply to come.
        """
        return pingFrom(self.router, address, *options, count=count, wait=wait)

    def fetch(self, url: str, *options: str) -> str:
        """
        Fetch a page from the router.
        """
        return fetchFrom(self.router, url, *options)


def pingFrom(
    namespace: Namespace, address: str, *options: str, count: int = 1, wait: float = 2
) -> Ping:
    """
    Ping an address.

    @param wait: seconds for a reply to come.
    """
    arguments = ("-c", str(count), "-W", str(wait), "-i", "0.1", *options, address)
    return Ping(namespace.run("ping", "-6", "-n", *arguments, check=False).stdout)


def fetchFrom(namespace: Namespace, url: str, *options: str) -> str:
    """
    Fetch a page.
    """
    arguments = ("-gsS", "--noproxy", "*", "--max-time", "5", *options, url)
    return namespace.run("curl", *arguments).stdout


class KernelTestCase(SynchronousTestCase):
    """
    A test with a real kernel.
    """

    def setUp(self) -> None:
        """
        See that it can run.
        """
        requireRoot()
        requirePrograms(*PROGRAMS)

    def makeLab(self, *own: str, inside: bool = False) -> Lab:
        """
        Make a lab for this test.
        """
        lab = Lab()
        self.addCleanup(lab.close)
        lab.build(*own, inside=inside)
        return lab

    def makeNamespace(self, role: str = "host") -> Namespace:
        """
        Make a single host for this test.
        """
        namespace = Namespace(role)
        self.addCleanup(namespace.remove)
        namespace.make()
        return namespace

    def makeDirectory(self) -> Path:
        """
        Make a directory for this test.
        """
        path = Path(tempfile.mkdtemp(prefix="prefix64-test-"))
        self.addCleanup(shutil.rmtree, path, ignore_errors=True)
        return path

    def track(self, service: Twistd) -> Twistd:
        """
        Have a process ended when the test ends.
        """
        self.addCleanup(service.close)
        return service

    def assertAnsweredOnce(self, ping: Ping, count: int = 1) -> None:
        """
        Each request got exactly one reply.
        """
        self.assertEqual((ping.received, ping.duplicates), (count, 0), ping.text)
        self.assertNotIn("wrong", ping.text)


class SharedLabTestCase(KernelTestCase):
    """
    Tests that leave their lab as they found it, and share one. It is made for the first, and
    removed when another class wants one, or at the end of the process.

    @cvar own: addresses of the server itself.
    @cvar inside: whether the router has an address inside the prefix.
    @cvar options: of the service.
    """

    own: tuple[str, ...] = ()
    inside = False
    options: tuple[str, ...] = ()
    _shared: ClassVar[tuple[type, Lab] | None] = None

    def setUp(self) -> None:
        """
        Take the lab of this class, or make it.
        """
        super().setUp()
        shared = SharedLabTestCase._shared
        if shared is None or shared[0] is not type(self) or not self._runs(shared[1]):
            self._replace()
        assert SharedLabTestCase._shared is not None
        self.lab = SharedLabTestCase._shared[1]
        self.service = self.lab.services[0]
        self.wire = self.lab.wire()
        self.addCleanup(self.wire.close)
        self.addCleanup(self._assertNoTraceback, self.service.log().count("\n"))

    @staticmethod
    def _runs(lab: Lab) -> bool:
        """
        Tell whether the service of a lab runs.
        """
        return bool(lab.services) and lab.services[0].process.poll() is None

    def _replace(self) -> None:
        """
        Remove the lab of another class, and make this one's.
        """
        closeShared()
        lab = Lab()
        SharedLabTestCase._shared = type(self), lab
        lab.build(*self.own, inside=self.inside)
        self.prepare(lab)
        lab.start(*self.options)

    def prepare(self, lab: Lab) -> None:
        """
        What is to be done between making the lab and starting the service.
        """

    def _assertNoTraceback(self, before: int) -> None:
        """
        Nothing went wrong in the service during the test.

        @param before: how many lines its log had.
        """
        lines = self.service.log().split("\n")[before:]
        self.assertFalse([line for line in lines if "Traceback" in line], "\n".join(lines))


def closeShared() -> None:
    """
    Remove the shared lab.
    """
    shared, SharedLabTestCase._shared = SharedLabTestCase._shared, None
    if shared is not None:
        shared[1].close()


atexit.register(closeShared)


def suiteOf(moduleName: str) -> TestSuite:
    """
    The tests of a module, for its C{test_suite} hook; none where no test here can run, for
    L{tests.kernel.test_root} says so once for all of them.
    """
    loader = TestLoader()
    suite = loader.suiteFactory()
    if os.geteuid() == 0 and all(map(shutil.which, PROGRAMS)):
        module = __import__(moduleName, fromlist=["test_suite"])
        for testClass in loader.findTestClasses(module):
            suite.addTest(loader.loadClass(testClass))
    return suite
