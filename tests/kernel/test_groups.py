"""
The solicited-node groups of listed hosts, and a bridge that does MLD snooping (case 72).
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable
from typing import Any

from prefix64.addressing import formatAddress, parseAddress, solicitedNodeGroup
from prefix64.errors import InterfaceError
from prefix64.link.groups import GroupSockets
from tests.groups_contract import GroupMembershipTestsMixin
from tests.kernel.lab import KernelTestCase, Lab, suiteOf
from tests.kernel.namespaces import (
    ROUTER_LAYER,
    SERVER_LAYER,
    Namespace,
    eventually,
    quicken,
)

BEHIND_US = ("2001:db8::1:a", "2001:db8::1:b")
"""Listed hosts."""

MLD = {
    "mcast_query_response_interval": 50,
    "mcast_query_interval": 200,
    "mcast_startup_query_interval": 50,
    "mcast_membership_interval": 1000,
    "mcast_querier": 1,
    "mcast_snooping": 1,
}
"""What the bridge is set to, in this order; times in hundredths of a second."""


def test_suite() -> Any:
    """
    The tests of this module.
    """
    return suiteOf(__name__)


def groupsOf(namespace: Namespace, interface: str = "eth0") -> set[str]:
    """
    The multicast groups that an interface is a member of, as the kernel says.
    """
    lines = namespace.ip(f"-6 maddress show dev {interface}").splitlines()
    return {line.split()[1] for line in lines if line.strip().startswith("inet6")}


def groupOf(address: str) -> str:
    """
    The solicited-node group of an address.
    """
    return formatAddress(solicitedNodeGroup(parseAddress(address)))


def makeSites(lab: Lab, addresses: Iterable[str]) -> str:
    """
    A tree of sites with a directory for each address.
    """
    path = lab.directory / "sites"
    for address in addresses:
        (path / address.replace(":", "-")).mkdir(parents=True)
    return str(path)


class GroupSocketsTests(GroupMembershipTestsMixin, KernelTestCase):
    """
    The contract, kept by L{GroupSockets}; and what only a real kernel does.
    """

    def setUp(self) -> None:
        """
        Make a host with eth0, and be in it: a socket belongs to the namespace of its thread.
        """
        super().setUp()
        self.host = self.makeNamespace()
        self.makeInterface()
        inside = self.host.entered()
        inside.__enter__()
        self.addCleanup(inside.__exit__, None, None, None)

    def makeInterface(self) -> None:
        """
        Make eth0.
        """
        self.host.ip("link add eth0 type veth peer name peer0")
        self.host.ip("link set eth0 addrgenmode none up")

    def makeGroups(self) -> GroupSockets:
        """
        See L{GroupMembershipTestsMixin.makeGroups}.
        """
        groups = GroupSockets("eth0")
        self.addCleanup(groups.close)
        return groups

    def joined(self) -> set[int]:
        """
        See L{GroupMembershipTestsMixin.joined}.
        """
        return {parseAddress(text) for text in groupsOf(self.host) if ":ff64:6" in text}

    def many(self) -> list[int]:
        """
        A thousand groups.
        """
        return [solicitedNodeGroup(0x646400 + number) for number in range(1000)]

    def test_aThousandGroups(self) -> None:
        """
        With the usual room in a socket, and with little: more sockets are opened then. All are left
        at the end.
        """
        before = groupsOf(self.host)
        wanted = self.many()
        self.assertEqual(len(set(wanted)), 1000)
        for room in (None, 8192):
            if room is not None:
                self.setRoom(room)
            groups = self.makeGroups()
            groups.update(wanted)
            expected = before | {formatAddress(group) for group in wanted}
            self.assertEqual(groupsOf(self.host), expected)
            if room is not None:
                self.assertGreater(len(groups._sockets), 1)
            groups.close()
            self.assertEqual(groupsOf(self.host), before)

    def setRoom(self, octets: int) -> None:
        """
        Give a socket little room for memberships (net.core.optmem_max of the namespace).
        """
        with open("/proc/sys/net/core/optmem_max", "w") as setting:
            setting.write(str(octets))

    def test_noRoomAtAll(self) -> None:
        """
        An error in one line.
        """
        self.setRoom(1)
        groups = self.makeGroups()
        error = str(self.assertRaises(InterfaceError, groups.update, self.many()))
        self.assertRegex(error, r"^ff02::1:ff64:6400: (Cannot allocate memory|No buffer space)")
        self.assertEqual(self.joined(), set())

    def test_theInterfaceIsDeleted(self) -> None:
        """
        Then nothing can be joined; leaving is no error.
        """
        groups = self.makeGroups()
        one, two = self.many()[:2]
        groups.update([one])
        self.host.ip("link del eth0")
        error = str(self.assertRaises(InterfaceError, groups.update, [one, two]))
        self.assertIn("No such device", error)
        self.makeInterface()
        groups.update([])
        groups.close()
        self.assertEqual(self.joined(), set())

    def test_theLinkGoesDownAndUp(self) -> None:
        """
        The memberships stay.
        """
        groups = self.makeGroups()
        groups.update(self.many()[:2])
        self.host.ip("link set eth0 down")
        self.host.ip("link set eth0 up")
        self.assertEqual(len(self.joined()), 2)


class ServiceTests(KernelTestCase):
    """
    The service, on a link without a switch.
    """

    def test_case72_joinedAndLeft(self) -> None:
        """
        The groups of listed hosts while it runs, and not a byte of difference before and after; a
        group of the kernel's own is not left.
        """
        lab = self.makeLab("2001:db8::1:a")
        before = lab.server.dump()
        own = groupsOf(lab.server)
        sites = makeSites(lab, [*BEHIND_US, "2001:db8::2:c"])
        service = lab.start("--sites", sites)
        expected = own | set(map(groupOf, (*BEHIND_US, "2001:db8::2:c")))
        self.assertEqual(groupsOf(lab.server), expected)
        self.assertAnsweredOnce(lab.ping("2001:db8::2:c"))
        service.stop()
        self.assertEqual(lab.server.dump(), before)

    def test_case72_sigkill(self) -> None:
        """
        They go with the process.
        """
        lab = self.makeLab()
        before = groupsOf(lab.server)
        service = lab.start("--sites", makeSites(lab, BEHIND_US))
        self.assertEqual(len(groupsOf(lab.server) - before), 2)
        service.kill()
        eventually(lambda: groupsOf(lab.server) == before)

    def test_case72_moreThanAThousand(self) -> None:
        """
        The first thousand in the order of the tree, and one line that says so.
        """
        lab = self.makeLab()
        before = groupsOf(lab.server)
        service = lab.start(
            "--sites", makeSites(lab, [f"2001:db8::1:{n:x}" for n in range(1, 1002)])
        )
        self.assertEqual(len(groupsOf(lab.server) - before), 1000)
        said = [line for line in service.log().splitlines() if "multicast groups" in line]
        self.assertEqual(len(said), 1, service.log())
        self.assertIn("of 1001 listed hosts", said[0])

    def test_case72_interfaceMadeAgain(self) -> None:
        """
        They are joined on the new one.
        """
        lab = self.makeLab()
        service = lab.start("--sites", makeSites(lab, BEHIND_US))
        lab.server.ip("link del eth0")
        eventually(lambda: "eth0" not in lab.router.ip("-o link show"))
        lab.join()
        expected = set(map(groupOf, BEHIND_US))
        eventually(lambda: expected <= groupsOf(lab.server))
        service.stop()
        self.assertFalse(expected & groupsOf(lab.server))
        self.assertNotIn("Traceback", service.log())


class BridgedLab(Lab):
    """
    A lab whose link leads through a bridge that does MLD snooping.

    @ivar switch: the namespace of the bridge.
    """

    def __init__(self) -> None:
        super().__init__()
        self.switch = Namespace("switch")

    def close(self) -> None:
        """
        Remove the bridge, too.
        """
        try:
            super().close()
        finally:
            self.switch.remove()

    def link(self) -> None:
        """
        Make the bridge and its ports: to-router and to-server.
        """
        self.switch.make()
        self.switch.ip("link add br0 type bridge")
        for name, value in MLD.items():
            self.switch.ip(f"link set br0 type bridge {name} {value}")
        for end, port, layer in (
            (self.router, "to-router", ROUTER_LAYER),
            (self.server, "to-server", SERVER_LAYER),
        ):
            self.switch.ip(f"link add {port} type veth peer name eth0 netns {end.name}")
            self.switch.ip(f"link set {port} master br0 addrgenmode none up")
            end.ip(f"link set eth0 address {layer} addrgenmode none up")
            quicken(end, "eth0")
        self.switch.ip("link set br0 addrgenmode none up")
        # A querier without an address asks nobody, and snooping rests.
        self.switch.ip("address add fe80::b/64 dev br0 nodad")

    def reported(self) -> set[str]:
        """
        The groups that the server has reported, as the bridge heard them.
        """
        text = self.switch.run("bridge", "mdb", "show", "dev", "br0").stdout
        return set(re.findall(r"port to-server grp (\S+)", text))


class SnoopingTests(KernelTestCase):
    """
    A bridge between router and server that delivers a group to the ports that reported it.
    """

    def setUp(self) -> None:
        """
        Make the lab.
        """
        super().setUp()
        self.lab = BridgedLab()
        self.addCleanup(self.lab.close)
        self.lab.build()
        self.unlisted = (f"2001:db8::72:{number:x}" for number in itertools.count(1))

    def isFound(self, address: str) -> bool:
        """
        Have the router's kernel look for an address that it does not know.
        """
        self.lab.router.ip("neigh flush dev eth0")
        return self.lab.ping(address, wait=1).received == 1

    def waitForSnooping(self) -> None:
        """
        Wait until the switch no longer floods: it does until it has asked, and waited for answers.
        """
        eventually(lambda: not self.isFound(next(self.unlisted)), 20)

    def test_case72_listedHostsAreFound(self) -> None:
        """
        The router finds a listed host, and none that is not listed; that is the switch's doing, for
        where its port gets all groups the router finds those too.
        """
        sites = makeSites(self.lab, BEHIND_US)
        service = self.lab.start("--sites", sites)
        eventually(lambda: set(map(groupOf, BEHIND_US)) <= self.lab.reported(), 20)
        self.waitForSnooping()
        for _ in range(3):
            for address in BEHIND_US:
                self.assertTrue(self.isFound(address), address)
            self.assertFalse(self.isFound(next(self.unlisted)))
        self.lab.switch.ip("link set to-server type bridge_slave mcast_router 2")
        eventually(lambda: self.isFound(next(self.unlisted)))
        service.stop()
        eventually(lambda: not set(map(groupOf, BEHIND_US)) & self.lab.reported(), 20)

    def test_case72_theSwitchForgetsAndAsks(self) -> None:
        """
        A switch that has lost what was reported asks, and is told.
        """
        self.lab.start("--sites", makeSites(self.lab, BEHIND_US))
        wanted = set(map(groupOf, BEHIND_US))
        eventually(lambda: wanted <= self.lab.reported(), 20)
        self.waitForSnooping()
        for value in (0, 1):
            self.lab.switch.ip(f"link set br0 type bridge mcast_snooping {value}")
        eventually(lambda: wanted <= self.lab.reported(), 20)
        self.waitForSnooping()
        self.assertTrue(self.isFound(BEHIND_US[0]))
