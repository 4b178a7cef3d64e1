"""Malformed texts: each error names the place and what to write instead."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable

import pytest

from polygeom.errors import FormatError, PolygeomError
from polygeom.network import Network, expand, parse

MANY = "9" * 5000
HEAD = '{"format": "polygeom-network", "version": 1, "nodes": '

# text, position of the error, part of what it says to write
PERCEPTRONS = [
    ("", 0, "write for example [2,3,1] r=2"),
    ("  \n ", 4, "write for example [2,3,1] r=2"),
    ("[]", 1, "write for example [2,3,1] r=2"),
    ("[2]", 0, "at least the inputs and the outputs, [2,1]"),
    ("[2,3,1]", 7, "write [2,3,1] r=2, or r=1 for a linear network"),
    ("[2,3,1] r=", 10, "write r=2"),
    ("[2,3,1] r=0", 10, "from 1 to 1000000, got 0"),
    ("[2,3,1] r=-2", 10, "from 1 to 1000000, got -2"),
    ("[2,3,1] r=2.5", 10, "digits only"),
    ("[2,3,1] r=2,3", 8, "one activation for all, r=2"),
    ("[2,3,3,1] r=2,3,4", 10, "one for each hidden layer"),
    ("[2,3,1] r=2,", 12, "write r=2 or, for each layer, r=2,3"),
    ("[2,3,1] r=x", 10, "write r=2"),
    ("[2,3,1] r 2", 10, "write r=2"),
    ("[2,3,1] R=2", 8, "write r=2, p=0,1,1, bias or tied"),
    ("[2,3,1] r=2 r=3", 12, "write r once"),
    ("[2,3,1] r=2 bias bias", 17, "write bias once"),
    ("[2,3,1] r=2 bias=True", 16, "bias or tied after the widths"),
    ("[2,3,1] r=2 relu", 12, "write r=2, p=0,1,1, bias or tied"),
    ("[2,3,1] r=2 p=0,1,1", 0, "write r=2 for monomials or p=0,1,1"),
    ("[2,3,1] p=1", 10, "from the constant to a nonzero leading one"),
    ("[2,3,1] p=1,0", 10, "a nonzero leading one"),
    ("[2,3,1] p=0,0.5", 12, "write fractions as 1/2"),
    ("[2,3,1] p=0,1/0", 14, "denominator must be from 1"),
    ("[2,3,1] p=0,1;0,1", 8, "one activation for all, p=0,1,1"),
    ("[2,0,1] r=2", 3, "from 1 to 1000000, got 0"),
    ("[2,-3,1] r=2", 3, "from 1 to 1000000, got -3"),
    ("[2,+3,1] r=2", 3, "write 3"),
    ("[2,3.0,1] r=2", 3, "write 3"),
    ("[2,1e3,1] r=2", 3, "write 1000"),
    ("[2,1_000,1] r=2", 3, "write 1000"),
    ("[2,03,1] r=2", 3, "write 3"),
    ("[2,1000001,1] r=2", 3, "from 1 to 1000000"),
    (f"[{MANY},1]", 1, "got a number of 5000 digits"),
    ("[2,3,1 r=2", 7, "write , between widths and ] after the last one"),
    ("[2,3,1", 6, "close the bracket with ]"),
    ("[2,3,1]] r=2", 7, "after the widths"),
    ("[[2,3],1] r=2", 1, "brackets do not nest here"),
    ("(2,3,1) r=2", 0, "write [2,3,1] with brackets"),
    ("2,3,1 r=2", 0, "write [2,3,1] with brackets"),
    ("{2,3,1} r=2", 1, "widths in square brackets"),
    ("[2 3 1] r=2", 3, "write , between widths"),
    ("[2;3;1] r=2", 2, "write , between widths"),
    ("[2,,1] r=2", 3, "write for example [2,3,1] r=2"),
    ("[2,3,] r=2", 5, "write for example [2,3,1] r=2"),
    ("[2..4,1]", 2, "write one number here"),
    ("[2–3,1] r=2", 2, "write - (the hyphen on the keyboard)"),
    ("\ufeff[2,3,1] r=2", 0, "save the text as UTF-8 without BOM"),
    ("[2,3,1]\u00a0r=2", 7, "write an ordinary space"),
    ("[2,٣,1] r=2", 3, "write digits 0 to 9"),
    ("[2,3,½]", 5, "write 1/2"),
    ("[2,3…1]", 4, "write two dots"),
    ("[2,3,1] r=α", 10, "only letters and signs of ASCII"),
]

CALLS = [
    ("mlp", 3, "or [2,3,1] r=2 for a multilayer perceptron"),
    ("mlp()", 0, "write mlp(widths=…, degrees=…"),
    ("mlp(2,3)", 0, "write [2,3,1]"),
    ("mlp([2],2)", 0, "write [3,1]"),
    ("mlp([2,3,1])", 0, "write degrees=2, or activation=[0,1,1]"),
    ("mlp([2,3,1],2,bias=1)", 0, "write bias=True or leave it out"),
    ("mlp([2,3,1],2,activation=[0,1])", 0, "write degrees=2 or activation=[0,1,1]"),
    ("mlp([2,3,1],[2,3])", 0, "one entry for each layer but the last"),
    ("mlp([2,3,1],activation=2)", 0, "write [0,1,1]"),
    ("ccp(3)", 0, "write ccp(inputs=…, rank=…, degree=…"),
    ("ccp(3,rank=0,degree=2)", 0, "write rank=2"),
    ("ccp(3,rank=4,degree=1000000)", 0, "degree must be an integer from 1 to 3333"),
    ("ccp(3,4,5,6,7)", 0, "write ccp(inputs=…"),
    ("ccp(3,rank=4,degree=3,width=1)", 22, "write ccp(inputs=…"),
    ("ccp(3,rank=4,rank=5,degree=2)", 13, "write rank once"),
    ("ccp(3,inputs=4,rank=5,degree=2)", 0, "write inputs once"),
    ("ccp(rank=4,3,degree=2)", 11, "write the named values last"),
    ("ccp(3,rank=4,degree=3,bias=yes)", 0, "write bias=True"),
    ("ccp(3,rank=4,degree=3) r=2", 23, "write ccp(…) alone"),
    ("ccp(3,rank=4 degree=3)", 13, "write , between values and )"),
    ("convolutional(3,kernels=[4,2],degrees=2)", 0, "write a longer input or a smaller size"),
    ("convolutional(3,kernels=2)", 0, "write kernels=[3,2]"),
    ("convolutional(3,kernels=[])", 0, "write kernels=[3,2]"),
    ("convolutional(9,kernels=[3,2],degrees=2,strides=[1,2,3])", 0, "write kernels=[3,2], strides=[1,2]"),
    ("lightning_attention(2,3,2)", 0, "write lightning_attention(tokens=…"),
    ("relu(3)", 0, "write one of attention, bias"),
    (f"mlp([2,3,1],{MANY})", 12, "a number of 5000 digits"),
]

PROGRAMS = [
    ("dense(3)", 0, "write dense(x, …) with x an earlier name"),
    ("x=input(3); dense(y,3)", 18, "write an earlier name (x)"),
    ("x=input(3); dense(x)", 12, "write dense(x, width=…, pattern=…)"),
    ("x=input(3); dense(x,0)", 12, "write for example width=2"),
    ("x=input(3); dense(x,3,4,5)", 12, "write dense(x, width=…, pattern=…)"),
    ("x=input(3); dense(x,3,width=4)", 12, "write dense(x, width=…, pattern=…)"),
    ("x=input(3); dense(x,3,size=2)", 22, "write dense(x, width=…, pattern=…)"),
    ("x=input(3); dense(x,pattern=[[0,1]])", 0, "write 3 entries in each row"),
    ("x=input(3); dense(x,1,pattern=[[0,1,3]])", 12, "[[0,-1],[-1,1]] for a diagonal matrix"),
    ("x=input(3); dense(x,2,pattern=[[0,1,2]])", 12, "write width=1 or mend the rows"),
    ("x=input(3); dense(x,2,pattern=5)", 12, "write [[0,-1],[-1,1]]"),
    ("x=input(3); dense(x,pattern=[[[[[1]]]]])", 32, "write lists such as [[0,1],[1,0]]"),
    ("x=input(3); x=dense(x,2)", 12, "write another name before the ="),
    ("dense=input(3); dense(dense,2)", 0, "write another name before the ="),
    ("x=input(3); y=dense(x,2); bias(x)", 0, "write every node but the last into another"),
    ("x=input(3); y=input(3); sum(x,y)", 0, "write one input and read it more than once"),
    ("x=input(3); sum(x)", 0, "got 1 (at position 0); add them"),
    ("x=input(3); y=dense(x,2); sum(x,y)", 0, "write maps to one width"),
    ("x=input(3); attention(x,1,1)", 0, "write input(2, 3)"),
    ("x=input(); dense(x,1)", 2, "write input(3)"),
    ("x=input(3,width=2); dense(x,1)", 2, "write input(3) or input(2,3)"),
    ("x=input(3); dense(x,1) dense(x,2)", 23, "write ; between statements"),
    ("x=input(3);; dense(x,1)", 11, "or a program such as x=input(2)"),
    ("x=;", 2, "write one of attention, bias"),
    ("x=input(3); power(x,2,shares=x)", 0, "write one layer"),
    ("x=input(3); a=dense(x,2); dense(a,2,shares=a)", 0, "leave out shares, or write equal widths"),
    ("x=input(3); a=dense(x,3); b=dense(a,3,shares=a); dense(b,3,shares=b)", 0, "the first node with these weights"),
    ("x=input(3); a=power(x,2); power(a,2,shares=a)", 0, "leave out shares"),
    ("x=input(3); polynomial(x,3)", 12, "write [0,1,1] for x + x^2"),
    ("x=input(3); polynomial(x,[x,1])", 12, "write 1/2 for one half"),
    (f"{'y' * 41}=input(3)", 0, "write at most 40 letters"),
]

RECORDS = [
    ('{"a":', 5, "write JSON as Network.to_json gives it"),
    ('{"a": 1}', 0, 'write {"format": "polygeom-network", …}'),
    ('{"format": "onnx", "version": 1, "nodes": []}', 0, 'write "format": "polygeom-network"'),
    ('{"format": "polygeom-network", "version": 2, "nodes": []}', 0, "install a polygeom that knows"),
    ('{"format": "polygeom-network", "version": true, "nodes": []}', 0, 'write "version": 1'),
    (HEAD + "[]}", 0, 'write [{"layer": "input", "dims": [2]}, …]'),
    (HEAD + '[{"layer": "input", "dims": [2], "dims": [3]}]}', 74, "write each key once"),
    (HEAD + '[{"layer": "input", "dims": [NaN]}]}', 83, "write digits only"),
    (HEAD + '[{"layer": "input", "dims": [2.0]}]}', 83, "write digits only"),
    (HEAD + '[{"layer": "input", "dims": [1e3]}]}', 83, "write digits only"),
    (HEAD + f'[{{"layer": "input", "dims": [{MANY}]}}]}}', 83, "write a smaller number"),
    (HEAD + '[{"layer": "input", "dims": 2}]}', 0, 'write "dims": [2,2]'),
    (HEAD + '[{"layer": "relu"}]}', 0, '"layer": one of attention'),
    (HEAD + "[3]}", 0, '"layer": one of attention'),
    (HEAD + '[{"layer": "input"}]}', 0, "write the keys layer, inputs, dims"),
    (HEAD + '[{"layer": "input", "dims": [2], "name": 1}]}', 0, "write the keys layer, inputs, dims"),
    (HEAD + '[{"layer": "input", "dims": [2]}, {"layer": "bias", "inputs": [true]}]}', 0, 'write "inputs": [0]'),
    (HEAD + '[{"layer": "input", "dims": [2]}, {"layer": "bias", "inputs": [1]}]}', 0, "renumber it"),
    (HEAD + '[{"layer": "input", "dims": [2]}, {"layer": "bias", "inputs": []}]}', 0, "add them"),
    (
        HEAD + '[{"layer": "input", "dims": [2]}, {"layer": "bias", "inputs": [0], "shares": "0"}]}',
        0,
        'write "shares": 1',
    ),
    (HEAD + '[{"layer": "input", "dims": [2]}, {"layer": "power", "degree": "2", "inputs": [0]}]}', 0, "degree=2"),
    (HEAD + "[" * 100_000, 0, "write JSON as Network.to_json gives it"),
]

RANGES = [
    ("[4..2,1]", 1, "write 2..4"),
    ("[2...4,1]", 4, "write the last number too, 2..4"),
    ("[2..,1]", 4, "write the last number too, 2..4"),
    ("[..4,1]", 1, "with a number on both sides"),
    ("[2|,1]", 3, "write for example [2..4,2|5,1]"),
    ("[|2,1]", 1, "with a number on both sides, or 2|5"),
    ("[2||3,1]", 3, "write for example [2..4,2|5,1]"),
    ("[2..4..6,1]", 5, "write its numbers, as in 2|4|6"),
    ("[-2..4,1]", 2, "a range of positive integers"),
    ("[0..4,1]", 1, "range must be from 1"),
    ("[2..1e3,1]", 4, "write 1000"),
    ("[2..99999999,1]", 4, "write the last number too"),
    ("[2.5..4,1]", 4, "with a number on both sides"),
    ("[2..4,3,1]", 7, "write [2,3,1] r=2"),
    ("[2..4,,1] r=2", 3, "write for example [2,3,1] r=2"),
    ("[2-4,1]", 2, "write , between widths"),
    ("[2…4,1]", 2, "write two dots, as in 2..4"),
    ("", 0, "write for example [2,3,1] r=2"),
    ("[" + "1|" * 2000 + "1,1]", 2002, "write a..b for numbers in a row"),
    ("[" + "1..2," * 101 + "1] r=2", 501, "write fewer, and several texts"),
]


@pytest.mark.parametrize(
    ("text", "position", "hint"), PERCEPTRONS + CALLS + PROGRAMS + RECORDS, ids=lambda value: repr(value)[:50]
)
def test_a_malformed_network(text: str, position: int, hint: str) -> None:
    with pytest.raises(FormatError) as caught:
        parse(text)
    assert hint in str(caught.value)
    assert caught.value.position == position


@pytest.mark.parametrize(("text", "position", "hint"), RANGES, ids=lambda value: repr(value)[:50])
def test_a_malformed_range(text: str, position: int, hint: str) -> None:
    with pytest.raises(FormatError) as caught:
        expand(text)
    assert hint in str(caught.value)
    assert caught.value.position == position


@pytest.mark.parametrize("value", [None, 3, ["[2,3,1] r=2"], b"[2,3,1] r=2"])
def test_something_that_is_no_text(value: object) -> None:
    for read in (parse, expand, Network.from_json):
        with pytest.raises(PolygeomError, match=r"text must be a str, got .*write"):
            read(value)  # type: ignore[operator]


def test_the_caret_points_at_the_place() -> None:
    with pytest.raises(FormatError) as caught:
        parse("[2,3,1] r=2 relu")
    _, line, caret = str(caught.value).split("\n")
    assert line[caret.index("^") :] == "relu"


HOSTILE = {
    "widths": "[" + "1," * 499_990 + "1]",
    "degrees": "[2,3,1] r=" + "2," * 499_990,
    "fractions": "[2,3,1] p=" + "1/2," * 249_990,
    "polynomials": "[2,3,1] p=" + "0,1;" * 249_990 + "0,1",
    "brackets": "[" * 10**6,
    "digits": "9" * 10**6,
    "letters": "a" * 10**6,
    "blanks": " " * 10**6,
    "dots": "." * 10**6,
    "choices": "1|" * 500_000,
    "stretches": "[" + "1..2," * 199_990 + "1]",
    "inputs": "x=input(3);" * 90_000,
    "layers": "x=input(3);" + "".join(f"a{i}=dense(x,3);" for i in range(50_000)),
    "sum": "x=input(3); sum(" + "x," * 490_000 + "x)",
    "pattern": "x=input(3); dense(x,pattern=[[" + "0," * 490_000 + "0]])",
    "lists": "mlp(" + "[1,1,1]," * 120_000 + ")",
    "empty lists": "mlp(" + "[]," * 330_000 + ")",
    "calls": "f(" * 499_999,
    "deep chain": "x0=input(1);" + "".join(f"x{i}=power(x{i - 1},2);" for i in range(1, 9000)) + "power(x8999,2)",
    "deep attention": "lightning_attention(1,1,1,1,layers=6666)",
    "json lists": HEAD + "[" + "[]," * 300_000 + "[]]}",
    "json objects": HEAD + "[" + "{}," * 300_000 + "{}]}",
    "json keys": "{" + ",".join(f'"{i}":1' for i in range(90_000)) + ',"89999":1}',
    "json nesting": '{"a":' * 199_990,
    "json digits": HEAD + "9" * 900_000 + "}",
    "json pattern": HEAD
    + '[{"layer":"input","dims":[3]},{"layer":"dense","width":1,"inputs":[0],"pattern":[['
    + "0," * 400_000
    + "0]]}]}",
    "too long": "x" * (10**6 + 1),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_megabyte_is_read_or_refused_at_once(name: str) -> None:
    start = time.process_time()
    read_or_refuse(parse, HOSTILE[name])
    assert time.process_time() - start < 3.0  # tenths of a second, more with a large heap; quadratic work is minutes


def test_long_lists_are_cut_short() -> None:
    with pytest.raises(FormatError, match="more than 60000 numbers and words"):
        parse(HOSTILE["sum"])


@pytest.mark.parametrize("name", ["dots", "choices", "stretches", "digits", "blanks", "sum", "json objects"])
def test_a_megabyte_of_ranges_is_read_or_refused_at_once(name: str) -> None:
    start = time.process_time()
    read_or_refuse(expand, HOSTILE[name])
    assert time.process_time() - start < 1.0


@pytest.mark.thorough
@pytest.mark.parametrize(
    "name",
    ["sum", "json objects"]
    + [pytest.param(name, marks=pytest.mark.slow) for name in ("fractions", "empty lists", "json lists", "json keys")],
)
def test_a_megabyte_takes_little_memory(name: str) -> None:
    tracemalloc.start()
    try:
        read_or_refuse(parse, HOSTILE[name])
        assert tracemalloc.get_traced_memory()[1] < 50e6
    finally:
        tracemalloc.stop()


def read_or_refuse(read: Callable[[str], object], text: str) -> None:
    try:
        read(text)
    except FormatError as error:
        assert len(str(error)) < 1000  # noqa: PT017
