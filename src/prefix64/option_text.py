"""
Texts that mention options, spelled for whoever gave them: as on the command line, or as in a file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from string import Formatter


class OptionText:
    """
    A text that mentions options by their names, as fields of L{str.format}: C{{echo}} is the option
    alone, C{{echo:none}} the option with a value, C{{echo:{0!r}}} with the first of the values that
    were given with the template. As a string it is what belongs on the command line: C{--echo
    none}.
    """

    def __init__(self, template: str, *values: object, option: str = "") -> None:
        """
        @param template: the text.
        @param values: what C{{0}}, C{{1}} and so on stand for. What a person wrote needs C{!r}, for
            the text to be one line, but not as the value of an option.
        @param option: the name of the option that C{{option}} stands for.
        """
        self._template = template
        self._values = values
        self._option = option

    def __str__(self) -> str:
        return self.spelled(onCommandLine)

    def spelled(self, spell: Callable[[str, str], str]) -> str:
        """
        The text, with each option in a spelling of its own.

        @param spell: given an option's name, and its value or the empty string.
        """
        return Formatter().vformat(self._template, self._values, _Mentions(spell, self._option))

    def mentioned(self) -> list[str]:
        """
        The names of the options, in the order in which they are mentioned.
        """
        names: list[str] = []

        def remember(name: str, value: str) -> str:
            names.append(name)
            return ""

        self.spelled(remember)
        return names


class _Mentions(dict[str, "_Mention"]):
    """
    The fields of a text: whatever is asked for is the name of an option.
    """

    def __init__(self, spell: Callable[[str, str], str], option: str) -> None:
        """
        @param option: the name of the one that is called C{option}.
        """
        super().__init__()
        self._spell = spell
        self._option = option

    def __missing__(self, name: str) -> _Mention:
        return _Mention(self._option if name == "option" else name, self._spell)


class _Mention:
    """
    An option in a text.
    """

    def __init__(self, name: str, spell: Callable[[str, str], str]) -> None:
        self._name = name
        self._spell = spell

    def __format__(self, value: str) -> str:
        """
        The option with its value, which is made one line.
        """
        return self._spell(self._name, printable(value))


def printable(text: str) -> str:
    """
    A text on one line: if it has what cannot be printed, in quotes and escaped.
    """
    return text if text.isprintable() else repr(text)


def onCommandLine(name: str, value: str) -> str:
    """
    C{--echo none}.
    """
    return f"--{name} {value}" if value else f"--{name}"


def inFile(name: str, value: str) -> str:
    """
    C{echo = "none"}.
    """
    if not value:
        return name
    bare = value[0] in "'\"" or value.isdigit()
    return f"{name} = {value}" if bare else f'{name} = "{value}"'


@dataclass(frozen=True)
class Origin:
    """
    Where options were given: all on the command line, if nothing else is said.

    @ivar file: the path of the file, as a person reads it; or the empty string.
    @ivar places: by the names of the options that are as the file says, where in it that is: a
        table, or the empty string for the top.
    @ivar typed: the names of the options that are as the command line says.
    @ivar place: where in the file an option belongs that was not given.
    """

    file: str = ""
    places: Mapping[str, str] = field(default_factory=dict)
    typed: frozenset[str] = frozenset()
    place: str = ""

    def spelled(self, text: OptionText) -> str:
        """
        A text for whoever gave the options: if one of them is as the file says, it begins with the
        place of the first, and all that were not typed are spelled as in the file. So it is if none
        of them was given, and there is a file to change.
        """
        names = text.mentioned()
        places = [self.places[name] for name in names if name in self.places]
        if self.file and names and self.typed.isdisjoint(names):
            places.append(self.place)
        if not places:
            return str(text)
        place = f"{places[0]}: " if places[0] else ""
        return f"{self.file}: {place}{text.spelled(self._spell)}"

    def _spell(self, name: str, value: str) -> str:
        """
        Spell an option as where it was given.
        """
        return (onCommandLine if name in self.typed else inFile)(name, value)
