"""
What every web server of C{examples/} does.
"""

from __future__ import annotations

import os
import re
import shutil
from ipaddress import IPv6Address

from tests.kernel.namespaces import OUTSIDE, eventually
from tests.kernel.webservers import (
    BLOCK,
    ELSEWHERE,
    IN_BLOCK,
    LISTED,
    NETWORK,
    OWN,
    UNUSUAL,
    Foreground,
    canonical,
    randomAddress,
)


class ExampleTestsMixin:
    """
    What every example does, as a mixin of a L{WebServerTestCase} whose C{startServer} starts one.
    """

    def serve(self) -> list[Foreground]:
        """
        Start all there is: prefix64 with the same tree of sites, php-fpm, the web server.
        """
        self.addSites()
        self.lab.start("--http", "none", "--sites", str(self.www))
        return [self.startPhp(), self.startServer()]

    def test_everyAddressHasItsPageAndNothingIsLeft(self) -> None:
        """
        Ten random addresses and one of the server's own are found, answer ping, and each has a page
        that names it and its visitor; the log has them. When all is stopped, the kernel is as it
        was, and no process is left.
        """
        before = self.lab.server.dump()
        servers = self.serve()
        addresses = [OWN, *(randomAddress() for _ in range(10))]
        for address in addresses:
            self.assertOnlyItself(address)
        for address in addresses:
            eventually(lambda line=f"{address} {OUTSIDE} - - [": self.log().count(line) == 2)
        for server in servers:
            self.assertEqual(server.stop(), 0)
        self.lab.services[0].stop()
        self.assertEqual(self.lab.server.dump(), before)
        self.assertEqual(self.lab.server.processes(), [])

    def assertOnlyItself(self, address: str) -> None:
        """
        An address answers ping, and its page, as text and as HTML, names it and the visitor.
        """
        self.assertAnsweredOnce(self.lab.ping(address))
        text = self.lab.fetch(f"http://[{address}]/").splitlines()
        self.assertEqual([line.split()[-1] for line in text[:2]], [address, OUTSIDE])
        page = self.lab.fetch(f"http://[{address}]/", "-H", "Accept: text/html")
        self.assertIn(f"<h1>{address}</h1>", page)
        self.assertEqual(re.findall("<dt>Address</dt><dd>(.*?)</dd>", page), [address, OUTSIDE])

    def test_aDirectoryIsASite(self) -> None:
        """
        An address with a directory, named by its canonical text, has that; so has a block of
        addresses as long as there is one; all others have the page, which links to another one.
        """
        self.serve()
        for name, address in ((LISTED, LISTED), (BLOCK, IN_BLOCK)):
            self.assertEqual(self.lab.fetch(f"http://[{address}]/"), f"the site {name}")
        for address in UNUSUAL:
            text = self.lab.fetch(f"http://[{address}]/")
            self.assertEqual(text, f"the site {canonical(address)}")
        self.assertEqual(self.status(f"http://[{LISTED}]/folder"), "301")
        self.assertEqual(self.status(f"http://[{LISTED}]/index.php"), "404")
        shutil.rmtree(self.www / BLOCK)
        self.assertOnlyItself(IN_BLOCK)
        link = self.lab.fetch("http://[2001:db8::1]/").splitlines()[3].split()[-1]
        other = link.removeprefix("http://[").removesuffix("]/")
        self.assertEqual(int(IPv6Address(other)) >> 64, NETWORK >> 64)
        self.assertOnlyItself(other)

    def test_whatTheVisitorWritesChoosesNothing(self) -> None:
        """
        No header and no path leads to another site, out of the sites, to a dot file, or to a script
        by a path behind its name, nor does a link to what is another owner's. An address that is
        not of the prefix has no site.
        """
        self.serve()
        (self.www / LISTED / ".git").mkdir()
        (self.www / LISTED / ".git" / "config").write_text("secret")
        (self.www / LISTED / "note.txt").write_text("<?php echo 6 * 7;")
        for name, owner in (("others", 65534), ("own", 0)):
            (self.www / LISTED / name).symlink_to("/etc/hostname")
            os.chown(self.www / LISTED / name, owner, owner, follow_symlinks=False)
        listed = f"http://[{LISTED}]"
        for options in (
            ("-H", f"Host: [{IN_BLOCK}]"),
            ("-H", "Host: example.org"),
            ("--request-target", f"http://[{IN_BLOCK}]/"),
        ):
            self.assertEqual(self.lab.fetch(f"{listed}/", *options), f"the site {LISTED}")
        for path in (
            *("/.git/config", "/%2egit/config", "/folder/../.git/config", f"/{BLOCK}/"),
            *("/note.txt/x.php", "/index.html/x.php"),
        ):
            self.assertEqual(self.status(listed + path, "--path-as-is"), "404", path)
        for path in (
            "/../default/index.php",
            "/..%2fdefault/index.php",
            "/folder/..%2f..%2fdefault/",
        ):
            self.assertIn(self.status(listed + path, "--path-as-is"), ("400", "404"), path)
        self.assertEqual(self.status("http://[2001:db8::1]/index.php/x"), "404")
        self.assertIn(self.status(f"{listed}/others"), ("403", "404"))
        self.assertEqual(self.status(f"{listed}/own"), "200")
        self.assertEqual(self.lab.fetch(f"{listed}/note.txt"), "<?php echo 6 * 7;")
        self.assertEqual(self.status(f"http://[{ELSEWHERE}]/"), "421")

    def test_theLogIsOneLineForARequest(self) -> None:
        """
        What a visitor writes into headers stays inside its quotes, and gets into no page.
        """
        self.serve()
        agent = 'x" 200 1 "\x1b[31m<script>'
        page = self.lab.fetch("http://[2001:db8::1]/?<script>", "-A", agent)
        self.assertNotIn("script", page)
        line = eventually(self.log)
        self.assertEqual(line.count("\n"), 1)
        self.assertNotIn("\x1b", line)
        self.assertNotIn('x" 200', line)
