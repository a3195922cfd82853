"""
Who is connected by ssh, as the kernel's table of connections and the environment say.
"""

from __future__ import annotations

import os
import struct
import sys
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from prefix64.addressing import parseAddress
from prefix64.kernel import ssh_peers
from prefix64.kernel.ssh_peers import sshPeers

examples = settings(max_examples=200, deadline=None, derandomize=True)

# Captured from Linux 6.18 (x86), in a namespace that both ends are in: 2001:db8::5 and
# ::ffff:192.0.2.9 are connected to port 22, the former to port 80, too; a connection from
# 2001:db8::6 to port 22 has ended.
TCP6 = """\
  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: B80D0120000000000000000002000000:0050 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1893715 1 00000000bf0590fb 100 0 0 10 0
   1: 00000000000000000000000000000000:0016 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1893714 1 00000000d88d4a66 100 0 0 10 0
   2: 0000000000000000FFFF0000020200C0:0016 0000000000000000FFFF0000090200C0:C352 01 00000000:00000000 00:00000000 00000000     0        0 1893721 1 0000000077d65157 20 0 0 10 -1
   3: 0000000000000000FFFF0000090200C0:C352 0000000000000000FFFF0000020200C0:0016 01 00000000:00000000 00:00000000 00000000     0        0 1893720 2 0000000099661ad7 20 0 0 10 -1
   4: B80D0120000000000000000005000000:C350 B80D0120000000000000000002000000:0016 01 00000000:00000000 00:00000000 00000000     0        0 1893716 2 000000001064faca 20 0 0 10 -1
   5: B80D0120000000000000000005000000:C351 B80D0120000000000000000002000000:0050 01 00000000:00000000 00:00000000 00000000     0        0 1893718 2 000000002dfa5edd 20 0 0 10 -1
   6: B80D0120000000000000000002000000:0016 B80D0120000000000000000006000000:C353 06 00000000:00000000 03:00001766 00000000     0        0 0 3 000000006471f5cc
   7: B80D0120000000000000000002000000:0050 B80D0120000000000000000005000000:C351 01 00000000:00000000 00:00000000 00000000     0        0 1893719 1 00000000bc24c65b 20 0 0 10 -1
   8: B80D0120000000000000000002000000:0016 B80D0120000000000000000005000000:C350 01 00000000:00000000 00:00000000 00000000     0        0 1893717 1 000000003bd0b8f4 20 0 0 10 -1
"""  # noqa: E501


class Case(SynchronousTestCase):
    """
    A /proc of our own.
    """

    def setUp(self) -> None:
        self.proc = Path(self.mktemp())
        self.connections = self.proc / "tcp6"
        self.proc.mkdir()
        self.connections.write_text(TCP6)
        self.patch(ssh_peers, "_CONNECTIONS", self.connections)
        self.patch(ssh_peers, "_PROCESSES", self.proc)
        self.patch(os, "getpid", lambda: 500)

    def process(self, number: int, parent: int, *environment: bytes) -> None:
        """
        A process with its parent and environment.
        """
        directory = self.proc / str(number)
        directory.mkdir(exist_ok=True)
        (directory / "environ").write_bytes(b"".join(one + b"\0" for one in environment))
        (directory / "status").write_text(f"Name:\tPPid: 3\nPid:\t{number}\nPPid:\t{parent}\n")

    def assertPeers(self, *texts: str) -> None:
        self.assertEqual(sshPeers(), set(map(parseAddress, texts)))


