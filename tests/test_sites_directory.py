"""
A tree of directories as the source of host rules.
"""

from __future__ import annotations

import os

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from prefix64.addressing import Prefix, parseAddress, parsePrefix
from prefix64.errors import AddressError, SitesError
from prefix64.hosts.directory import SitesDirectory, parseName, readSites
from prefix64.hosts.model import Host, StaticSite

examples = settings(max_examples=200, deadline=None, derandomize=True)

SERVED = parsePrefix("2001:db8::/64")


class NameTests(SynchronousTestCase):
    """
    The names of directories.
    """

    def test_aNameIsAnAddressOrASubPrefix(self) -> None:
        """
        C{-} for C{:}, and C{_} for the C{/} that no file name can have; or as people write it.
        """
        for name, text in (
            ("2001-db8--1", "2001:db8::1"),
            ("2001:db8::1", "2001:db8::1"),
            ("2001-db8--ab00-0_112", "2001:db8::ab00:0/112"),
            ("2001:db8::ab00:0_112", "2001:db8::ab00:0/112"),
            ("2001-0DB8-0-0-0-0-0-1_128", "2001:db8::1"),
        ):
            self.assertEqual(parseName(name), parsePrefix(text), name)

    @examples
    @given(st.integers(0, 2**128 - 1), st.integers(1, 128))
    def test_theTextOfEveryAddressAndPrefixIsAName(self, bits: int, length: int) -> None:
        """
        The canonical text with the two characters replaced.
        """
        shift = 128 - length
        prefix = Prefix(bits >> shift << shift, length)
        for text in (str(prefix), f"{prefix.network:032x}"):
            if text.count(":") >= 2:
                name = text.replace(":", "-").replace("/", "_")
                self.assertNotIn("/", name)
                self.assertEqual(parseName(name), prefix)

    def test_anythingElseIsRefused(self) -> None:
        """
        No address, host bits, a scope, IPv4.
        """
        for name in ("www", ".git", "2001-db8--1_64", "fe80--1%eth0", "192.0.2.1", "2001-db8--_"):
            self.assertRaises(AddressError, parseName, name)


