"""From command line, environment and file to `Settings`, with all problems named at once."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

import attrs
from attrs import field, frozen

from boomerang.endpoints.fallback import ReadFile
from boomerang.settings.contradictions import contradictions
from boomerang.settings.declarations import REQUIRED, Declaration, EntriesDeclaration
from boomerang.settings.rescue import read_fallbacks, read_file
from boomerang.settings.retry import RetrySettings
from boomerang.settings.values import Settings

PREFIX: Final = "BOOMERANG_"

_NOT_A_SETTING: Final = frozenset({"BOOMERANG_CONFIG"})


class InvalidSettings(Exception):
    """Settings that are wrong or unknown; ``problems`` has a line for each, without secrets."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@frozen
class Sources:
    """Where settings come from, the first winning.

    ``options`` are those of the command line, by dotted name (``retry.wait``); ``environment`` is
    the process's; ``file`` the text of the TOML file, ``file_name`` for messages and for the place
    of other files that it names, which are read with ``read``. ``unread`` is why the file itself
    could not be.
    """

    options: Mapping[str, object] = field(factory=dict, repr=False)
    environment: Mapping[str, str] = field(factory=dict, repr=False)
    file: str = field(default="", repr=False)
    file_name: str = "boomerang.toml"
    unread: str = ""
    read: ReadFile = field(default=read_file, repr=False)

    def read_beside(self, name: str) -> bytes:
        """What is in a file, its name being relative to the place of the settings file."""
        return self.read(str(Path(self.file_name).parent / name))


@frozen
class Declared:
    """A setting by its dotted name, and by its names elsewhere."""

    name: str
    declaration: Declaration
    default: Any

    @property
    def environment_names(self) -> tuple[str, ...]:
        return (PREFIX + self.name.replace(".", "_").upper(), *self.declaration.env)

    @property
    def option(self) -> str:
        return self.name.replace(".", "-").replace("_", "-")


def declared_settings() -> Iterator[Declared]:
    """All settings, in their order."""
    yield from _declared(Settings, "")


def declared_entries() -> Mapping[str, EntriesDeclaration]:
    """All arrays of tables (``[[check]]``), by their dotted names."""
    return dict(_entries(Settings, ""))


def keys_of(of: type) -> Iterator[Declared]:
    """The keys of an entry of such an array, in their order."""
    return _declared(of, "")


def _declared(owner: type, prefix: str) -> Iterator[Declared]:
    for attribute in attrs.fields(owner):
        declaration = attribute.metadata.get("declaration")
        if declaration is not None:
            yield Declared(f"{prefix}{attribute.name}", declaration, attribute.default)
        elif "entries" not in attribute.metadata:
            yield from _declared(attribute.default.factory, f"{prefix}{attribute.name}.")


def _entries(owner: type, prefix: str) -> Iterator[tuple[str, EntriesDeclaration]]:
    for attribute in attrs.fields(owner):
        if "entries" in attribute.metadata:
            yield f"{prefix}{attribute.name}", attribute.metadata["entries"]
        elif "declaration" not in attribute.metadata:
            yield from _entries(attribute.default.factory, f"{prefix}{attribute.name}.")


def load_settings(sources: Sources) -> Settings:
    """The settings that the sources give. Raises `InvalidSettings` with all that is wrong."""
    known = {declared.name: declared for declared in declared_settings()}
    problems: list[str] = []
    if sources.unread:
        problems.append(f"cannot read the settings in {sources.file_name}: {sources.unread}")
    arrays = declared_entries()
    in_file = dict(_flat(_toml(sources, problems), {**known, **arrays}))
    values: dict[str, Any] = {}
    for name, array in arrays.items():
        if name in in_file:
            values[name] = _load_entries(
                name, array, in_file.pop(name), sources.file_name, problems
            )
    given: set[str] = set()
    for declared in known.values():
        found = _find(declared, sources, in_file)
        if found is not None:
            given.add(declared.name)
            where, raw = found
            try:
                values[declared.name] = declared.declaration.kind(raw)
            except ValueError as error:
                problems.append(_problem(declared, where, raw, error))
    problems.extend(_unknown(sources, in_file, known, arrays))
    read_fallbacks(values, sources.read_beside, problems)
    retry = _build(RetrySettings, "retry.", values)
    problems.extend(contradictions(values, given, retry))
    if problems:
        raise InvalidSettings(problems)
    settings: Settings = _build(Settings, "", values)
    return settings


def _toml(sources: Sources, problems: list[str]) -> Mapping[str, Any]:
    try:
        return tomllib.loads(sources.file)
    except tomllib.TOMLDecodeError as error:
        problems.append(f"{sources.file_name} is not TOML: {_without_values(error)}")
        return {}
    except ValueError:  # a number of more digits than Python reads
        problems.append(f"{sources.file_name} is not TOML: it has a number that is too long")
        return {}


