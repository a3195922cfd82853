r"""
The description of an endpoint: C{prefix64:80:prefix=2001\:db8\:\:/64:iface=eth0}.
"""

from __future__ import annotations

import os
import sys
from typing import Any

from twisted.internet.endpoints import serverFromString
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IStreamServerEndpoint
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from prefix64.addressing import parsePrefix
from prefix64.endpoint.listening import PrefixEndpoint
from prefix64.endpoint.parser import SHARED
from prefix64.endpoint.words import EndpointError, PortError, inEndpointWords, sayInOneLine
from prefix64.errors import ListenError, OptionError, Prefix64Error
from prefix64.icmpv6.policies import AdvertisementSource, DadPolicy, RespondPolicy, RouterFlag
from prefix64.option_text import OptionText
from prefix64.options.values import defaultStateDirectory
from prefix64.routing.entries import Numbers, Service, Steering, Way
from prefix64.settings import EchoMode, LinkSettings, NdpMode
from prefix64.web.listening import BACKLOG

P_TEXT = "2001:db8::/64"
P = r"prefix=2001\:db8\:\:/64"
ETH0 = f"prefix64:80:iface=eth0:{P}"

WRONG = {
    "prefix64": ["there is no port", r"prefix64:80:prefix=2001\:db8\:\:/64"],
    f"prefix64:{P}": ["there is no port"],
    f"prefix64:eighty:{P}": ["port='eighty'", "0 to 65,535"],
    f"prefix64:-1:{P}": ["port='-1'", "0 to 65,535"],
    f"prefix64:65536:{P}": ["port='65536'", "0 to 65,535"],
    f"prefix64:80:port=80:{P}": ["'80' has no name"],
    "prefix64:80:81": ["'81' has no name: only the port has none"],
    "prefix64:80:prefix=2001:db8::/64": ["'db8' has no name", r"are written \:"],
    "prefix64:80:iface=eth0": ["iface=eth0 needs prefix", r"such as prefix=2001\:db8\:\:/64"],
    r"prefix64:80:prefix=2001\:db8\:\:1/64": ["prefix '2001:db8::1/64' has host bits"],
    "prefix64:80:prefix=": ["prefix '' is no IPv6 prefix"],
    rf"prefix64:80:{P},2001\:db8\:\:/80": [r"prefix=2001\:db8\:\:/80 overlap"],
    rf"{ETH0}:exclude=2001\:db8\:9\:\:1": [r"exclude=2001\:db8\:9\:\:1 is in none"],
    f"{ETH0}:routing=best": ["routing='best'", "input, ports, fwmark, none"],
    f"{ETH0}:routing=ports": ["routing=ports needs ports", r"ports=tcp\:80,tcp\:443"],
    rf"{ETH0}:routing=ports:ports=tcp\:443": ["port=80 is in none of", "add tcp:80"],
    f"{ETH0}:fwmark=5": ["fwmark=5 needs routing=fwmark"],
    f"{ETH0}:routing=none:local=yes": ["local contradicts routing=none", "leave one out"],
    f"{ETH0}:table=254": ["table=254", "the kernel's own"],
    f"{ETH0}:priority=x": ["priority='x'"],
    f"{ETH0}:ndp=perhaps": ["ndp='perhaps'"],
    f"{ETH0}:echo=loud": ["echo='loud'"],
    f"{ETH0}:dad=never": ["dad='never'"],
    f"{ETH0}:na_source=eth0": ["na-source='eth0'"],
    f"{ETH0}:na-router=1": ["na-router='1'"],
    f"{ETH0}:na-router=0:na_router=0": ["na-router is given twice"],
    f"{ETH0}:respond=some": ["respond='some'"],
    f"{ETH0}:rate=fast": ["rate='fast'"],
    f"{ETH0}:rate-source=-1": ["rate-source='-1'"],
    f"{ETH0}:backlog=0": ["backlog='0'", "1 to 65,535"],
    f"{ETH0}:local": ["local has no value: write local=yes"],
    f"{ETH0}:yield=maybe": ["yield=maybe: choose one of yes, no"],
    f"{ETH0}:trace=": ["trace=: choose one of yes, no"],
    f"{ETH0}:state=": ["state=''", "name a path"],
    f"{ETH0}:http=80": ["'http' is no argument", "backlog, dad, echo"],
    f"{ETH0}:{'x' * 90}=1": ["x...' is no argument"],
    rf"{ETH0}:hosts=2001\:db8\:9\:\:1": ["2001:db8:9::1 is in none of the prefixes"],
    rf"{ETH0}:hosts=2001\:db8\:\:": ["2001:db8:: is an anycast address"],
    rf"{ETH0}:hosts=cafe": ["hosts 'cafe'"],
    rf"{ETH0}:hosts=2001\:db8\:\:1:exclude=2001\:db8\:\:/80": ["contradicts exclude 2001:db8::/80"],
    rf"{ETH0}:ndp=kernel:hosts=2001\:db8\:\:/80": ["ndp=kernel", "is a sub-prefix"],
    f"{ETH0}:ndp=kernel": ["ndp=kernel answers for hosts alone"],
    f"{ETH0}:respond=hosts": ["respond=hosts needs hosts"],
    f"{ETH0}:ndp=kernel:forward=auto": ["forward contradicts ndp=kernel"],
}  # fmt: skip
"""Descriptions that are refused, and words of the line."""


