"""What `make reproduce` leaves in a folder: the table of claims, and figures with their numbers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from iterorder.report.document import Code, Folded, Part, Picture, Section, Table, Text, facts, smaller

CLAIMS = "check.json"
#: Columns of a table of claims.
HEADS = ("claim", "system", "quantity", "", "predicted", "measured", "±", "verdict")
#: What `save_figure` writes beside a figure.
SIDECAR = {"figure", "version", "seed", "parameters"}


def claims(folder: Path) -> Iterator[Section]:
    """The claims that were checked, those that failed first."""
    if (content := _json(folder / CLAIMS)) is None or not isinstance(content.get("rows"), list):
        return
    rows = sorted(content["rows"], key=lambda row: row.get("verdict") != "fail")
    failed = frozenset(k for k, row in enumerate(rows) if row.get("verdict") == "fail")
    verdict = f"{len(failed)} of {len(rows)} rows fail" if failed else f"All {len(rows)} rows agree with the theory"
    about = facts({name: content.get(name) for name in ("version", "effort", "seed", "level")})
    again = Code(f"iterorder check --effort {content.get('effort')} --seed {content.get('seed')}")
    parts: list[Part] = [Text(f"{verdict}."), Table(HEADS, [_row(row) for row in rows], failed), about, again]
    yield Section("Claims", parts, "table of claims")


def _row(row: dict) -> list[object]:
    return [
        row.get("claim"),
        row.get("system"),
        row.get("quantity"),
        row.get("relation"),
        row.get("predicted"),
        row.get("measured"),
        row.get("uncertainty"),
        row.get("verdict"),
    ]


def figures(folder: Path) -> Iterator[Section]:
    """Figures that lie here or in `figures`, with what they were drawn from."""
    for sidecar in sorted([*folder.glob("*.json"), *folder.glob("figures/*.json")]):
        content, picture = _json(sidecar), sidecar.with_suffix(".png")
        if content is None or not content.keys() >= SIDECAR or not picture.is_file():
            continue
        name, parameters = str(content["figure"]), content["parameters"]
        about = {"version": content["version"], "seed": content["seed"], **_flat(parameters)}
        drawn_from = Folded("What it was drawn from", facts(about))
        parts: list[Part] = [Picture(smaller(picture.read_bytes()), name.replace("_", " ")), drawn_from]
        yield Section(f"Figure {name.replace('_', ' ')}", parts, "figure")


def _flat(parameters, prefix: str = "") -> dict[str, object]:
    """Nested parameters with a name each."""
    if not isinstance(parameters, dict):
        return {prefix.rstrip(": ") or "parameters": parameters}
    found: dict[str, object] = {}
    for name, value in parameters.items():
        found |= _flat(value, f"{prefix}{name}: ") if isinstance(value, dict) else {f"{prefix}{name}": value}
    return found


def _json(path: Path) -> dict | None:
    """The object in a file; None where there is none."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None
