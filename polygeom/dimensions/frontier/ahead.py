"""Ranks of a frontier search by other processes, while the search goes on as if they were the ambient dimension."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future
from typing import Any

from polygeom.dimensions.frontier import decision
from polygeom.dimensions.frontier.cover import Point
from polygeom.dimensions.frontier.decision import Decider
from polygeom.sweeps.crew import Crew
from polygeom.sweeps.task import Task

TARGET = "polygeom.dimensions.frontier.decision:run"
TOGETHER = 16
"""Architectures of one task: so many that handing them over costs little, so few that none waits long."""
WINDOW = 4
"""Tasks handed out for each worker."""


class RanksAhead:
    """Asks a crew for ranks, and says in the order of asking whether they were what was assumed.

    After one that was not, few are asked ahead until some have been right again: where bounds are weak, going back
    would otherwise cost more than the workers save.

    Parameters
    ----------
    crew:
        Who computes.
    decider:
        The question, and who computes what the crew could not.
    """

    def __init__(self, crew: Crew, decider: Decider) -> None:
        self._crew, self._decider = crew, decider
        self._most = self._room = WINDOW * TOGETHER * crew.capacity
        self._pending: deque[tuple[int, Point]] = deque()
        """The points whose ranks are not known yet with their places in the search, in its order."""
        self._batch: list[Point] = []
        self._asked: dict[Point, tuple[Future[dict[str, Any]], int] | None] = {}

    def ask(self, point: Point, place: int) -> None:
        """Have the rank of a point computed, which the search has at ``place``."""
        self._pending.append((place, point))
        if point not in self._asked:  # else it was asked before the search went back
            self._asked[point] = None
            self._batch.append(point)
        if len(self._batch) >= TOGETHER:
            self._hand_over()

    def first_missed(self, *, wait_for_all: bool) -> int | None:
        """The place of the first point that does not fill, as far as that is known; nothing is pending then."""
        while self._pending:
            place, point = self._pending[0]
            full = wait_for_all or len(self._pending) >= self._room
            if full:
                self._hand_over()
            asked = self._asked[point]
            if asked is None or not (full or asked[0].done()):
                return None
            fills = self._answer(point, *asked)
            self._pending.popleft()
            del self._asked[point]
            if not fills:
                self._room = 1
                self._pending.clear()
                return place
            self._room = min(self._most, 2 * self._room)
        return None

    def sure(self, length: int) -> int:
        """How many of the first ``length`` places rest on no rank that is unknown."""
        return self._pending[0][0] if self._pending else length

    def unknown(self) -> list[Point]:
        """The points whose ranks are not known."""
        return [point for _, point in self._pending]

    def _answer(self, point: Point, future: Future[dict[str, Any]], number: int) -> bool:
        outcome = future.result()
        if outcome["status"] == "ok":
            return bool(outcome["result"]["fills"][number])
        return self._decider.fills(point)

    def _hand_over(self) -> None:
        if not self._batch:
            return
        argument = {
            "inputs": self._decider.inputs,
            "outputs": self._decider.outputs,
            "degrees": list(self._decider.degrees),
            "options": self._decider.options,
            "points": [list(point) for point in self._batch],
        }
        future = self._crew.submit(Task(TARGET, argument, self._decider.options.get("rng", 0), decision.ALGORITHM))
        self._asked.update({point: (future, number) for number, point in enumerate(self._batch)})
        self._batch = []
