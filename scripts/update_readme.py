"""Write the table of verified claims into README.md, from the report of the last `iterorder check --json`."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BEGIN = "<!-- claims: written by scripts/update_readme.py from reports/check.json -->"
END = "<!-- end of claims -->"


def table_of(rows: Iterable[dict]) -> str:
    """One line a row, as Markdown."""
    lines = ["| claim | system | predicted | measured | tolerance | verdict |", "|---|---|---|---|---|---|"]
    for row in rows:
        if row["verdict"] == "skipped":
            lines.append(f"| {row['claim']} | {row['system']}: {row['note']} | | | | skipped |")
            continue
        control = row["kind"] == "control"
        name = f"{row['claim']} control" if control else row["claim"]
        verdict = (
            ("rejected, as it must be" if row["verdict"] == "pass" else "not rejected") if control else row["verdict"]
        )
        sign = "" if row["relation"] == "=" else f"{row['relation']} "
        numbers = f"{sign}{row['predicted']:.5g} | {row['measured']:.5g} | {row['uncertainty']:.2g}"
        text = f"{row['system']}: {row['quantity']}".replace("|", "\\|")
        lines.append(f"| {name} | {text} | {numbers} | {verdict} |")
    return "\n".join(lines)


def main(report: str = "reports/check.json") -> int:
    """Replace what stands between the two markers."""
    data = json.loads((ROOT / report).read_text(encoding="utf-8"))
    heading = (
        f"Version {data['version']}, {data['effort']} effort, seed {data['seed']}: {len(data['rows'])} comparisons."
    )
    readme = ROOT / "README.md"
    text = readme.read_text(encoding="utf-8")
    block = f"{BEGIN}\n{heading}\n\n{table_of(data['rows'])}\n{END}"
    new, count = re.subn(f"{re.escape(BEGIN)}.*?{re.escape(END)}", lambda _: block, text, flags=re.DOTALL)
    if count != 1:
        print(f"README.md has {count} claim tables between its markers: expected one", file=sys.stderr)
        return 1
    part = readme.with_suffix(".part")
    part.write_text(new, encoding="utf-8")
    os.replace(part, readme)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:]))
