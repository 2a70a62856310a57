from __future__ import annotations

from collections.abc import Mapping
from dataclasses import FrozenInstanceError, dataclass
from typing import TYPE_CHECKING, Any, Literal

import pytest

from sethpusher_core.errors import SettingsError
from sethpusher_core.settings import Component, Duration, NoSettings, Secret, Size, setting

if TYPE_CHECKING:
    from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Plain:
    wait: Duration = setting("10m")
    maybe: Duration | None = setting("500ms")
    size: Size = setting("64KiB", maximum="1MiB")
    word: str = setting("5s")
    token: Secret = setting("dev", help="a default that is no secret")
    headers: Mapping[str, str] = setting({"a": "b"})
    bare: float = 1.5
    none: int | None = None


def test_an_instance_made_by_hand_holds_what_the_texts_mean() -> None:
    made = Plain()
    assert (made.wait, made.maybe, made.size, made.word) == (600.0, 0.5, 65536, "5s")
    assert made.token == Secret("dev")
    assert made.headers == {"a": "b"}
    with pytest.raises(FrozenInstanceError):
        made.wait = 1.0  # type: ignore[misc]
    with pytest.raises(TypeError):
        made.headers["a"] = "c"  # type: ignore[index]


def test_annotations_that_are_no_text_serve_as_well() -> None:
    made: Any = dataclass(frozen=True, slots=True)(
        type("Live", (), {"__annotations__": {"wait": Duration}, "wait": setting("2m"), "__module__": __name__})
    )
    assert made().wait == 120.0


def test_a_component_reads_its_keys() -> None:
    keys = {key.name: key for key in Component("plain", Plain).keys}
    assert keys["size"].maximum == 1 << 20
    assert keys["token"].kind.secret
    assert not keys["headers"].in_variable
    assert not keys["token"].in_flag
    assert not any(key.required for key in keys.values())


def declare(name: str, annotation: object, *default: Any) -> type:
    body: dict[str, Any] = {"__annotations__": {name: annotation}, "__module__": __name__, "__doc__": "x"}
    if default:
        body[name] = default[0]
    return dataclass(frozen=True, slots=True)(type("Broken", (), body))


@pytest.mark.parametrize(
    ("name", "annotation", "default", "why"),
    [
        ("x", "complex", (), "is not a type of settings"),
        ("x", list[str], (), "is not a type of settings"),
        ("x", int | str, (), "is not a type of settings"),
        ("x", tuple[int, int], (), "is not a type of settings"),
        ("x", Mapping[int, str], (), "is not a type of settings"),
        ("x", Literal["a", True], (), "is not a type of settings"),
        ("x", int, (setting("many"),), "its default 'many' is not a whole number"),
        ("x", Duration, (setting("5 parsecs"),), "its default '5 parsecs' is not a duration"),
        ("x", Duration, ("5s",), "its default '5s' is not a duration"),
        ("x", Duration, (setting(-1.0),), "its default -1.0 is not a duration"),
        ("x", bool, (1,), "its default 1 is not true or false"),
        ("x", Literal["a", "b"], ("c",), "its default 'c' is not one of a, b"),
        ("x", int, (setting(5, maximum=3),), "5 is more than 3"),
        ("x", str, (setting("a", minimum=3),), "minimum and maximum are for numbers"),
        ("x", Duration, (setting("5s", minimum="low"),), "x: 'low' is not a duration"),
        ("x", int, (setting(required=True, chosen_default="y"),), "'y' is not a whole number"),
        ("a__b", int, (1,), "single underscores"),
        ("Port", int, (1,), "lower case"),
    ],
)
def test_a_wrong_declaration_is_refused_by_owner_and_key(
    name: str, annotation: object, default: tuple[object, ...], why: str
) -> None:
    with pytest.raises(SettingsError) as refused:
        Component("p", declare(name, annotation, *default), owner="sethpusher-p 3")
    assert str(refused.value).startswith(f"sethpusher-p 3 declares its settings wrongly: {name}: ")
    assert why in str(refused.value)


def test_an_annotation_that_does_not_exist_at_run_time_is_refused() -> None:
    @dataclass(frozen=True, slots=True)
    class Hidden:
        x: Decimal

    with pytest.raises(SettingsError, match=r"Hidden: name 'Decimal' is not defined; annotations .* at run time"):
        Component("p", Hidden)


def test_only_frozen_dataclasses_declare_settings() -> None:
    @dataclass
    class Soft:
        x: int = 1

    for declaration in (Soft, int):
        with pytest.raises(SettingsError, match=r"must be a dataclass\(frozen=True\)"):
            Component("p", declaration)


def test_contradictions_are_refused_where_they_are_written() -> None:
    with pytest.raises(TypeError, match="no default"):
        setting(1, required=True)
    with pytest.raises(TypeError, match="required=True"):
        setting("a", chosen_default="b")


@pytest.mark.parametrize("name", ["Redis", "a__b", "_a", "a_", "1a", "a.b", "a b"])
def test_names_that_would_blur_are_refused(name: str) -> None:
    with pytest.raises(SettingsError, match="is no name for settings"):
        Component(name, NoSettings, owner="somebody")


def test_the_core_cannot_take_the_table_of_the_plugins() -> None:
    with pytest.raises(SettingsError, match="cannot be plugins"):
        Component("", declare("plugins", int, 1))
