"""
The packaging: what an installation brings.
"""

from __future__ import annotations

import configparser
import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

ROOT = Path(__file__).resolve().parent.parent


class PackagingTests(SynchronousTestCase):
    """
    setup.cfg against the tree.
    """

    def setUp(self) -> None:
        self.config = configparser.ConfigParser()
        self.config.read(ROOT / "setup.cfg")

    def test_everyPackageIsListed(self) -> None:
        """
        Each folder with an __init__.py is in setup.cfg, and twisted.plugins is.
        """
        source = ROOT / "src"
        found = {
            ".".join(path.parent.relative_to(source).parts)
            for path in (source / "prefix64").rglob("__init__.py")
        }
        listed = set(self.config["options"]["packages"].split())
        self.assertEqual(listed, found | {"twisted.plugins"})

    def test_everyDataFileIsListed(self) -> None:
        """
        What stands beside the modules and is not Python is delivered with them.
        """
        patterns = dict(self.config["options.package_data"])
        for path in (ROOT / "src" / "prefix64").rglob("*"):
            if path.is_file() and path.suffix not in (".py", ".pyc", ".so"):
                package = ".".join(path.parent.relative_to(ROOT / "src").parts)
                wanted = [p.strip() for p in patterns.get(package, "").split(",")]
                self.assertTrue(any(path.match(p) for p in wanted if p), str(path))

    def test_thePluginIsFoundInBothInstallModes(self) -> None:
        """
        src/twisted leads to the plugin's folder, and no __init__.py would overwrite Twisted's own.
        """
        self.assertEqual(os.readlink(ROOT / "src" / "twisted"), "../twisted")
        self.assertTrue((ROOT / "src" / "twisted" / "plugins" / "prefix64_plugin.py").is_file())
        self.assertEqual(list((ROOT / "twisted").rglob("__init__.py")), [])
