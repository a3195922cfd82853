"""
Unsolicited advertisements after a new link-layer address, in memory (case 64).
"""

from __future__ import annotations

import dataclasses
import errno
import os

from twisted.logger import LogLevel

from prefix64.addressing import parsePrefix
from prefix64.hosts.directory import SitesDirectory
from prefix64.hosts.model import Host, WelcomeSite
from prefix64.icmpv6.policies import AdvertisementSource, RouterFlag
from prefix64.kernel.messages import InterfaceAddress, Link
from prefix64.services.announcements import INTERVAL, MOST_HOSTS
from prefix64.services.prefix64 import Prefix64Service
from tests import test_services
from tests.frames import ALL_NODES_LINK, Advertisement, advertisement, readAdvertisement
from tests.test_host_state import ETH0, Message, addressEvent, linkEvent

OLD, NEW, NEWER = "02:00:00:00:00:01", "02:00:00:00:00:22", "02:00:00:00:00:33"


def changed(address: str, flags: int = 0x41, index: int = ETH0) -> Message:
    """
    What the kernel says when the interface has another link-layer address.
    """
    event = linkEvent(index=index)
    event["flags"] = flags
    event._attributes["IFLA_ADDRESS"] = address
    return event


class AnnouncementCase(test_services.World):
    """
    The service with listed hosts, on a host in memory.
    """

    def serving(self, count: int = 3, **settings: object) -> Prefix64Service:
        hosts = [Host(parsePrefix(f"2001:db8::1:{n + 1:x}"), WelcomeSite()) for n in range(count)]
        hosts.append(Host(parsePrefix("2001:db8::2:0/112"), WelcomeSite()))
        return self.started(sites=SitesDirectory(tuple(hosts)), **settings)

    def sent(self) -> list[Advertisement]:
        return [readAdvertisement(frame) for frame in self.links[-1].sent]

    def targets(self) -> list[str]:
        return [one.target for one in self.sent()]

    def said(self) -> list[str]:
        return [line for line in self.lines() if "announced" in line]

    def toTheEnd(self, count: int) -> None:
        for _ in range(count):
            self.reactor.advance(INTERVAL)


