"""Writes the parts of the documentation that the code knows better: settings, hooks, and the tables of codes.

python docs/generate.py            # writes
python docs/generate.py --check    # says what is out of date, and fails
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from typing import Final

from sethpusher_core import errors, hookspecs
from sethpusher_core.plugins.names import FIRST_PARTY
from sethpusher_core.settings import Component, core_component, read_switches, settings_page
from sethpusher_core.start import Start

DOCS: Final = Path(__file__).parent

HOOKS_INTRODUCTION: Final = """\
# Hooks

<!-- Written by docs/generate.py from sethpusher_core/hookspecs.py; change it there. -->
"""


def pages() -> dict[Path, str]:
    """Every page with generated parts, as it should be."""
    wire = DOCS / "wire.md"
    text = wire.read_text()
    for name, table in (("errors", _errors()), ("closes", _closes())):
        start, end = f"<!-- {name}: from the table in sethpusher_core/errors.py -->", f"<!-- {name}: end -->"
        text = re.sub(f"{re.escape(start)}.*?{re.escape(end)}", f"{start}\n{table}\n{end}", text, flags=re.DOTALL)
    with_files = [DOCS / "deployment.md", DOCS / "embedding.md"]
    return {
        wire: text,
        **{page: _with_files(page.read_text()) for page in with_files},
        DOCS / "settings.md": settings_page(_components()),
        DOCS / "hooks.md": _hooks(),
    }


def _with_files(page: str) -> str:
    """A page in which ``<!-- file: PATH -->`` is followed by what stands in that file."""

    def block(match: re.Match[str]) -> str:
        content = (DOCS.parent / match[1]).read_text().rstrip()
        return f"<!-- file: {match[1]} -->\n```{match[2]}\n{content}\n```\n<!-- file: end -->"

    return re.sub(r"<!-- file: (\S+) -->\n```(\w+)\n.*?```\n<!-- file: end -->", block, page, flags=re.DOTALL)


def _components() -> list[Component]:
    """The core's settings, and those of the plugins that are released with it; all must be installed."""
    core = core_component()
    components = Start(core, read_switches(core, (), {})).loader.components(core).components
    return [component for component in components if not component.name or component.name in FIRST_PARTY]


def _hooks() -> str:
    """The manual in ``hookspecs.py`` as a page: its introduction, then each hook in its section."""
    source = Path(hookspecs.__file__).read_text()
    parts = [HOOKS_INTRODUCTION, _markdown(hookspecs.__doc__ or ""), ""]
    sections = [(source[: match.start()].count("\n"), match[1]) for match in re.finditer(r"^# -+ (.+)$", source, re.M)]
    for function, signature, text in _specs(source):
        while sections and sections[0][0] < function.lineno:
            parts.append(f"## {sections.pop(0)[1].capitalize()}\n")
        parts += [f"### `{function.name}`\n", f"```python\n{signature}\n```\n", _markdown(text), ""]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(parts)).rstrip() + "\n"


def _specs(source: str) -> Iterator[tuple[ast.FunctionDef, str, str]]:
    """Each hook with its signature and its docstring."""
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef) and any(ast.unparse(mark) == "hookspec" for mark in node.decorator_list):
            text = ast.get_docstring(node)
            assert text is not None, node.name
            yield (
                node,
                f"def {node.name}({ast.unparse(node.args)}) -> {ast.unparse(node.returns or ast.Constant(None))}",
                text,
            )


def _markdown(docstring: str) -> str:
    """A docstring in Google's style as Markdown."""
    text = re.sub(r":\w+:`[~.]*([^`]+)`", r"`\1`", docstring.strip()).replace("``", "`")
    text = re.sub(
        r"::\n\n((?: {4}.*\n|\n)+)", lambda match: f":\n\n```python\n{dedent(match[1]).strip()}\n```\n\n", text + "\n"
    )
    text = re.sub(r"^Args:\n((?: {4}.*\n)+)", lambda match: f"**Arguments**\n\n{_listed(match[1])}\n", text, flags=re.M)
    text = re.sub(r"^Returns:\n((?: {4}.*\n)+)", lambda match: f"**Answer:** {dedent(match[1])}", text, flags=re.M)
    return text.strip() + "\n"


def _listed(arguments: str) -> str:
    return re.sub(r"^(\w+): ", r"* `\1`: ", dedent(arguments), flags=re.M).replace("\n    ", "\n  ")


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
