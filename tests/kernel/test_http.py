"""
Which site an address has, seen by curl.
"""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

from tests.kernel.lab import KernelTestCase, Lab, SharedLabTestCase, suiteOf
from tests.kernel.namespaces import OUTSIDE, SERVER_LAYER, SERVER_LINK_LOCAL, eventually

OWN, OWN_LISTED, OWN_COVERED = "2001:db8::b:1", "2001:db8::b:2", "2001:db8::ab00:b"
OTHER = "2001:db8:ffff::2"
"""The server's address outside the prefix."""

EXCLUDED = "2001:db8::e:1"
SITES = {
    "2001-db8--a-1": "dashes",
    "2001:db8::a:2": "colons",
    "2001-db8--ab00-0_112": "sub-prefix",
    "2001-db8--ab00-5": "address in the sub-prefix",
    "2001-db8--b-2": "the host's own address",
    "default": "default",
}
LARGE = 16_000_000
"""Bytes of a file: more than the sockets' buffers hold."""

MOST_BUFFERED = 12_000_000
"""Bytes: what the sockets' buffers may hold at most."""

IN_FLIGHT = 700_000
"""Bytes: more than the visitor's socket holds, less than the server's may."""


def test_suite() -> Any:
    """
    The tests of this module.
    """
    return suiteOf(__name__)


def makeSites(directory: Path) -> str:
    """
    Make a tree of sites whose pages say which one they are.
    """
    for name, text in SITES.items():
        (directory / name).mkdir(parents=True)
        (directory / name / "index.html").write_text(text)
    return str(directory)


