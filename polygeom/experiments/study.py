"""What a study is: a value that says what is measured, in which cases, and how it is told and drawn.

Its options are a frozen dataclass, and so are its cases: what is read from the command line, from ``config.json`` or
from a journal has the types of their fields. Options that several studies have, or that a case takes over, are written
once, in a dataclass that those are made from::

    class Options:          steps: int = option(100, "Steps of a fit.")
    class Config(Options):  widths: tuple[int, ...] = option((2, 4), "Widths.")
    class Fit(Options, Case):  width: int

Then ``Fit.of(config, width=4)`` is the case of one width, and an option that is added to ``Options`` is in both.

A study is one module that ends with ``STUDY = Study("its-name", …)``; `polygeom.experiments.STUDIES` finds it there.
`polygeom.experiments.running` runs it.
"""

from __future__ import annotations

import dataclasses
import importlib
import importlib.util
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

import msgspec

from polygeom._dataclass import dataclass, field
from polygeom.checks import choice
from polygeom.errors import MissingPackageError, PolygeomError
from polygeom.experiments.registry import STUDIES

if TYPE_CHECKING:
    import pandas

_NEEDED = ("torch", "sklearn", "matplotlib")

Row = dict[str, Any]
"""A row of the table, as plain data."""


@dataclass(frozen=True)
class Case:
    """An independent piece of work: base of the cases of every study, which add what they depend on, and no more.

    Attributes
    ----------
    seed, device:
        Of the repeat, and of torch; a run puts them in.
    """

    seed: int = 0
    device: str = "cpu"

    @classmethod
    def of(cls, config: Any, *without: str, **own: Any) -> Self:
        """A case `filled` from a configuration."""
        return filled(cls, config, *without, **own)


C = TypeVar("C")


def filled(kind: type[C], options: Any, *without: str, **own: Any) -> C:
    """A dataclass with some fields of its own; the others are the options of the same names.

    Parameters
    ----------
    kind, options:
        The class, and a dataclass that has options, such as a configuration for a case, or a case for settings.
    without:
        Fields that have no effect here: they keep their defaults, whatever the options are.
    own:
        Fields by name.

    Examples
    --------
    >>> @dataclass(frozen=True, kw_only=True)
    ... class Fit(Case):
    ...     width: int
    ...     steps: int = 1
    >>> filled(Fit, Fit(width=2, steps=100), width=4)
    Fit(seed=0, device='cpu', width=4, steps=100)
    """
    both = [{one.name for one in dataclasses.fields(of)} for of in (kind, options)]  # type: ignore[arg-type]
    names = (both[0] & both[1]) - {*without, *own}
    return kind(**{name: getattr(options, name) for name in names} | own)


K = TypeVar("K", bound=Case)


@dataclass(frozen=True)
class Study(Generic[C, K]):
    """A study: typed by its configuration and its cases, run by `polygeom.experiments.run`.

    Parameters
    ----------
    name:
        Its name on the command line and of its files.
    config:
        A frozen dataclass whose fields are made with `option`, each with a default and a line of help.
    case:
        What is measured at once: a frozen dataclass above `Case`.
    presets:
        Configurations by name: ``"quick"`` (half a processor minute at most), ``"published"``, here also ``"small"``.
    cases:
        The independent pieces of work of a configuration.
    measure:
        The rows of one of them. It runs in a worker process with one thread.
    plot:
        The figure, or the axes of one, for the table of all rows.
    summarise:
        A few lines of text about the table.
    repeats:
        How often a preset is repeated by default, if not once.
    any_device:
        Whether ``measure`` computes on ``case.device``; otherwise it is the CPU.
    trains:
        Whether ``measure`` hands trained networks to `polygeom.experiments.weights.keep_weights`.
    algorithm:
        A number to raise when stored rows no longer count.
    figures:
        Further functions like ``plot``, by name.
    arrays:
        Columns that tell apart the rows with an array (a list) in their column ``data``, which go to one ``.npz`` file.
    """

    name: str
    config: type[C]
    case: type[K]
    presets: Mapping[str, C]
    cases: Callable[[C], list[K]]
    measure: Callable[[K], list[Row]]
    plot: Callable[[pandas.DataFrame], Any]
    summarise: Callable[[pandas.DataFrame], str]
    repeats: Mapping[str, int] = field(default_factory=dict)
    any_device: bool = False
    trains: bool = False
    algorithm: int = 1
    figures: Mapping[str, Callable[[pandas.DataFrame], Any]] = field(default_factory=dict)
    arrays: tuple[str, ...] = ()

    @property
    def module(self) -> str:
        """Full name of the module that holds it, which workers import."""
        return self.measure.__module__

    @property
    def description(self) -> str:
        """The first line of its module's docstring."""
        return (sys.modules[self.module].__doc__ or "").partition("\n")[0]

    def configuration(self, preset: str = "quick", **changes: Any) -> C:
        """The configuration of a preset with some fields changed.

        Raises
        ------
        PolygeomError
            For a preset, a field or a value that there is not, and for a change that has no effect (`Needs`).
        """
        choice("preset", preset, self.presets, "quick")
        known = {one.name: one for one in dataclasses.fields(self.config)}  # type: ignore[arg-type]
        for name in changes:
            if name not in known:
                raise PolygeomError(f"{name} is no option of this study; it has {', '.join(known)}")
        start = self.presets[preset]
        config: C = dataclasses.replace(start, **changes)  # type: ignore[type-var]
        check(config)
        for name in changes:
            self._check_effect(start, config, known[name])
        return config

    def _check_effect(self, start: C, config: C, one: dataclasses.Field[Any]) -> None:
        before, now = getattr(start, one.name), getattr(config, one.name)
        if before == now:
            return
        for needs in one.metadata.get("needs", ()):
            if not needs.holds(config):
                raise PolygeomError(f"{one.name} has no effect here: it needs {needs}, got {needs.found(config)}")
        without = dataclasses.replace(config, **{one.name: before})  # type: ignore[type-var]
        cases = self.cases(config)
        try:
            same = cases == self.cases(without)
        except PolygeomError:  # the other options do not go without it
            same = False
        if same:
            raise PolygeomError(f"{one.name} has no effect here: the cases are the same with {now!r} and {before!r}")


