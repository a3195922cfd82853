"""
examples/nginx, with the real nginx and php-fpm; and that any server that listens on [::] will do.
"""

from __future__ import annotations

import socket
import ssl
import subprocess
import sys
from typing import Any

from tests.kernel.example_contract import ExampleTestsMixin
from tests.kernel.lab import suiteOf
from tests.kernel.webservers import (
    BLOCK,
    IN_BLOCK,
    LISTED,
    Foreground,
    WebServerTestCase,
    randomAddress,
)

CERTIFIED = (LISTED, IN_BLOCK)
"""The addresses that have a certificate."""


def test_suite() -> Any:
    """
    The tests of this module.
    """
    return suiteOf(__name__)


class NginxTestCase(WebServerTestCase):
    """
    nginx in front of PHP.
    """

    programs = ("nginx", "php-fpm")

    def startServer(self, port: int = 80) -> Foreground:
        """
        Start it as the example says.
        """
        copy = ("-p", str(self.examples), "-c", "nginx/nginx.conf", "-g", "daemon off;")
        return self.startWeb("nginx", *copy, port=port)


class NginxTests(ExampleTestsMixin, NginxTestCase):
    """
    The example.
    """

    def test_nothingIsWrong(self) -> None:
        """
        Neither nginx nor PHP has anything to complain of.
        """
        self.serve()
        for address in ("2001:db8::1", LISTED):
            for accept in ("text/html", "text/plain"):
                self.lab.fetch(f"http://[{address}]/", "-H", f"Accept: {accept}")
        self.assertEqual(self.log("error.log"), "")
        self.assertNotRegex(self.log("php-fpm.log"), "WARNING|ERROR|PHP")


class TlsTests(NginxTestCase):
    """
    The example with its tls.conf.
    """

    programs = ("nginx", "php-fpm", "openssl")

    def setUp(self) -> None:
        """
        Add tls.conf, and make the certificates.
        """
        super().setUp()
        self.addSites()
        site = self.examples / "nginx" / "prefix64.conf"
        text = site.read_text().replace("server_name _;", "server_name _;\n    include tls.conf;")
        site.write_text(text)
        (self.examples / "tls").mkdir()
        for address in CERTIFIED:
            self.makeCertificate(address)

    def makeCertificate(self, address: str) -> None:
        """
        Make the key and the certificate of an address.
        """
        path = self.examples / "tls" / address
        names = ("-subj", f"/CN={address}", "-addext", f"subjectAltName=IP:{address}")
        files = ("-keyout", f"{path}.key", "-out", f"{path}.crt")
        key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
        subprocess.run(
            ["openssl", "req", "-x509", *key, *names, *files], capture_output=True, check=True
        )
        path.with_name(f"{address}.key").chmod(0o644)

    def serve(self) -> None:
        """
        Start prefix64 and nginx.
        """
        self.lab.start("--http", "none")
        self.startServer(443)

    def context(self, version: ssl.TLSVersion) -> ssl.SSLContext:
        """
        A visitor who names nobody (no SNI), and takes any certificate to look at it.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.minimum_version = context.maximum_version = version
        return context

    def visit(
        self, address: str, context: ssl.SSLContext, session: ssl.SSLSession | None = None
    ) -> ssl.SSLSocket:
        """
        Fetch the page of an address from the router.

        @param session: an earlier session that is offered.
        """
        with self.lab.router.entered():
            connection = socket.create_connection((address, 443), timeout=5)
        visitor = context.wrap_socket(connection, session=session)
        self.addCleanup(visitor.close)
        visitor.sendall(b"GET / HTTP/1.0\r\n\r\n")
        while visitor.recv(4096):
            pass
        return visitor

    def assertCertificateOf(self, address: str, visitor: ssl.SSLSocket) -> None:
        """
        The certificate that a visitor got is that of an address.
        """
        text = (self.examples / "tls" / f"{address}.crt").read_text()
        self.assertEqual(visitor.getpeercert(True), ssl.PEM_cert_to_DER_cert(text))

    def test_eachAddressHasItsCertificate(self) -> None:
        """
        Without SNI, by the address alone; curl verifies it, and gets the site. An address without a
        certificate has no handshake.
        """
        self.serve()
        for address, name in ((LISTED, LISTED), (IN_BLOCK, BLOCK)):
            certificate = str(self.examples / "tls" / f"{address}.crt")
            page = self.lab.fetch(f"https://[{address}]/", "--cacert", certificate)
            self.assertEqual(page, f"the site {name}")
        with self.assertRaises(ssl.SSLError):
            self.visit(randomAddress(), self.context(ssl.TLSVersion.TLSv1_3))

    def resumedElsewhere(self, version: ssl.TLSVersion) -> bool:
        """
        Tell whether a session of one address is resumed at the other.
        """
        context = self.context(version)
        first = self.visit(LISTED, context)
        self.assertCertificateOf(LISTED, first)
        second = self.visit(IN_BLOCK, context, first.session)
        if not second.session_reused:
            self.assertCertificateOf(IN_BLOCK, second)
        return bool(second.session_reused)

    def test_aSessionIsNotResumedAtAnotherAddress(self) -> None:
        """
        Each address shows its own certificate to a visitor who has a session of another one.
        """
        self.serve()
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            self.assertFalse(self.resumedElsewhere(version), version)

    def test_withoutTheExamplesLinesItWouldBe(self) -> None:
        """
        That is by the lines of the example that are about sessions: nginx itself resumes them.
        """
        file = self.examples / "nginx" / "tls.conf"
        lines = file.read_text().splitlines(keepends=True)
        file.write_text("".join(line for line in lines if not line.startswith("ssl_session")))
        self.serve()
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            self.assertTrue(self.resumedElsewhere(version), version)


class AnyServerTests(WebServerTestCase):
    """
    A server that knows nothing of prefixes.
    """

    def test_listeningOnTheWildcardIsEnough(self) -> None:
        """
        Python's own file server has every address.
        """
        self.lab.start("--http", "none")
        command = ("-m", "http.server", "--bind", "::", "--directory", str(self.www), "80")
        self.startWeb(sys.executable, *command)
        for address in (randomAddress(), randomAddress(), randomAddress()):
            self.assertIn("default/", self.lab.fetch(f"http://[{address}]/"))
            self.assertAnsweredOnce(self.lab.ping(address))
