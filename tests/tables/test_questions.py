"""Questions to tables: conjectures, minimal filling, histograms, maps, explanations."""

from __future__ import annotations

import pandas
import pytest
from here import of_the_repository

from polygeom.dimensions import dimension
from polygeom.errors import FormatError, PolygeomError
from polygeom.tables import (
    contradictions,
    defect_histogram,
    read_any,
    width_map,
    with_explanation,
    with_minimal_filling,
)
from polygeom.tables.atlas import load_atlas
from polygeom.tables.conjectures import CONJECTURES, architecture, survey
from polygeom.tables.maps import with_fibres


@pytest.fixture(scope="module")
def atlas() -> pandas.DataFrame:
    return load_atlas()


def table_of(*networks: str) -> pandas.DataFrame:
    rows = []
    for text in networks:
        result = dimension(text).as_dict()
        widths, activation = text.split(" r=")
        rows.append(result | {"widths": widths, "activation": activation})
    return pandas.DataFrame(rows)


@pytest.mark.thorough
def test_theorems_are_not_contradicted_and_the_false_conjecture_is(atlas: pandas.DataFrame) -> None:
    counts = survey(atlas).set_index("conjecture")
    assert list(counts.index) == list(CONJECTURES)
    assert (counts["rows"] > 100).all()
    assert counts.loc[["non-increasing", "equal widths", "asymptotic degree"], "against"].tolist() == [0, 0, 0]
    against = contradictions(atlas, "non-increasing to one output")
    assert len(against) == counts.loc["non-increasing to one output", "against"] > 0
    assert set(against["activation"]) == {2}
    assert "[5,5,5,1] r=2" in set(against["network"])


def test_an_error_in_a_table_contradicts_a_theorem(atlas: pandas.DataFrame) -> None:
    row = atlas[atlas["network"] == "[4,3,2] r=2"]
    assert len(contradictions(row, "non-increasing")) == 0
    assert len(contradictions(row.assign(defect=1), "non-increasing")) == 1
    probable = row.assign(defect=1, proved=False)
    assert len(contradictions(probable, "non-increasing")) == 0
    assert len(contradictions(probable, "non-increasing", proved_only=False)) == 1


def test_the_counterexample_to_unimodality_is_found_in_a_table_that_has_it() -> None:
    widths = [2, 3, 4, 5, 4, 6, 4, 1]
    lower = [[*widths[:k], widths[k] - 1, *widths[k + 1 :]] for k in range(1, 7)]
    table = table_of(*(f"[{','.join(map(str, w))}] r=2" for w in [widths, *lower]))
    assert contradictions(table, "unimodal")["network"].tolist() == ["[2,3,4,5,4,6,4,1] r=2"]
    without_one = table.drop(index=3)
    assert len(contradictions(without_one, "unimodal")) == 0
    assert pandas.isna(with_minimal_filling(without_one).loc[0, "minimal_filling"])


@pytest.mark.thorough
def test_minimal_filling_is_recovered_from_filling(atlas: pandas.DataFrame) -> None:
    again = with_minimal_filling(atlas.drop(columns="minimal_filling"))
    assert (again["minimal_filling"] == atlas["minimal_filling"]).all()


def test_histograms_count_rows(atlas: pandas.DataFrame) -> None:
    counts = defect_histogram(atlas)
    assert counts.to_numpy().sum() == len(atlas)
    assert counts.loc[10, 2] == ((atlas["defect"] == 10) & (atlas["activation"] == 2)).sum()
    assert list(defect_histogram(atlas, "depth").columns) == [2, 3, 4, 5, 6]


@pytest.mark.thorough
def test_a_map_has_one_cell_for_each_pair_of_widths(atlas: pandas.DataFrame) -> None:
    cells = width_map(atlas, "[2, *, *, 1]", 2, "filling")
    assert cells.shape == (7, 7)
    assert not cells.loc[1, 7]
    assert cells.loc[2, 2]
    assert (cells.index.name, cells.columns.name) == ("width 1", "width 2")
    assert width_map(atlas, "[*,2,*]", "3", "dimension").loc[2, 1] == dimension("[2,2,1] r=3").dimension


