"""Write the table of verified claims into README.md, from the report of the last `iterorder check --json`."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

from iterorder.files import whole_file

ROOT = Path(__file__).resolve().parents[1]
BEGIN = "<!-- claims: written by scripts/update_readme.py from reports/check.json -->"
END = "<!-- end of claims -->"


def table_of(rows: list[dict]) -> str:
    """For each claim, as Markdown: how many comparisons passed, its first one, and its first control."""
    lines = [
        "| claim | passed | comparison | predicted | measured | tolerance | verdict |",
        "|---|---|---|---|---|---|---|",
    ]
    for claim in dict.fromkeys(row["claim"] for row in rows):
        mine = [row for row in rows if row["claim"] == claim]
        judged = [row for row in mine if row["verdict"] != "skipped"]
        passed = sum(row["verdict"] == "pass" for row in judged)
        shown = [next((row for row in judged if row["kind"] == kind), None) for kind in ("claim", "control")]
        for row, name in zip(shown, (f"{claim} | {passed}/{len(judged)}", " | "), strict=True):
            if row is not None:
                lines.append(f"| {name} | {_line(row)} |")
    return "\n".join(lines)


def _line(row: dict) -> str:
    text = f"{row['system']}: {row['quantity']}".replace("|", "\\|")
    sign = "" if row["relation"] == "=" else f"{row['relation']} "
    verdict = row["verdict"]
    if row["kind"] == "control":
        text, verdict = f"*control*, {text}", "rejected" if verdict == "pass" else "not rejected"
    numbers = f"{sign}{_short(row['predicted'], 5)} | {_short(row['measured'], 5)} | {_short(row['uncertainty'], 2)}"
    return f"{text} | {numbers} | {verdict}"


def _short(number: float | None, digits: int) -> str:
    return "–" if number is None else f"{number:.{digits}g}"


def main(report: str = "reports/check.json") -> int:
    """Replace what stands between the two markers."""
    data = json.loads((ROOT / report).read_text(encoding="utf-8"))
    heading = (
        f"Version {data['version']}, {data['effort']} effort, seed {data['seed']}: {len(data['rows'])} comparisons, "
        "of which the first of each claim and its first control are shown."
    )
    readme = ROOT / "README.md"
    text = readme.read_text(encoding="utf-8")
    block = f"{BEGIN}\n{heading}\n\n{table_of(data['rows'])}\n{END}"
    new, count = re.subn(f"{re.escape(BEGIN)}.*?{re.escape(END)}", lambda _: block, text, flags=re.DOTALL)
    if count != 1:
        print(f"README.md has {count} claim tables between its markers: expected one", file=sys.stderr)
        return 1
    with whole_file(readme) as file:
        file.write(new.encode())
    return 0


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:]))
