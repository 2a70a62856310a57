"""The plugin holds what the compliance kit asks of plugins."""

from __future__ import annotations

import pytest

from sethpusher_core.testing import PluginCompliance


class TestPlugin(PluginCompliance):
    @pytest.fixture
    def plugin_name(self) -> str:
        return "metrics"
