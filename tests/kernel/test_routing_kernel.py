"""
Rules, routes and events of a real kernel.
"""

from __future__ import annotations

from select import select
from typing import Any

from prefix64.addressing import formatAddress, parseAddress, parsePrefix
from prefix64.errors import RoutingError
from prefix64.kernel.monitor import ADDRESS, LINK, NEIGHBOR, ROUTE, Monitor
from prefix64.kernel.routing_kernel import RoutingKernel
from prefix64.kernel.tables import RoutingTables
from prefix64.link.packet_socket import ETHERNET
from prefix64.ownership import Ownership
from prefix64.routing.entries import Route, RouteKind, Rule
from prefix64.routing.plan import plan
from tests.kernel.lab import KernelTestCase, suiteOf
from tests.kernel.namespaces import SERVER_LAYER, Namespace, eventually, makeLink
from tests.kernel.twistd import runWithout

P = parsePrefix("2001:db8::/64")
LOCAL = Route(RouteKind.LOCAL, P)
THROW = Route(RouteKind.THROW, parsePrefix("2001:db8::e:0/112"))
RULE = Rule("eth0", P)
UNPRIVILEGED = """
from prefix64.addressing import parsePrefix
from prefix64.errors import PrivilegeError
from prefix64.kernel.routing_kernel import RoutingKernel
from prefix64.routing.entries import Route, RouteKind, Rule
kernel, prefix = RoutingKernel(), parsePrefix("2001:db8::/64")
for attempt in (
    lambda: kernel.addRoute(Route(RouteKind.LOCAL, prefix)),
    lambda: kernel.addRule(Rule("eth0", prefix)),
    lambda: kernel.deleteRule(Rule("eth0", prefix)),
):
    try:
        attempt()
    except PrivilegeError as error:
        print(error)
"""


def test_suite() -> Any:
    """
    The tests of this module.
    """
    return suiteOf(__name__)


class KernelTablesTestCase(KernelTestCase):
    """
    A host with eth0, and its kernel.
    """

    def setUp(self) -> None:
        """
        Make them.
        """
        super().setUp()
        self.host, self.peer = Namespace("host"), Namespace("peer")
        for namespace in (self.host, self.peer):
            self.addCleanup(namespace.remove)
            namespace.make()
        makeLink(self.peer, self.host)
        self.before = self.host.dump()
        with self.host.entered():
            self.kernel = RoutingKernel()
        self.addCleanup(self.kernel.close)

    def routes(self) -> list[str]:
        """
        Table 64, as ip(8) has it.
        """
        text = self.host.ip("-6 route show table 64", check=False)
        return sorted(line.partition(" metric")[0].strip() for line in text.splitlines())

    def rules(self) -> list[str]:
        """
        The rules of our priority, as ip(8) has them.
        """
        text = self.host.ip("-6 rule show priority 64")
        return [line.partition("\t")[2].strip() for line in text.splitlines()]