class SitesTests(SharedLabTestCase):
    """
    A tree of sites.
    """

    own = (OWN, OWN_LISTED, OWN_COVERED, OTHER)

    def prepare(self, lab: Lab) -> None:
        """
        Make the tree.
        """
        sites = makeSites(lab.directory / "sites")
        log = str(lab.directory / "access.log")
        self.options = ("--sites", sites, "--exclude", "2001:db8::e:0/112", "--access-log", log)

    def test_eachAddressHasItsSite(self) -> None:
        """
        The exact address first, in either spelling of its directory; then the sub-prefix, at its
        edges; then the default. The host's own addresses have the default, unless one is named for
        exactly that address; what a sub-prefix covers does not take them over.
        """
        for address, text in (
            ("2001:db8::a:1", "dashes"),
            ("2001:db8::a:2", "colons"),
            ("2001:db8::ab00:0", "sub-prefix"),
            ("2001:db8::ab00:ffff", "sub-prefix"),
            ("2001:db8::ab00:5", "address in the sub-prefix"),
            ("2001:db8::aaff:ffff", "default"),
            ("2001:db8::ab01:0", "default"),
            ("2001:db8::ffff:ffff:ffff:ffff", "default"),
            (OWN, "default"),
            (OWN_LISTED, "the host's own address"),
            (OWN_COVERED, "default"),
        ):
            self.assertEqual(self.lab.fetch(f"http://[{address}]/"), text, address)

    def test_hostHeaderIsIgnored(self) -> None:
        """
        Nothing that the visitor writes chooses the site.
        """
        for header in (
            "Host: [2001:db8::a:2]",
            "Host: example.org",
            "X-Forwarded-Host: a",
            "Host:",
        ):
            text = self.lab.fetch("http://[2001:db8::a:1]/", "-H", header)
            self.assertNotIn("colons", text)
        whole = self.lab.fetch(
            "http://[2001:db8::a:1]/", "--request-target", "http://[2001:db8::a:2]/"
        )
        self.assertNotIn("colons", whole)

    def test_excludedAddress(self) -> None:
        """
        An excluded address is not found: there is no connection.
        """
        done = self.lab.router.run(
            *("curl", "-gsS", "--noproxy", "*", "-m", "5", f"http://[{EXCLUDED}]/"), check=False
        )
        self.assertEqual(done.returncode, 7, done.stderr)

    def test_excludedAddressMadeLocalByOthers(self) -> None:
        """
        Where somebody else has made an excluded address local, the connection is answered 421.
        """
        self.lab.server.ip(f"-6 route add local {EXCLUDED}/128 dev lo")
        self.addCleanup(self.lab.server.ip, f"-6 route del local {EXCLUDED}/128 dev lo")
        self.lab.router.ip(f"neigh replace {EXCLUDED} lladdr {SERVER_LAYER} dev eth0")
        self.addCleanup(self.lab.router.ip, f"neigh del {EXCLUDED} dev eth0")
        self.assertEqual(self.status(f"http://[{EXCLUDED}]/"), "421")

    def test_addressOutsideThePrefixes(self) -> None:
        """
        The server's other addresses are nobody's site: 421.
        """
        for host in (OTHER, f"{SERVER_LINK_LOCAL}%25eth0"):
            self.assertEqual(self.status(f"http://[{host}]/"), "421", host)

    def status(self, url: str, *options: str) -> str:
        """
        The status of a page.
        """
        return self.lab.fetch(url, "-o", "/dev/null", "-w", "%{http_code}", *options)

    def test_head(self) -> None:
        """
        HEAD has the headers and no body.
        """
        headers = self.lab.fetch("http://[2001:db8::a:1]/", "--head")
        self.assertIn("HTTP/1.1 200 OK", headers)
        self.assertIn("Content-Length: 6", headers)
        self.assertNotIn("dashes", headers)

    def test_missingPage(self) -> None:
        """
        What is not in the site is 404, and there is no way out of it.
        """
        for path in ("missing", "../2001:db8::a:2/index.html", "%2e%2e/default/index.html"):
            url = f"http://[2001:db8::a:1]/{path}"
            self.assertEqual(self.status(url, "--path-as-is"), "404", path)

    def test_accessLog(self) -> None:
        """
        Each request is a line with the local address, the peer and the rule.
        """
        log = self.lab.directory / "access.log"
        for address, rule in (
            ("2001:db8::a:1", "2001:db8::a:1"),
            ("2001:db8::ab00:77", "2001:db8::ab00:0/112"),
            ("2001:db8::77", "default"),
            (OTHER, "refused"),
        ):
            self.lab.fetch(f"http://[{address}]/logged", "-A", 'a "b"\\')
            start, end = f"{address} {OUTSIDE} - - [", f'"a \\"b\\"\\\\" {rule}'
            line = eventually(lambda: [x for x in log.read_text().splitlines() if "logged" in x])[
                -1
            ]
            self.assertTrue(line.startswith(start) and line.endswith(end), line)
            self.assertIn('] "GET /logged HTTP/1.1" ', line)

    def test_linksAndPipes(self) -> None:
        """
        A link out of the site, a hidden file and a pipe are not served, and do not block.
        """
        site = self.lab.directory / "sites" / "2001-db8--a-1"
        (site / "out").symlink_to("/etc/hostname")
        (site / ".hidden").write_text("hidden")
        subprocess.run(["mkfifo", str(site / "pipe")], check=True, timeout=5)
        for name in ("out", ".hidden", "pipe"):
            self.assertEqual(self.status(f"http://[2001:db8::a:1]/{name}"), "404", name)


class WelcomeTests(SharedLabTestCase):
    """
    The page of an address that has no site.
    """

    options = ("--http", "80", "--http", r"tcp6:8080:interface=\:\:")

    def test_json(self) -> None:
        """
        JSON names the address, the visitor, the rule and a random address that answers, too.
        """
        address = "2001:db8::dead:beef"
        facts = json.loads(self.lab.fetch(f"http://[{address}]/", "-H", "Accept: application/json"))
        self.assertEqual(facts["server"]["address"], address)
        self.assertEqual(facts["visitor"]["address"], OUTSIDE)
        self.assertEqual(facts["rule"]["kind"], "default")
        self.assertEqual(facts["served"], {"prefix": "2001:db8::/64", "addresses": str(2**64)})
        again = json.loads(self.lab.fetch(facts["random"], "-H", "Accept: application/json"))
        self.assertEqual(again["url"], facts["random"])

    def test_html(self) -> None:
        """
        A browser gets HTML.
        """
        text = self.lab.fetch("http://[2001:db8::5]/", "-H", "Accept: text/html,*/*;q=0.8", "-i")
        self.assertIn("Content-Type: text/html; charset=utf-8", text)
        self.assertIn("2001:db8::5", text)

    def test_twoPorts(self) -> None:
        """
        HTTP listens on a port and on an endpoint that the user describes, with a queue of 1,024 on
        the port, and not for IPv4.
        """
        for port in (80, 8080):
            url = f"http://[2001:db8::5]:{port}/"
            facts = json.loads(self.lab.fetch(url, "-H", "Accept: application/json"))
            self.assertEqual(facts["url"], url.replace(":80/", "/"))
        listening = self.lab.server.run("ss", "-Hltn").stdout.splitlines()
        self.assertEqual(len(listening), 2, listening)
        self.assertTrue([line for line in listening if line.split()[2:4] == ["1024", "[::]:80"]])


