"""Frozen dataclasses with shared methods behave as those of the standard library."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle

import pytest

from polygeom._dataclass import dataclass


def classes(make):
    """The same classes, made by a decorator."""

    @make(frozen=True)
    class Plain:
        """Defaults and a factory."""

        a: int
        b: tuple = (1, 2)
        c: list = dataclasses.field(default_factory=list, compare=False)

    @make(frozen=True)
    class One:
        """One field, which need not compare to a bool."""

        a: object

    @make(frozen=True)
    class Empty:
        """No fields."""

    @make(frozen=True, slots=True)
    class Slots:
        """Without a dictionary."""

        a: int
        b: float = dataclasses.field(default=1.5, repr=False)

    @make(frozen=True, eq=False)
    class Same:
        """Equal only to itself."""

        a: int

    @make(frozen=True, kw_only=True)
    class Named:
        """Names are needed."""

        a: int = 3
        b: str

    @make(frozen=True)
    class Derived(Plain):
        """Fields of the base come first."""

        d: int = 4

        def __post_init__(self) -> None:
            object.__setattr__(self, "b", tuple(self.b))

    @make(frozen=True)
    class Own:
        """With a constructor, a text and a hash of its own, and a field that is computed."""

        a: int
        b: int = dataclasses.field(init=False, default=7)

        def __repr__(self) -> str:
            return f"own {self.a}"

        def __hash__(self) -> int:
            return 5

    return {one.__name__: one for one in (Plain, One, Empty, Slots, Same, Named, Derived, Own)}


FAST, STANDARD = classes(dataclass), classes(dataclasses.dataclass)
CALLS = [
    ("Plain", (1,), {}), ("Plain", (1, (3,)), {}), ("Plain", (), {}), ("Plain", (1, 2, [3], 4), {}),
    ("Plain", (1,), {"c": [1]}), ("One", ([float("nan")],), {}), ("Empty", (), {}), ("Empty", (1,), {}),
    ("Slots", (1,), {}), ("Slots", (1,), {"b": 2.0}),
    ("Same", (1,), {}), ("Named", (), {"b": "x"}), ("Named", (1,), {"b": "x"}), ("Named", (), {}),
    ("Derived", (1, [2, 3]), {"d": 5}), ("Own", (1,), {}), ("Own", (1,), {"b": 2}),
]  # fmt: skip


def made(cls, given, named):
    try:
        return cls(*given, **named)
    except TypeError as error:
        return str(error).partition("__init__")[2]


@pytest.mark.parametrize("number", range(len(CALLS)))
def test_calls_give_the_same_values_or_the_same_refusal(number: int) -> None:
    name, given, named = CALLS[number]
    fast, standard = (made(kind[name], given, named) for kind in (FAST, STANDARD))
    if isinstance(standard, str):
        assert fast == standard
        return
    fields = [field.name for field in dataclasses.fields(standard)]
    assert [field.name for field in dataclasses.fields(fast)] == fields
    assert [getattr(fast, field) for field in fields] == [getattr(standard, field) for field in fields]
    assert repr(fast) == repr(standard)
    other_fast, other = (made(kind[name], given, named) for kind in (FAST, STANDARD))
    assert (fast == other_fast) == (standard == other)
    assert fast != standard


@pytest.mark.parametrize("name", FAST)
def test_signature_and_arguments_of_patterns_are_the_same(name: str) -> None:
    fast, standard = FAST[name], STANDARD[name]
    assert str(inspect.signature(fast)) == str(inspect.signature(standard))
    assert fast.__match_args__ == standard.__match_args__
    assert hasattr(fast, "__dict__") == hasattr(standard, "__dict__")
    for told in ("init", "repr", "eq", "frozen"):
        assert getattr(fast.__dataclass_params__, told) == getattr(standard.__dataclass_params__, told), told


def test_equal_values_have_equal_hashes_and_others_differ() -> None:
    one, other = FAST["Plain"](1, (2,)), FAST["Plain"](1, (2,), [9])
    assert one == other
    assert hash(one) == hash(other)
    assert one != FAST["Plain"](1, (3,))
    assert one != FAST["Derived"](1, (2,))
    assert hash(FAST["Own"](1)) == 5
    same = FAST["Same"](1)
    assert same == same
    assert same != FAST["Same"](1)
    nan = float("nan")
    assert FAST["One"](nan) == FAST["One"](nan)  # as in a tuple, what is identical is equal
    with pytest.raises(TypeError, match="unhashable"):
        hash(FAST["One"]([]))


@pytest.mark.parametrize("name", ["Plain", "Slots"])
def test_frozen_values_can_be_copied_and_replaced_but_not_changed(name: str) -> None:
    value = FAST[name](1)
    for copied in (copy.copy(value), copy.deepcopy(value), dataclasses.replace(value, a=1)):
        assert copied == value
    assert dataclasses.replace(value, a=2).a == 2
    assert dataclasses.asdict(value)["a"] == 1
    with pytest.raises(dataclasses.FrozenInstanceError, match="'a'"):
        value.a = 3
    with pytest.raises(dataclasses.FrozenInstanceError, match="'a'"):
        del value.a
    assert value.a == 1


def test_a_class_derived_without_the_decorator_has_attributes_of_its_own() -> None:
    for kind in (FAST, STANDARD):

        class Loose(kind["Plain"]):
            pass

        one = Loose(1)
        one.more = 2
        assert one.more == 2
        del one.more
        with pytest.raises(dataclasses.FrozenInstanceError, match="'a'"):
            one.a = 3
        with pytest.raises(dataclasses.FrozenInstanceError, match="'a'"):
            del one.a


@dataclass(frozen=True, slots=True)
class Kept:
    """At the top of a module, so that it can be pickled."""

    a: int
    b: str = "x"


def test_values_with_slots_survive_pickling() -> None:
    assert pickle.loads(pickle.dumps(Kept(1, "y"))) == Kept(1, "y")


def test_a_class_may_be_derived_by_the_standard_library_and_from_it() -> None:
    @dataclasses.dataclass(frozen=True)
    class Below(FAST["Plain"]):
        d: int = 1

    @dataclass(frozen=True)
    class Above(STANDARD["Plain"]):
        d: int = 1

    assert repr(Below(1)) == repr(Above(1)).replace("Above", "Below")
    assert Below(1) == Below(1)
    assert Above(1) == Above(1)
    with pytest.raises(TypeError, match="frozen"):

        @dataclass
        class Loose(FAST["Plain"]):
            d: int = 1


def test_a_default_before_a_field_without_one_is_refused() -> None:
    with pytest.raises(TypeError, match="'b'"):

        @dataclass(frozen=True)
        class Wrong:
            a: int = 1
            b: int