@dataclass(frozen=True)
class Needs:
    """A condition under which an option has an effect: another field has, or holds an entry among, some values.

    Examples
    --------
    >>> str(Needs("models", ("mlp", "siren")))
    'models with mlp or siren'
    """

    name: str
    values: tuple[Any, ...] = ()
    pattern: str = ""
    """A regular expression that is found in an entry, in place of values."""
    words: str = ""
    """What the pattern stands for, as it is told."""

    @property
    def names(self) -> tuple[str, ...]:
        """The field that is looked at."""
        return (self.name,)

    def found(self, config: Any) -> str:
        """What the configuration has there, in words."""
        value = getattr(config, self.name)
        return f"{self.name} {', '.join(map(str, value)) if isinstance(value, tuple) else value}"

    def holds(self, config: Any) -> bool:
        """Whether the condition is met."""
        value = getattr(config, self.name)
        entries = value if isinstance(value, tuple) else (value,)
        if self.pattern:
            return any(re.search(self.pattern, str(entry)) for entry in entries)
        return any(entry in self.values for entry in entries) if self.values else any(entries)

    def __str__(self) -> str:
        return f"{self.name} with {self.words or ' or '.join(map(str, self.values)) or 'a value'}"


@dataclass(frozen=True)
class Either:
    """One of several conditions.

    Examples
    --------
    >>> str(Either(Needs("hamming"), Needs("confusion")))
    'hamming with a value, or confusion with a value'
    """

    conditions: tuple[Needs, ...]

    def __init__(self, *conditions: Needs) -> None:
        object.__setattr__(self, "conditions", conditions)

    @property
    def names(self) -> tuple[str, ...]:
        """The fields that are looked at."""
        return tuple(one.name for one in self.conditions)

    def found(self, config: Any) -> str:
        """What the configuration has there, in words."""
        return " and ".join(one.found(config) for one in self.conditions)

    def holds(self, config: Any) -> bool:
        """Whether one of them is met."""
        return any(one.holds(config) for one in self.conditions)

    def __str__(self) -> str:
        return ", or ".join(map(str, self.conditions))


_OWN = " Or your own: package.module:factory, a network text."


def option(
    default: Any,
    help: str,  # noqa: A002 - click's own word
    *,
    choices: Sequence[Any] | None = None,
    needs: Needs | Either | Sequence[Needs | Either] = (),
    own: bool = False,
) -> Any:
    """A field of a configuration.

    Parameters
    ----------
    default, help:
        Its value, and one line of help.
    choices:
        The values it may take (each entry, for a tuple).
    needs:
        When it has an effect, all conditions together; changing it elsewhere is an error.
    own:
        Whether networks of the user's own are allowed beside the choices; see `polygeom.experiments.own`.

    Examples
    --------
    >>> @dataclasses.dataclass(frozen=True)
    ... class Config:
    ...     width: int = option(16, "Hidden width.")
    >>> Config().width
    16
    """
    conditions = (needs,) if isinstance(needs, Needs | Either) else tuple(needs)
    metadata = {"help": help + _OWN if own else help, "choices": choices, "needs": conditions, "own": own}
    return dataclasses.field(default=default, metadata=metadata)