class EndTests(KernelTestCase):
    """
    Requests in flight when the server ends.
    """

    def startWithLargeFile(self) -> tuple[Lab, Any]:
        """
        A lab whose default site has a large file.
        """
        lab = self.makeLab()
        site = lab.directory / "sites" / "default"
        site.mkdir(parents=True)
        (site / "large").write_bytes(bytes(LARGE))
        return lab, lab.start("--sites", str(lab.directory / "sites"))

    def test_downloadGoesOn(self) -> None:
        """
        A download that has begun goes on after SIGTERM, while new connections are refused. Until it
        is complete, the prefix is still routed.
        """
        lab, service = self.startWithLargeFile()
        before = lab.server.ip("-6 route show table 64")
        download = self.download(lab)
        service.process.send_signal(signal.SIGTERM)
        eventually(lambda: "Closed)" in service.log())
        refused = lab.router.run("curl", "-gsS", "-m", "5", "http://[2001:db8::6]/", check=False)
        self.assertEqual(refused.returncode, 7)
        self.assertEqual(lab.server.ip("-6 route show table 64"), before)
        self.read(download, LARGE - MOST_BUFFERED)
        self.assertIsNone(service.process.poll())
        download.close()
        service.process.wait(5)
        self.assertEqual(lab.server.ip("-6 route show table 64", check=False), "")

    def test_downloadIsCompleted(self) -> None:
        """
        It is complete when the visitor has its last byte, not when the kernel has taken it over
        from us: it is still routed then.
        """
        lab, service = self.startWithLargeFile()
        download = self.download(lab)
        service.process.send_signal(signal.SIGTERM)
        eventually(lambda: "Closed)" in service.log())
        self.read(download, LARGE - IN_FLIGHT)
        closing = ("ss", "-6Hnt", "state", "fin-wait-1")
        eventually(lambda: lab.server.run(*closing).stdout, what="all is handed over")
        with contextlib.suppress(subprocess.TimeoutExpired):
            service.process.wait(1)
        self.read(download, IN_FLIGHT)
        self.assertEqual(download.recv(1), b"")
        service.process.wait(5)

    def download(self, lab: Lab) -> socket.socket:
        """
        Ask for the large file, and read the headers of the answer.
        """
        connection = self.connect(lab)
        connection.sendall(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
        headers = b""
        while not headers.endswith(b"\r\n\r\n"):
            headers += connection.recv(1)
        self.assertIn(b"HTTP/1.1 200 OK\r\n", headers)
        return connection

    def read(self, connection: socket.socket, count: int) -> None:
        """
        Read so many bytes.
        """
        while count:
            data = connection.recv(min(count, 65536))
            self.assertTrue(data, f"{count} bytes are missing")
            count -= len(data)

    def test_whoReadsNothingIsCutOff(self) -> None:
        """
        A visitor who does not read what he asked for holds the end up for a few seconds only; one
        who has asked for nothing, not at all.
        """
        lab, service = self.startWithLargeFile()
        idle = self.connect(lab)
        idle.sendall(b"GET /none HTTP/1.1\r\nHost: x\r\n\r\n")
        self.assertIn(b"404", idle.recv(1000))
        self.download(lab)
        begin = time.monotonic()
        service.process.send_signal(signal.SIGTERM)
        while idle.recv(65536):
            pass
        self.assertLess(time.monotonic() - begin, 3)
        self.assertIsNone(service.process.poll())
        service.process.wait(10)
        self.assertNotIn("Traceback", service.log())
        self.assertEqual(lab.server.ip("-6 rule show priority 64"), "")

    def connect(self, lab: Lab) -> socket.socket:
        """
        Connect from the router.
        """
        with lab.router.entered():
            connection = socket.socket(socket.AF_INET6)
        self.addCleanup(connection.close)
        connection.settimeout(4)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 18)
        connection.connect(("2001:db8::5", 80))
        return connection