@pytest.mark.thorough
def test_explanations_of_a_table_agree_with_the_atlas(atlas: pandas.DataFrame) -> None:
    sample = atlas.sample(300, random_state=1)
    again = with_explanation(sample.drop(columns="explanation"))
    assert again["explanation"].tolist() == sample["explanation"].tolist()
    missing = pandas.DataFrame({"network": ["[2,2,1] r=2"], "dimension": [pandas.NA], "expected_dimension": [3]})
    assert with_explanation(missing)["explanation"].tolist() == [""]
    low = pandas.DataFrame({"network": ["[5,5,5,1] r=2"], "dimension": [34], "expected_dimension": [45]})
    assert with_explanation(low)["explanation"].tolist() == ["unexplained"]


def test_cells_are_read_as_architectures_or_not() -> None:
    assert architecture("[2, 3,1]", "2") == ((2, 3, 1), (2,))
    assert architecture("[2,3]", "") == ((2, 3), ())
    for widths, activation in [("", ""), ("ccp", "2"), ("[2,3,1]", ""), ("[2,3,3,1]", "2,3,4")]:
        assert architecture(widths, activation) is None


@pytest.mark.thorough
def test_bad_questions_are_refused_with_advice(atlas: pandas.DataFrame) -> None:
    with pytest.raises(PolygeomError, match="conjecture must be one of"):
        contradictions(atlas, "riemann")
    with pytest.raises(PolygeomError, match="columns defect are missing"):
        contradictions(atlas.drop(columns="defect"), "non-increasing")
    with pytest.raises(FormatError, match="two stars"):
        width_map(atlas, "[2,*,1]", 2)
    with pytest.raises(PolygeomError, match="no row"):
        width_map(atlas, "[2,*,*,99]", 2)
    with pytest.raises(PolygeomError, match="missing"):
        width_map(atlas, "[2,*,*,1]", 2, "colour")
    with pytest.raises(PolygeomError, match="missing"):
        defect_histogram(atlas, "colour")
    with pytest.raises(PolygeomError, match="missing"):
        with_explanation(atlas.drop(columns="network"))


def test_the_table_of_fibres_is_what_the_command_makes_of_its_networks() -> None:
    """And its numbers are those of the literature."""
    shipped = read_any(of_the_repository("docs/fibres.csv"))
    assert len(shipped) >= 300
    again = with_fibres(shipped.drop(columns="fibre"))
    assert again["fibre"].tolist() == shipped["fibre"].fillna("").tolist()
    cells = dict(zip(again["network"], again["fibre"], strict=True))
    known = {"[2,3,1] r=5": "1", "[2,2,2] r=3": "1", "[2,2,2,2] r=2": "1", "[4,8,1] r=4": "2", "[3,9,1] r=6": "2",
             "[6,9,1] r=3": "2", "[3,7,1] r=5": "1", "[3,3,1] r=2": "infinite"}  # fmt: skip
    assert {text: cells[text] for text in known} == known
    families = {text.split("(")[0] if "(" in text else "bias" * text.endswith("bias") for text in cells}
    assert families >= {"", "bias", "convolutional", "ccp", "ncp", "lightning_attention"}


def test_nothing_is_said_of_fibres_where_nothing_is_proved() -> None:
    rows = table_of("[2,2,1] r=4", "[3,3,1] r=2", "[3,6,1] r=4").assign(proved=False)
    assert with_fibres(rows.assign(identifiable=False))["fibre"].tolist() == ["", "", ""]
    missing = rows.assign(identifiable=pandas.array([None] * 3, dtype="boolean"))
    assert with_fibres(missing)["fibre"].tolist() == ["", "", ""]
