"""
The groups of listed hosts, in memory (case 72).
"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterable

from twisted.logger import LogLevel
from twisted.trial.unittest import SynchronousTestCase

from prefix64.addressing import formatAddress, parseAddress, parsePrefix
from prefix64.errors import InterfaceError
from prefix64.hosts.directory import SitesDirectory
from prefix64.hosts.model import Host, WelcomeSite
from prefix64.link import groups as linkGroups
from prefix64.link.groups import MOST_SOCKETS, GroupSockets
from prefix64.services.groups import MOST_HOSTS
from prefix64.services.prefix64 import Prefix64Service
from prefix64.testing import MemoryGroups
from tests import test_services
from tests.groups_contract import ONE, THREE, TWO, GroupMembershipTestsMixin
from tests.test_host_state import ETH1, addressEvent, linkEvent


class MemoryGroupsTests(GroupMembershipTestsMixin, SynchronousTestCase):
    """
    The contract, kept by L{MemoryGroups}.
    """

    def makeGroups(self) -> MemoryGroups:
        self.groups = MemoryGroups()
        return self.groups

    def joined(self) -> set[int]:
        return set(self.groups.joined)

    def test_noMoreThanThereIsRoomFor(self) -> None:
        """
        The kernel's error for it; those before are joined.
        """
        groups = MemoryGroups(room=2)
        error = str(self.assertRaises(InterfaceError, groups.update, [THREE, TWO, ONE]))
        self.assertEqual(error, "ff02::1:ff64:6401: No buffer space available")
        self.assertEqual(groups.joined, [THREE, TWO])


class KernelInMemory(SynchronousTestCase):
    """
    L{GroupSockets}, with a kernel that has little room in a socket, or none.
    """

    def setUp(self) -> None:
        self.room = 2
        self.error = errno.ENOBUFS
        self.members: dict[int, set[bytes]] = {}
        self.patch(linkGroups.GroupSockets, "_set", self.set)
        self.sockets = GroupSockets("lo")
        self.addCleanup(self.sockets.close)

    def set(self, member: socket.socket, option: int, group: int) -> None:
        """
        Join or leave.
        """
        joined = self.members.setdefault(member.fileno(), set())
        if option == socket.IPV6_LEAVE_GROUP:
            joined.discard(group)
        elif len(joined) >= self.room:
            raise OSError(self.error, os.strerror(self.error))
        else:
            joined.add(group)

    def test_aFullSocketIsFollowedByAnother(self) -> None:
        """
        Whichever of the two errors says so; and room that is left again is used.
        """
        for self.error in (errno.ENOBUFS, errno.ENOMEM):
            self.sockets.update(range(7))
            self.assertEqual(len(self.sockets._sockets), 4)
            self.sockets.update([0, 2, 4, 6])
            self.sockets.update(range(8))
            self.assertEqual(len(self.sockets._sockets), 4)
            self.assertEqual(sorted(map(len, self.members.values()))[-4:], [2, 2, 2, 2])
            self.sockets.update([])
            self.assertEqual(len(self.sockets._sockets), 0)

    def test_aBoundedNumberOfSockets(self) -> None:
        """
        Then it is an error; what was joined stays.
        """
        self.room = 1
        error = self.assertRaises(InterfaceError, self.sockets.update, range(MOST_SOCKETS + 1))
        self.assertIn("No buffer space", str(error))
        self.assertEqual(len(self.sockets._sockets), MOST_SOCKETS)

    def test_aSocketWithoutAnyRoom(self) -> None:
        """
        Is closed, and an error.
        """
        self.room = 0
        before = os.listdir("/proc/self/fd")
        self.assertRaises(InterfaceError, self.sockets.update, [1])
        self.assertEqual(os.listdir("/proc/self/fd"), before)

    def test_anotherErrorOpensNoSocket(self) -> None:
        """
        An interface that is gone is gone for every socket.
        """
        self.sockets.update([1, 2])
        self.error = errno.ENODEV
        error = str(self.assertRaises(InterfaceError, self.sockets.update, [1, 2, 3]))
        self.assertEqual(error, "::3: No such device")
        self.assertEqual(len(self.sockets._sockets), 1)

    def test_anInterfaceThatIsMissing(self) -> None:
        """
        One line.
        """
        error = str(self.assertRaises(InterfaceError, GroupSockets, "none0"))
        self.assertEqual(error, "interface 'none0' does not exist")


class ServiceTests(test_services.World):
    """
    The service, on a host in memory.
    """

    def listed(self, *texts: str) -> SitesDirectory:
        return SitesDirectory(tuple(Host(parsePrefix(text), WelcomeSite()) for text in texts))

    def serving(self, texts: Iterable[str], **changed: object) -> Prefix64Service:
        return self.started(sites=self.listed(*texts), **changed)

    def joined(self) -> list[str]:
        return [formatAddress(group) for group in self.groups[-1].joined]

    def test_theGroupsOfListedHostsAreJoined(self) -> None:
        """
        In their order, each once, those of single addresses only; and left at the end.
        """
        texts = ("2001:db8::b:5", "2001:db8::1:0/112", "2001:db8::a", "2001:db8::f00:b:5")
        service = self.serving(texts)
        self.assertEqual(self.joined(), ["ff02::1:ff0b:5", "ff02::1:ff00:a"])
        self.successResultOf(service.stopService())
        self.assertTrue(self.groups[-1].closed)
        self.assertUndone()

    def test_theyAreJoinedBeforeTheFirstAnswer(self) -> None:
        """
        With the packet socket.
        """
        service = self.made(sites=self.listed("2001:db8::a"))
        service.privilegedStartService()
        self.assertEqual(self.joined(), ["ff02::1:ff00:a"])

    def test_whatIsNotOursIsNotJoined(self) -> None:
        """
        An address of the interface is the kernel's. What is on another interface we answer for.
        """
        service = self.serving(["2001:db8::a", "2001:db8::b"])
        for index, expected in (("RTM_NEWADDR", ["b"]), ("RTM_DELADDR", ["b", "a"])):
            self.events(addressEvent("2001:db8::a", index))
            self.assertEqual(self.joined(), [f"ff02::1:ff00:{last}" for last in expected])
        self.events(addressEvent("2001:db8::a", index=ETH1))
        self.assertEqual(len(self.joined()), 2)
        excluded = service.tables.table.ownership
        self.assertIn(parseAddress("2001:db8::a"), excluded.hostAddresses)

    def test_onAnInterfaceThatWasMadeAnewTheyAreJoinedAnew(self) -> None:
        """
        The old memberships went with the old one.
        """
        self.serving(["2001:db8::a"])
        self.events(linkEvent("RTM_DELLINK"))
        self.assertTrue(self.groups[0].closed)
        self.kernel.links[1] = test_services.Link("eth0", 9, 1, b"\x02\0\0\0\0\x09", True)
        self.events(linkEvent(index=9))
        self.assertEqual((len(self.groups), self.joined()), (2, ["ff02::1:ff00:a"]))

    def test_noMoreThanANumberAndOneLineSaysSo(self) -> None:
        """
        The first of them, in the table's order; said once, however often the host changes.
        """
        texts = [f"2001:db8::1:{number:x}" for number in range(1, MOST_HOSTS + 2)]
        self.serving(texts)
        self.assertEqual(len(self.joined()), MOST_HOSTS)
        self.assertNotIn(f"ff02::1:ff01:{MOST_HOSTS + 1:x}", self.joined())
        self.events(addressEvent("2001:db8::5"))
        self.events(linkEvent("RTM_DELLINK"), linkEvent(index=9))
        said = [line for line in self.lines() if "multicast groups" in line]
        self.assertEqual(len(said), 1)
        self.assertIn(f"of {MOST_HOSTS + 1} listed hosts", said[0])
        self.assertIn(f"the first {MOST_HOSTS} are joined", said[0])

    def test_asManyAsThereMayBeAreNoNews(self) -> None:
        """
        One line less.
        """
        self.serving([f"2001:db8::1:{number:x}" for number in range(1, MOST_HOSTS + 1)])
        self.assertEqual(len(self.joined()), MOST_HOSTS)
        self.assertFalse([line for line in self.lines() if "multicast groups" in line])

    def test_aFailureIsOneWarningAndNothingElseSuffers(self) -> None:
        """
        It is tried again with the next change, and not said again.
        """
        self.patch(
            self, "makeGroups", lambda name: self.groups.append(MemoryGroups(1)) or self.groups[-1]
        )
        self.serving(["2001:db8::a", "2001:db8::b"])
        self.events(addressEvent("2001:db8::5"))
        (warning,) = self.lines(LogLevel.warn)
        self.assertIn("not all joined on eth0: ff02::1:ff00:b: No buffer space", warning)
        self.assertEqual((self.joined(), len(self.reactor.getReaders())), (["ff02::1:ff00:a"], 1))
        self.groups[-1].room = 2
        self.events(addressEvent("2001:db8::6"))
        self.assertEqual(len(self.joined()), 2)
        self.groups[-1].room = 0
        self.events(linkEvent("RTM_DELLINK"), linkEvent(index=9))
        self.assertEqual(len(self.lines(LogLevel.warn)), 2)

    def test_anInterfaceThatIsGoneAgainIsOneWarning(self) -> None:
        """
        It can go between the two system calls.
        """

        def gone(name: str) -> MemoryGroups:
            raise InterfaceError("interface 'eth0': No such device")

        self.patch(self, "makeGroups", gone)
        service = self.serving(["2001:db8::a"])
        (warning,) = self.lines(LogLevel.warn)
        self.assertIn("No such device", warning)
        self.successResultOf(service.stopService())
        self.assertUndone()

    def test_anInterfaceThatIsNoEthernetJoinsNone(self) -> None:
        """
        There are no solicitations.
        """
        self.serving(["2001:db8::a"], interface="lo")
        self.assertEqual(self.groups, [])
