"""
The layers of docs/architecture: the core imports nothing but the core, and nobody imports the
assembly. Read from the sources, without importing them.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

import prefix64

PACKAGE = Path(prefix64.__file__).parent
REPOSITORY = Path(__file__).parent.parent

CORE = (
    "errors",
    "option_text",
    "addressing",
    "ownership",
    "hosts.model",
    "hosts.table",
    "icmpv6",
    "routing",
)
EDGE = ("link", "kernel", "web", "hosts.directory", "instance_lock", "privileges")
ASSEMBLY = (
    "services",
    "tap",
    "options",
    "cli",
    "lab",
    "probe",
    "doctor",
    "ndppd",
    "planning",
    "cleanup",
    "edges",
    "endpoint",
    "settings",
)
COMMANDS = ("lab", "probe", "doctor", "ndppd", "planning", "cleanup")
"""Rooms that nobody but C{cli} imports, which has each as a command."""

TOP = ("tap", "cli", *COMMANDS)
"""What nobody imports."""

JUDGING = tuple(
    f"probe.{name}"
    for name in (
        "reading",
        "questions",
        "findings",
        "advertisements",
        "echoes",
        "judging",
        "report",
    )
)
"""The part of the probe that knows no socket and no clock."""

CONVERTING = tuple(
    f"ndppd.{name}"
    for name in ("model", "reading", "words", "configuration", "conversion", "writing")
)
"""The part of C{import-ndppd} that opens nothing."""

PURE = {
    "__future__",
    "collections",
    "collections.abc",
    "contextlib",
    "dataclasses",
    "enum",
    "functools",
    "ipaddress",
    "itertools",
    "json",
    "math",
    "operator",
    "re",
    "shlex",
    "string",
    "struct",
    "textwrap",
    "typing",
}
"""What the core may import of the standard library: no socket, clock, file or random source."""

PURE_NAMES = {"socket": {"AF_INET6", "inet_ntop"}}
"""Of these, only some names."""


@dataclass(frozen=True)
class Import:
    """
    An import.

    @ivar importer: the module that has it.
    @ivar module: the module that is imported.
    @ivar name: what is imported from it, or L{None}.
    @ivar line: where.
    @ivar atModuleLevel: whether it is executed when the importer is.
    """

    importer: str
    module: str
    name: str | None
    line: int
    atModuleLevel: bool

    def __str__(self) -> str:
        what = self.module if self.name is None else f"{self.module} ({self.name})"
        return f"{self.importer}, line {self.line}: {what}"


def importsOf(source: str, importer: str) -> Iterator[Import]:
    """
    Every import of a module, wherever in it; what C{TYPE_CHECKING} hides is none.
    """

    def visit(node: ast.AST, atModuleLevel: bool) -> Iterator[Import]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Import):
                for alias in child.names:
                    yield Import(importer, alias.name, None, child.lineno, atModuleLevel)
            elif isinstance(child, ast.ImportFrom):
                assert child.level == 0, f"{importer}, line {child.lineno}: a relative import"
                for alias in child.names:
                    yield Import(
                        importer, child.module or "", alias.name, child.lineno, atModuleLevel
                    )
            elif isinstance(child, ast.If) and ast.unparse(child.test).endswith("TYPE_CHECKING"):
                yield from visit(ast.Module(child.orelse, []), atModuleLevel)
            else:
                function = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
                yield from visit(child, atModuleLevel and not function)

    yield from visit(ast.parse(source), True)


def isIn(module: str, parts: tuple[str, ...]) -> bool:
    """
    Tell whether a module of prefix64 is one of some parts, or inside one.
    """
    return any(
        module == f"prefix64.{part}" or module.startswith(f"prefix64.{part}.") for part in parts
    )


class SourceCase(SynchronousTestCase):
    """
    The sources of the package.
    """

    def setUp(self) -> None:
        self.sources: dict[str, str] = {}
        for path in sorted(PACKAGE.rglob("*.py")):
            parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            self.sources[name] = path.read_text(encoding="utf-8")
        self.imports = [
            found for name, source in self.sources.items() for found in importsOf(source, name)
        ]

    def target(self, found: Import) -> str:
        """
        The module of prefix64 that an import needs: C{from prefix64.routing import nftables}
        imports a module too.
        """
        inner = f"{found.module}.{found.name}"
        return inner if inner in self.sources else found.module

    def ours(self) -> list[tuple[Import, str]]:
        """
        The imports of prefix64's own modules, and what each imports.
        """
        return [
            (found, self.target(found))
            for found in self.imports
            if found.module.partition(".")[0] == "prefix64"
        ]

    def assertNone(self, wrong: list[Import]) -> None:
        self.assertEqual([str(found) for found in wrong], [])


class ReaderTests(SynchronousTestCase):
    """
    The reader of imports itself: it must see what it is to find.
    """

    def found(self, source: str) -> list[tuple[str, str | None, bool]]:
        return [(i.module, i.name, i.atModuleLevel) for i in importsOf(source, "x")]

    def test_everyFormIsSeen(self) -> None:
        """
        Also in a function, a class, a try and an if.
        """
        self.assertEqual(
            self.found(
                "import a.b, c as d\nfrom e import f as g, h\n"
                "try:\n    import i\nexcept ImportError:\n    import j\n"
                "class K:\n    import l\n    def m(self):\n        from n import o\n"
                "async def p():\n    if q:\n        import r\n"
            ),
            [
                ("a.b", None, True),
                ("c", None, True),
                ("e", "f", True),
                ("e", "h", True),
                ("i", None, True),
                ("j", None, True),
                ("l", None, True),
                ("n", "o", False),
                ("r", None, False),
            ],
        )

    def test_whatIsForTypesOnlyIsNotExecuted(self) -> None:
        """
        But its else branch is.
        """
        source = "if TYPE_CHECKING:\n    import a\nelse:\n    import b\n"
        self.assertEqual(self.found(source), [("b", None, True)])
        source = "if typing.TYPE_CHECKING:\n    from a import b\n"
        self.assertEqual(self.found(source), [])


class LayerTests(SourceCase):
    """
    Which module may import which.
    """

    def test_everyPartIsThere(self) -> None:
        """
        A name that is written wrong here would check nothing.
        """
        for part in (*CORE, *EDGE, *ASSEMBLY):
            self.assertIn(f"prefix64.{part}", self.sources)
        self.assertGreater(len(self.imports), 100)

    def test_everyModuleHasALayer(self) -> None:
        """
        A new one is put into one of the three.
        """
        known = (*CORE, *EDGE, *ASSEMBLY, "testing")
        packages = {"prefix64", "prefix64.hosts", "prefix64.routing"}
        self.assertEqual(
            [name for name in self.sources if not isIn(name, known) and name not in packages], []
        )

    def test_theCoreImportsThePureStandardLibraryOnly(self) -> None:
        """
        No socket, clock, file, thread, process or random source; no other library.
        """
        self.assertNone(
            [
                found
                for found in self.imports
                if isIn(found.importer, CORE)
                and found.module.partition(".")[0] != "prefix64"
                and found.module not in PURE
                and found.name not in PURE_NAMES.get(found.module, ())
            ]
        )

    def test_whatIsCalledPureIsOfTheStandardLibrary(self) -> None:
        """
        And none of what the core must not touch is among it.
        """
        names = {name.partition(".")[0] for name in PURE}
        self.assertTrue(names <= sys.stdlib_module_names)
        touching = {"os", "io", "pathlib", "select", "selectors", "time", "datetime", "random"}
        touching |= {"secrets", "threading", "subprocess", "socket", "signal", "asyncio", "ssl"}
        self.assertEqual(names & touching, set())

    def test_theCoreOpensNothing(self) -> None:
        """
        Without an import: the names that are always there.
        """
        for name, source in self.sources.items():
            if isIn(name, CORE):
                called = {
                    node.id for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Name)
                }
                forbidden = called & {"open", "__import__", "eval", "exec", "print", "input"}
                self.assertEqual(forbidden, set(), name)

    def test_theCoreImportsTheCoreOnly(self) -> None:
        """
        It decides, and does not know who asks.
        """
        self.assertNone(
            [
                found
                for found, module in self.ours()
                if isIn(found.importer, CORE) and not isIn(module, CORE)
            ]
        )

    def test_theEdgeDoesNotImportTheAssembly(self) -> None:
        """
        Nor the fakes.
        """
        self.assertNone(
            [
                found
                for found, module in self.ours()
                if isIn(found.importer, (*CORE, *EDGE)) and isIn(module, (*ASSEMBLY, "testing"))
            ]
        )

    def test_nobodyImportsTheTop(self) -> None:
        """
        The options and the commands: only the command line has the commands.
        """
        self.assertNone(
            [
                found
                for found, module in self.ours()
                if isIn(module, TOP)
                and not any(
                    isIn(module, (command,)) and isIn(found.importer, ("cli", command))
                    for command in COMMANDS
                )
            ]
        )

    def assertPure(self, parts: tuple[str, ...]) -> None:
        """
        They need the core, each other, and what is pure of the standard library.
        """
        for part in parts:
            self.assertIn(f"prefix64.{part}", self.sources)
        ours = {(found, module) for found, module in self.ours() if isIn(found.importer, parts)}
        self.assertNone([found for found, module in ours if not isIn(module, (*CORE, *parts))])
        self.assertNone(
            [
                found
                for found in self.imports
                if isIn(found.importer, parts)
                and found.module.partition(".")[0] != "prefix64"
                and found.module not in PURE
            ]
        )

    def test_theProbeJudgesWithoutSocketOrClock(self) -> None:
        """
        Frames go in, and findings come out.
        """
        self.assertPure(JUDGING)

    def test_anNdppdConfigurationIsConvertedWithoutTouchingTheHost(self) -> None:
        """
        A text goes in, and lines come out.
        """
        self.assertPure(CONVERTING)

    def test_theWebNeedsSocketsAndAHostTableOnly(self) -> None:
        """
        It never touches packets, routes or privileges, so that it can live in a process without
        any.
        """
        allowed = (
            "errors",
            "option_text",
            "addressing",
            "ownership",
            "hosts.model",
            "hosts.table",
            "web",
        )
        self.assertNone(
            [
                found
                for found, module in self.ours()
                if isIn(found.importer, ("web",)) and not isIn(module, allowed)
            ]
        )

    def test_noModulesImportEachOther(self) -> None:
        """
        Whichever is imported first, all of it is there: no circle, not even a late one.
        """
        needs: dict[str, set[str]] = {name: set() for name in self.sources}
        for found, module in self.ours():
            if module in needs and module != found.importer:
                needs[found.importer].add(module)
        while free := [name for name, needed in needs.items() if not needed]:
            for name in free:
                del needs[name]
            for needed in needs.values():
                needed.difference_update(free)
        self.assertEqual(needs, {}, "these need each other, or those that do")

    def test_onlyTheAssemblyDecidesAboutSignals(self) -> None:
        """
        They are the whole process's.
        """
        self.assertTrue(isIn("prefix64.services.signals", ASSEMBLY))
        self.assertNone(
            [
                found
                for found in self.imports
                if found.module == "signal"
                and not isIn(found.importer, ("services.signals", "lab"))
            ]
        )

    def test_scapyIsNeverImportedWithAModule(self) -> None:
        """
        It takes up to a second: who needs it imports it when it is needed.
        """
        self.assertNone(
            [
                found
                for found in self.imports
                if found.module.partition(".")[0] == "scapy" and found.atModuleLevel
            ]
        )

    def test_theReactorIsNeverImportedWithAModule(self) -> None:
        """
        That would install the default one before anybody could choose.
        """
        self.assertNone(
            [
                found
                for found in self.imports
                if found.atModuleLevel
                and "twisted.internet.reactor" in (found.module, f"{found.module}.{found.name}")
            ]
        )


class PluginTests(SynchronousTestCase):
    """
    What twistd reads of us, whatever its user wants to start.
    """

    plugins = REPOSITORY / "twisted" / "plugins"

    def test_thePluginImportsNothingOfTheApplication(self) -> None:
        """
        Names only: a list of twistd's commands must not cost our imports.
        """
        allowed = {
            "prefix64_plugin": {"twisted.application.service"},
            "prefix64_endpoint": {
                "twisted.internet.interfaces",
                "twisted.plugin",
                "zope.interface",
            },
        }
        self.assertEqual({path.stem for path in self.plugins.glob("*.py")}, set(allowed))
        for name, modules in allowed.items():
            source = (self.plugins / f"{name}.py").read_text(encoding="utf-8")
            found = {one.module for one in importsOf(source, name) if one.atModuleLevel}
            self.assertEqual(found, modules)

    def test_twistedsOwnPackagesAreNotOverwritten(self) -> None:
        """
        An C{__init__.py} here would stand in the place of Twisted's own.
        """
        self.assertEqual(list((REPOSITORY / "twisted").rglob("__init__.py")), [])
