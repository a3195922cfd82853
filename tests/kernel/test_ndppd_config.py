"""
What C{prefix64 import-ndppd} reads in a file, against what ndppd itself reads in it; and what it
prints, started.
"""

from __future__ import annotations

import ipaddress
import os
import random
import re
import selectors
import shlex
import subprocess
import time
from pathlib import Path

from prefix64.addressing import Prefix
from prefix64.errors import NdppdError
from prefix64.ndppd.configuration import readConfiguration
from prefix64.ndppd.model import AUTO, IFACE, STATIC
from prefix64.ndppd.reading import readSettings
from tests.kernel.lab import KernelTestCase
from tests.kernel.namespaces import Namespace
from tests.ndppd_files import INTERFACES, OWN_PREFIX, READ_OTHERWISE, REFUSED, SHAPES, randomFile
from tests.support import requirePrograms
from tests.test_cli import runMain

Read = dict[str, list[tuple[Prefix, str]]]
"""For each interface that is listened on: the rules, as prefix and method."""

_READ_ALL = b"reading routes"
"""What ndppd says when it has its configuration."""

_PROXY = re.compile(r"proxy::create\(\) if=(\S+)")
_RULE = re.compile(r"rule::create\(\) if=(\S+), addr=([^/,\s]+)(?:/(\d+))?(?:, auto=(\w+))?")
_METHODS = {"yes": AUTO, "no": STATIC, None: IFACE}
_SECONDS = 10.0
_MEMORY = 512 << 20
"""More than ndppd ever needs: on some files it would take all that there is."""

_RANDOM_FILES = 100


def readByNdppd(namespace: Namespace, path: Path) -> Read | None:
    """
    Have ndppd read a file.

    @return: what it took from it; L{None} if it refused it.
    """
    process = subprocess.Popen(
        namespace.command("prlimit", f"--as={_MEMORY}", "ndppd", "-vvvv", "-c", str(path)),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    try:
        output = _outputOf(process)
    finally:
        process.kill()
        process.wait(_SECONDS)
        assert process.stdout is not None
        process.stdout.close()
    return _rulesIn(output.decode("ascii", "replace")) if _READ_ALL in output else None


def _outputOf(process: subprocess.Popen[bytes]) -> bytes:
    """
    What ndppd writes until it has read its configuration, or ended.
    """
    assert process.stdout is not None
    output = b""
    deadline = time.monotonic() + _SECONDS
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while _READ_ALL not in output:
            if not selector.select(max(0.0, deadline - time.monotonic())):
                raise AssertionError(f"ndppd says no more: {output!r}")
            more = os.read(process.stdout.fileno(), 1 << 16)
            if not more:
                break
            output += more
    return output


def _rulesIn(output: str) -> Read:
    """
    The rules that ndppd made. A proxy of an interface replaces an earlier one.
    """
    found: Read = {}
    for line in output.splitlines():
        if proxy := _PROXY.search(line):
            found.pop(proxy[1], None)
            found[proxy[1]] = []
        elif rule := _RULE.search(line):
            prefix = _masked(rule[2], int(rule[3] or 128))
            found[rule[1]].append((prefix, _METHODS[rule[4]]))
    return found


def _masked(text: str, length: int) -> Prefix:
    """
    A prefix without host bits, as ndppd compares it.
    """
    shift = 128 - length
    return Prefix(int(ipaddress.IPv6Address(text)) >> shift << shift, length)


def readByUs(text: str) -> Read | None:
    """
    Read a file as the command does.

    @return: what it took from it; L{None} if it refused it, or says that ndppd does.
    """
    try:
        found = readConfiguration(readSettings(text.encode(), "file"), "file")
    except NdppdError:
        return None
    if any("refuses it" in remark.text for remark in found.remarks):
        return None
    return {p.interface: [(rule.prefix, rule.method) for rule in p.rules] for p in found.proxies}


class ReadingTests(KernelTestCase):
    """
    The same files, read by both.
    """

    def setUp(self) -> None:
        """
        Make a host that has the interfaces, without addresses, so that nothing is solicited: ndppd
        crashes when an address is that an auto rule has and no route that it has read.
        """
        super().setUp()
        requirePrograms("ndppd")
        self.host = self.makeNamespace()
        self.directory = self.makeDirectory()
        for one, other in (("eth0", "peer0"), ("eth1", "docker0")):
            self.host.ip(f"link add {one} type veth peer name {other}")
            for name in (one, other):
                self.host.ip(f"link set {name} up addrgenmode none")

    def ndppd(self, text: str) -> Read | None:
        """
        Have ndppd read a text.
        """
        path = self.directory / "ndppd.conf"
        path.write_bytes(text.encode())
        return readByNdppd(self.host, path)

    def test_whatIsTakenIsReadAlike(self) -> None:
        """
        The same interfaces with the same rules, in the same order.
        """
        for name, text in SHAPES.items():
            ours = readByUs(text)
            self.assertIsNotNone(ours, name)
            self.assertEqual(ours, self.ndppd(text), name)

    def test_whatNdppdRefusesIsAMistake(self) -> None:
        """
        Or said to be refused: a rule without a method, which earlier versions took.
        """
        for name, text in REFUSED.items():
            self.assertIsNone(self.ndppd(text), name)
            self.assertIsNone(readByUs(text), name)

    def test_whatNdppdReadsOtherwiseIsAMistake(self) -> None:
        """
        ndppd takes it, and does not do what was meant.
        """
        for name, text in READ_OTHERWISE.items():
            self.assertIsNotNone(self.ndppd(text), name)
            self.assertIsNone(readByUs(text), name)

    def test_randomFilesAreReadAlike(self) -> None:
        """
        What is taken is read as ndppd reads it, where its interfaces exist; and many are taken.
        """
        source = random.Random(64)
        taken = 0
        for _ in range(_RANDOM_FILES):
            text = randomFile(source)
            ours = readByUs(text)
            if ours is not None and set(ours) <= set(INTERFACES):
                taken += 1
                self.assertEqual(ours, self.ndppd(text), text)
        self.assertGreater(taken, _RANDOM_FILES // 3)


class StartTests(KernelTestCase):
    """
    The printed command, started.
    """

    def options(self, text: str, *arguments: str) -> list[str]:
        """
        The options that the command prints for a file.
        """
        path = self.makeDirectory() / "ndppd.conf"
        path.write_text(text)
        status, output, errors = runMain("import-ndppd", str(path), *arguments)
        self.assertEqual((status, errors), (0, ""))
        words = shlex.split(output.replace("\\\n", ""), comments=True)
        self.assertEqual(words[:3], ["twistd", "-n", "prefix64"])
        return words[3:]

    def test_anOwnPrefixIsServed(self) -> None:
        """
        Its addresses are found and answer ping, without a local route made by hand.
        """
        lab = self.makeLab()
        lab.launch(*self.options(OWN_PREFIX)).waitForStart()
        self.assertAnsweredOnce(lab.ping("2001:db8::cafe"))

    def test_aSingleAddressIsServedAlone(self) -> None:
        """
        And the other one of its /127 is not.
        """
        lab = self.makeLab()
        options = self.options("proxy eth0 { rule 2001:db8::5 { static } }", "--static", "own")
        lab.launch(*options).waitForStart()
        self.assertAnsweredOnce(lab.ping("2001:db8::5"))
        self.assertEqual(lab.ping("2001:db8::4").received, 0)