class ParserCase(SynchronousTestCase):
    """
    Descriptions, read as any program reads them.
    """

    def setUp(self) -> None:
        self.patch(sys, "excepthook", sys.excepthook)

    def read(self, description: str) -> PrefixEndpoint:
        endpoint = serverFromString(MemoryReactorClock(), description)
        self.assertTrue(verifyObject(IStreamServerEndpoint, endpoint))
        assert isinstance(endpoint, PrefixEndpoint)
        return endpoint


class ReadingTests(ParserCase):
    """
    What is well.
    """

    def test_portAlone(self) -> None:
        """
        The defaults are those of the command line.
        """
        endpoint = self.read("prefix64:80")
        self.assertEqual((endpoint.port, endpoint.backlog), (80, BACKLOG))
        self.assertEqual(endpoint.wanted.settings, LinkSettings())
        self.assertEqual(endpoint.wanted.hosts, ())
        self.assertEqual(endpoint.wanted.stateDirectory, defaultStateDirectory())
        self.assertEqual(self.read("prefix64:port=443").port, 443)
        self.assertEqual(self.read("prefix64:0").port, 0)

    def test_allEndpointsShare(self) -> None:
        """
        Of one process.
        """
        self.assertIs(self.read("prefix64:80")._links, SHARED)
        self.assertIs(self.read("prefix64:81")._links, SHARED)

    def test_everyArgument(self) -> None:
        """
        Each is read as on the command line.
        """
        endpoint = self.read(
            r"prefix64:443:prefix=2001\:db8\:\:/64, 2001\:db8\:1\:\:/64:iface=eth0"
            r":exclude=2001\:db8\:\:1,2001\:db8\:1\:\:e\:0/112:forward=2001\:db8\:\:5\:0\:0\:0/80,auto"
            r":routing=ports:ports=tcp\:443,udp:table=70:priority=71:ndp=protocol:echo=none"
            r":dad=defend:na-source=link-local:na-router=auto:respond=hosts:rate=10:rate-source=5"
            r":local=yes:yield=1:trace=on:backlog=7:state=here:hosts=2001\:db8\:\:7,2001\:db8\:1\:\:/80"
        )
        self.assertEqual(
            endpoint.wanted.settings,
            LinkSettings(
                interface="eth0",
                prefixes=(parsePrefix("2001:db8::/64"), parsePrefix("2001:db8:1::/64")),
                excluded=(parsePrefix("2001:db8::1"), parsePrefix("2001:db8:1::e:0/112")),
                behind=(parsePrefix("2001:db8::5:0:0:0/80"),),
                followsRoutes=True,
                steering=Steering(Way.PORTS, (Service(6, 443, 443), Service(17)), Numbers(70, 71)),
                ndp=NdpMode.PROTOCOL,
                echo=EchoMode.NONE,
                dad=DadPolicy.DEFEND,
                advertisementSource=AdvertisementSource.LINK_LOCAL,
                routerFlag=RouterFlag.AUTO,
                respond=RespondPolicy.HOSTS,
                yields=True,
                rate=10,
                sourceRate=5,
                local=True,
                trace=True,
            ),
        )
        self.assertEqual((endpoint.port, endpoint.backlog), (443, 7))
        self.assertEqual(endpoint.wanted.stateDirectory, os.path.abspath("here"))
        self.assertEqual(
            [str(host.prefix) for host in endpoint.wanted.hosts], ["2001:db8::7", "2001:db8:1::/80"]
        )

    def test_bothSpellings(self) -> None:
        """
        Also as a Python name, for those who call the parser with keywords.
        """
        for text in ("na-source=link-local:rate-source=3", "na_source=link-local:rate_source=3"):
            settings = self.read(f"{ETH0}:{text}").wanted.settings
            self.assertIs(settings.advertisementSource, AdvertisementSource.LINK_LOCAL)
            self.assertEqual(settings.sourceRate, 3)

    def test_firewallMark(self) -> None:
        """
        Another way of routing, with its number.
        """
        settings = self.read(f"{ETH0}:routing=fwmark:fwmark=9").wanted.settings
        self.assertEqual(settings.steering, Steering(Way.FWMARK, (), Numbers(mark=9)))

    def test_yesAndNo(self) -> None:
        """
        In the words that people use.
        """
        for text, flag in (("yes", True), ("true", True), ("no", False), ("0", False)):
            self.assertIs(self.read(f"{ETH0}:local={text}").wanted.settings.local, flag)


