"""
C{prefix64 probe}, as a user types it on the router, against whatever answers on the server.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from select import select
from typing import Any

from scapy.layers.inet6 import (
    ICMPv6EchoReply,
    ICMPv6EchoRequest,
    ICMPv6ND_NA,
    ICMPv6ND_NS,
    ICMPv6NDOptDstLLAddr,
    IPv6,
)
from scapy.layers.l2 import Ether

from tests.kernel.lab import KernelTestCase, Lab, suiteOf
from tests.kernel.namespaces import (
    INSIDE,
    OUTSIDE,
    PREFIX,
    ROUTER_LAYER,
    ROUTER_LINK_LOCAL,
    SERVER_LAYER,
    SERVER_LINK_LOCAL,
    Namespace,
    eventually,
)
from tests.kernel.twistd import environment, runWithout
from tests.kernel.wire import Wire
from tests.support import requirePrograms

RUN = "import sys; from prefix64.cli import main; sys.exit(main())"
TARGET = "2001:db8::57:cafe"
OWN = "2001:db8::b:1"
LISTED = "2001:db8::a:1"
EXCLUDED = "2001:db8::e:1"
OTHER_LAYER = "02:00:00:00:00:99"
_SECONDS = "0.5"
_LONGEST = 60.0


def test_suite() -> Any:
    """
    The tests of this module.
    """
    return suiteOf(__name__)


def probe(namespace: Namespace, *arguments: str) -> subprocess.CompletedProcess[str]:
    """
    Run the command on eth0.
    """
    command = (sys.executable, "-c", RUN, "probe", "--iface", "eth0", "--timeout", _SECONDS)
    return subprocess.run(
        namespace.command(*command, *arguments),
        env=environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_LONGEST,
    )


class WrongResponder(threading.Thread):
    """
    Somebody on the server's end who answers what comes with what he is told.
    """

    def __init__(self, namespace: Namespace, answers: Callable[[Any], list[Any]]) -> None:
        """
        @param answers: given a packet for the target, what to send.
        """
        super().__init__(daemon=True)
        self._wire = Wire(namespace)
        self._answers = answers
        self._ended = threading.Event()

    def run(self) -> None:
        """
        Answer until it is closed.
        """
        while not self._ended.is_set():
            select([self._wire._socket], [], [], 0.05)
            for frame in self._wire.frames():
                packet = Ether(frame)
                if packet.src == ROUTER_LAYER and IPv6 in packet:
                    for answer in self._answers(packet):
                        self._wire.send(answer)

    def close(self) -> None:
        """
        End it.
        """
        self._ended.set()
        self.join(10)
        self._wire.close()


def advertise(packet: Any, hopLimit: int = 255, option: bool = True) -> list[Any]:
    """
    Answer a solicitation for the target.
    """
    if ICMPv6ND_NS not in packet or packet[ICMPv6ND_NS].tgt != TARGET:
        return []
    answer = (
        Ether(src=SERVER_LAYER, dst=packet.src)
        / IPv6(src=TARGET, dst=packet[IPv6].src, hlim=hopLimit)
        / ICMPv6ND_NA(tgt=TARGET, R=0, S=1, O=0)
    )
    return [answer / ICMPv6NDOptDstLLAddr(lladdr=SERVER_LAYER) if option else answer]


def echo(packet: Any, **fields: Any) -> list[Any]:
    """
    Reply to an Echo Request to the target.

    @param fields: of the reply, that are other than those of the request.
    """
    if ICMPv6EchoRequest not in packet or packet[IPv6].dst != TARGET:
        return []
    request = packet[ICMPv6EchoRequest]
    contents = {"id": request.id, "seq": request.seq, "data": request.data, **fields}
    return [
        Ether(src=SERVER_LAYER, dst=packet.src)
        / IPv6(src=TARGET, dst=packet[IPv6].src)
        / ICMPv6EchoReply(**contents)
    ]


class ProbeCase(KernelTestCase):
    """
    A router that probes.
    """

    def found(self, lab: Lab, address: str, *options: str) -> dict[str, Any]:
        """
        Probe, and return the JSON; the exit status says the same.
        """
        done = probe(lab.router, address, "--json", *options)
        self.assertEqual(done.stderr, "")
        found: dict[str, Any] = json.loads(done.stdout)
        self.assertEqual(done.returncode, 0 if found["ok"] else 1)
        return found

    def assertFound(self, found: dict[str, Any], *wrong: str, ping: bool = True) -> None:
        """
        It is found at the server, and so much is wrong.
        """
        facts = (found["found"], found["ping"], found["linkLayerAddress"], found["wrong"])
        self.assertEqual(facts, (True, ping, SERVER_LAYER, list(wrong)), found)

    def codes(self, found: dict[str, Any], step: str) -> list[str]:
        """
        The names of all that was found in a step, of each packet and of all together.
        """
        (one,) = (each for each in found["steps"] if each["step"] == step)
        parts = [*(heard["findings"] for heard in one["heard"]), one["findings"]]
        return [finding["code"] for findings in parts for finding in findings]

    def respond(self, lab: Lab, answers: Callable[[Any], list[Any]]) -> None:
        """
        Have somebody answer until the test ends.
        """
        responder = WrongResponder(lab.server, answers)
        responder.start()
        self.addCleanup(responder.close)

    def daemon(self, lab: Lab, *command: str) -> subprocess.Popen[bytes]:
        """
        Run a program on the server until the test ends.
        """
        process = subprocess.Popen(
            lab.server.command("setpriv", "--pdeathsig", "KILL", *command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.addCleanup(process.wait, 10)
        self.addCleanup(process.kill)
        return process


class OwnTests(ProbeCase):
    """
    Against prefix64 and the kernel.
    """

    def test_prefix64(self) -> None:
        """
        An address is found, clean, and pinged; from another source, too; an excluded one is not
        found; a listed one is defended, another is not. The kernel's own addresses are as clean.
        """
        lab = self.makeLab(OWN, inside=True)
        (lab.directory / "sites" / "2001-db8--a-1").mkdir(parents=True)
        lab.start("--exclude", EXCLUDED, "--sites", str(lab.directory / "sites"))
        first = self.found(lab, TARGET, "--source", OUTSIDE)
        self.assertFound(first)
        self.assertEqual({step["source"] for step in first["steps"]}, {OUTSIDE})
        self.assertFound(self.found(lab, TARGET, "--source", INSIDE))
        listed = self.found(lab, LISTED, "--dad")
        self.assertFound(listed)
        self.assertIn("defended", self.codes(listed, "duplicate"))
        self.assertFound(self.found(lab, OWN))
        self.assertFound(self.found(lab, SERVER_LINK_LOCAL))
        silent = self.found(lab, EXCLUDED, "--dad", "--count", "1")
        self.assertEqual((silent["found"], silent["wrong"]), (False, ["resolution:silence"]))
        self.assertIn("undefended", self.codes(silent, "duplicate"))

    def test_inWords(self) -> None:
        """
        The steps, and the line at the end.
        """
        lab = self.makeLab()
        lab.start()
        found = self.found(lab, TARGET)
        self.assertFound(found)
        sources = [ROUTER_LINK_LOCAL, ROUTER_LINK_LOCAL, OUTSIDE]
        self.assertEqual([step["source"] for step in found["steps"]], sources)
        done = probe(lab.router, TARGET)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(
            done.stdout.splitlines()[-1],
            f"{TARGET} is found on the link at {SERVER_LAYER} and answers ping",
        )
        self.assertNotIn("WRONG", done.stdout)
        self.assertRegex(done.stdout, rf"answer from {TARGET} \({SERVER_LAYER}\) after [0-9.]+ ms")
        done = probe(lab.router, "2001:db8::", "--count", "1")
        self.assertEqual(done.returncode, 1)
        self.assertIn("2001:db8:: is not found: nobody answers", done.stdout.splitlines()[-1])

    def test_proxyOfTheKernel(self) -> None:
        """
        A Linux that proxies an address which is routed nowhere: found, but what comes to it gets an
        error, which is named; so do unicast solicitations.
        """
        lab = self.makeLab()
        lab.server.sysctl("conf/all/forwarding", 1)
        lab.server.sysctl("conf/all/proxy_ndp", 1)
        lab.server.sysctl("neigh/eth0/proxy_delay", 0)
        lab.server.ip(f"neigh add proxy {TARGET} dev eth0")
        lab.server.ip(f"route add unreachable {TARGET}")
        found = self.found(lab, TARGET)
        steps = ("reachability", "echo")
        wrong = [f"{step}:{code}" for step in steps for code in ("error", "silence")]
        self.assertFound(found, *wrong, ping=False)
        self.assertIn("destination unreachable", found["summary"])

    def test_whatCannotBeProbed(self) -> None:
        """
        The host's own address, what prefix64 serves here, a missing privilege, an interface without
        carrier, without link-local address, down: one line, exit status 2, and nothing is sent.
        """
        lab = self.makeLab(OWN)
        lab.start()
        for address, words in ((OWN, "own address"), (TARGET, "served by prefix64 on this host")):
            self.assertRefused(probe(lab.server, address), words)
        program = (
            "from prefix64.cli import main; import contextlib, sys\n"
            f"with contextlib.redirect_stderr(sys.stdout):\n"
            f"    print(main(['probe', '{TARGET}', '--iface', 'eth0']))"
        )
        self.assertEqual(
            runWithout(lab.router, "net_raw", program),
            "prefix64: a packet socket needs CAP_NET_RAW: run it as root (sudo)\n2\n",
        )
        lab.server.ip("link set eth0 down")
        eventually(lambda: "LOWER_UP" not in lab.router.ip("link show dev eth0"))
        self.assertRefused(probe(lab.router, TARGET), "no carrier")
        self.assertRefused(probe(lab.server, "fe80::77"), "is down")
        lab.server.ip("link set eth0 up")
        eventually(lambda: "LOWER_UP" in lab.router.ip("link show dev eth0"))
        lab.router.ip("-6 address flush dev eth0")
        self.assertRefused(probe(lab.router, TARGET), "has no link-local address")

    def assertRefused(self, done: subprocess.CompletedProcess[str], words: str) -> None:
        """
        Nothing was probed.
        """
        self.assertEqual((done.returncode, done.stdout), (2, ""))
        self.assertIn(words, done.stderr)
        self.assertEqual(done.stderr.count("\n"), 1, done.stderr)

    def test_interrupted(self) -> None:
        """
        Ctrl-C ends it, without a traceback.
        """
        lab = self.makeLab()
        process = subprocess.Popen(
            lab.router.command(
                *(sys.executable, "-c", f"import signal\nsignal.signal(signal.SIGINT, "
                  f"signal.default_int_handler)\n{RUN}"),
                *("probe", "--iface", "eth0", "--timeout", "20", TARGET),
            ),
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )  # fmt: skip
        wire = lab.wire()
        self.addCleanup(process.kill)
        eventually(lambda: wire.solicitations(TARGET), seconds=20)
        process.send_signal(signal.SIGINT)
        out, errors = process.communicate(timeout=20)
        self.assertEqual((process.returncode, out, errors), (130, "", "prefix64: interrupted\n"))


class WrongTests(ProbeCase):
    """
    Against somebody who does it wrong.
    """

    def test_hopLimit(self) -> None:
        """
        The answers are ones that every router drops: not found.
        """
        lab = self.makeLab()
        self.respond(lab, lambda packet: advertise(packet, hopLimit=64) + echo(packet))
        found = self.found(lab, TARGET)
        self.assertEqual((found["found"], found["ping"]), (False, True))
        self.assertEqual(found["wrong"], ["resolution:hop-limit", "reachability:hop-limit"])
        self.assertIn("hop limit 64, must be 255 (RFC 4861 7.1.2)", found["summary"])

    def test_noTargetLinkLayerAddress(self) -> None:
        """
        Which only the answer to a unicast solicitation may leave out.
        """
        lab = self.makeLab()
        self.respond(lab, lambda packet: advertise(packet, option=False) + echo(packet))
        found = self.found(lab, TARGET)
        self.assertEqual(found["wrong"], ["resolution:no-link-layer"])
        self.assertFalse(found["found"])

    def test_twice(self) -> None:
        """
        Two answers to everything.
        """
        lab = self.makeLab()
        self.respond(lab, lambda packet: (advertise(packet) + echo(packet)) * 2)
        names = [f"{step}:duplicate" for step in ("resolution", "reachability", "echo")]
        self.assertFound(self.found(lab, TARGET), *names)

    def test_twoMachines(self) -> None:
        """
        Both are named.
        """
        lab = self.makeLab()

        def both(packet: Any) -> list[Any]:
            (*answers,) = advertise(packet)
            for answer in advertise(packet):
                answer[Ether].src = answer[ICMPv6NDOptDstLLAddr].lladdr = OTHER_LAYER
                answers.append(answer)
            return answers + echo(packet)

        self.respond(lab, both)
        found = self.found(lab, TARGET)
        self.assertFound(found, "resolution:conflict", "reachability:conflict")
        self.assertIn(OTHER_LAYER, found["summary"])

    def test_echo(self) -> None:
        """
        A reply with another sequence number and other data.
        """
        lab = self.makeLab()
        self.respond(lab, lambda packet: advertise(packet) + echo(packet, seq=99, data=b"x"))
        found = self.found(lab, TARGET)
        self.assertFound(found, "echo:sequence", "echo:data", ping=False)


class PeerTests(ProbeCase):
    """
    Against the programs that others use.
    """

    def makePeerLab(self, program: str) -> Lab:
        """
        A lab whose server takes what comes for the prefix, with nobody who answers for it.
        """
        requirePrograms(program)
        lab = self.makeLab()
        lab.server.ip(f"route add local {PREFIX} dev lo")
        return lab

    def startNdppd(self, lab: Lab) -> None:
        """
        Start ndppd with a static rule for the prefix, and wait until it listens.
        """
        path = lab.directory / "ndppd.conf"
        path.write_text(f"proxy eth0 {{\n rule {PREFIX} {{\n static\n }}\n}}\n")
        self.daemon(lab, "ndppd", "-c", str(path))
        eventually(lambda: lab.server.allmulti() > 0, what="ndppd listens")

    def startNpd6(self, lab: Lab, hopLimit: int) -> None:
        """
        Start npd6 for the prefix, and wait until it listens.
        """
        path = lab.directory / "npd6.conf"
        options = {
            "prefix": "2001:db8:0:0:",
            "interface": "eth0",
            "ralogging": "off",
            "listtype": "none",
            "listlogging": "off",
            "collectTargets": "100",
            "linkOption": "false",
            "ignoreLocal": "true",
            "routerNA": "true",
            "maxHops": str(hopLimit),
            "pollErrorLimit": "20",
        }
        path.write_text("".join(f"{key}={value}\n" for key, value in options.items()))
        log = Path(lab.directory / "npd6.log")
        self.daemon(lab, "npd6", "-f", "-c", str(path), "-l", str(log))
        eventually(lambda: lab.server.allmulti() > 0, what="npd6 listens")

    def test_ndppd(self) -> None:
        """
        Found, but silent to unreachability detection; its defence goes to ::1, and nobody hears it.
        It solicits the asker before it answers. Beside prefix64 there are two answers.
        """
        lab = self.makePeerLab("ndppd")
        self.startNdppd(lab)
        found = self.found(lab, TARGET, "--dad")
        wrong = ["solicited", "destination", "undefended"]
        self.assertFound(found, "reachability:silence", *(f"duplicate:{code}" for code in wrong))
        self.assertIn("asked-first", self.codes(found, "resolution"))
        lab.server.ip(f"route del local {PREFIX} dev lo")
        lab.start()
        self.assertFound(self.found(lab, TARGET), "resolution:duplicate")

    def test_npd6(self) -> None:
        """
        Found, but silent to unreachability detection.
        """
        lab = self.makePeerLab("npd6")
        self.startNpd6(lab, hopLimit=255)
        found = self.found(lab, TARGET)
        self.assertFound(found, "reachability:silence")
        self.assertIn("R=1", json.dumps(found))

    def test_npd6WithAWrongHopLimit(self) -> None:
        """
        Its option C{maxHops} makes its answers ones that every router drops.
        """
        lab = self.makePeerLab("npd6")
        self.startNpd6(lab, hopLimit=64)
        found = self.found(lab, TARGET, "--count", "1")
        self.assertFalse(found["found"])
        self.assertEqual(found["wrong"], ["resolution:hop-limit", "reachability:silence"])
