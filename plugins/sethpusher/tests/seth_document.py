"""The seed documentation, read: what its API chapters name, and what its tutorial prints."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = ["CLASSES", "FUNCTIONS", "Class", "Parameter", "commands", "json_messages", "parameters", "program"]

TEXT = (Path(__file__).parent / "seed_documentation.txt").read_text()
API = TEXT[TEXT.index("CHAPTER 2\n") : TEXT.index("CHAPTER 5\n")]

Parameter = tuple[str, Any]
"""Name, with its stars, and default; ``...`` where there is none."""


@dataclass
class Class:
    """A class as it is documented."""

    name: str
    parameters: list[Parameter] | None
    bases: list[str] = field(default_factory=list)
    defaults: dict[str, Any] = field(default_factory=dict)
    attributes: list[str] = field(default_factory=list)
    methods: dict[str, list[Parameter]] = field(default_factory=dict)


def straight(text: str) -> str:
    """With the quotes that Python has."""
    return re.sub("[\u2018\u2019]", "'", text)


def parameters(text: str) -> list[Parameter]:
    """The parameters of a signature."""
    arguments = ast.parse(f"def f({straight(text)}): pass").body[0].args  # type: ignore[attr-defined]
    names = [argument.arg for argument in arguments.args]
    defaults = [ast.literal_eval(default) for default in arguments.defaults]
    found: list[Parameter] = list(zip(names, [...] * (len(names) - len(defaults)) + defaults, strict=True))
    found += [(f"*{arguments.vararg.arg}", ...)] if arguments.vararg else []
    found += [(f"**{arguments.kwarg.arg}", ...)] if arguments.kwarg else []
    return found


def lines() -> Iterator[str]:
    """The lines of the API chapters; one that a bracket or a comma leaves open goes on in the next."""
    whole = ""
    for line in API.splitlines():
        whole = f"{whole} {line.strip()}" if whole else line.strip()
        if whole.count("(") > whole.count(")") or (whole.startswith("Bases:") and whole.endswith(",")):
            continue
        yield whole
        whole = ""


def read() -> tuple[list[Class], dict[str, list[Parameter]]]:
    classes: list[Class] = []
    functions: dict[str, list[Parameter]] = {}
    for line in lines():
        if match := re.fullmatch(r"class ([\w.]+)(?:\((.*)\))?", line):
            classes.append(Class(match[1], None if match[2] is None else parameters(match[2])))
        elif line.startswith("Bases: "):
            classes[-1].bases = line.removeprefix("Bases: ").split(", ")
        elif match := re.fullmatch(r"(sethpusher(?:\.\w+)+)\((.*)\)", line):
            functions[match[1]] = parameters(match[2])
        elif match := re.fullmatch(r"([A-Za-z_]\w*)\((.*)\)", line):
            classes[-1].methods[match[1]] = parameters(match[2])
        elif match := re.fullmatch(r"([A-Za-z_]\w*) = (.+)", line):
            classes[-1].defaults[match[1]] = ast.literal_eval(straight(match[2]))
        elif re.fullmatch(r"[a-z_]+", line):
            classes[-1].attributes.append(line)
    return classes, functions


CLASSES, FUNCTIONS = read()


def commands(start: str) -> list[str]:
    """The command lines that begin in a way, without the prompt."""
    return [line[2:] for line in TEXT.splitlines() if line.startswith(f"$ {start}")]


def json_messages() -> list[dict[str, str]]:
    """The three messages of section 1.6."""
    section = TEXT[TEXT.index("1.6 Connecting") : TEXT.index("1.7 Publishing")]
    return [ast.literal_eval(message) for message in re.findall(r"\{.*?\}", section, re.DOTALL)]


def program() -> str:
    """The tutorial's ``my_app.py``: indented again, which the document's text has lost, and with Python 3's print."""
    code = TEXT[TEXT.index("Code:\n") + len("Code:\n") : TEXT.index("1.9. Creating your own app 5")]
    level, found = 0, []
    for line in straight(code).splitlines():
        depth = level
        if re.match(r"(class|if) ", line):
            depth, level = 0, 1
        elif line.startswith("def "):
            depth, level = 1, 2
        elif re.match(r"(from|import) ", line):
            depth = 0
        found.append("    " * depth + re.sub(r"^print (.+)$", r"print(\1, flush=True)", line) if line else "")
    return "\n".join(found) + "\n"
