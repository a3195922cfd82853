"""
C{prefix64 doctor} beside a real server: what is as it should be, and each fault made for real.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from typing import Any

from scapy.layers.inet6 import (
    ICMPv6MLQuery2,
    ICMPv6ND_NA,
    ICMPv6NDOptDstLLAddr,
    IPv6,
    IPv6ExtHdrHopByHop,
    RouterAlert,
)
from scapy.layers.l2 import Dot1Q, Ether

from tests.kernel.lab import KernelTestCase, Lab, suiteOf
from tests.kernel.namespaces import (
    INSIDE,
    PREFIX,
    ROUTER_LAYER,
    ROUTER_LINK_LOCAL,
    SERVER_LINK_LOCAL,
    Namespace,
    eventually,
)
from tests.kernel.twistd import Twistd, environment
from tests.kernel.wire import solicitation
from tests.support import requirePrograms

RUN = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "import sys; from prefix64.cli import main; sys.exit(main())"
)
ADDRESS = "2001:db8::d0c"
OTHER_LAYER = "02:00:00:00:00:0f"
SECONDS = "3"
"""For how long the doctor listens where there is something to hear."""

_LONGEST = 60.0


def test_suite() -> Any:
    """
    The tests of this module.
    """
    return suiteOf(__name__)


class Findings:
    """
    What the doctor found.

    @ivar status: its exit status.
    """

    def __init__(self, process: subprocess.Popen[str]) -> None:
        out, errors = process.communicate(timeout=_LONGEST)
        self.status = process.returncode
        assert not errors, errors
        self.document = json.loads(out)

    def __str__(self) -> str:
        return json.dumps(self.document, indent=1)

    def all(self, check: str) -> list[str]:
        """
        The findings of a check: C{problem: there is no interface}.
        """
        return [
            " ".join([f"{f['judgement']}: {f['text']}", *f["advice"]])
            for f in self.document["findings"]
            if f["check"] == check
        ]

    def judgements(self) -> set[str]:
        """
        The judgements that were made.
        """
        return {f["judgement"] for f in self.document["findings"]}


class DoctorTestCase(KernelTestCase):
    """
    A lab, and the doctor in its server.
    """

    def doctor(
        self, namespace: Namespace, *options: str, within: tuple[str, ...] = ()
    ) -> subprocess.Popen[str]:
        """
        Start the doctor.

        @param within: a command that runs it.
        """
        process = subprocess.Popen(
            namespace.command(*within, sys.executable, "-c", RUN, "doctor", *options),
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        return process

    def look(
        self, lab: Lab, *options: str, within: tuple[str, ...] = (), steady: bool = True
    ) -> Findings:
        """
        Have it look, without listening; nothing is changed.

        @param within: a command that runs it.
        @param steady: whether the kernel itself changes nothing meanwhile, as it does with a
            bridge's clocks.
        """
        before = lab.server.dump()
        arguments = ("-i", "eth0", "-p", PREFIX, "--seconds", "0", "--json", *options)
        found = Findings(self.doctor(lab.server, *arguments, within=within))
        if steady:
            self.assertEqual(lab.server.dump(), before)
        return found

    def listen(self, lab: Lab, meanwhile: Callable[[], object], *options: str) -> Findings:
        """
        Have it listen, and something happen meanwhile. ALLMULTI is what it was afterwards.
        """
        before = lab.server.allmulti()
        arguments = ("-i", "eth0", "-p", PREFIX, "--seconds", SECONDS, "--json", *options)
        process = self.doctor(lab.server, *arguments)
        eventually(lambda: lab.server.allmulti() == before + 1, 30, "it listens")
        meanwhile()
        found = Findings(process)
        self.assertEqual(lab.server.allmulti(), before)
        return found

    def pause(self, service: Twistd) -> None:
        """
        Stop a server as a debugger does, until the test ends: it puts nothing back.
        """
        service.process.send_signal(signal.SIGSTOP)
        self.addCleanup(service.process.send_signal, signal.SIGCONT)

    def assertFound(self, found: Findings, check: str, pattern: str) -> None:
        """
        One finding of a check is like this.
        """
        texts = found.all(check)
        self.assertTrue(any(re.search(pattern, text) for text in texts), f"{pattern}: {found}")

    def assertNotSaid(self, found: Findings, check: str, judgement: str) -> None:
        """
        No finding of a check has this judgement.
        """
        self.assertFalse([t for t in found.all(check) if t.startswith(judgement)], str(found))


class WellTests(DoctorTestCase):
    """
    Nothing is wrong.
    """

    def test_everythingIsOk(self) -> None:
        """
        While the router asks for an address: only ok, and exit status 0.
        """
        lab = self.makeLab()
        lab.start()
        found = self.listen(lab, lambda: lab.ping(ADDRESS))
        self.assertEqual((found.status, found.judgements()), (0, {"ok"}), str(found))
        self.assertFound(found, "solicitations", f"for {ADDRESS} from .*{ROUTER_LAYER}.*; every")
        self.assertFound(found, "privileges", "prefix64 has CAP_NET_ADMIN, CAP_NET_RAW")

    def test_forAPerson(self) -> None:
        """
        A line for each finding, what to do below it, and a summary.
        """
        lab = self.makeLab()
        process = self.doctor(lab.server, "-i", "eth0", "-p", PREFIX, "--seconds", "0")
        out, errors = process.communicate(timeout=_LONGEST)
        self.assertEqual((process.returncode, errors), (1, ""), out)
        self.assertIn("ok       interface     eth0 is up and has a carrier\n", out)
        self.assertIn(
            f"-> sudo twistd -n prefix64 --iface eth0 --prefix {PREFIX}\n", out
        )  # fmt: skip
        self.assertRegex(
            out, r"\n\d+ ok, 0 warnings, 1 problem, 3 unknown; begin with: instance\n$"
        )

    def test_interrupted(self) -> None:
        """
        SIGINT while it listens ends it at once, and nothing is left.
        """
        lab = self.makeLab()
        before = lab.server.dump()
        process = self.doctor(lab.server, "-i", "eth0", "-p", PREFIX, "--seconds", "60")
        eventually(lambda: lab.server.allmulti() == 1, 30, "it listens")
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=_LONGEST)
        self.assertEqual((process.returncode, errors), (130, "prefix64: interrupted\n"))
        self.assertEqual(lab.server.dump(), before)

    def test_aTunnelNeedsNoDiscovery(self) -> None:
        """
        A tun interface: that is said, and the link is not listened to.
        """
        host = self.makeNamespace()
        host.ip("tuntap add tun0 mode tun")
        arguments = ("-i", "tun0", "-p", PREFIX, "--json")
        found = Findings(self.doctor(host, *arguments))
        self.assertFound(found, "link", "ok: tun0 is not Ethernet .*none are needed")
        self.assertEqual(found.all("solicitations"), [])
        self.assertFound(found, "interface", "problem: tun0 is down ip link set tun0 up")


class InterfaceTests(DoctorTestCase):
    """
    Faults of the interface.
    """

    def test_missing(self) -> None:
        """
        Those that there are are named; what is no name is no other's.
        """
        lab = self.makeLab()
        for name in ("eth7", "../lo", "x" * 40):
            found = Findings(
                self.doctor(lab.server, "-i", name, "-p", PREFIX, "--json", "--seconds", "0")
            )
            self.assertEqual(found.status, 1)
            self.assertFound(found, "interface", f"problem: there is no interface '{name}'.*eth0")

    def test_downWithoutCarrierWithoutIpv6(self) -> None:
        """
        Each is named with what to do.
        """
        lab = self.makeLab()
        lab.router.ip("link set eth0 down")
        self.assertFound(
            self.look(lab, steady=False), "interface", "problem: eth0 is up, but has no carrier"
        )
        lab.server.ip("link set eth0 down")
        self.assertFound(
            self.look(lab, steady=False), "interface", "problem: eth0 is down ip link set eth0 up"
        )
        lab.router.ip("link set eth0 up")
        lab.server.ip("link set eth0 up")
        lab.server.sysctl("conf/eth0/disable_ipv6", 1)
        found = self.look(lab, steady=False)
        self.assertFound(found, "interface", "problem: IPv6 is off .*eth0/disable_ipv6=0")
        self.assertFound(found, "link", "unknown: eth0 has no link-local address, as long as")
        self.assertNotIn("IPv6 is on", str(found.all("sysctls")))
        lab.server.sysctl("conf/eth0/disable_ipv6", 0)
        found = self.look(lab, steady=False)
        self.assertFound(found, "link", "problem: eth0 has no link-local address.*addrgenmode")

    def test_thePortOfABridge(self) -> None:
        """
        The bridge is to be served; and it snoops, as a bridge does if it is not told otherwise.
        """
        lab = self.makeLab()
        lab.server.ip("link add br0 type bridge mcast_snooping 1")
        lab.server.ip("link set br0 up")
        lab.server.ip("link set eth0 master br0")
        self.assertFound(
            self.look(lab, steady=False),
            "interface",
            "problem: .*port of the bridge br0.*--iface br0",
        )
        found = self.look(lab, "-i", "br0", steady=False)
        self.assertFound(found, "snooping", "warning: br0 is a bridge with MLD snooping")
        lab.server.ip("link set br0 type bridge mcast_snooping 0")
        self.assertEqual(
            len(self.look(lab, "-i", "br0", steady=False).all("snooping")), 1
        )  # not listened for

    def test_duplicateLinkLocal(self) -> None:
        """
        An address that failed its duplicate address detection does not count.
        """
        lab = self.makeLab()
        lab.server.ip(f"address del {SERVER_LINK_LOCAL}/64 dev eth0")
        lab.server.ip(f"address add {ROUTER_LINK_LOCAL}/64 dev eth0")
        eventually(lambda: "dadfailed" in lab.server.ip("-6 address show dev eth0"))
        self.assertFound(self.look(lab), "link", f"problem: {ROUTER_LINK_LOCAL} is somebody else's")


class RoutingTests(DoctorTestCase):
    """
    Faults of rules, routes and switches.
    """

    def test_leftByACrash(self) -> None:
        """
        After SIGKILL: nothing runs, and rule and routes are left.
        """
        lab = self.makeLab()
        lab.start().kill()
        found = self.look(lab)
        self.assertEqual(found.status, 1)
        self.assertFound(found, "instance", "problem: no prefix64 runs on eth0")
        self.assertFound(
            found, "rules", "warning: .*left by a prefix64 that crashed.*cleanup --iface eth0$"
        )
        self.assertFound(found, "routes", "warning: table 64 has 3 routes")
        lab.server.ip(f"-6 rule del to {PREFIX} iif eth0 lookup 64 priority 64 protocol 64")
        self.assertFound(self.look(lab), "rules", "ok: none")
        self.assertFound(
            self.look(lab, "-i", "lo"), "rules", "ok: none"
        )  # fmt: skip

    def test_whatIsMissingBesideAnInstance(self) -> None:
        """
        One that hangs does not put back what somebody deletes, and answers nothing.
        """
        lab = self.makeLab()
        service = lab.start()
        self.pause(service)
        lab.server.ip(f"-6 route del throw {PREFIX.partition('/')[0]}/128 table 64")
        found = self.listen(lab, lambda: lab.ping(ADDRESS, wait=0.5))
        self.assertFound(found, "routes", "problem: missing: throw 2001:db8::")
        self.assertFound(found, "solicitations", "problem: .*none was answered, though")
        lab.server.ip(f"-6 rule del to {PREFIX} iif eth0 lookup 64 priority 64 protocol 64")
        found = self.look(lab)
        self.assertFound(found, "rules", "problem: iif eth0 to 2001:db8::/64 lookup 64 is missing")

    def test_anotherPrefixAndAnotherExclude(self) -> None:
        """
        The server has other options than the doctor.
        """
        lab = self.makeLab()
        lab.start("--exclude", "2001:db8::7", "--http", "8080")
        other = ("-p", "2001:db8:1::/64", "--exclude", "2001:db8::8", "--http", "80")
        found = self.look(lab, *other)
        self.assertFound(found, "rules", "problem: .*2001:db8:1::/64 .*it serves 2001:db8::/64")
        self.assertFound(found, "routes", "warning: .*does not exclude throw 2001:db8::8")
        self.assertFound(found, "http", r"problem: nobody listens on \[::\]:80 .*--http 80")
        found = self.look(lab, "--exclude", "2001:db8::7/128", "--http", "8080")
        self.assertFound(found, "routes", "ok: .*1 local and 3 throw, all needed$")
        self.assertEqual(found.status, 0)

    def test_somebodyElsesRuleComesFirst(self) -> None:
        """
        One that leads to a route is named; one that leads nowhere, or comes later, is not.
        """
        lab = self.makeLab()
        lab.start()
        lab.server.ip("-6 rule add to 2001:db8::/48 lookup 100 priority 10")
        lab.server.ip("-6 rule add fwmark 1 lookup 101 priority 11")
        lab.server.ip("-6 rule add lookup 101 priority 65")
        self.assertNotSaid(self.look(lab), "rules", "warning")
        for table in (100, 101):
            lab.server.ip(f"-6 route add default via {ROUTER_LINK_LOCAL} dev eth0 table {table}")
        found = self.look(lab)
        self.assertFound(
            found, "rules", "warning: .* takes .*priority 10 to 2001:db8::/48, table 100"
        )
        self.assertFound(found, "rules", "warning: .* may take .*priority 11, table 101")
        self.assertEqual(len(found.all("rules")), 3, str(found))

    def test_routesInTheWay(self) -> None:
        """
        A local route made by hand, parts that lead elsewhere, no default route.
        """
        lab = self.makeLab()
        lab.server.ip(f"-6 route add local {PREFIX} dev lo")
        lab.server.ip("link add c0 type veth peer name c1")
        lab.server.ip("link set c0 up")
        lab.server.ip("-6 route add 2001:db8::ab00/120 dev c0")
        found = self.look(lab)
        self.assertFound(
            found, "routes", "warning: local .* ip -6 route del local 2001:db8::/64 dev lo"
        )
        self.assertFound(found, "routes", "warning: 2001:db8::ab00/120 dev c0: left to that one")
        (command,) = re.findall(r"ip (-6 route del .*)", " ".join(found.all("routes")[1:2]))
        lab.server.ip(command)
        lab.server.ip("-6 route del default")
        found = self.look(lab)
        self.assertEqual(len(found.all("routes")), 3, str(found))
        self.assertFound(found, "routes", "problem: the host has no IPv6 default route")

    def test_aGatewayInside(self) -> None:
        """
        It is left alone, and that is said.
        """
        lab = self.makeLab(inside=True)
        lab.server.ip(f"-6 route add {INSIDE}/128 dev eth0")
        lab.server.ip(f"-6 route replace default via {INSIDE} dev eth0")
        lab.start()
        found = self.look(lab)
        self.assertFound(found, "routes", f"ok: the gateway {INSIDE} is inside")
        self.assertFound(found, "routes", "1 local and 3 throw, all needed")

    def test_forwardingTakesTheDefaultRoute(self) -> None:
        """
        With accept_ra at 1 there is none by router advertisements.
        """
        lab = self.makeLab()
        lab.server.sysctl("conf/all/forwarding", 1)
        lab.server.sysctl("conf/eth0/accept_ra", 1)
        self.assertNotSaid(self.look(lab), "sysctls", "warning")
        lab.server.ip("-6 route del default")
        self.assertFound(self.look(lab), "sysctls", "warning: forwarding is on.*accept_ra=2")

    def test_servedElsewhere(self) -> None:
        """
        The prefix is another interface's, by whom is said.
        """
        lab = self.makeLab()
        lab.server.ip("link add c0 type veth peer name c1")
        lab.start()
        found = self.look(lab, "-i", "c0")
        self.assertFound(
            found, "instance", r"problem: 2001:db8::/64 is served on eth0, by process \d"
        )
        self.assertNotSaid(found, "routes", "warning")
        lab.services[0].kill()
        self.assertFound(self.look(lab, "-i", "c0"), "rules", "warning: iif eth0 .*on another")


class OthersTests(DoctorTestCase):
    """
    Others who answer, and those who keep solicitations back.
    """

    def test_ndppd(self) -> None:
        """
        It is named, here and not in another namespace; and that this host answers already.
        """
        requirePrograms("ndppd")
        lab = self.makeLab()
        configuration = lab.directory / "ndppd.conf"
        configuration.write_text(f"proxy eth0 {{ rule {PREFIX} {{ static }} }}\n")
        ndppd = subprocess.Popen(
            lab.server.command("ndppd", "-c", str(configuration), "-p", os.devnull),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.addCleanup(ndppd.wait)
        self.addCleanup(ndppd.kill)
        eventually(lambda: lab.server.allmulti() == 1, 10, "ndppd listens")
        found = self.listen(lab, lambda: lab.ping(ADDRESS, wait=0.5))
        self.assertFound(found, "proxies", f"warning: ndppd runs, process {ndppd.pid}: .*systemctl")
        self.assertFound(found, "others", f"warning: this host answers for {ADDRESS}, though")
        elsewhere = Findings(
            self.doctor(lab.router, "-i", "eth0", "-p", PREFIX, "--json", "--seconds", "0")
        )
        self.assertFound(elsewhere, "proxies", "ok: no ndppd")
        lab.start()
        found = self.listen(lab, lambda: lab.ping("2001:db8::d0c:2", wait=0.5))
        self.assertFound(found, "others", "warning: .*more than once for 2001:db8::d0c:2")

    def test_anotherHostAdvertises(self) -> None:
        """
        It is named with its link-layer address and what it advertises; many look like a proxy.
        """
        lab = self.makeLab()
        lab.start()
        wire = lab.wire()

        def advertise() -> None:
            for number in range(1, 5):
                wire.send(self.advertisement(f"2001:db8::a:{number}"))
            wire.send(self.advertisement("2001:db8:9::1"))

        found = self.listen(lab, advertise)
        self.assertFound(
            found,
            "others",
            f"warning: {OTHER_LAYER} answers for 2001:db8::a:1, 2001:db8::a:2, 2001:db8::a:3 and "
            "1 more .*--exclude 2001:db8::a:1 .*proxy",
        )
        self.assertEqual(len(found.all("others")), 1, str(found))

    def advertisement(self, target: str) -> Any:
        """
        Another host's advertisement to all nodes.
        """
        return (
            Ether(src=OTHER_LAYER, dst="33:33:00:00:00:01")
            / IPv6(src="fe80::f", dst="ff02::1", hlim=255)
            / ICMPv6ND_NA(tgt=target, R=0, S=0, O=1)
            / ICMPv6NDOptDstLLAddr(lladdr=OTHER_LAYER)
        )

    def test_theKernelIsAProxy(self) -> None:
        """
        Only where it is switched on.
        """
        lab = self.makeLab()
        lab.server.ip(f"-6 neigh add proxy {ADDRESS} dev eth0")
        lab.server.ip("-6 neigh add proxy 2001:db8:9::1 dev eth0")
        self.assertFound(
            self.look(lab), "proxies", "ok: .*not while proxy_ndp or forwarding is off"
        )
        lab.server.sysctl("conf/eth0/proxy_ndp", 1)
        lab.server.sysctl("conf/all/forwarding", 1)
        found = self.look(lab)
        self.assertFound(
            found, "proxies", f"warning: the kernel is a proxy for {ADDRESS} ip -6 neigh"
        )
        self.assertEqual(len(found.all("proxies")), 1)

    def query(self) -> Any:
        """
        A general query of an MLD querier.
        """
        return (
            Ether(src=OTHER_LAYER, dst="33:33:00:00:00:01")
            / IPv6(src="fe80::f", dst="ff02::1", hlim=1)
            / IPv6ExtHdrHopByHop(options=[RouterAlert()])
            / ICMPv6MLQuery2()
        )

    def test_aQuerier(self) -> None:
        """
        Switches may snoop; if solicitations come all the same, there is nothing to do.
        """
        lab = self.makeLab()
        lab.start()
        wire = lab.wire()
        found = self.listen(lab, lambda: wire.send(self.query()))
        self.assertFound(
            found, "snooping", rf"warning: fe80::f \({OTHER_LAYER}\) sends MLD queries"
        )

        def both() -> None:
            wire.send(self.query())
            lab.ping(ADDRESS)

        found = self.listen(lab, both)
        self.assertFound(found, "snooping", "ok: .*but solicitations for the prefix arrive")

    def test_nobodyAsks(self) -> None:
        """
        It cannot be told why; what is said for others, of a VLAN, or malformed does not count.
        """
        lab = self.makeLab()
        lab.start()
        wire = lab.wire()

        def others() -> None:
            wire.send(solicitation("2001:db8:9::1"))
            tagged = solicitation(ADDRESS)
            tagged[Ether].payload = Dot1Q(vlan=7) / tagged[IPv6]
            wire.send(tagged)
            malformed = solicitation(ADDRESS)
            malformed[IPv6].hlim = 64
            wire.send(malformed)

        found = self.listen(lab, others)
        self.assertFound(
            found,
            "solicitations",
            "unknown: none for the prefix was seen in 3 seconds, nor any packet for it; "
            r"\d+ for other addresses; 1 malformed ping an address",
        )
        self.assertEqual(found.status, 0)

    def test_aRoutedPrefix(self) -> None:
        """
        Packets come though nobody asks.
        """
        lab = self.makeLab()
        lab.start()
        lab.router.ip(f"-6 route replace {PREFIX} via {SERVER_LINK_LOCAL} dev eth0")
        found = self.listen(lab, lambda: lab.ping(ADDRESS, count=2))
        self.assertFound(found, "solicitations", r"ok: none in 3 seconds, but \d+ packets .*routed")


class PrivilegeTests(DoctorTestCase):
    """
    Without a capability what cannot be seen is unknown.
    """

    def test_withoutNetRaw(self) -> None:
        """
        The link is not listened to.
        """
        found = self.without("-net_raw")
        for check in ("solicitations", "snooping", "others"):
            self.assertFound(found, check, "unknown: a packet socket needs CAP_NET_RAW")
            self.assertEqual(len(found.all(check)), 1)
        self.assertFound(found, "firewall", "ok: lets in new connections")
        self.assertFound(found, "privileges", "warning: this process lacks CAP_NET_RAW")

    def test_withoutNetAdmin(self) -> None:
        """
        The firewall's rules are not read.
        """
        found = self.without("-net_admin,-net_raw")
        self.assertFound(found, "firewall", "unknown: the rules cannot be read: nft: ")
        self.assertEqual(len(found.all("firewall")), 1)
        self.assertFound(found, "privileges", "lacks CAP_NET_ADMIN and CAP_NET_RAW")

    def without(self, capabilities: str) -> Findings:
        """
        Look without some capabilities.
        """
        lab = self.makeLab()
        without = ("setpriv", f"--bounding-set={capabilities}", "--inh-caps=-all")
        return self.look(lab, "--seconds", "1", within=without)


class FirewallTests(DoctorTestCase):
    """
    The host's own rules and the ports of HTTP.
    """

    def test_dropped(self) -> None:
        """
        By a policy, by a rule; the command that is named lets it in.
        """
        lab = self.makeLab()
        lab.start()
        lab.server.run("nft", "add table inet f")
        chain = "add chain inet f input { type filter hook input priority 0; policy drop; }"
        lab.server.run("nft", chain)
        found = self.look(lab)
        self.assertEqual(found.status, 1)
        self.assertFound(
            found, "firewall", "problem: .*port 80 .*by the policy of chain inet f input"
        )
        self.assertFound(found, "firewall", "warning: Packet Too Big is dropped by the policy")
        for command in re.findall(r"nft (insert rule .*? accept)", " ".join(found.all("firewall"))):
            lab.server.run("nft", command)
        found = self.look(lab)
        self.assertEqual(found.status, 0, str(found))
        self.assertEqual(len(found.all("firewall")), 2)
        self.assertNotSaid(found, "firewall", "warning")
        lab.server.run("nft", "insert rule inet f input tcp dport 80 counter drop")
        found = self.look(lab)
        self.assertFound(found, "firewall", "problem: .*by the rule 'tcp dport 80 counter .*drop'")
        lab.server.run("nft", "flush chain inet f input")
        lab.server.run("nft", "add rule inet f input ip6 saddr 2001:db8:ffff::/48 accept")
        found = self.look(lab)
        self.assertFound(found, "firewall", "warning: cannot tell: .*may be dropped by the policy")

    def test_aPortInUse(self) -> None:
        """
        Before the start that is a warning; --http none asks for nothing.
        """
        lab = self.makeLab()
        lab.start()
        found = self.look(lab, "-i", "lo")
        self.assertFound(found, "http", r"warning: \[::\]:80 is in use")
        found = self.look(lab, "--http", "none")
        self.assertEqual(found.all("http") + found.all("firewall"), [])