class ReadSitesTests(SynchronousTestCase):
    """
    L{readSites}.
    """

    def setUp(self) -> None:
        self.root = os.path.abspath(self.mktemp())
        os.mkdir(self.root)

    def make(self, *names: str) -> None:
        for name in names:
            os.mkdir(os.path.join(self.root, name))

    def site(self, name: str) -> StaticSite:
        return StaticSite(os.path.realpath(os.path.join(self.root, name)))

    def read(self, *excluded: str) -> SitesDirectory:
        return readSites(self.root, (SERVED,), [parsePrefix(text) for text in excluded])

    def refused(self, *excluded: str) -> str:
        """
        @return: the error, which names the tree and is one line.
        """
        error = str(self.assertRaises(SitesError, self.read, *excluded))
        self.assertTrue(error.startswith(f"--sites {self.root!r}: "), error)
        self.assertNotIn("\n", error)
        return error

    def test_eachDirectoryIsAHostRule(self) -> None:
        """
        An address, a sub-prefix, and the default, which is no host rule.
        """
        self.make("2001-db8--1", "2001:db8::ab00_120", "default")
        found = self.read()
        self.assertEqual(
            set(found.hosts),
            {
                Host(parsePrefix("2001:db8::1"), self.site("2001-db8--1")),
                Host(parsePrefix("2001:db8::ab00/120"), self.site("2001:db8::ab00_120")),
            },
        )
        self.assertEqual(found.default, self.site("default"))

    def test_anEmptyTreeHasNoRules(self) -> None:
        """
        And no default.
        """
        self.assertEqual(self.read(), SitesDirectory((), None))

    def test_linksAreFollowedOnce(self) -> None:
        """
        The root of a site has every symbolic link resolved, so that what lies outside of it can be
        told.
        """
        target = os.path.realpath(self.mktemp())
        os.mkdir(target)
        os.symlink(target, os.path.join(self.root, "2001-db8--1"))
        self.assertEqual(self.read().hosts[0].site, StaticSite(target))

    def test_theWholePrefixMayHaveASite(self) -> None:
        """
        A sub-prefix may be as long as the prefix.
        """
        self.make("2001-db8--_64")
        self.assertEqual(self.read().hosts[0].prefix, SERVED)

    def test_aMissingTreeIsNamed(self) -> None:
        """
        Missing, or a file.
        """
        with open(os.path.join(self.root, "file"), "w"):
            pass
        for name, reason in (("no\nne", "No such file"), ("file", "Not a directory")):
            path = os.path.join(self.root, name)
            error = self.assertRaises(SitesError, readSites, path, (SERVED,))
            self.assertIn(f"--sites {path!r}: {reason}", str(error))

    def test_aNameThatIsNoAddressIsRefused(self) -> None:
        """
        It would be found out when somebody misses the site.
        """
        self.make("www")
        self.assertIn("'www' is no address, sub-prefix or 'default': rename it", self.refused())

    def test_aControlCharacterInANameStaysInOneLine(self) -> None:
        """
        The name is escaped.
        """
        self.make("a\nb\x1b[2J")
        self.assertIn(repr("a\nb\x1b[2J"), self.refused())

    def test_twoNamesForOneAddressAreRefused(self) -> None:
        """
        Both are named.
        """
        self.make("2001-db8--1", "2001-db8-0--1")
        error = self.refused()
        self.assertIn("'2001-db8--1'", error)
        self.assertIn("'2001-db8-0--1'", error)
        self.assertIn("are both 2001:db8::1: remove one", error)

    def test_anAddressAndItsPrefixOf128AreTheSame(self) -> None:
        """
        C{_128} says nothing more.
        """
        self.make("2001-db8--1", "2001-db8--1_128")
        self.assertIn("are both 2001:db8::1", self.refused())

    def test_whatIsOutsideThePrefixesIsRefused(self) -> None:
        """
        Also a block that holds the prefix.
        """
        for name in ("2001-db8-1--1", "2001-db8--_63", "--1"):
            self.make(name)
            error = self.refused()
            self.assertIn(f"{name!r}", error)
            self.assertIn("is in none of the served prefixes (2001:db8::/64)", error)
            os.rmdir(os.path.join(self.root, name))

    def test_anAnycastAddressIsRefused(self) -> None:
        """
        It is never served (RFC 4291 2.6.1, RFC 2526).
        """
        for name, kind in (
            ("2001-db8--", "subnet-router anycast address"),
            ("2001-db8--fdff-ffff-ffff-fffe", "reserved anycast address"),
        ):
            self.make(name)
            self.assertIn(f"{name!r} is the prefix's {kind}", self.refused())
            os.rmdir(os.path.join(self.root, name))

    def test_aSubPrefixOfReservedAnycastAddressesIsRefused(self) -> None:
        """
        All 128 of them, or some: none is ever served. One that has others beside them is.
        """
        for served, name, refused in (
            ("2001:db8::/64", "2001-db8--fdff-ffff-ffff-ff80_121", True),
            ("2001:db8::/64", "2001-db8--fdff-ffff-ffff-fff0_124", True),
            ("2001:db8::/64", "2001-db8--fdff-ffff-ffff-ff00_120", False),
            ("2001:db8::/64", "2001-db8--_127", False),
            ("2001:db8::/120", "2001-db8--80_121", True),
            ("2001:db8::/120", "2001-db8--_120", False),
            ("2001:db8::/121", "2001-db8--40_122", False),
        ):
            self.make(name)
            prefixes = (parsePrefix(served),)
            if refused:
                error = str(self.assertRaises(SitesError, readSites, self.root, prefixes))
                self.assertIn(f"{name!r} is the prefix's reserved anycast address", error)
            else:
                self.assertEqual(len(readSites(self.root, prefixes).hosts), 1, name)
            os.rmdir(os.path.join(self.root, name))

    def test_whatIsExcludedIsRefused(self) -> None:
        """
        An excluded address, and one in an excluded block. A block with an excluded address in it is
        none of these.
        """
        self.make("2001-db8--ab01")
        for excluded in ("2001:db8::ab01", "2001:db8::ab00/120"):
            self.assertIn(f"is excluded by --exclude {excluded}", self.refused(excluded))
        os.rmdir(os.path.join(self.root, "2001-db8--ab01"))
        self.make("2001-db8--ab00_120")
        self.assertEqual(len(self.read("2001:db8::ab01").hosts), 1)

    def test_aFileIsNoSite(self) -> None:
        """
        A file, the default as a file, and a link that leads nowhere.
        """
        for name in ("2001-db8--1", "default"):
            path = os.path.join(self.root, name)
            with open(path, "w"):
                pass
            self.assertIn(f"{name!r} is no directory", self.refused())
            os.remove(path)
            os.symlink("nowhere", path)
            self.assertIn(f"{name!r} is no directory", self.refused())
            os.remove(path)

    def test_aSecondPrefixHasItsSitesToo(self) -> None:
        """
        A name must lie in one of them.
        """
        self.make("2001-db8-2--1")
        second = parsePrefix("2001:db8:2::/64")
        found = readSites(self.root, (SERVED, second))
        self.assertEqual(found.hosts[0].prefix.network, parseAddress("2001:db8:2::1"))
