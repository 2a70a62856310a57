"""Settings: declared once per component, read from file < environment < command line.

A component declares its settings as a frozen dataclass; everything else comes from that declaration: the TOML key, the
environment variable, the flag, the row in ``--help``, the line in ``--show-config``, the page in the docs::

    from sethpusher_core.settings import Duration, Secret, setting

    @dataclass(frozen=True, slots=True)
    class Settings:
        url: Secret = setting(required=True, help="Where Redis is.")
        timeout: Duration = setting("5s", help="How long to wait for an answer.")

A start reads twice: ``read_switches`` for what says which plugins to load, ``resolve`` for everything, once their
declarations are known. Components do not read the environment themselves.
"""

from .component import Action, Component, NoSettings, Registry, Unloaded
from .core import CoreSettings, core_component
from .declare import setting
from .file import SettingsFile, load_file
from .page import settings_page
from .problems import Problem
from .render import help_text, show_config
from .resolve import Provenance, Resolved, Sources, resolve
from .rules import DEFAULT_RULE, ChannelRule, ChannelRules, Explanation
from .switches import Switches, read_switches
from .values import (
    Duration,
    Secret,
    Size,
    format_duration,
    format_size,
    parse_duration,
    parse_size,
)

__all__ = [
    "DEFAULT_RULE",
    "Action",
    "ChannelRule",
    "ChannelRules",
    "Component",
    "CoreSettings",
    "Duration",
    "Explanation",
    "NoSettings",
    "Problem",
    "Provenance",
    "Registry",
    "Resolved",
    "Secret",
    "SettingsFile",
    "Size",
    "Sources",
    "Switches",
    "Unloaded",
    "core_component",
    "format_duration",
    "format_size",
    "help_text",
    "load_file",
    "parse_duration",
    "parse_size",
    "read_switches",
    "resolve",
    "setting",
    "settings_page",
    "show_config",
]
