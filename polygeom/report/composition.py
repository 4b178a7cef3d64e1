"""The portrait of a network: its size with proof, its equations, and what training makes of it, on one page."""

from __future__ import annotations

import time
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

from polygeom import checks
from polygeom._dataclass import dataclass
from polygeom._version import __version__
from polygeom.dimensions import dimension
from polygeom.errors import BudgetError, MissingPackageError, PolygeomError
from polygeom.network import Network
from polygeom.network.builder import as_network
from polygeom.report.algebra import (
    dimension_section,
    equations_section,
    explanation_section,
    identifiability_section,
    network_section,
    words,
)
from polygeom.report.generalisation import generalisation_section
from polygeom.report.page import UNFINISHED, Section
from polygeom.supervision.alarm import last_resort

MOST_TRAINED = 400
"""Networks with more weights are not trained for a portrait."""


@dataclass(frozen=True)
class Portrait:
    """A page about one network.

    Attributes
    ----------
    network:
        Canonical text.
    sections:
        In the order of the page; see `polygeom.report.page`.
    seed:
        Of all random choices.
    elapsed:
        Seconds of wall time.
    """

    network: str
    sections: tuple[Section, ...]
    seed: int
    elapsed: float

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        sections = [section.as_dict() for section in self.sections]
        return {"network": self.network, "sections": sections, "seed": self.seed, "version": __version__}

    def to_text(self) -> str:
        """The page for a terminal."""
        from polygeom.report.terminal import text_page

        return text_page(self.network, self._subtitle, self.sections, self._footer)

    def to_html(self) -> str:
        """The page as one HTML file without references to anything outside; needs matplotlib."""
        from polygeom.report.html import html_page

        return html_page(self.network, self._subtitle, self.sections, self._footer)

    @property
    def _subtitle(self) -> str:
        return words(as_network(self.network)).subtitle

    @property
    def _footer(self) -> str:
        return f"polygeom {__version__}, seed {self.seed}, {self.elapsed:.0f} s. Dimensions are affine."


def portrait(network: Network | str, *, training: bool | None = None, timeout: float = 40.0, rng: int = 0) -> Portrait:
    """Everything polygeom can say quickly about one network.

    Parameters
    ----------
    network:
        A `Network` or its text.
    training:
        Whether to train it; None: if torch is installed and the network has inputs and at most `MOST_TRAINED` weights.
    timeout:
        Seconds for the page; what is not finished then is left out and named. In the main thread an alarm sees to it
        that the page is there at most two seconds later.
    rng:
        Seed.

    Raises
    ------
    FormatError
        If the text is not a network.
    PolygeomError
        If training is asked for without torch, or ``timeout`` is not positive.

    Examples
    --------
    >>> page = portrait("[3,2,1] r=2", training=False)
    >>> [section.title for section in page.sections][1:4]
    ['How big is it?', 'Why this size?', 'Does the function determine the weights?']
    """
    from polygeom.report.surprises import surprises_section  # which is a program as well, so that it loads late

    start = time.monotonic()
    network = as_network(network)
    timeout = checks.seconds(timeout)
    installed = find_spec("torch") is not None
    if training and not network.degree:  # a map of weights alone
        raise PolygeomError(f"training: {network.text} is a map without inputs, which nothing can be fitted to")
    if training and not installed:
        raise MissingPackageError("training (unless training=False)", "torch")
    deadline = start + timeout
    with last_resort(timeout):
        result = dimension(network, rng=rng)

    def by(share: float) -> float:
        """When so much of the time that is left will be over."""
        now = time.monotonic()
        return now + share * (deadline - now)

    parts: dict[str, Callable[[], Section | None]] = {
        "The network": lambda: network_section(network),
        "How big is it?": lambda: dimension_section(network, result),
        "Why this size?": lambda: explanation_section(result),
        "Does the function determine the weights?": lambda: identifiability_section(network),
        "Which equations?": lambda: equations_section(network, result, min(timeout / 4, deadline - time.monotonic())),
    }
    small = network.degree > 0 and network.parameter_count <= MOST_TRAINED
    trained = training or (training is None and installed and small)
    if trained:
        from polygeom.report import experiments

        parts |= {
            "What can move? The tangent kernel": lambda: experiments.kernel_section(network, result, rng),
            "How many samples can it fit?": lambda: experiments.interpolation_section(network, result, rng, by(0.4)),
            "When does it find the truth?": lambda: experiments.recovery_section(network, result, rng, by(0.6)),
        }
    late = deadline if trained else None
    parts["How fast does it generalise?"] = lambda: generalisation_section(network, result, rng, late)
    parts["Surprises"] = lambda: surprises_section(network)
    sections = [within(deadline, title, part) for title, part in parts.items()]
    return Portrait(network.text, tuple(section for section in sections if section), rng, time.monotonic() - start)


def within(deadline: float, title: str, part: Callable[[], Section | None]) -> Section | None:
    """A section of the page, or that there was no time for it; the alarm ends what looks at no clock."""
    left = deadline - time.monotonic()
    if left > 0:
        try:
            with last_resort(left):
                return part()
        except BudgetError:
            if time.monotonic() < deadline:
                raise
    return Section(title, UNFINISHED)
