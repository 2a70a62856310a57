"""``seth-pusher check``: would the server start, and what would it be? For continuous integration and deployment.

Nothing is connected to and nothing listens. Exit code 0: it would start; 2: the command line is wrong; 3: it would not
start, or (with ``--strict-plugins``) a plugin has a problem.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

from ..api.routes import plugin_routes
from ..errors import SettingsError, UsageError
from ..settings.rules import ChannelRules

if TYPE_CHECKING:
    from ..start import Start

__all__ = ["HELP", "run"]

HELP: Final = "Check settings and plugins, and show what would run; for CI"


def run(start: Start) -> int:
    """Prints what would run.

    Raises:
        UsageError: There are words after ``check``.
        SettingsError: The server would not start.
    """
    if start.resolved.rest:
        raise UsageError(f"check takes no words; {' '.join(start.resolved.rest)!r} is one too many")
    if start.resolved.problems:
        for problem in start.resolved.problems:
            print(f"seth-pusher: {problem.text}", file=sys.stderr)
        wrong_line = any(problem.usage for problem in start.resolved.problems)
        return UsageError.exit_code if wrong_line else SettingsError.exit_code
    server = start.server()
    server.check_backend()
    for failure in (*plugin_routes(server)[1], *start.command_failures()):
        start.loader.mark_broken(failure)
    hooks = server.hooks
    lines = [f"backend: {server.backend_name}", "plugins:"]
    for record in start.loader.records:
        lines.append(
            f"  {record.name} {record.version}: {record.status}" + (f" ({record.error})" if record.error else "")
        )
    lines.append("order:")
    lines += [f"  {hook}: {', '.join(plugins)}" for hook, plugins in sorted(hooks.order().items())]
    for warning in start.warnings():
        lines.append(f"warning: {warning}")
    for later, earlier in ChannelRules(start.settings.channels).unreachable():
        lines.append(f"warning: channels[{later}] is never used: channels[{earlier}] matches all that it does")
    broken = start.strict and any(record.is_problem for record in start.loader.records)
    print("\n".join([*lines, "not ok: a plugin has a problem" if broken else "ok"]))
    return SettingsError.exit_code if broken else 0
