"""
What comes into the kernel, and that it goes again, however the process ends.
"""

from __future__ import annotations

import signal
import time
from typing import Any

from tests.kernel.lab import KernelTestCase, Lab, suiteOf
from tests.kernel.namespaces import (
    PREFIX,
    SECOND_PREFIX,
    eventually,
    makeLink,
)
from tests.kernel.twistd import runToEnd
from tests.kernel.wire import Wire, layerAddressIn, solicitation

ADDRESS = "2001:db8::cafe"
FOREIGN = """
route add 2001:db8:77::/64 dev eth0 table 65 proto static
route add throw 2001:db8::f00 table 65 proto 99
route add local 2001:db8:78::/64 dev lo table 65 proto 64
rule add iif eth0 to 2001:db8::/64 lookup 64 priority 65 protocol static
rule add iif eth0 to 2001:db8:77::/64 lookup 65 priority 65 protocol 99
rule add iif eth0 to 2001:db8::/64 lookup 65 priority 65 protocol 64
rule add iif eth0 to 2001:db8::/64 lookup 65 priority 66 protocol 64
"""
"""Rules and routes that look much like ours, in another table or with another priority."""


def test_suite() -> Any:
    """
    The tests of this module.
    """
    return suiteOf(__name__)


class LifeTestCase(KernelTestCase):
    """
    What the tests here have in common.
    """

    def assertServes(self, lab: Lab, address: str = ADDRESS) -> None:
        """
        An address answers ping once, and HTTP.
        """
        self.assertAnsweredOnce(lab.ping(address))
        self.assertIn(address, lab.fetch(f"http://[{address}]/"))


