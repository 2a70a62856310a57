"""Writes the parts of the documentation that the code knows better: the settings page and the tables of codes.

python docs/generate.py            # writes
python docs/generate.py --check    # says what is out of date, and fails
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Final

from sethpusher_core import errors
from sethpusher_core.settings import core_component, settings_page

DOCS: Final = Path(__file__).parent


def pages() -> dict[Path, str]:
    """Every page with generated parts, as it should be."""
    wire = DOCS / "wire.md"
    text = wire.read_text()
    for name, table in (("errors", _errors()), ("closes", _closes())):
        start, end = f"<!-- {name}: from the table in sethpusher_core/errors.py -->", f"<!-- {name}: end -->"
        text = re.sub(f"{re.escape(start)}.*?{re.escape(end)}", f"{start}\n{table}\n{end}", text, flags=re.DOTALL)
    return {wire: text, DOCS / "settings.md": settings_page([core_component()])}


def _errors() -> str:
    rows = ["| code | name | HTTP | what a client reads, unless something more precise is known |", "|-|-|-|-|"]
    rows += [f"| {row.code} | `{row.name}` | {row.status} | {row.text} |" for row in errors.ERROR_CODES]
    return "\n".join(rows)


def _closes() -> str:
    rows = ["| code | reason | come back? |", "|-|-|-|"]
    rows += [f"| {row.code} | {row.reason} | {'yes' if row.comes_back else 'no'} |" for row in errors.CLOSE_CODES]
    return "\n".join(rows)


def main(check: bool) -> int:
    """Writes or checks; gives the exit code."""
    stale = [path for path, text in pages().items() if not path.exists() or path.read_text() != text]
    for path in stale:
        if check:
            print(f"{path.name} is out of date: run python docs/generate.py", file=sys.stderr)
        else:
            path.write_text(pages()[path])
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main("--check" in sys.argv[1:]))
