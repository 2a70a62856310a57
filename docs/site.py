"""What MkDocs is told beside ``mkdocs.yml``: pages that live elsewhere, and links that leave the site.

The README, those of the plugins, of the JavaScript client and of the chat, CHANGELOG and CONTRIBUTING become pages.
Links between pages are rewritten; what a link shows of a file that is no page (code, a folder) stays as text.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any, Final

from mkdocs.structure.files import File, Files

ROOT: Final = Path(__file__).parents[1]
ELSEWHERE: Final = {
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "clients/js/README.md": "clients/js.md",
    "examples/chat/README.md": "examples/chat.md",
    **{
        str(readme.relative_to(ROOT)): f"plugins/{readme.parent.name}.md"
        for readme in sorted(ROOT.glob("plugins/*/README.md"))
    },
}
"""Where the pages that do not lie under ``docs`` stand in the site, by their path in the project."""

_SOURCES: Final = {page: source for source, page in ELSEWHERE.items()}
_LINK: Final = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^)\s]+)\)")


def on_files(files: Files, config: Any) -> Files:
    """Adds the pages that lie elsewhere."""
    for source, page in ELSEWHERE.items():
        files.append(File.generated(config, page, content=(ROOT / source).read_text()))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Makes the links of a page those of the site."""
    place = page.file.src_uri
    source = _SOURCES.get(place, f"docs/{place}")

    def rewritten(match: re.Match[str]) -> str:
        mark, text, target = match.groups()
        path, hash_mark, anchor = target.partition("#")
        if re.match(r"[a-z]+:", target) or not path:
            return match[0]
        inside = posixpath.normpath(posixpath.join(posixpath.dirname(source), path))
        to = ELSEWHERE.get(inside, inside.removeprefix("docs/") if inside.startswith("docs/") else None)
        if to is None:
            return str(text)
        return f"{mark}[{text}]({posixpath.relpath(to, posixpath.dirname(place) or '.')}{hash_mark}{anchor})"

    return _LINK.sub(rewritten, markdown)