class LifeTests(LifeTestCase):
    """
    Start and end.
    """

    def addForeign(self, lab: Lab) -> None:
        """
        Put into the server's kernel what is not ours, and looks much like it.
        """
        for line in FOREIGN.strip().splitlines():
            lab.server.ip(f"-6 {line}")
        lab.server.run("nft", "add table ip6 prefix64-eth1")

    def test_startLine(self) -> None:
        """
        One line says what is served, on which interface, who answers ping, and what to try.
        """
        lab = self.makeLab()
        service = lab.start()
        lines = [line for line in service.log().splitlines() if "serving" in line]
        self.assertEqual(len(lines), 1)
        self.assertTrue(
            lines[0].endswith(
                f"serving every address of {PREFIX} on eth0; ping answered by the protocol. "
                f"Try http://[{ADDRESS}]/"
            ),
            lines[0],
        )

    def test_case68_sigtermUndoesEverything(self) -> None:
        """
        After SIGTERM the kernel is byte for byte what it was; what is somebody else's is untouched,
        though it looks much like ours.
        """
        lab = self.makeLab("2001:db8::b:1")
        self.addForeign(lab)
        before = lab.server.dump()
        service = lab.start("--exclude", "2001:db8::e:0/112", "--local")
        self.assertServes(lab)
        self.assertNotEqual(lab.server.dump(), before)
        self.assertEqual(lab.server.allmulti(), 1)
        self.assertIn(service.stop(), (0, -signal.SIGTERM))
        self.assertEqual(lab.server.dump(), before)
        self.assertNotIn("Traceback", service.log())

    def test_terminalUndoesEverything(self) -> None:
        """
        So it is after Ctrl-C, and when the terminal goes away (SIGHUP).
        """
        lab = self.makeLab()
        before = lab.server.dump()
        for number in (signal.SIGINT, signal.SIGHUP):
            service = lab.start()
            service.process.send_signal(number)
            service.process.wait(10)
            self.assertEqual(lab.server.dump(), before)
            self.assertNotIn("Traceback", service.log())

    def test_interruptedStart(self) -> None:
        """
        SIGTERM in the middle of the start undoes what was done until then.
        """
        lab = self.makeLab()
        before = lab.server.dump()
        service = lab.launch("--iface", "eth0", "--prefix", "2001:db8::/56")
        eventually(lambda: "proto 64" in lab.server.ip("-6 route show table 64", check=False))
        service.process.send_signal(signal.SIGTERM)
        service.process.wait(10)
        self.assertEqual(lab.server.dump(), before)
        self.assertNotIn("Traceback", service.log())

    def test_case67_sigkill(self) -> None:
        """
        SIGKILL leaves rules and routes, but neither ALLMULTI nor the guard, so that the host's
        addresses answer ping. The next start takes over what was left, and its end removes it.
        """
        lab = self.makeLab("2001:db8::b:1")
        self.addForeign(lab)
        before, ruleset = lab.server.dump(), lab.server.run("nft", "list", "ruleset").stdout
        lab.start().kill()
        eventually(lambda: lab.server.allmulti() == 0)
        eventually(lambda: lab.server.run("nft", "list", "ruleset").stdout == ruleset)
        self.assertIn(
            "local 2001:db8::/64 dev lo proto 64", lab.server.ip("-6 route show table 64")
        )
        self.assertAnsweredOnce(lab.ping("2001:db8::b:1"))
        service = lab.start()
        self.assertRegex(service.log(), r"taking over \d+ rules and routes of an earlier run")
        self.assertServes(lab)
        service.stop()
        self.assertEqual(lab.server.dump(), before)

    def test_case67_leftOfAnotherPrefix(self) -> None:
        """
        What a killed run left for another prefix on the same interface goes, too, and at once.
        """
        lab = self.makeLab()
        before = lab.server.dump()
        service = lab.launch("--iface", "eth0", "--prefix", SECOND_PREFIX, "--local")
        service.waitForStart()
        service.kill()
        service = lab.start()
        self.assertServes(lab)
        self.assertNotIn("2001:db8:1::", lab.server.ip("-6 route show table 64"))
        self.assertEqual(len(lab.server.ip("-6 rule show priority 64").splitlines()), 1)
        service.stop()
        self.assertEqual(lab.server.dump(), before)

    def test_twoInstancesOnOneInterface(self) -> None:
        """
        The second is refused in one line that names the first, which is not disturbed.
        """
        lab = self.makeLab()
        first = lab.start()
        before = lab.server.dump()
        done = runToEnd(
            lab.server,
            ["-n", "--pidfile=", "prefix64", "-i", "eth0", "-p", SECOND_PREFIX, "--http", "8080"],
            lab.directory,
        )
        self.assertEqual(done.returncode, 1)
        self.assertEqual(
            done.stderr,
            f"prefix64: interface 'eth0' is served already by process {first.process.pid} "
            "(user 0): stop that first\n",
        )
        self.assertEqual(lab.server.dump(), before)
        self.assertServes(lab)

    def test_twoInstancesOnTwoInterfaces(self) -> None:
        """
        Each has its own; stopping one leaves what is the other's.
        """
        lab = self.makeLab()
        makeLink(lab.router, lab.server, "eth1")
        for start in ("eth0", "eth1"):
            with self.subTest(stopped=start):
                self._stopOneOfTwo(lab, first=start)

    def _stopOneOfTwo(self, lab: Lab, first: str) -> None:
        """
        Start two, stop one, stop the other.
        """
        before = lab.server.dump()
        services = {"eth0": lab.start()}
        alone = lab.server.dump()
        services["eth1"] = lab.launch(
            *("--iface", "eth1", "--prefix", SECOND_PREFIX, "--http", "8080")
        )
        services["eth1"].waitForStart()
        services[first].stop()
        if first == "eth1":
            self.assertEqual(lab.server.dump(), alone)
            self.assertServes(lab)
        other = services["eth1" if first == "eth0" else "eth0"]
        other.stop()
        self.assertEqual(lab.server.dump(), before)

    def test_overlappingPrefixOnAnotherInterface(self) -> None:
        """
        A prefix that another instance serves, whole or in part, is refused in one line that names
        that instance, which is not disturbed: be it on lo or on another link.
        """
        lab = self.makeLab()
        makeLink(lab.router, lab.server, "eth1")
        for interface, prefix in (("lo", PREFIX), ("eth1", "2001:db8::/48")):
            first = lab.launch("--iface", interface, "--prefix", prefix)
            first.waitForStart()
            before = lab.server.dump()
            done = runToEnd(
                lab.server,
                ["-n", "--pidfile=", "prefix64", "-i", "eth0", "-p", PREFIX, "--http", "8080"],
                lab.directory,
            )
            self.assertEqual((done.returncode, done.stderr.count("\n")), (1, 1), done.stderr)
            self.assertIn(f"is served on {interface} already by process ", done.stderr)
            self.assertIn(f"process {first.process.pid} (user 0): stop that first", done.stderr)
            self.assertEqual(lab.server.dump(), before)
            first.stop()

    def test_case67_leftOnAnotherInterface(self) -> None:
        """
        What a killed run left for the same prefix on another interface is taken over.
        """
        lab = self.makeLab()
        makeLink(lab.router, lab.server, "eth1")
        before = lab.server.dump()
        for interface in ("lo", "eth1"):
            first = lab.launch("--iface", interface, "--prefix", PREFIX)
            first.waitForStart()
            first.kill()
            second = lab.start()
            self.assertServes(lab)
            self.assertEqual(len(lab.server.ip("-6 rule show priority 64").splitlines()), 1)
            second.stop()
            self.assertEqual(lab.server.dump(), before)