class AnnouncedTests(AnnouncementCase):
    """
    What is announced.
    """

    def test_case64_everyField(self) -> None:
        """
        To all nodes, from the target, S=0 O=1 R=0, hop limit 255, the new address everywhere.
        """
        self.serving(1)
        self.events(changed(NEW))
        (one,) = self.sent()
        target = "2001:db8::1:1"
        self.assertEqual(
            one,
            Advertisement(ALL_NODES_LINK, NEW, target, "ff02::1", 255, 0x20, target, NEW),
        )

    def test_case61_theFlagByteOfARouter(self) -> None:
        """
        0xa0, as a number.
        """
        self.kernel.forwardingInterfaces = {ETH0}
        self.serving(1, routerFlag=RouterFlag.AUTO)
        self.events(changed(NEW))
        self.assertEqual(self.links[-1].sent[0][58:62], b"\xa0\0\0\0")

    def test_fromTheLinkLocalAddressIfAsked(self) -> None:
        """
        As all advertisements.
        """
        linkLocal = InterfaceAddress(ETH0, 0xFE80 << 112 | 5)
        self.kernel.hostAddresses = {linkLocal}
        self.serving(1, advertisementSource=AdvertisementSource.LINK_LOCAL)
        self.events(changed(NEW))
        self.assertEqual(self.sent()[0].source, "fe80::5")

    def test_listedHostsOnlyInTheirOrder(self) -> None:
        """
        No sub-prefix, nothing else of the prefix, not twice; one line at the end.
        """
        self.serving(3)
        self.events(changed(NEW))
        self.toTheEnd(5)
        self.assertEqual(self.targets(), [f"2001:db8::1:{n}" for n in (1, 2, 3)])
        self.assertEqual(
            self.said(), ["eth0 announced its new link-layer address for 3 listed hosts (of 3)"]
        )
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_oneIsOne(self) -> None:
        """
        In words.
        """
        self.serving(1)
        self.events(changed(NEW))
        self.assertEqual(
            self.said(), ["eth0 announced its new link-layer address for 1 listed host (of 1)"]
        )

    def test_withoutListedHostsNothingIsSaid(self) -> None:
        """
        On the link or in the log.
        """
        self.serving(0)
        self.events(changed(NEW))
        self.assertEqual((self.sent(), self.said(), self.reactor.getDelayedCalls()), ([], [], []))

    def test_whatIsNotOursIsNot(self) -> None:
        """
        Not at the begin, nor what has become the kernel's since.
        """
        self.kernel.hostAddresses = {InterfaceAddress(ETH0, parsePrefix("2001:db8::1:1").network)}
        self.serving(3)
        self.events(changed(NEW))
        self.events(addressEvent("2001:db8::1:3"))
        self.toTheEnd(3)
        self.assertEqual(self.targets(), ["2001:db8::1:2"])
        self.assertIn("for 1 listed host (of 3)", self.said()[0])

    def test_whatIsLeftToAnotherMachineIsNot(self) -> None:
        """
        With C{--yield}, an address that another machine has advertised as its own: we do not say
        that it is ours again. Without it we do.
        """
        for yields, expected in ((True, [1, 3]), (False, [1, 2, 3])):
            service = self.serving(3, yields=yields)
            assert service.links[0].icmpv6.responder is not None
            claim = advertisement("2001:db8::1:2")
            service.links[0].icmpv6.responder.frameReceived(claim, 2, self.reactor.seconds())
            self.events(changed(NEW))
            self.toTheEnd(3)
            self.assertEqual(self.targets(), [f"2001:db8::1:{n}" for n in expected])
            self.successResultOf(service.stopService())

    def test_everyOneIsTraced(self) -> None:
        """
        With C{--trace}, in the words of tcpdump.
        """
        self.serving(1, trace=True)
        self.events(changed(NEW))
        line = "2001:db8::1:1 > ff02::1: ICMP6, neighbor advertisement, tgt is 2001:db8::1:1"
        self.assertIn(line, self.lines())