class RefusalTests(ParserCase):
    """
    What is wrong.
    """

    def test_wrongDescriptions(self) -> None:
        """
        Each is a ValueError, as Twisted's own parsers raise, and one line that names the argument
        as it is written in a description.
        """
        for description, words in WRONG.items():
            error = self.assertRaises(ValueError, self.read, description)
            self.assertIsInstance(error, EndpointError, description)
            self.assertIsInstance(error, Prefix64Error)
            text = str(error)
            for word in words:
                self.assertIn(word, text)
            self.assertNotIn("--", text)
            self.assertNotIn("\n", text)

    def test_nothingIsLookedAt(self) -> None:
        """
        An interface that is missing is no mistake of the description: it may come.
        """
        self.assertEqual(
            self.read(f"prefix64:80:iface=none0:{P}").wanted.settings.interface, "none0"
        )


class WordsTests(SynchronousTestCase):
    """
    Errors of options, in the words of a description.
    """

    def test_spellings(self) -> None:
        """
        A value that can be copied is escaped as it has to be; a quoted one stays as it is.
        """
        for text, after in (
            (OptionText("{iface:{0!r}}: there is none", "eth7"), "iface='eth7': there is none"),
            (OptionText("leave {local} out"), "leave local out"),
            (OptionText("leave {ndp:kernel} out"), "leave ndp=kernel out"),
            (OptionText("{prefix:{0}}: no", P_TEXT), r"prefix=2001\:db8\:\:/64: no"),
            (OptionText("with {http:PORT}"), "with port=PORT"),
            ("--reactor epoll", "--reactor epoll"),
        ):  # fmt: skip
            self.assertEqual(inEndpointWords(OptionError(text)), after)

    def test_aPort(self) -> None:
        """
        It is what programs catch that listen on any endpoint, and has the kernel's error.
        """
        cause = OSError(98, "Address already in use")
        error = PortError("::", 80, cause)
        self.assertIsInstance(error, CannotListenError)
        self.assertIsInstance(error, ListenError)
        self.assertEqual(
            str(error),
            "port 80 is in use (ss -6ltnp 'sport = :80' shows by whom): "
            "stop that server, or choose another port",
        )
        self.assertIs(error.socketError, cause)
        denied = PortError("::", 80, PermissionError(13, "Permission denied"))
        self.assertIn("root or CAP_NET_BIND_SERVICE: or choose one above 1023", str(denied))
        self.assertNotIn("--", str(denied))


class OneLineTests(SynchronousTestCase):
    """
    An error that ends the process.
    """

    def setUp(self) -> None:
        self.others: list[BaseException] = []
        self.written: list[str] = []
        self.patch(sys, "excepthook", lambda kind, error, trace: self.others.append(error))
        self.patch(sys, "stderr", self)

    def write(self, text: str) -> None:
        self.written.append(text)

    def flush(self) -> None:
        """
        Nothing is kept.
        """

    def happens(self, error: BaseException) -> Any:
        sys.excepthook(type(error), error, None)

    def test_oursIsALine(self) -> None:
        """
        However often it was asked for.
        """
        sayInOneLine()
        sayInOneLine()
        self.happens(OptionError("no"))
        self.assertEqual("".join(self.written), "prefix64: no\n")
        self.assertEqual(self.others, [])

    def test_othersAreAsBefore(self) -> None:
        """
        A mistake in the program has its traceback.
        """
        sayInOneLine()
        error = KeyError("x")
        self.happens(error)
        self.assertEqual((self.written, self.others), ([], [error]))
