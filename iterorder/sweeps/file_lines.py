"""Where keys stand in a TOML file, for errors that begin with file, line and key."""

from __future__ import annotations

import re

from iterorder.errors import InvalidInputError


def fault_at(text: str, name: str, keys: list[str], what: str) -> InvalidInputError:
    """An error with file, line and key."""
    line = line_of(text, keys)
    place = f"{name}:{line}" if line else name
    return InvalidInputError(f"{place}: {'.'.join(keys)}: {what}" if keys else f"{place}: {what}")


def line_of(text: str, keys: list[str]) -> int | None:
    r"""The line on which a key stands, or the nearest table around it; a single key is found in any table.

    Examples
    --------
    >>> line_of("seed = 0\n[grid]\nh = [1]\n", ["grid", "h"])
    3
    """
    lines = _lines_of_keys(text)
    for length in range(len(keys), 0, -1):
        wanted = tuple(keys[:length])
        for path, number in lines:
            if path == wanted or (length == 1 and path[-1:] == wanted):
                return number
    return None


def _lines_of_keys(text: str) -> list[tuple[tuple[str, ...], int]]:
    """Every table and key with its line; continued arrays are skipped. Only messages rest on it."""
    found: list[tuple[tuple[str, ...], int]] = []
    table: tuple[str, ...] = ()
    depth = 0
    for number, line in enumerate(text.splitlines(), start=1):
        bare = re.sub(r'"[^"]*"|\'[^\']*\'', '""', line).partition("#")[0]
        if depth == 0 and (header := re.match(r"\s*\[{1,2}\s*([^\[\]]+?)\s*\]{1,2}\s*$", line.partition("#")[0])):
            table = _parts(header[1])
            found.append((table, number))
            continue
        if depth == 0 and (key := re.match(r"\s*([\w\-\"'. ]+?)\s*=", line)):
            found.append((table + _parts(key[1]), number))
            inline = re.findall(r"[{,]\s*([\w\-]+)\s*=", line)
            found += [(table + _parts(key[1]) + (inner,), number) for inner in inline]
        depth = max(0, depth + bare.count("[") + bare.count("{") - bare.count("]") - bare.count("}"))
    return found


def _parts(dotted: str) -> tuple[str, ...]:
    return tuple(part.strip().strip("\"'") for part in dotted.split("."))


def keys_in(path: str) -> list[str]:
    """The keys of a path of msgspec, such as $.grid[...].count; what it does not name is left out."""
    return [part for part in re.sub(r"\[[^\]]*\]", "", path).removeprefix("$").split(".") if part]
