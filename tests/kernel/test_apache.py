"""
examples/apache, with the real Apache and php-fpm.
"""

from __future__ import annotations

from typing import Any

from tests.kernel.example_contract import ExampleTestsMixin
from tests.kernel.lab import suiteOf
from tests.kernel.webservers import Foreground, WebServerTestCase


def test_suite() -> Any:
    """
    The tests of this module.
    """
    return suiteOf(__name__)


class ApacheTests(ExampleTestsMixin, WebServerTestCase):
    """
    Apache in front of PHP.
    """

    programs = ("apache2", "php-fpm")

    def startServer(self) -> Foreground:
        """
        Start it as the example says.
        """
        copy = ("-d", str(self.examples), "-f", "apache/apache2.conf")
        return self.startWeb("apache2", "-D", "FOREGROUND", *copy)
