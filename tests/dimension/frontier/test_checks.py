"""The steps of the check of a frontier, one by one."""

from __future__ import annotations

import copy
import itertools
import json
from typing import Any

import numpy as np
import pytest

from polygeom.dimensions.bounds.search import upper_bound
from polygeom.dimensions.frontier.search import frontier
from polygeom.dimensions.proofs import frontier_check
from polygeom.dimensions.proofs.decoding import decode
from polygeom.dimensions.proofs.frontier_check import FrontierCertificate, Point, _Claims, find_gap, verify_frontier
from polygeom.dimensions.proofs.limits import Budget
from polygeom.dimensions.proofs.programs import read
from polygeom.errors import BudgetError, CertificateError

Data = dict[str, Any]


@pytest.fixture(scope="module")
def honest() -> Data:
    data: Data = json.loads(json.dumps(frontier(2, 1, 2, 4).certificate()))
    return data


def claims(data: Data) -> _Claims:
    return _Claims(decode(data, FrontierCertificate), Budget())


def test_a_box_is_excluded_by_its_own_bound_alone(honest: Data) -> None:
    """Not by that of a smaller or another architecture, nor by one that reaches the ambient dimension."""
    one = claims(honest)
    tried = 0
    for i, box in enumerate(honest["excluded"]):
        assert one.excludes(i)
        widths, degrees = tuple(box["bound"]["widths"]), tuple(box["bound"]["degrees"])
        for k, step in itertools.product(range(len(widths)), (-1, 1)):
            if widths[k] + step > 0:
                other = (*widths[:k], widths[k] + step, *widths[k + 1 :])
                data = copy.deepcopy(honest)
                data["excluded"][i]["bound"] = json.loads(json.dumps(upper_bound(other, degrees).as_dict()))
                assert not claims(data).excludes(i), (widths, other)
                tried += 1
        data = copy.deepcopy(honest)
        data["excluded"][i]["bound"] = None
        assert claims(data).excludes(i), "nothing is claimed of it"
        assert not claims(data).whole
        data["excluded"][i]["bound"] = copy.deepcopy(box["bound"])
        data["excluded"][i]["bound"]["value"] = one.ambient
        assert not claims(data).excludes(i)
    assert tried > 10
    assert one.whole


def test_a_bound_that_reaches_the_ambient_dimension_excludes_nothing(
    honest: Data, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frontier_check, "holds", lambda *_: True)
    data = copy.deepcopy(honest)
    for value, excluded in ((claims(honest).ambient, False), (claims(honest).ambient - 1, True)):
        data["excluded"][0]["bound"]["value"] = value
        assert claims(data).excludes(0) is excluded


def test_predecessors_lie_in_their_boxes(honest: Data) -> None:
    one = claims(honest)
    for i, entry in enumerate(honest["architectures"]):
        assert one.predecessors_hold(i)
        for k, number in enumerate(entry["predecessors"]):
            data = copy.deepcopy(honest)
            data["architectures"][i]["predecessors"][k] = None if number is not None else 0
            assert not claims(data).predecessors_hold(i)
            data["architectures"][i]["predecessors"][k] = len(honest["excluded"])
            assert not claims(data).predecessors_hold(i)
            if number is not None:
                point = list(entry["widths"][1:-1])
                point[k] -= 1
                for other, box in enumerate(one.boxes):
                    data["architectures"][i]["predecessors"][k] = other
                    inside = all(a <= b for a, b in zip(point, box, strict=True))
                    assert claims(data).predecessors_hold(i) is inside
        data = copy.deepcopy(honest)
        data["architectures"][i]["predecessors"].append(None)
        assert not claims(data).predecessors_hold(i)
        data = copy.deepcopy(honest)
        data["architectures"][i]["proved"] = False
        assert not claims(data).predecessors_hold(i)
        for number in {n for n in entry["predecessors"] if n is not None}:
            data["excluded"][number]["bound"] = None
        assert claims(data).predecessors_hold(i), "minimal, but not proved"


def test_widths_belong_to_the_question(honest: Data) -> None:
    one = claims(honest)
    top = one.top
    assert top == (3, 5, 9)
    assert one.question == "(2" + ",*" * len(top) + ",1) r=2"
    data = copy.deepcopy(honest)
    data["open"] = [[2, *top, 1]]
    assert claims(data).open == [top]
    assert not claims(data).whole
    for wrong in ([1, *top, 1], [2, *top, 2], [2, *top], [2, *top, 1, 1], [2, top[0] + 1, *top[1:], 1]):
        data["open"] = [list(wrong)]
        with pytest.raises(CertificateError, match="are not widths of"):
            claims(data)
    data = copy.deepcopy(honest)
    data["degrees"] = [2, 3, 2]
    with pytest.raises(CertificateError, match="r=2,3,2"):
        claims({**data, "open": [[9, *top, 1]]})
    data = copy.deepcopy(honest)
    assert claims(data).increasing()
    data["architectures"].append(copy.deepcopy(data["architectures"][-1]))
    assert not claims(data).increasing(), "one twice"