def like(group: type, name: str, default: Any, **changes: Any) -> Any:
    """The option ``name`` of a group of options, with another default, and perhaps other ``choices`` or ``needs``.

    Examples
    --------
    >>> @dataclasses.dataclass(frozen=True)
    ... class Options:
    ...     steps: int = option(100, "Steps.")
    >>> @dataclasses.dataclass(frozen=True)
    ... class Config(Options):
    ...     steps: int = like(Options, "steps", 400)
    >>> Config().steps
    400
    """
    (found,) = (one for one in dataclasses.fields(group) if one.name == name)
    metadata = {**found.metadata, **changes}
    if metadata["own"] and "help" not in changes:  # it was told there
        metadata["help"] = metadata["help"].removesuffix(_OWN)
    return option(default, **metadata)


FILES = Needs("dataset", ("mnist", "cifar10"))
"""For options of images that are read from files."""
SGD = Needs("optimiser", ("sgd",))


NO_DATA = Needs("data", pattern="^None$", words="no data of your own")
"""For options that data of the user's own replaces."""


def check(config: Any) -> None:
    """Compare the fields of a configuration with the choices they have."""
    from polygeom.experiments.own import is_own

    for one in dataclasses.fields(config):
        choices, value = one.metadata.get("choices"), getattr(config, one.name)
        for entry in value if isinstance(value, tuple) else (value,):
            if choices is not None and entry not in choices and not (one.metadata["own"] and is_own(str(entry))):
                raise PolygeomError(
                    f"{one.name} must be one of {', '.join(map(str, choices))}, got {entry!r}; write {choices[0]}"
                )


def load(name: str) -> Study[Any, Any]:
    """The study called ``name``: one of `polygeom.experiments.STUDIES`, or ``STUDY`` in any module by its full name.

    Raises
    ------
    PolygeomError
        When there is no such study, or an extra that it needs is not installed.
    """
    if name not in STUDIES and "." not in name:
        raise PolygeomError(
            f"study must be one of {', '.join(STUDIES)}, or the full name of a module with a STUDY; got {name!r}; "
            "write polygeom study --list"
        )
    if any(importlib.util.find_spec(module) is None for module in _NEEDED):
        raise MissingPackageError("a study", *_NEEDED)
    try:
        module = importlib.import_module(STUDIES.get(name, name))
    except ModuleNotFoundError as error:
        if error.name is None or not name.startswith(error.name):
            raise
        raise PolygeomError(f"study: there is no module {name!r}; write the full name of one with a STUDY") from None
    study = getattr(module, "STUDY", None)
    if not isinstance(study, Study):
        raise PolygeomError(f"study: the module {name!r} has no STUDY; end it with STUDY = Study(…)")
    return study


def plain(value: Any) -> Any:
    """A configuration or a case as JSON has it: dicts, lists, texts and numbers; ``msgspec.convert`` takes it back.

    Examples
    --------
    >>> plain(Case(seed=3))
    {'seed': 3, 'device': 'cpu'}
    """
    return msgspec.json.decode(msgspec.json.encode(value))


def mean_and_deviation(table: pandas.DataFrame, by: Sequence[str], values: Sequence[str]) -> pandas.DataFrame:
    """Mean, standard deviation and number of repeats of some columns for each combination of others.

    Returns
    -------
    A frame with the columns ``by``, then ``NAME_mean`` and ``NAME_std`` for each of ``values``, then ``repeats``. The
    deviation divides by ``n - 1``; it is missing for a single repeat. Groups are in the order in which they first come.

    Examples
    --------
    >>> import pandas
    >>> table = pandas.DataFrame({"model": ["a", "b", "a"], "seed": [0, 0, 1], "error": [1.0, 5.0, 3.0]})
    >>> mean_and_deviation(table, ["model"], ["error"])["error_mean"].tolist()
    [2.0, 5.0]
    """
    groups = table.groupby(list(by), sort=False, dropna=False)
    frame = groups[list(values)].agg(["mean", "std"])
    frame.columns = [f"{name}_{what}" for name in values for what in ("mean", "std")]
    frame["repeats"] = groups.size()
    return frame.reset_index()
