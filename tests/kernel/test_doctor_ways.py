"""
C{prefix64 doctor} beside a server that runs in each way: nothing wrong is said of one that runs
well, and each fault, made for real, is found.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
from pathlib import Path
from typing import Any

from tests.kernel.lab import Lab, suiteOf
from tests.kernel.namespaces import PREFIX, ROUTER_LINK_LOCAL, SECOND_PREFIX, eventually
from tests.kernel.test_doctor import ADDRESS, DoctorTestCase, Findings
from tests.support import requirePrograms

HOST = "2001:db8::cafe"
BEHIND = "2001:db8::ab00/120"
AGAIN = 20.0
"""Seconds in which what somebody changed is put back."""

MARKING = (
    "add table inet m",
    "add chain inet m pre { type filter hook prerouting priority mangle; }",
    f"add rule inet m pre iifname eth0 ip6 daddr {PREFIX} meta mark set 64",
)


def test_suite() -> Any:
    """
    The tests of this module.
    """
    return suiteOf(__name__)


class WayTestCase(DoctorTestCase):
    """
    What the ways have in common.
    """

    def assertWell(self, found: Findings) -> None:
        """
        Nothing is wrong, and nothing may be.
        """
        self.assertEqual(found.status, 0, str(found))
        self.assertLessEqual(found.judgements(), {"ok", "unknown"}, str(found))

    def sites(self, lab: Lab, *names: str) -> Path:
        """
        Make a tree of sites.
        """
        tree = lab.directory / "sites"
        for name in names:
            (tree / name).mkdir(parents=True)
        return tree

    def behind(self, lab: Lab, route: bool = True) -> None:
        """
        Give the server an interface behind it.
        """
        lab.server.ip("link add c0 type veth peer name c1")
        for name in ("c0", "c1"):
            lab.server.ip(f"link set {name} addrgenmode none up")
        if route:
            lab.server.ip(f"-6 route add {BEHIND} dev c0")

    def ndppd(self, lab: Lab) -> subprocess.Popen[bytes]:
        """
        Have ndppd answer for the prefix on the server.
        """
        requirePrograms("ndppd")
        before = lab.server.allmulti()
        configuration = lab.directory / "ndppd.conf"
        configuration.write_text(f"proxy eth0 {{ rule {PREFIX} {{ static }} }}\n")
        ndppd = subprocess.Popen(
            lab.server.command("ndppd", "-c", str(configuration), "-p", os.devnull),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.addCleanup(ndppd.wait)
        self.addCleanup(ndppd.kill)
        eventually(lambda: lab.server.allmulti() == before + 1, 10, "ndppd listens")
        return ndppd


class PortsTests(WayTestCase):
    """
    C{--routing ports}.
    """

    options = ("--routing", "ports", "--ports", "tcp:80,tcp:443")

    def test_well(self) -> None:
        """
        How it runs need not be said; and may be.
        """
        lab = self.makeLab()
        lab.start(*self.options)
        found = self.listen(lab, lambda: lab.ping(ADDRESS))
        self.assertEqual((found.status, found.judgements()), (0, {"ok"}), str(found))
        self.assertFound(found, "instance", "with --routing ports --ports tcp:80,tcp:443")
        self.assertFound(found, "rules", "ok: .*dport 80.* and 1 more")
        self.assertWell(self.look(lab, *self.options))

    def test_ruleDeleted(self) -> None:
        """
        That of a port, and the last one, without which the rest loops. A server that hangs does not
        put them back.
        """
        lab = self.makeLab()
        service = lab.start(*self.options)
        self.pause(service)
        rule = f"to {PREFIX} iif eth0 ipproto tcp dport 80 lookup 64 priority 64 protocol 64"
        lab.server.ip(f"-6 rule del {rule}")
        found = self.look(lab)
        self.assertFound(found, "rules", "problem: .*dport 80 lookup 64 is missing")
        self.assertFound(found, "arrival", f"problem: .* for {HOST} to TCP port 80 is dropped")
        lab.server.ip(f"-6 rule add {rule}")
        lab.server.ip(f"-6 rule del to {PREFIX} iif eth0 blackhole priority 65 protocol 64")
        found = self.look(lab)
        self.assertFound(found, "rules", "problem: .*blackhole is missing: .*back to the router")

    def test_otherPort(self) -> None:
        """
        One that nobody reaches is named.
        """
        lab = self.makeLab()
        lab.start(*self.options)
        found = self.look(lab, "--http", "8080")
        self.assertFound(found, "http", "problem: port 8080 is in none of .*add tcp:8080 to")

    def test_anotherWayThanAskedFor(self) -> None:
        """
        Both are named.
        """
        lab = self.makeLab()
        lab.start()
        found = self.look(lab, *self.options, "--ndp", "none")
        self.assertFound(
            found, "instance", "warning: it runs with --routing input, no --ports, --ndp protocol"
        )
        self.assertFound(found, "rules", "problem: .*dport 80 .*are missing, though prefix64 runs")


class NumbersTests(WayTestCase):
    """
    C{--table} and C{--priority}, and who else has them.
    """

    def test_well(self) -> None:
        """
        Others than the default are known from the one that runs; what it left, from the kernel.
        """
        lab = self.makeLab()
        service = lab.start("--table", "1000", "--priority", "500")
        self.assertWell(found := self.look(lab))
        self.assertFound(found, "rules", "ok: iif eth0 to 2001:db8::/64 lookup 1000")
        self.assertFound(found, "routes", "ok: table 1000 has 1 local and 2 throw, all needed$")
        service.kill()
        found = self.look(lab)
        self.assertFound(
            found, "rules", "crashed.*cleanup --iface eth0 --table 1000 --priority 500$"
        )
        self.assertFound(found, "routes", "warning: table 1000 has 3 routes .*--table 1000$")

    def test_withoutAPrefix(self) -> None:
        """
        That of the one that runs is looked at; without one, the prefix is asked for.
        """
        lab = self.makeLab()
        lab.start("--http", "8080", "--local", "--exclude", "2001:db8::7")
        arguments = ("-i", "eth0", "--seconds", "0", "--json")
        found = Findings(self.doctor(lab.server, *arguments))
        self.assertEqual(found.document["prefixes"], [PREFIX])
        self.assertEqual(found.document["options"], ["--local"])
        self.assertWell(found)
        self.assertFound(found, "http", r"ok: \[::\]:8080 is listened on")
        lab.services[0].stop()
        process = self.doctor(lab.server, *arguments)
        _, errors = process.communicate(timeout=30)
        self.assertEqual(process.returncode, 2)
        self.assertIn("--iface eth0 needs --prefix", errors)

    def test_inUse(self) -> None:
        """
        By somebody else's rule and route: no start succeeds, and beside one that runs no next one.
        """
        lab = self.makeLab()
        lab.start()
        lab.server.ip("-6 rule add to 2001:db8:9::/64 lookup 99 priority 64")
        lab.server.ip(f"-6 route add default via {ROUTER_LINK_LOCAL} dev eth0 table 64")
        found = self.look(lab)
        self.assertFound(
            found, "start", "warning: priority 64 is in use .*not start again choose another"
        )
        self.assertFound(found, "start", "warning: table 64 is in use by somebody else")
        self.assertEqual(found.status, 0, str(found))
        lab.services[0].stop()
        found = self.look(lab)
        self.assertFound(found, "start", "problem: priority 64 is in use .*--priority$")
        self.assertFound(found, "start", "problem: table 64 is in use .*--table, or remove it: ip")
        self.assertEqual(found.all("start")[0].count("--table"), 1)
        self.assertRefused(lab)
        found = self.look(lab, "--table", "100", "--priority", "101")
        self.assertFound(found, "start", "ok: nobody else has")

    def assertRefused(self, lab: Lab) -> None:
        """
        The server says the same.
        """
        service = lab.launch("--iface", "eth0", "--prefix", PREFIX)
        eventually(lambda: service.process.poll() is not None, 20, "it ends")
        self.assertIn("is in use by somebody else", service.log())

    def test_cutOff(self) -> None:
        """
        With C{--local}, a gateway inside would be this host itself.
        """
        lab = self.makeLab()
        found = self.look(lab, "--local", within=self.connectedFrom("2001:db8::55"))
        self.assertFound(
            found,
            "start",
            "problem: --prefix 2001:db8::/64 would cut this host off from the ssh connection of "
            "2001:db8::55 add --exclude 2001:db8::55, or leave --local out",
        )
        self.assertFound(self.look(lab, "--local"), "start", "ok")

    def connectedFrom(self, address: str) -> tuple[str, ...]:
        """
        A command that runs another as a login by ssh does.
        """
        return ("env", f"SSH_CONNECTION={address} 1 {PREFIX} 22")


class MarkTests(WayTestCase):
    """
    C{--routing fwmark}.
    """

    options = ("--routing", "fwmark")

    def test_wellAndWithoutMarks(self) -> None:
        """
        A firewall that marks, that does not, and of which it cannot be told.
        """
        lab = self.makeLab()
        lab.start(*self.options)
        found = self.look(lab)
        self.assertFound(found, "rules", "ok: fwmark 64 lookup 64")
        self.assertFound(found, "fwmark", "problem: no rule sets mark 64 on new connections to")
        self.assertFound(found, "fwmark", "warning: no rule sets mark 64 on Packet Too Big")
        (command,) = {
            part.partition("; nft add rule")[0]
            for text in found.all("fwmark")
            for part in [text[text.index("nft add table") :]]
        }
        rules = [text[text.index("nft add rule") :] for text in found.all("fwmark")]
        rules = [text.partition(" look at")[0] for text in rules]
        with lab.server.entered():
            subprocess.run(["sh", "-c", "\n".join([command, *rules])], check=True, timeout=20)
        self.assertWell(self.look(lab))
        self.assertEqual(lab.fetch(f"http://[{HOST}]/").count("<html"), 1)
        lab.server.run("nft", "add rule inet marks pre ip6 saddr 2001:db8:7::/48 meta mark set 1")
        self.assertFound(self.look(lab), "fwmark", "warning: cannot tell: new connections")

    def test_arrival(self) -> None:
        """
        Nobody but what is marked arrives; the rule deleted, not even that.
        """
        lab = self.makeLab()
        for command in MARKING:
            lab.server.run("nft", command)
        service = lab.start(*self.options)
        found = self.listen(lab, lambda: lab.ping(ADDRESS))
        self.assertEqual((found.status, found.judgements()), (0, {"ok"}), str(found))
        self.assertFound(found, "arrival", "ok: .*with the mark 64 is this host's own")
        self.pause(service)
        lab.server.ip("-6 rule del fwmark 64 lookup 64 priority 64 protocol 64")
        found = self.look(lab)
        self.assertFound(found, "rules", "problem: fwmark 64 lookup 64 is missing")
        self.assertFound(found, "arrival", "problem: .*is (refused|sent on)")

    def test_saidAndDone(self) -> None:
        """
        What is said of a ruleset is what the kernel does with connections.
        """
        lab = self.makeLab()
        lab.start(*self.options)
        for rules, said, isServed in (
            ("meta mark set 64", "ok", True),
            ("tcp dport 443 meta mark set 64", "problem", False),
            ("iifname eth1 meta mark set 64", "problem", False),
            ("meta mark set 64; meta mark set 1", "problem", False),
            ("meta mark set 1; meta mark 1 meta mark set 64", "warning", True),
            ("tcp dport 80 jump more; meta mark set 1", "ok", True),
            ("tcp dport 80 goto more", "ok", True),
            ("ip6 saddr 2001:db8:ffff::1 meta mark set 64", "warning", True),
            ("meta mark set mark or 0x40", "warning", True),
            ("return; meta mark set 64", "problem", False),
            ("tcp dport vmap { 80 : jump more, 81 : drop }", "warning", None),
        ):
            self.load(lab, rules)
            text = next(t for t in self.look(lab).all("fwmark") if "new connections" in t)
            self.assertEqual(text.partition(":")[0], said, rules)
            if isServed is not None:
                self.assertEqual(self.isServed(lab), isServed, rules)

    def load(self, lab: Lab, rules: str) -> None:
        """
        Have rules in front of routing, and a chain C{more} that marks and accepts.
        """
        chain = "type filter hook prerouting priority mangle;"
        lines = "\n".join(rules.split("; "))
        text = f"chain more {{ meta mark set 64 accept\n}}\nchain pre {{ {chain}\n{lines}\n}}"
        subprocess.run(
            lab.server.command("nft", "-f", "-"),
            input=f"add table inet m\ndelete table inet m\ntable inet m {{\n{text}\n}}\n",
            text=True,
            check=True,
            timeout=20,
        )

    def isServed(self, lab: Lab) -> bool:
        """
        Tell whether a page comes.
        """
        with lab.router.entered():
            connection = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
        with connection:
            connection.settimeout(0.5)
            return connection.connect_ex((HOST, 80)) == 0

    def test_twoWithOneTable(self) -> None:
        """
        Who leads marks to a table already is named; and what a crash left.
        """
        lab = self.makeLab()
        lab.server.ip("link add c0 type veth peer name c1")
        service = lab.start(*self.options)
        found = self.look(lab, "-i", "c0", "-p", SECOND_PREFIX, *self.options)
        self.assertFound(found, "start", "problem: table 64 is where firewall marks lead already")
        service.kill()
        self.assertFound(self.look(lab), "rules", "warning: fwmark 64 lookup 64: left by")


class NoneTests(WayTestCase):
    """
    C{--routing none}.
    """

    def test_wellAndWithoutARoute(self) -> None:
        """
        Whether what comes in is this host's own is asked of the kernel.
        """
        lab = self.makeLab()
        lab.start("--routing", "none")
        found = self.look(lab)
        self.assertFound(
            found,
            "arrival",
            f"problem: what comes in on eth0 for {HOST} .*add local {PREFIX} dev lo",
        )
        lab.server.ip(f"-6 route add local {PREFIX} dev lo")
        found = self.listen(lab, lambda: lab.ping(ADDRESS))
        self.assertEqual((found.status, found.judgements()), (0, {"ok"}), str(found))
        self.assertFound(found, "rules", "ok: none of ours: --routing none")


class KernelProxyTests(WayTestCase):
    """
    C{--ndp kernel}.
    """

    def test_wellAndEachFault(self) -> None:
        """
        Each switch, the entries, and router advertisements that are not accepted.
        """
        lab = self.makeLab()
        tree = self.sites(lab, "2001-db8--cafe", "2001-db8--1-1")
        lab.server.sysctl("conf/eth0/accept_ra", 1)
        service = lab.start("--ndp", "kernel", "--sites", str(tree))
        found = self.listen(lab, lambda: lab.ping(HOST))
        self.assertWell(found)
        self.assertFound(found, "proxies", "ok: .*2001:db8::cafe, 2001:db8::1:1, as --ndp kernel")
        self.assertFound(found, "sysctls", "ok: .*proxy_ndp and forwarding are on for eth0")
        self.pause(service)
        for switch, value, pattern in (
            ("proxy_ndp", 0, "problem: proxy_ndp is off on eth0: .*eth0/proxy_ndp=1"),
            ("forwarding", 0, "problem: forwarding is off on eth0: .*eth0/forwarding=1"),
        ):
            lab.server.sysctl(f"conf/eth0/{switch}", value)
            self.assertFound(self.look(lab), "sysctls", pattern)
            lab.server.sysctl(f"conf/eth0/{switch}", 1)
        lab.server.ip(f"-6 neigh del proxy {HOST} dev eth0")
        self.assertFound(self.look(lab), "proxies", f"problem: {HOST} is not answered for: the")
        lab.server.sysctl("conf/eth0/accept_ra", 1)
        lab.server.ip("-6 route del default")
        self.assertFound(self.look(lab), "sysctls", "warning: forwarding is on, so .*accept_ra=2")

    def test_onlyHostsAreAnswered(self) -> None:
        """
        That nobody answers for another address is right; and without hosts there is nobody.
        """
        lab = self.makeLab()
        tree = self.sites(lab, "2001-db8--cafe")
        lab.start("--ndp", "kernel", "--sites", str(tree))
        found = self.listen(lab, lambda: lab.ping(ADDRESS, wait=0.5))
        self.assertFound(found, "solicitations", "ok: .*1 have no site of their own")
        lab.services[0].stop()
        lab.start("--ndp", "kernel")
        self.assertFound(self.look(lab), "proxies", "warning: .*nothing is answered for")

    def test_leftByACrash(self) -> None:
        """
        Its entries and its switches.
        """
        lab = self.makeLab()
        tree = self.sites(lab, "2001-db8--cafe")
        state = str(lab.directory / "state")
        lab.start("--ndp", "kernel", "--sites", str(tree), "--state", state).kill()
        found = self.look(lab, "--state", state)
        self.assertFound(found, "proxies", f"warning: .*{HOST}, which a prefix64 that crashed")
        self.assertFound(found, "sysctls", "warning: changed by .*crashed.*/proxy_ndp=0")


class NoneAnswersTests(WayTestCase):
    """
    C{--ndp none}, and two who answer.
    """

    def test_anotherProgram(self) -> None:
        """
        It is wanted; without it nobody answers, if the prefix is not routed here.
        """
        lab = self.makeLab()
        lab.start("--ndp", "none")
        found = self.listen(lab, lambda: lab.ping(ADDRESS, wait=0.5))
        self.assertFound(found, "proxies", "unknown: no ndppd .*right only where .*routed")
        self.assertFound(found, "solicitations", "problem: .*--ndp none leaves that to another")
        self.ndppd(lab)
        found = self.listen(lab, lambda: lab.ping("2001:db8::d0c:3", wait=1))
        self.assertFound(found, "proxies", "ok: ndppd runs, .*it is to answer")
        self.assertFound(found, "solicitations", "ok: .*every address was answered for")
        self.assertWell(found)

    def test_aRoutedPrefix(self) -> None:
        """
        Nobody need answer.
        """
        lab = self.makeLab()
        lab.start("--ndp", "none")
        lab.router.ip(f"-6 route replace {PREFIX} via fe80::2 dev eth0")
        found = self.listen(lab, lambda: lab.ping(ADDRESS, count=2))
        self.assertFound(found, "solicitations", "ok: none in .*routed to this host")
        self.assertWell(found)

    def test_twoAnswerers(self) -> None:
        """
        On the same interface that is a problem; on another it is not.
        """
        lab = self.makeLab()
        lab.start()
        ndppd = self.ndppd(lab)
        self.assertFound(
            self.look(lab), "proxies", f"problem: ndppd runs, process {ndppd.pid}: .*--ndp none"
        )
        lab.server.ip("link add c0 type veth peer name c1")
        self.assertFound(
            self.look(lab, "-i", "c0", "-p", SECOND_PREFIX), "proxies", "ok: .*on other interfaces"
        )


class ForwardTests(WayTestCase):
    """
    C{--forward}.
    """

    def test_wellAndWithoutForwarding(self) -> None:
        """
        Routed, and this host forwards; then it does not.
        """
        lab = self.makeLab()
        self.behind(lab)
        lab.server.sysctl("conf/all/forwarding", 1)
        lab.start("--forward", BEHIND)
        found = self.listen(lab, lambda: lab.ping("2001:db8::ab01", wait=0.5))
        self.assertEqual((found.status, found.judgements()), (0, {"ok"}), str(found))
        self.assertFound(found, "forward", f"ok: {BEHIND} is routed by c0")
        self.assertFound(found, "solicitations", "ok: .*2001:db8::ab01.*every address was answered")
        self.assertNotIn("does not matter", str(found))
        lab.server.sysctl("conf/all/forwarding", 0)
        found = self.look(lab)
        self.assertFound(found, "forward", f"problem: this host does not forward, .*{BEHIND}")
        self.assertNotIn("does not matter", str(found))

    def test_theFirewall(self) -> None:
        """
        One that lets nothing through to what lives behind.
        """
        lab = self.makeLab()
        self.behind(lab)
        lab.server.sysctl("conf/all/forwarding", 1)
        lab.start("--forward", BEHIND)
        lab.server.run("nft", "add table inet f")
        hook = "type filter hook forward priority 0; policy drop;"
        lab.server.run("nft", f"add chain inet f forward {{ {hook} }}")
        found = self.look(lab)
        self.assertFound(found, "firewall", f"problem: new connections to {BEHIND} .*f forward")
        (command,) = re.findall(r"nft (insert rule .*? accept)", " ".join(found.all("firewall")))
        lab.server.run("nft", command)
        self.assertFound(self.look(lab), "firewall", f"ok: lets through new .* {BEHIND}")
        lab.server.run("nft", "flush chain inet f forward")
        lab.server.run("nft", "add rule inet f forward oifname c0 accept")
        self.assertFound(self.look(lab), "firewall", f"warning: cannot tell: new .* {BEHIND}")

    def test_withoutARoute(self) -> None:
        """
        The part that has none is named; one that is half there, too.
        """
        lab = self.makeLab()
        self.behind(lab, route=False)
        lab.server.sysctl("conf/all/forwarding", 1)
        lab.start("--forward", BEHIND)
        found = self.look(lab)
        self.assertFound(found, "forward", f"problem: no route leads to {BEHIND}.*route add")
        self.assertFound(found, "routes", "ok: .*1 unreachable, all needed")
        lab.server.ip("-6 route add 2001:db8::ab00/121 dev c0")
        self.assertFound(self.look(lab), "forward", f"warning: of {BEHIND} only 2001:db8::ab00/121")
        lab.server.ip("-6 route del 2001:db8::ab00/121 dev c0")
        lab.server.ip(f"-6 route add {BEHIND} dev c0")
        self.assertWell(self.settled(lab, "forward", f"ok: {BEHIND} is routed by c0"))

    def settled(self, lab: Lab, check: str, text: str) -> Findings:
        """
        What is found, when the server has followed.
        """

        def followed() -> Findings | None:
            found = self.look(lab, steady=False)
            routes = "ok: table 64 has 1 local and 3 throw, all needed" in found.all("routes")
            return found if routes and text in found.all(check) else None

        return eventually(followed, AGAIN)

    def test_auto(self) -> None:
        """
        What is routed; nothing, if nothing is.
        """
        lab = self.makeLab()
        self.behind(lab, route=False)
        lab.server.sysctl("conf/all/forwarding", 1)
        lab.start("--forward", "auto")
        self.assertFound(self.look(lab), "forward", "warning: auto: this host routes no part")
        lab.server.ip(f"-6 route add {BEHIND} dev c0")
        text = f"ok: auto: {BEHIND}: this host routes that to another interface"
        self.assertWell(self.settled(lab, "forward", text))


class UnknownTests(WayTestCase):
    """
    A server whose command line cannot be read, because it runs in another process namespace.
    """

    def test_wellByItsRules(self) -> None:
        """
        What the kernel has tells how it runs; without rules it cannot be told.
        """
        lab = self.makeLab()
        lab.start("--routing", "ports", "--ports", "tcp:80", "--table", "99")
        apart = ("unshare", "--pid", "--fork", "--mount-proc")
        found = self.look(lab, within=apart)
        self.assertWell(found)
        self.assertFound(found, "instance", "how it was started cannot be read")
        self.assertFound(found, "routes", "ok: table 99 has 1 local and 2 throw")
        lab.services[0].stop()
        lab.start("--routing", "none", "--ndp", "none")
        found = self.look(lab, within=apart)
        self.assertFound(found, "rules", "unknown: none of ours: either .*--routing WAY")
        self.assertFound(found, "allmulti", "unknown: .*right only with --ndp kernel or none")