class RoutingKernelTests(KernelTablesTestCase):
    """
    What is read, added and deleted.
    """

    def test_link(self) -> None:
        """
        An interface is found by its name, with what it is.
        """
        link = self.kernel.link("eth0")
        assert link is not None
        self.assertEqual((link.name, link.hardwareType, link.up), ("eth0", ETHERNET, True))
        self.assertEqual(link.linkLayerAddress.hex(":"), SERVER_LAYER)
        self.host.ip("link set eth0 down")
        self.assertFalse(getattr(self.kernel.link("eth0"), "up", None))
        loopback = self.kernel.link("lo")
        assert loopback is not None
        self.assertEqual((loopback.index, loopback.hardwareType), (1, 772))

    def test_missingLink(self) -> None:
        """
        One that is missing is None, whatever its name is.
        """
        for name in ("none0", "", "x" * 15, "x" * 16, "x" * 4096, "a/b", "ü", " ", "eth0 "):
            self.assertIsNone(self.kernel.link(name), repr(name))
        self.assertEqual(sorted(self.kernel.linkNames()), ["eth0", "lo"])

    def test_addresses(self) -> None:
        """
        The IPv6 addresses of all interfaces; of one with a peer, the local one.
        """
        self.host.ip("address add 192.0.2.1/24 dev eth0")
        self.host.ip("address add 2001:db8::1/64 dev eth0")
        self.host.ip("address add 2001:db8::2 peer 2001:db8::3 dev eth0")
        found = {(a.interface, formatAddress(a.address)) for a in self.kernel.addresses()}
        link = self.kernel.link("eth0")
        assert link is not None
        eth0 = link.index
        self.assertEqual(found, {(1, "::1"), (eth0, "2001:db8::1"), (eth0, "2001:db8::2")})

    def test_gateways(self) -> None:
        """
        The next hops of all tables, of routes with several hops, too.
        """
        self.host.ip("address add fe80::2/64 dev eth0 nodad")
        self.host.ip("address add 2001:db8::2/64 dev eth0 nodad")
        self.host.ip("-6 route add default via 2001:db8::1 dev eth0")
        self.host.ip("-6 route add 2001:db8:9::/64 via fe80::1 dev eth0 table 99")
        self.host.ip("-6 route add 2001:db8:8::/64 nexthop via 2001:db8::8 nexthop via 2001:db8::9")
        found = {formatAddress(gateway) for gateway in self.kernel.gateways()}
        self.assertEqual(found, {"2001:db8::1", "fe80::1", "2001:db8::8", "2001:db8::9"})

    def test_neighbors(self) -> None:
        """
        Those that have answered once, on the interface that is asked for.
        """
        self.host.ip("neigh add 2001:db8::1 lladdr 02:00:00:00:00:01 dev eth0 nud stale")
        self.host.ip("neigh add 2001:db8::2 lladdr 02:00:00:00:00:01 dev eth0")
        self.host.ip("neigh add 2001:db8::3 dev eth0 nud failed")
        self.host.ip("neigh add 192.0.2.1 lladdr 02:00:00:00:00:01 dev eth0")
        link = self.kernel.link("eth0")
        assert link is not None
        found = {formatAddress(address) for address in self.kernel.neighbors(link.index)}
        self.assertEqual(found, {"2001:db8::1", "2001:db8::2"})
        self.assertEqual(self.kernel.neighbors(1), set())

    def test_addAndDelete(self) -> None:
        """
        What is added is in the kernel with our table, priority and protocol, is read as it was
        given, and is gone when it is deleted.
        """
        self.assertEqual((self.kernel.routes(), self.kernel.rules()), (set(), set()))
        for route in (THROW, LOCAL):
            self.kernel.addRoute(route)
        loopbackRule = Rule("lo", P)
        for rule in (RULE, loopbackRule):
            self.kernel.addRule(rule)
        self.assertEqual(
            self.routes(),
            ["local 2001:db8::/64 dev lo proto 64", "throw 2001:db8::e:0/112 dev lo proto 64"],
        )
        self.assertEqual(
            self.rules(),
            [
                "from all to 2001:db8::/64 iif eth0 lookup 64 proto 64",
                "from all to 2001:db8::/64 iif lo lookup 64 proto 64",
            ],
        )
        self.assertEqual(self.kernel.routes(), {LOCAL, THROW})
        self.assertEqual(self.kernel.rules(), {RULE, loopbackRule})
        for rule in (RULE, loopbackRule):
            self.kernel.deleteRule(rule)
        for route in (LOCAL, THROW):
            self.kernel.deleteRoute(route)
        self.assertEqual(self.host.dump(), self.before)

    def test_deleteWhatIsGone(self) -> None:
        """
        Deleting what is not there is no error, nor is it of an interface that is not there.
        """
        for route in (LOCAL, THROW):
            self.kernel.deleteRoute(route)
        for rule in (RULE, Rule("none0", P)):
            self.kernel.deleteRule(rule)
        self.assertEqual(self.host.dump(), self.before)

    def test_missingInterface(self) -> None:
        """
        A rule may name an interface that is not there; it waits for it.
        """
        self.kernel.addRule(Rule("none0", P))
        self.assertEqual(
            self.rules(), ["from all to 2001:db8::/64 iif none0 [detached] lookup 64 proto 64"]
        )
        self.assertEqual(self.kernel.rules(), {Rule("none0", P)})

    def test_whatIsThereAlready(self) -> None:
        """
        Adding what is there already is an error; a route's says what removes it.
        """
        self.kernel.addRoute(LOCAL)
        self.kernel.addRule(RULE)
        error = self.assertRaises(RoutingError, self.kernel.addRoute, LOCAL)
        self.assertIn("ip -6 route del 2001:db8::/64 table 64", str(error))
        error = self.assertRaises(RoutingError, self.kernel.addRule, RULE)
        self.assertIn("there is a rule like ours", str(error))

    def test_foreignRoute(self) -> None:
        """
        Somebody else's route for the same destination is an error, whatever its kind; it is not
        read as ours, and not deleted.
        """
        for kind in ("blackhole", "local", "unreachable"):
            device = "dev lo" if kind == "local" else ""
            text = f"{kind} 2001:db8::/64 {device} table 64 proto static"
            self.host.ip(f"-6 route add {text}")
            before = self.host.dump()
            error = self.assertRaises(RoutingError, self.kernel.addRoute, LOCAL)
            self.assertIn("table 64 has a route for 2001:db8::/64 already", str(error))
            self.assertEqual(self.kernel.routes(), set())
            self.kernel.deleteRoute(LOCAL)
            self.assertEqual(self.host.dump(), before)
            self.host.ip(f"-6 route del {text}")

    def test_foreignRule(self) -> None:
        """
        Somebody else's rule, the same but for its protocol, is neither in the way, nor read as
        ours, nor deleted.
        """
        self.host.ip("-6 rule add iif eth0 to 2001:db8::/64 lookup 64 priority 64 protocol static")
        before = self.host.dump()
        self.kernel.addRule(RULE)
        self.assertEqual(self.kernel.rules(), {RULE})
        self.kernel.deleteRule(RULE)
        self.kernel.deleteRule(RULE)
        self.assertEqual(self.host.dump(), before)

    def test_manyRoutes(self) -> None:
        """
        More routes than fit into one answer are read, every one.
        """
        batch = "".join(
            f"route add throw 2001:db8::{number:x} table 64 proto 64\n" for number in range(2000)
        )
        path = self.makeDirectory() / "batch"
        path.write_text(batch)
        self.host.run("ip", "-6", "-batch", str(path))
        self.assertEqual(len(self.kernel.routes()), 2000)

    def test_missingPrivilege(self) -> None:
        """
        Without CAP_NET_ADMIN, each error names it.
        """
        said = runWithout(self.host, "net_admin", UNPRIVILEGED).splitlines()
        self.assertEqual(len(said), 3)
        for line in said:
            self.assertTrue(line.endswith("it needs CAP_NET_ADMIN: run it as root (sudo)"), line)


