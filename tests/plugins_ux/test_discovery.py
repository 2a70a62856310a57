"""What is found, and from where."""

from __future__ import annotations

import shutil
import sys

import pytest
from plugins_ux.sites import SOUND

from sethpusher_core.plugins.discovery import find_candidates
from sethpusher_core.plugins.records import Status

CLASS = """
from sethpusher_core.hookspecs import hookimpl

class Watcher:
    @hookimpl
    def subscribed(self, channel):
        pass

    class Inner:
        @hookimpl
        def connected(self, connection):
            pass
"""


def test_a_module(site):
    site.add()
    site.start()
    record = site.record()
    assert (record.name, record.distribution, record.version) == ("one", "sethpusher-one", "1.2")
    assert record.status is Status.ACTIVE
    assert record.hooks == ("subscribed",)
    assert record.order == 1
    assert record.path == str(site.root / "one_plugin.py")
    assert (record.error, record.remedy) == (None, None)
    assert site.registry.get("one").plugin is sys.modules["one_plugin"]


@pytest.mark.parametrize(("value", "hooks"), [("Watcher", ("subscribed",)), ("Watcher.Inner", ("connected",))])
def test_a_class_is_instantiated_once(site, value, hooks):
    site.add(points=f"one = one_plugin:{value}", one_plugin=CLASS)
    site.start()
    assert type(site.registry.get("one").plugin).__qualname__ == value
    assert site.record().hooks == hooks


def test_a_module_is_imported_once(site):
    site.add(one_plugin=f"import one_count\none_count.imports += 1\n{SOUND}", one_count="imports = 0")
    site.start()
    assert sys.modules["one_count"].imports == 1


def test_several_in_one_distribution_are_sorted(site):
    site.add(points="two-b = two_b\nTwo_A = two_a", two_a=SOUND, two_b=SOUND)
    loader = site.start()
    assert [record.name for record in loader.records] == ["two_a", "two_b", "memory"]


def test_only_the_entry_points_module_is_imported(site):
    site.add(
        one_plugin=SOUND, points="one = pack.entry", **{"pack.__init__": "", "pack.entry": SOUND, "pack.driver": ""}
    )
    site.start()
    assert "pack.entry" in sys.modules
    assert "pack.driver" not in sys.modules


def test_other_groups_and_other_distributions_are_left_alone(site):
    site.add(points="one = one_plugin\n[console_scripts]\ntool = one_plugin:main")
    site.add("other", points="", x="")
    (site.root / "other-1.2.dist-info" / "entry_points.txt").write_text("[pytest11]\nx = y\n")
    site.add("damaged-other", points="", y="")
    (site.root / "damaged_other-1.2.dist-info" / "entry_points.txt").write_text("no equals sign")
    assert [candidate.name for candidate in find_candidates([str(site.root)])] == ["one"]


def test_of_two_versions_the_first_on_the_path_counts(site, tmp_path):
    other = tmp_path / "other"
    site.add()
    site.add(version="0.9", root=other)
    both = [str(site.root), str(other)]
    assert [candidate.version for candidate in find_candidates(both)] == ["1.2"]
    assert [candidate.version for candidate in find_candidates(both[::-1])] == ["0.9"]


def test_a_plugin_that_the_first_version_no_longer_has_is_not_found(site, tmp_path):
    other = tmp_path / "other"
    site.add(points="one = one_plugin")
    site.add(version="0.9", points="gone = gone_plugin", root=other)
    assert [candidate.name for candidate in find_candidates([str(site.root), str(other)])] == ["one"]


def test_without_metadata(site):
    """What an interrupted uninstall leaves behind."""
    site.add()
    (site.root / "sethpusher_one-1.2.dist-info" / "METADATA").unlink()
    site.add("sethpusher-two", points="two = two_plugin")
    site.start()
    assert site.record("two").status is Status.ACTIVE
    record = site.record("unknown")
    assert record.status is Status.BROKEN
    assert record.error == "its metadata cannot be read"
    assert record.path == str(site.root)


def test_unreadable_entry_points(site):
    site.add()
    (site.root / "sethpusher_one-1.2.dist-info" / "entry_points.txt").write_text("[sethpusher]\none one_plugin\n")
    site.add("sethpusher-two", points="two = two_plugin")
    site.start()
    assert site.record("two").status is Status.ACTIVE
    record = site.record("sethpusher_one")
    assert record.status is Status.BROKEN
    assert record.error.startswith("its metadata cannot be read: ")
    assert "pip install --force-reinstall sethpusher-one" in record.remedy


def test_a_folder_with_another_name_than_its_metadata(site):
    site.add()
    shutil.move(site.root / "sethpusher_one-1.2.dist-info", site.root / "renamed-1.2.dist-info")
    site.start()
    assert site.record().status is Status.ACTIVE


def test_nothing_installed(site):
    loader = site.start()
    assert [record.name for record in loader.records] == ["memory"]
    assert loader.warnings() == loader.broken_auth == loader.idle_auth == ()


def test_sys_path_is_the_default(site):
    site.add()
    assert "one" in [candidate.name for candidate in find_candidates()]


def test_the_standard_library_will_do(site, monkeypatch):
    """importlib-metadata is a dependency of ours; a zip application may lack it."""
    monkeypatch.setitem(sys.modules, "importlib_metadata", None)
    site.add()
    site.start()
    assert site.record().status is Status.ACTIVE
