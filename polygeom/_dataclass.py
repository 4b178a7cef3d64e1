"""Frozen dataclasses that load quickly.

`dataclasses.dataclass` compiles six methods for a frozen class, one after the other, half a millisecond a class before
Python 3.13: a tenth of a small command. Here the constructor alone is compiled; comparing, hashing and printing are
functions that all classes share, with the same results. Everything else is left to the standard library.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field
from operator import attrgetter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass
else:
    import dataclasses
    from reprlib import recursive_repr

    def dataclass(
        cls: type | None = None, /, *, frozen: bool = False, eq: bool = True, slots: bool = False, kw_only: bool = False
    ) -> Any:
        """As `dataclasses.dataclass`, of which it takes what polygeom uses.

        Examples
        --------
        >>> @dataclass(frozen=True)
        ... class Point:
        ...     x: int
        ...     y: int = 0
        >>> Point(2), Point(2) == Point(2, 0), len({Point(2), Point(2, 0)})
        (Point(x=2, y=0), True, 1)
        """
        if cls is None:
            return lambda given: dataclass(given, frozen=frozen, eq=eq, slots=slots, kw_only=kw_only)
        if not frozen:
            return dataclasses.dataclass(eq=eq, slots=slots, kw_only=kw_only)(cls)
        own = set(cls.__dict__)
        before = any(_is_frozen(base) for base in cls.__mro__[1:])  # mixing kinds is refused by the library
        options = {"init": False, "repr": False, "eq": False, "frozen": before, "slots": slots, "kw_only": kw_only}
        cls = dataclasses.dataclass(**options)(cls)
        fields = dataclasses.fields(cls)
        shared = {
            "__init__": _constructor(cls, fields),
            "__repr__": _repr,
            **_refusals(cls, {one.name for one in fields}),
        }
        if eq:
            names = [one.name for one in fields if one.compare]
            hashed = [one.name for one in fields if (one.compare if one.hash is None else one.hash)]
            shared |= {"__eq__": _equality(names), "__hash__": _hash(hashed)}
        if slots:
            shared |= {"__getstate__": _state, "__setstate__": _restore}
        for name, function in shared.items():
            if name not in own or (name == "__hash__" and cls.__dict__[name] is None):
                setattr(cls, name, function)
        told = cls.__dataclass_params__
        told.init, told.repr, told.eq, told.frozen = True, True, eq, True
        return cls

    def _is_frozen(base: type) -> bool:
        told = base.__dict__.get("__dataclass_params__")
        return told is not None and told.frozen

    def _constructor(cls: type, fields: tuple[dataclasses.Field, ...]) -> Callable[..., None]:
        """``__init__`` with the parameters that the fields make, compiled from its text."""
        given: dict[str, Any] = {"_set": object.__setattr__, "_LEFT_OUT": _LEFT_OUT}
        parameters: dict[bool, list[str]] = {False: [], True: []}
        lines = []
        for one in fields:
            name, value = one.name, one.name
            if one.default_factory is not dataclasses.MISSING:
                given[f"_make_{name}"] = one.default_factory
                value = f"_make_{name}()"
                value = f"{value} if {name} is _LEFT_OUT else {name}" if one.init else value
            if one.init:
                default = ""
                if one.default is not dataclasses.MISSING:
                    given[f"_default_{name}"], default = one.default, f"=_default_{name}"
                elif one.default_factory is not dataclasses.MISSING:
                    default = "=_LEFT_OUT"
                elif not one.kw_only and any("=" in one for one in parameters[False]):
                    raise TypeError(f"non-default argument {name!r} follows default argument")
                parameters[one.kw_only].append(name + default)
            if one.init or one.default_factory is not dataclasses.MISSING:
                lines.append(f"_set(self, {name!r}, {value})")
        if hasattr(cls, "__post_init__"):
            lines.append("self.__post_init__()")
        signature = ", ".join(["self", *parameters[False], *(["*", *parameters[True]] if parameters[True] else ())])
        text = f"def __init__({signature}):\n " + "\n ".join(lines or ["pass"])
        exec(text, given)
        init: Callable[..., None] = given["__init__"]
        init.__annotations__ = {one.name: one.type for one in fields if one.init} | {"return": None}
        init.__module__, init.__qualname__ = cls.__module__, f"{cls.__qualname__}.__init__"
        return init

    class _LeftOut:
        def __repr__(self) -> str:
            return "<factory>"

    _LEFT_OUT = _LeftOut()

    def _values(names: list[str]) -> Callable[[Any], tuple[Any, ...]]:
        if len(names) > 1:
            return attrgetter(*names)
        return lambda one: tuple(getattr(one, name) for name in names)

    def _equality(names: list[str]) -> Callable[[Any, object], bool]:
        values = _values(names)

        def __eq__(self: Any, other: object) -> bool:
            return values(self) == values(other) if other.__class__ is self.__class__ else NotImplemented

        return __eq__

    def _hash(names: list[str]) -> Callable[[Any], int]:
        values = _values(names)

        def __hash__(self: Any) -> int:
            return hash(values(self))

        return __hash__

    @recursive_repr()
    def _repr(self: Any) -> str:
        told = ", ".join(f"{one.name}={getattr(self, one.name)!r}" for one in dataclasses.fields(self) if one.repr)
        return f"{self.__class__.__qualname__}({told})"

    def _refusals(cls: type, names: set[str]) -> dict[str, Callable[..., None]]:
        """Fields cannot be changed; a class derived without the decorator may have further attributes."""

        def __setattr__(self: Any, name: str, value: object) -> None:
            if type(self) is cls or name in names:
                raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")
            super(cls, self).__setattr__(name, value)

        def __delattr__(self: Any, name: str) -> None:
            if type(self) is cls or name in names:
                raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")
            super(cls, self).__delattr__(name)

        return {"__setattr__": __setattr__, "__delattr__": __delattr__}

    def _state(self: Any) -> list[Any]:
        return [getattr(self, one.name) for one in dataclasses.fields(self)]

    def _restore(self: Any, state: list[Any]) -> None:
        for one, value in zip(dataclasses.fields(self), state, strict=True):
            object.__setattr__(self, one.name, value)


__all__ = ["dataclass", "field"]