def test_architectures_fill_by_a_rank(honest: Data, monkeypatch: pytest.MonkeyPatch) -> None:
    one = claims(honest)
    for point in one.filling:
        assert one.fills(point, 0)
        assert one.fills(point, 1)
        for k in range(len(point)):
            smaller = (*point[:k], point[k] - 1, *point[k + 1 :])
            assert not (min(smaller) > 0 and one.fills(smaller, 0))
    ranks = [one.ambient - 1, one.ambient]
    monkeypatch.setattr(frontier_check, "rank", lambda *_: ranks.pop(0))
    assert one.fills(one.filling[0], 0), "another witness is tried"
    monkeypatch.setattr(frontier_check, "rank", lambda *_: one.ambient - 1)
    assert not one.fills(one.filling[0], 0)


def test_what_is_left_out_is_found(honest: Data) -> None:
    assert claims(honest).gap() is None
    for name in ("architectures", "excluded"):
        for i in range(len(honest[name])):
            data = copy.deepcopy(honest)
            del data[name][i]
            gap = claims(data).gap()
            filling, boxes = claims(data).filling, claims(data).boxes
            if gap is not None:
                assert not any(all(a >= b for a, b in zip(gap, low, strict=True)) for low in filling)
                assert not any(all(a <= b for a, b in zip(gap, box, strict=True)) for box in boxes)
            top = claims(data).top
            free = [
                x
                for x in itertools.product(*(range(1, t + 1) for t in top))
                if not any(all(a >= b for a, b in zip(x, low, strict=True)) for low in filling)
                and not any(all(a <= b for a, b in zip(x, box, strict=True)) for box in boxes)
            ]
            assert (gap is None) == (not free), (name, i)
    assert find_gap((3, 5), [(2, 3)], [(1, 4), (3, 2)]) == (1, 5)
    assert find_gap((1,), [], []) == (1,)
    assert find_gap((1,), [(1,)], []) is None


def test_steps_of_a_frontier_are_announced(honest: Data, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[Any, ...]] = []
    monkeypatch.setattr(Budget, "rank", lambda _, *asked: told.append(asked))
    one = claims(honest)
    point = one.filling[0]
    weights = read(f"[2,{','.join(map(str, point))},1] r={','.join(map(str, one.degrees))}").weights
    assert one.fills(point, 0)
    assert told == [("the rank of an architecture", one.ambient, weights)]
    told.clear()
    monkeypatch.setattr(Budget, "step", lambda _, *asked: told.append(asked))
    assert one.predecessors_hold(0)
    assert told == [("the predecessors",)] * len(point)
    told.clear()
    many = {**honest, "outputs": 10**6, "inputs": 10**6, "degrees": [10**6], "architectures": [], "excluded": []}
    claims(many)
    assert told == [("the ambient dimension", float("inf"))]


