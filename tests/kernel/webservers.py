"""
The web servers of C{examples/}, as they are, behind C{--http none}.
"""

from __future__ import annotations

import random
import subprocess
from ipaddress import IPv6Address
from pathlib import Path

from tests.kernel.foreground import Foreground
from tests.kernel.lab import KernelTestCase, Lab
from tests.support import findProgram, requirePrograms

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
NETWORK = 0x2001_0DB8 << 96
LISTED, BLOCK, IN_BLOCK = "2001:db8::a:1", "2001:db8::ab00:0_112", "2001:db8::ab00:1234"
OWN, ELSEWHERE = "2001:db8::b:1", "2001:db8:ffff::2"
"""The server's own addresses, inside the prefix and outside."""

UNUSUAL = (
    "2001:db8:0:0:1::",
    "2001:db8::1:0:0",
    "2001:db8::1:1:0:0",
    "2001:db8::1:0:1:1",
    "2001:db8::ABCD:0:EF01",
    "2001:db8::10.1.2.3",
)
"""Addresses whose canonical text (RFC 5952) is easily got wrong."""


def randomAddress() -> str:
    """
    An address of the prefix, in canonical text.
    """
    return str(IPv6Address(NETWORK | random.getrandbits(64)))


def canonical(address: str) -> str:
    """
    The canonical text of an address (RFC 5952).
    """
    return str(IPv6Address(address))


class WebServerTestCase(KernelTestCase):
    """
    A lab whose server runs prefix64 without HTTP, and other servers from a copy of the examples.

    @cvar programs: what is run besides the lab's own.
    @ivar lab: the lab.
    @ivar examples: the copy, whose paths all lead into it.
    @ivar www: its sites.
    """

    programs: tuple[str, ...] = ()
    lab: Lab
    examples: Path
    www: Path

    def setUp(self) -> None:
        """
        Make the lab and the copy.
        """
        super().setUp()
        requirePrograms(*self.programs)
        self.lab = self.makeLab(OWN, ELSEWHERE)
        self.lab.directory.chmod(0o755)
        self.examples = self.lab.directory / "web"
        copied = subprocess.run(
            [EXAMPLES / "copy", self.examples], capture_output=True, text=True, check=False
        )
        self.assertEqual((copied.returncode, copied.stdout, copied.stderr), (0, "", ""))
        self.www = self.examples / "www"

    def addSites(self) -> None:
        """
        Add a site for an address, one for a block of addresses, and one for each unusual address.
        """
        for name in (LISTED, BLOCK, *map(canonical, UNUSUAL)):
            (self.www / name / "folder").mkdir(parents=True)
            (self.www / name / "index.html").write_text(f"the site {name}")

    def launch(self, *command: str) -> Foreground:
        """
        Start a server on the lab's server, and do not wait for it.
        """
        output = self.examples / "log" / f"{Path(command[0]).name}.output"
        server = Foreground(self.lab.server, output, *command)
        self.addCleanup(server.stop)
        return server

    def startWeb(self, *command: str, port: int = 80) -> Foreground:
        """
        Start a web server, and wait until it listens.
        """
        server = self.launch(*command)
        filter_ = ("-6Hltn", f"sport = :{port}")
        server.waitUntil(lambda: self.lab.server.run("ss", *filter_).stdout)
        return server

    def startPhp(self) -> Foreground:
        """
        Start php-fpm, and wait until it listens.
        """
        program = findProgram("php-fpm") or ""
        configuration = str(self.examples / "php" / "php-fpm.conf")
        php = self.launch(program, "-F", "-p", str(self.examples), "-y", configuration)
        php.waitUntil((self.examples / "run" / "prefix64.sock").exists)
        return php

    def log(self, name: str = "prefix64.log") -> str:
        """
        What a log has.
        """
        return (self.examples / "log" / name).read_text("utf-8")

    def status(self, url: str, *options: str) -> str:
        """
        The status of a page.
        """
        return self.lab.fetch(url, "-o", "/dev/null", "-w", "%{http_code}", *options)