def _without_values(error: tomllib.TOMLDecodeError) -> str:
    """The place of the error; its message may quote a line that holds a secret."""
    message = str(error)
    place = message.rpartition("(")[2].rstrip(")") if "(at " in message else ""
    return place or "cannot be read"


def _flat(
    table: Mapping[str, Any], known: Mapping[str, object], prefix: str = ""
) -> Iterator[tuple[str, Any]]:
    """Dotted names and values; a table that is itself a setting (``shared_keys``) stays whole."""
    for key, value in table.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict) and name not in known:
            yield from _flat(value, known, f"{name}.")
        else:
            yield name, value


def _load_entries(
    name: str, array: EntriesDeclaration, raw: object, file_name: str, problems: list[str]
) -> tuple[Any, ...]:
    """The entries of an array of tables that are good; what is wrong is added to ``problems``."""
    if not isinstance(raw, list) or not all(isinstance(each, dict) for each in raw):
        problems.append(f"{file_name}: {name} expected an array of tables, [[{name}]]")
        return ()
    found = []
    before = len(problems)
    for number, table in enumerate(raw, start=1):
        entry = _load_entry(f"{file_name}: [[{name}]] {number}", array, table, problems)
        if entry is not None:
            found.append(entry)
    if len(problems) == before:
        problems.extend(f"{file_name}: {problem}" for problem in array.problems(tuple(found)))
    return tuple(found)


def _load_entry(
    where: str, array: EntriesDeclaration, table: Mapping[str, Any], problems: list[str]
) -> Any:
    known = {declared.name: declared for declared in keys_of(array.of)}
    label = table.get("name", table.get("title"))
    if isinstance(label, str):
        where = f"{where} ({_short(label)})"
    before = len(problems)
    values = {}
    for key, declared in known.items():
        if key in table:
            try:
                values[key] = declared.declaration.kind(table[key])
            except ValueError as error:
                problems.append(_problem(declared, f"{where}: {key}", table[key], error))
        elif declared.default is REQUIRED:
            problems.append(f"{where}: {key} is missing")
    problems.extend(
        f"{where}: {key} is not a key of it{_meant(key, known)}"
        for key in table
        if key not in known
    )
    if len(problems) > before:
        return None
    entry = array.of(**values)
    problems.extend(f"{where}: {problem}" for problem in array.problems_of_one(entry))
    return entry


def _find(
    declared: Declared, sources: Sources, in_file: Mapping[str, object]
) -> tuple[str, object] | None:
    """Where the setting was given first, and as what. An empty environment variable is none."""
    if declared.name in sources.options:
        return f"--{declared.option}", sources.options[declared.name]
    for name in declared.environment_names:
        if sources.environment.get(name):
            return name, sources.environment[name]
    if declared.name == "listen" and sources.environment.get("PORT"):
        return "PORT", f"tcp:{sources.environment['PORT']}"
    if declared.name in in_file:
        return f"{sources.file_name}: {declared.name}", in_file[declared.name]
    return None


def _problem(declared: Declared, where: str, raw: object, error: ValueError) -> str:
    hidden = declared.declaration.secret or declared.declaration.may_hold_secret
    if where == "PORT":  # as it was given
        raw = str(raw).removeprefix("tcp:")
    value = "" if hidden else f" is {_short(raw)},"
    return f"{where}{value} expected {error}"


def _short(raw: object) -> str:
    try:
        text = repr(raw)
    except ValueError:  # it has a number of more digits than Python writes
        return "a number too long to show"
    if "://" in text and set("@?") & set(text):
        return "an address that may have a secret in it"
    return text if len(text) <= 80 else f"{text[:77]}..."


def _unknown(
    sources: Sources,
    in_file: Mapping[str, object],
    settings: Mapping[str, Declared],
    arrays: Iterable[str],
) -> Iterator[str]:
    for name in in_file:
        if name not in settings:
            meant = _meant(name, [*settings, *arrays])
            yield f"{sources.file_name}: {name} is not a setting{meant}"
    known = {names[0] for names in (known.environment_names for known in settings.values())}
    for name in sorted(sources.environment):
        if name.startswith(PREFIX) and name not in known | _NOT_A_SETTING:
            yield f"{name} is not a setting{_meant(name, known)}"


def _meant(name: str, known: Iterable[str]) -> str:
    """A known name that is much like this one, or the same but for its section."""
    names = {known_name.removeprefix(PREFIX): known_name for known_name in known}
    bare = name.removeprefix(PREFIX)
    close = [each for each in names if each.rpartition(".")[2] == bare] or get_close_matches(
        bare, list(names), n=1
    )
    return f"; did you mean {names[close[0]]}?" if close else ""


def _build(owner: type, prefix: str, values: Mapping[str, Any]) -> Any:
    arguments = {}
    for attribute in attrs.fields(owner):
        name = f"{prefix}{attribute.name}"
        if attribute.metadata:
            if name in values:
                arguments[attribute.name] = values[name]
        else:
            arguments[attribute.name] = _build(attribute.default.factory, f"{name}.", values)
    return owner(**arguments)