def test_what_is_left_out_is_announced_before_it_is_looked_for() -> None:
    """Of 9 disjoint pairs the last lowers 2^8 points twice, which are compared; of boxes one set for every edge."""
    pairs = [tuple(2 if k // 2 == i else 1 for k in range(18)) for i in range(9)]
    told: list[tuple[float, float]] = []
    assert find_gap((2,) * 18, pairs, [], lambda what, operations=0, size=0: told.append((operations, size)))
    assert max(operations for operations, _ in told) >= 18 * 2**16
    assert max(size for _, size in told) >= 8 * 18 * 2**8
    assert (2 * 18 * 2**8, 24 * 18 * 2**8) in told, "all that are left, against an element"
    assert (32 * 18 * 2**8, 32 * 18 * 2**8) in told, "what is lowered, in no box"
    told.clear()
    boxes = [(k, 100 - k) for k in range(1, 100)]
    find_gap(
        (100, 100),
        [(k, 101 - k) for k in range(2, 100)],
        boxes,
        lambda what, operations=0, size=0: told.append((operations, size)),
    )
    assert max(size for _, size in told) >= 99 * 99 / 8


def test_a_check_of_a_frontier_keeps_its_time() -> None:
    pairs = [tuple(2 if k // 2 == i else 1 for k in range(60)) for i in range(30)]
    with pytest.raises(BudgetError, match="the search for what is left out does not fit"):
        find_gap((2,) * 60, pairs, [], Budget(0.2).step)


def covered(points: np.ndarray, filling: list[Point], boxes: list[Point]) -> np.ndarray:
    """How many elements are below each point, and boxes above it: columns ``(coordinates, N)``."""
    count = np.zeros(points.shape[1], int)
    for below, some in ((True, filling), (False, boxes)):
        for one in some:
            edges = np.array(one)[:, None]
            count += (points >= edges if below else points <= edges).all(axis=0)
    return count


@pytest.mark.parametrize(
    "question",
    [(2, 2, 2, 5), (2, 1, 3, 4), pytest.param((2, 2, 2, 6), marks=pytest.mark.thorough)],
)
def test_one_element_or_box_less_or_another_is_a_gap_where_points_say_so(question: tuple[int, int, int, int]) -> None:
    """Against all points of the box of saturated widths, 75,735 for (2,2), r = 2, depth 6."""
    one = claims(json.loads(json.dumps(frontier(*question).certificate())))
    points = np.indices(one.top, np.int16).reshape(len(one.top), -1) + 1
    whole = covered(points, one.filling, one.boxes)
    assert whole.all()
    assert one.gap() is None
    outcomes = []
    for mine, step in ((one.filling, 1), (one.boxes, -1)):
        for i, old in enumerate(mine):
            others = [None, *((*old[:k], w + step, *old[k + 1 :]) for k, w in enumerate(old))]
            for other in others:
                if other is not None and not all(1 <= w <= t for w, t in zip(other, one.top, strict=True)):
                    continue
                lists = [[*mine[:i], *([] if other is None else [other]), *mine[i + 1 :]]] * 2
                lists = [lists[0], one.boxes] if mine is one.filling else [one.filling, lists[0]]
                removed = [[old], []] if mine is one.filling else [[], [old]]
                added = [[p for p in side if other is not None] and [other] for side in removed]
                left = whole - covered(points, *removed) + covered(points, *added) == 0
                gap = find_gap(one.top, *lists)
                assert (gap is not None) == left.any(), (old, other)
                assert gap is None or left[np.ravel_multi_index([w - 1 for w in gap], one.top)]
                outcomes.append(bool(left.any()))
    assert sum(outcomes) > len(one.filling)


@pytest.mark.parametrize("depth", [6, *(pytest.param(depth, marks=pytest.mark.thorough) for depth in (7, 8))])
def test_a_list_with_one_less_one_more_or_another_is_refused(depth: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a whole certificate in which all else is as true as can be. Ranks of the honest list are taken to be true."""
    honest = json.loads(json.dumps(frontier(2, 1, 2, depth).certificate()))
    boxes, known, fills = claims(honest).boxes, claims(honest).filling, _Claims.fills
    monkeypatch.setattr(_Claims, "fills", lambda self, point, seed: point in known or fills(self, point, seed))

    def entry(widths: list[int]) -> Data:
        inside = []
        for k in range(1, depth):
            point = [w - (j == k) for j, w in enumerate(widths) if 0 < j < depth]
            over = [n for n, box in enumerate(boxes) if all(a <= b for a, b in zip(point, box, strict=True))]
            inside.append(None if widths[k] == 1 else min(over, default=0))
        return {"widths": widths, "predecessors": inside, "proved": True}

    def verdict(architectures: list[Data]) -> str:
        claim = {"complete": True, "count": len(architectures)}
        data = {**honest, "claim": claim, "architectures": sorted(architectures, key=lambda one: one["widths"])}
        return verify_frontier(data).checks[-1]

    all_of_them = honest["architectures"]
    assert verdict(all_of_them).startswith("ok: ")
    for i in range(0, len(all_of_them), {6: 1, 7: 4, 8: 64}[depth]):
        widths = all_of_them[i]["widths"]
        fewer = all_of_them[:i] + all_of_them[i + 1 :]
        assert entry(widths) == all_of_them[i]
        assert verdict(fewer) == "FALSE: no architecture is left out"
        assert verdict([*fewer, all_of_them[i], all_of_them[i]]) == "FALSE: no architecture is listed twice"
        for k in range(1, depth):
            for step in (-1, 1):
                other = entry([w + step * (j == k) for j, w in enumerate(widths)])
                if other["widths"][k] in (0, claims(honest).top[k - 1] + 1):
                    continue
                why = "have predecessors in boxes" if step == 1 else "fill"
                assert verdict([*all_of_them, other]) == f"FALSE: {len(all_of_them) + 1} architectures {why}"
                assert verdict([*fewer, other]).startswith("FALSE: ")


def test_wide_layers_are_compared_as_wide_ones() -> None:
    far = 2**40
    assert find_gap((3, far), [(2, 3)], [(1, far), (3, 2)]) is None
    assert find_gap((3, far), [(2, far)], [(1, far), (3, far - 2)]) == (3, far - 1)