class PacedTests(AnnouncementCase):
    """
    When.
    """

    def test_aHundredASecondAndAThousandInAll(self) -> None:
        """
        The others are found when somebody asks; the line says how many there are.
        """
        self.serving(MOST_HOSTS + 5)
        self.events(changed(NEW))
        for count in range(1, MOST_HOSTS):
            self.assertEqual(len(self.links[-1].sent), count)
            self.assertEqual(len(self.reactor.getDelayedCalls()), 1)
            self.reactor.advance(0.01)
        self.toTheEnd(20)
        self.assertEqual(len(set(self.targets())), MOST_HOSTS)
        self.assertEqual(len(self.targets()), MOST_HOSTS)
        self.assertIn(f"for {MOST_HOSTS} listed hosts (of {MOST_HOSTS + 5})", self.said()[0])
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_theSameAddressIsNoNews(self) -> None:
        """
        At the start, or in whatever event.
        """
        self.serving()
        self.events(changed(OLD), addressEvent("2001:db8::5"))
        self.events(lost=True)
        self.reactor.advance(2)
        self.assertEqual(self.sent(), [])

    def test_aSecondChangeBeginsAnew(self) -> None:
        """
        With the newer address only, and one line in all.
        """
        self.serving(3)
        self.events(changed(NEW))
        self.reactor.advance(INTERVAL)
        before = len(self.sent())
        self.events(changed(NEWER))
        self.toTheEnd(5)
        self.assertEqual({one.targetLinkLayer for one in self.sent()[:before]}, {NEW})
        after = self.sent()[before:]
        self.assertEqual({(one.targetLinkLayer, one.linkSource) for one in after}, {(NEWER, NEWER)})
        self.assertEqual([one.target for one in after], [f"2001:db8::1:{n}" for n in (1, 2, 3)])
        self.assertEqual(len(self.said()), 1)

    def test_thereAndBackIsAnnouncedBoth(self) -> None:
        """
        The neighbors have learned the one in between.
        """
        self.serving(1)
        for address in (NEW, OLD):
            self.events(changed(address))
            self.assertEqual(self.sent()[-1].targetLinkLayer, address)
        self.assertEqual(len(self.sent()), 2)

    def test_otherEventsDoNotDisturb(self) -> None:
        """
        It goes on where it was.
        """
        self.serving(3)
        self.events(changed(NEW))
        self.events(addressEvent("2001:db8::5"), changed(NEW))
        self.toTheEnd(3)
        self.assertEqual(len(self.sent()), 3)

    def test_whileTheLinkIsDownNothingIsAnnounced(self) -> None:
        """
        An address is often changed on an interface that is down: it is announced when the link can
        carry it, and not if it is the old one by then.
        """
        self.serving(1)
        for flags in (0x00, 0x01):
            self.events(changed(NEW, flags))
            self.assertEqual(self.sent(), [])
        self.events(changed(OLD))
        self.assertEqual(self.sent(), [])
        self.events(changed(NEW, 0))
        self.events(changed(NEW))
        self.assertEqual(len(self.sent()), 1)

    def test_aLinkThatGoesDownInBetweenHearsAllOfThem(self) -> None:
        """
        When it is up again, from the beginning.
        """
        self.serving(3)
        self.events(changed(NEW))
        self.events(changed(NEW, 0))
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        self.events(changed(NEW))
        self.toTheEnd(3)
        self.assertEqual(self.targets(), [f"2001:db8::1:{n}" for n in (1, 1, 2, 3)])
        self.events(changed(NEW, 0))
        self.events(changed(NEW))
        self.assertEqual(len(self.sent()), 4)

    def test_anInterfaceThatWasMadeAnew(self) -> None:
        """
        With another address that is announced, on the new packet socket; with the same one not.
        """
        self.serving(1)
        for index, address, count in ((8, OLD, 0), (9, NEW, 1)):
            self.events(linkEvent("RTM_DELLINK", index=index - 1 if index > 8 else ETH0))
            layer = bytes.fromhex(address.replace(":", ""))
            self.kernel.links[1] = Link("eth0", index, 1, layer, True)
            self.events(changed(address, index=index))
            self.assertEqual(len(self.sent()), count)
        self.assertEqual(len(self.links), 3)

    def test_anInterfaceThatGoesInBetween(self) -> None:
        """
        Nothing is left to be sent; when it is back, all are.
        """
        self.serving(3)
        self.events(changed(NEW))
        self.events(linkEvent("RTM_DELLINK"))
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        self.kernel.links[1] = dataclasses.replace(self.kernel.links[1], index=9)
        self.events(changed(NEW, index=9))
        self.toTheEnd(3)
        self.assertEqual(len(self.sent()), 3)

    def test_whatCannotBeSentIsCounted(self) -> None:
        """
        The others are sent; the line has the number.
        """
        self.serving(3)
        for number in (errno.ENOBUFS, errno.ENETDOWN):
            self.links[-1].sendErrors.append(OSError(number, os.strerror(number)))
        self.events(changed(NEW))
        self.toTheEnd(3)
        self.assertEqual(self.targets(), ["2001:db8::1:3"])
        self.assertTrue(self.said()[0].endswith("for 1 listed host (of 3); 2 not sent"))
        self.assertEqual(self.lines(LogLevel.error), [])

    def test_theEndOfTheServiceIsTheEndOfIt(self) -> None:
        """
        Nothing is left in the reactor.
        """
        service = self.serving(3)
        self.events(changed(NEW))
        self.successResultOf(service.stopService())
        self.assertUndone()
        self.reactor.advance(1)
        self.assertEqual((len(self.sent()), self.said()), (1, []))