class InterfaceLifeTests(LifeTestCase):
    """
    What happens to the interface while we serve it.
    """

    def test_case62_linkDownAndUp(self) -> None:
        """
        The link goes down and up: it goes on, in every reactor.
        """
        for reactor in ("epoll", "asyncio", "select", "poll"):
            lab = self.makeLab()
            service = lab.start(twistd=(f"--reactor={reactor}",))
            self.assertServes(lab)
            lab.server.ip("link set eth0 down")
            lab.server.ip("link set eth0 up")
            lab.configureServer()
            eventually(lambda lab=lab: lab.ping(ADDRESS, wait=0.5).received, what=reactor)
            self.assertServes(lab)
            self.assertEqual(lab.server.allmulti(), 1)
            service.stop()
            self.assertNotIn("Traceback", service.log())
            self.assertNotIn("Unhandled", service.log())
            lab.close()

    def test_downAtTheStart(self) -> None:
        """
        An interface that is down at the start is served when it comes up.
        """
        lab = self.makeLab()
        lab.server.ip("link set eth0 down")
        lab.start()
        lab.server.ip("link set eth0 up")
        lab.configureServer()
        eventually(lambda: lab.ping(ADDRESS, wait=0.5).received)
        self.assertServes(lab)

    def test_case63_deletedAndMadeAgain(self) -> None:
        """
        The interface is deleted and made again: it is served within a second, and the end leaves
        nothing.
        """
        lab = self.makeLab()
        before = lab.server.ip("-6 rule show"), lab.server.ip("-6 route show table 64", check=False)
        service = lab.start()
        self.assertServes(lab)
        lab.server.ip("link del eth0")
        eventually(lambda: "eth0" not in lab.router.ip("-o link show"))
        lab.link()
        begin = time.monotonic()
        wire = lab.wire()
        eventually(lambda: self._isAdvertised(wire))
        self.assertLess(time.monotonic() - begin, 1.0)
        lab.configure()
        self.assertServes(lab)
        self.assertEqual(lab.server.allmulti(), 1)
        service.stop()
        after = lab.server.ip("-6 rule show"), lab.server.ip("-6 route show table 64", check=False)
        self.assertEqual(after, before)
        self.assertEqual(lab.server.run("nft", "list", "ruleset").stdout, "")
        self.assertEqual(lab.server.allmulti(), 0)
        self.assertNotIn("Traceback", service.log())

    def _isAdvertised(self, wire: Wire) -> bool:
        """
        Ask for an address.

        @return: whether an answer has come to this or an earlier question.
        """
        wire.send(solicitation("2001:db8::63"))
        return bool(wire.advertisements("2001:db8::63"))

    def test_case63_backWithTheSameIndex(self) -> None:
        """
        The interface goes to another network namespace and comes back with the index that it had,
        while the service is too busy to look: what it hears then is one batch.
        """
        lab, elsewhere = self.makeLab(), self.makeNamespace("elsewhere")
        service = lab.start()
        self.assertServes(lab)
        index = lab.server.ip("-o link show dev eth0").partition(":")[0]
        service.process.send_signal(signal.SIGSTOP)
        try:
            lab.server.ip(f"link set eth0 netns {elsewhere.name}")
            elsewhere.ip(f"link set eth0 netns {lab.server.name}")
            lab.server.ip("link set dev eth0 addrgenmode none up")
            lab.configureServer()
        finally:
            service.process.send_signal(signal.SIGCONT)
        self.assertEqual(lab.server.ip("-o link show dev eth0").partition(":")[0], index)
        eventually(lambda: lab.ping(ADDRESS, wait=0.5).received)
        self.assertServes(lab)
        self.assertEqual(lab.server.allmulti(), 1)

    def test_case64_linkLayerAddressChanges(self) -> None:
        """
        Advertisements have the new link-layer address, as their source too, and ping goes on.
        """
        lab = self.makeLab()
        lab.start()
        self.assertServes(lab)
        changed = "02:00:00:00:00:22"
        lab.server.ip(f"link set eth0 address {changed}")
        self.assertEqual(lab.server.allmulti(), 1)
        eventually(lambda: self._advertised(lab) == {(changed, changed)})
        lab.router.ip("neigh flush dev eth0")
        self.assertServes(lab)

    def _advertised(self, lab: Lab) -> set[tuple[str, str | None]]:
        """
        The frame's source and the option's value of the advertisements that a solicitation brings.
        """
        wire = lab.wire()
        wire.send(solicitation("2001:db8::64"))
        wire.fence()
        return {(p.src, layerAddressIn(p)) for p in wire.advertisements("2001:db8::64")}

    def test_case66_renamedAndBack(self) -> None:
        """
        The interface is renamed, and its name comes back: it is served again.
        """
        lab = self.makeLab()
        service = lab.start()
        for name, renamed in (("eth0", "other"), ("other", "eth0")):
            lab.server.ip(f"link set {name} down")
            lab.server.ip(f"link set {name} name {renamed}")
        lab.server.ip("link set eth0 up")
        lab.configureServer()
        eventually(lambda: lab.ping(ADDRESS, wait=0.5).received)
        self.assertServes(lab)
        service.stop()
        self.assertNotIn("Traceback", service.log())
        self.assertEqual(lab.server.ip("-6 rule show priority 64"), "")

    def test_case66_renamed(self) -> None:
        """
        After the interface was renamed nothing is answered for that is not local any more, and a
        line says why.
        """
        lab = self.makeLab()
        service = lab.start()
        lab.server.ip("link set eth0 down")
        lab.server.ip("link set eth0 name other")
        lab.server.ip("link set other up")
        eventually(lambda: "LOWER_UP" in lab.router.ip("link show dev eth0"))
        eventually(lambda: not lab.ping(ADDRESS, wait=0.5).received, 3.0)
        self.assertIn("eth0", service.log().partition("Try http")[2])

    def test_loopbackDownAndUp(self) -> None:
        """
        The kernel deletes all routes of lo when it goes down: ours come back with it.
        """
        lab = self.makeLab()
        lab.start()
        before = lab.server.ip("-6 route show table 64")
        lab.server.ip("link set lo down")
        lab.server.ip("link set lo up")
        eventually(lambda: lab.server.ip("-6 route show table 64", check=False) == before, 3.0)
        self.assertServes(lab)

    def test_addressesComeAndGoManyTimes(self) -> None:
        """
        After many changes in one go the guard, the routes and the table are those of the end.
        """
        lab = self.makeLab()
        service = lab.start()
        batch = lab.directory / "batch"
        numbers = range(1, 301)
        batch.write_text(
            "".join(f"address add 2001:db8::c:{n}/128 dev eth0 nodad\n" for n in numbers)
            + "".join(f"address del 2001:db8::c:{n}/128 dev eth0\n" for n in numbers if n % 2)
        )
        lab.server.run("ip", "-6", "-batch", str(batch))
        eventually(lambda: self._guardSpares(lab, "2001:db8::c:300"))
        for number in (299, 300):
            self.assertAnsweredOnce(lab.ping(f"2001:db8::c:{number}", count=2), 2)
        self.assertNotIn("Traceback", service.log())

    def _guardSpares(self, lab: Lab, address: str) -> bool:
        """
        Tell whether the guard leaves an address to the kernel.
        """
        return (
            address in lab.server.run("nft", "list", "set", "ip6", "prefix64-eth0", "others").stdout
        )