class RoutingTablesTests(KernelTablesTestCase):
    """
    A plan in a real kernel.
    """

    def test_applyAndUndo(self) -> None:
        """
        A plan is brought in, followed through a change, and taken out without a trace.
        """
        tables = RoutingTables(self.kernel, "eth0")
        tables.apply(plan(Ownership((P,)), "eth0", True))
        self.assertEqual(
            self.routes(),
            [
                "local 2001:db8::/64 dev lo proto 64",
                "throw 2001:db8:: dev lo proto 64",
                "throw 2001:db8::fdff:ffff:ffff:ff80/121 dev lo proto 64",
            ],
        )
        self.assertEqual(len(self.rules()), 2)
        gateway = Ownership((P,), gateways=frozenset({parseAddress("2001:db8::1")}))
        tables.update(plan(gateway, "eth0", False))
        self.assertIn("throw 2001:db8::1 dev lo proto 64", self.routes())
        self.assertEqual(len(self.rules()), 1)
        tables.undo()
        self.assertEqual(self.host.dump(), self.before)

    def test_adopt(self) -> None:
        """
        Another run takes over what it wants, deletes what it does not, and its end leaves nothing.
        """
        old = RoutingTables(self.kernel, "eth0")
        old.apply(plan(Ownership((P,), (THROW.destination,)), "eth0", True))
        new = RoutingTables(self.kernel, "eth0")
        new.apply(plan(Ownership((P,)), "eth0", False))
        self.assertEqual(len(self.routes()), 3)
        self.assertEqual(self.rules(), ["from all to 2001:db8::/64 iif eth0 lookup 64 proto 64"])
        new.undo()
        self.assertEqual(self.host.dump(), self.before)

    def test_refusedHalfWay(self) -> None:
        """
        When the kernel refuses one of the routes, those before it go again.
        """
        self.host.ip("-6 route add blackhole 2001:db8::/64 table 64")
        before = self.host.dump()
        tables = RoutingTables(self.kernel, "eth0")
        self.assertRaises(RoutingError, tables.apply, plan(Ownership((P,)), "eth0", True))
        self.assertEqual(self.host.dump(), before)