class ConnectionTests(Case):
    """
    /proc/net/tcp6.
    """

    def test_whoIsConnectedToPort22OfThisHost(self) -> None:
        """
        Neither listeners, nor other ports, nor whose port is 22, nor what has ended;
        a mapped IPv4 address is in no prefix.
        """
        self.assertPeers("2001:db8::5", "::ffff:192.0.2.9")

    def test_theByteOrderOfTheHost(self) -> None:
        """
        Each of the four words is printed as the host keeps it.
        """
        swapped = "\n".join(
            line.replace("B80D0120", "20010DB8").replace("05000000:", "00000005:")
            for line in TCP6.splitlines()
            if "FFFF0000" not in line
        )
        self.connections.write_text(swapped)
        self.patch(sys, "byteorder", "big")
        self.assertPeers("2001:db8::5")

    def test_withoutTheTable(self) -> None:
        """
        A kernel without IPv6 has none.
        """
        self.connections.unlink()
        self.assertPeers()

    def test_whatCannotBeReadIsNobody(self) -> None:
        """
        Empty, cut in the middle of a line, or of another form.
        """
        for text in ("", "\n\n", TCP6[:400], "sl\n 0: x:y z:w 01\n", "sl\n 0: 00:0016 00:1 01 x\n"):
            self.connections.write_text(text)
            self.assertLessEqual(sshPeers(), {parseAddress("2001:db8::5")})


class EnvironmentTests(Case):
    """
    SSH_CONNECTION of this process and those that started it.
    """

    def setUp(self) -> None:
        super().setUp()
        self.connections.unlink()

    def test_anAncestorWasStartedBySsh(self) -> None:
        """
        sudo hides it from its children; sshd may listen at another port.
        """
        self.process(500, 400, b"HOME=/root", b"NOT_SSH_CONNECTION=2001:db8::1 1 :: 22")
        self.process(400, 300, b"SSH_CONNECTION=2001:db8::9 50000 2001:db8::2 2222")
        self.process(300, 1, b"SSH_CONNECTION=2001:db8::a 50000 2001:db8::2 2222")
        self.process(1, 0, b"SSH_CONNECTION=2001:db8::b 50000 2001:db8::2 22")
        self.assertPeers("2001:db8::9", "2001:db8::a")

    def test_whatIsNoAddressOfIpv6IsNobody(self) -> None:
        """
        IPv4, a link-local address with its interface, and whatever somebody has put there.
        """
        for value in (
            b"192.0.2.1 50000 192.0.2.2 22",
            b"fe80::1%eth0 50000 fe80::2%eth0 22",
            b"",
            b" ",
            b"2001:db8::1/64 1 1 1",
            b"\xff\xfe\x00",
            b"UNKNOWN 65535 UNKNOWN 65535",
            b":" * 100_000,
            b"9" * 100_000,
        ):
            self.process(500, 1, b"SSH_CONNECTION=" + value)
            self.assertPeers()

    @examples
    @given(st.binary(max_size=60))
    def test_noEnvironmentIsAnError(self, value: bytes) -> None:
        """
        Bytes of whoever started it.
        """
        self.process(500, 1, b"SSH_CONNECTION=" + value)
        self.assertLessEqual(len(sshPeers()), 1)

    def test_processesThatAreGoneOrGoInCircles(self) -> None:
        """
        The search has an end.
        """
        self.assertPeers()
        self.process(500, 400)
        self.assertPeers()
        self.process(400, 500, b"SSH_CONNECTION=2001:db8::9 1 1 1")
        self.assertPeers("2001:db8::9")
        (self.proc / "400" / "status").write_bytes(b"PPid:\t" + b"9" * 5000 + b"\n")
        self.assertPeers("2001:db8::9")


class FixtureTests(SynchronousTestCase):
    """
    The table of this kernel.
    """

    def test_itHasTheFormThatIsRead(self) -> None:
        """
        A connection of our own, to a port that is taken for that of ssh.
        """
        import socket

        with socket.socket(socket.AF_INET6) as listener, socket.socket(socket.AF_INET6) as peer:
            listener.bind(("::1", 0))
            listener.listen()
            peer.connect(listener.getsockname())
            self.patch(ssh_peers, "SSH_PORT", listener.getsockname()[1])
            self.assertIn(1, sshPeers())
            words = struct.unpack("=4I", socket.inet_pton(socket.AF_INET6, "::1"))
            text = Path("/proc/thread-self/net/tcp6").read_text()
            self.assertIn("".join(f"{word:08X}" for word in words), text)