class Readers:
    """
    As much of a reactor as a monitor needs.
    """

    running = True

    def addReader(self, reader: Any) -> None:
        """
        Nothing is read unless the test does.
        """

    removeReader = addReader


class MonitorTests(KernelTablesTestCase):
    """
    Events of a real kernel.
    """

    def setUp(self) -> None:
        """
        Make a monitor.
        """
        super().setUp()
        self.events: list[Any] = []
        self.batches: list[bool] = []
        with self.host.entered():
            self.monitor = Monitor(
                Readers(),
                [LINK, NEIGHBOR, ADDRESS, ROUTE],
                self.events.append,
                self.batches.append,
            )
        self.addCleanup(self.monitor.stopReading)

    def read(self) -> set[str]:
        """
        Read what has come, and return the kinds of events.
        """
        while select([self.monitor], [], [], 0)[0]:
            self.monitor.doRead()
        kinds = {event["event"] for event in self.events}
        self.events.clear()
        return kinds

    def test_events(self) -> None:
        """
        Addresses, routes, neighbors and links come and go.
        """
        for change, kind in (
            ("address add 2001:db8::5/64 dev eth0 nodad", "RTM_NEWADDR"),
            ("-6 route add 2001:db8:7::/64 via 2001:db8::1", "RTM_NEWROUTE"),
            ("neigh add 2001:db8::9 lladdr 02:00:00:00:00:01 dev eth0", "RTM_NEWNEIGH"),
            ("-6 route del 2001:db8:7::/64", "RTM_DELROUTE"),
            ("address del 2001:db8::5/64 dev eth0", "RTM_DELADDR"),
            ("link set eth0 down", "RTM_NEWLINK"),
            ("link del eth0", "RTM_DELLINK"),
        ):
            self.host.ip(change)
            seen: set[str] = set()
            eventually(lambda seen=seen, kind=kind: seen.update(self.read()) or kind in seen)
        self.assertNotIn(True, self.batches)

    def test_overflow(self) -> None:
        """
        When more events came than fit, the batch says that some were lost, and the next do not.
        """
        path = self.makeDirectory() / "batch"
        path.write_text(
            "".join(
                f"route add throw 2001:db8:7::{number:x} table 99\n"
                f"route del throw 2001:db8:7::{number:x} table 99\n"
                for number in range(6000)
            )
        )
        self.host.run("ip", "-6", "-batch", str(path))
        self.read()
        self.assertIn(True, self.batches)
        self.batches.clear()
        self.host.ip("address add 2001:db8::5/64 dev eth0 nodad")
        self.assertIn("RTM_NEWADDR", self.read())
        self.assertNotIn(True, self.batches)

    def test_stopTwice(self) -> None:
        """
        It may be stopped again.
        """
        self.monitor.stopReading()
        self.monitor.stopReading()
        self.assertEqual(self.monitor.fileno(), -1)
