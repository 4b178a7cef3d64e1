"""All formulas for dimensions that polygeom knows, as values: statement, hypothesis, proof or source, and cases.

The page *Formulas* is made of them, and a test computes the dimension of every case. A formula without a proof is
called a conjecture there; the number of its cases is what supports it.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator

from polygeom._dataclass import dataclass
from polygeom.dimensions.residual import THEOREM, residual_dimension
from polygeom.dimensions.theorems import exact_dimension
from polygeom.network import mlp, parse

Cases = Iterator[tuple[str, int]]
"""Texts of networks, and the dimension that the formula gives."""


@dataclass(frozen=True, slots=True)
class Formula:
    """One formula.

    Attributes
    ----------
    name, networks:
        Its name, and which networks it is about.
    statement, hypothesis:
        The dimension in Markdown, and when it holds.
    proof:
        A source, or a proof in some sentences; empty for a conjecture.
    used:
        How `polygeom.dimensions.dimension` uses it: names of rules for upper bounds, or the theorem; else empty.
    cases:
        Small networks with the dimension that the formula gives.
    """

    name: str
    networks: str
    statement: str
    hypothesis: str
    proof: str
    cases: Callable[[], Cases]
    used: str = ""


def catalogue() -> str:
    """Every formula in Markdown: a table, then the proofs.

    >>> catalogue().splitlines()[2].startswith("| linear networks |")
    True
    """
    lines = ["| formula | networks | dimension | if | | cases | rule |", "| --- | --- | --- | --- | --- | --- | --- |"]
    for one in FORMULAS:
        status = "proved" if one.proof else "conjecture"
        count = sum(1 for _ in one.cases())
        cells = (one.name, one.networks, one.statement, one.hypothesis, status, str(count), one.used)
        lines.append(f"| {' | '.join(cells)} |")
    for one in FORMULAS:
        lines += ["", f"## {one.name}", "", one.proof or "A conjecture: no proof is known here, the cases support it."]
    return "\n".join(lines) + "\n"


def _perceptrons(widths: Iterator[tuple[int, ...]], *degrees: int) -> Cases:
    for each in widths:
        known = exact_dimension(each, degrees)
        if known is not None:
            yield mlp(each, degrees).text, known[0]


def _grid(*ranges: range) -> Iterator[tuple[int, ...]]:
    return itertools.product(*ranges)


def _linear() -> Cases:
    for a, b, c in _grid(range(1, 4), range(1, 4), range(1, 4)):
        m = min(a, b, c)
        yield f"[{a},{b},{c}] r=1", m * (a + c - m)


def _quadrics() -> Cases:
    for n, s in _grid(range(1, 5), range(1, 5)):
        k = min(n, s)
        yield f"[{n},{s},1] r=2", k * n - k * (k - 1) // 2


def _biased_quadrics() -> Cases:
    for n, h in _grid(range(1, 5), range(1, 5)):
        if h <= n:
            yield f"[{n},{h},1] r=2 bias", h * (n + 1) - h * (h - 1) // 2 + 1


def _quadratic_activation() -> Cases:
    for n, h in _grid(range(1, 5), range(1, 5)):
        if h <= n:
            for coefficients in ("0,1,1", "1,1,1", "3,-1,1/2"):
                yield f"[{n},{h},1] p={coefficients}", h * (n + 1) - h * (h - 1) // 2


def _equal() -> Cases:
    for n, length, r in _grid(range(2, 4), range(3, 5), range(2, 4)):
        yield f"[{','.join([str(n)] * length)}] r={r}", (length - 1) * n * n - (length - 2) * n


def _falling() -> Cases:
    yield from _perceptrons((w for w in _grid(range(2, 5), range(2, 5), range(2, 4)) if w[0] >= w[1]), 2)


def _one_neuron() -> Cases:
    for n, o, r in _grid(range(1, 4), range(1, 4), range(2, 4)):
        yield f"[{n},2,1,{o}] r={r},2", (exact_dimension((n, 2, 1), (r,)) or (0, ""))[0] + o - 1


def _convolutions() -> Cases:
    for a, b in _grid(range(2, 4), range(2, 4)):
        yield f"convolutional({a + b},kernels=[{a},{b}],degrees=2)", a + b - 1


def _one_head() -> Cases:
    for d, a, o in _grid(range(1, 4), range(1, 4), range(1, 3)):
        c = min(a, d)
        text = f"lightning_attention(tokens=2,features={d},rank={a},outputs={o})"
        yield text, c * (2 * d - c) + d * o - 1


def _attention(d: int, a: int, o: int, heads: int) -> str:
    lines = [f"x{k}=attention(x0,{a},{o})" for k in range(1, heads + 1)]
    return "; ".join([f"x0=input(2,{d})", *lines, f"sum({','.join(f'x{k}' for k in range(1, heads + 1))})"])


def _full_heads() -> Cases:
    for d, heads in _grid(range(2, 4), range(2, 4)):
        if heads <= d:
            left = d - heads
            yield _attention(d, d, 1, heads), heads * left + d * (math.comb(d + 1, 2) - math.comb(left + 1, 2))


def _many_heads() -> Cases:
    for d, a, o, heads in _grid(range(2, 4), range(1, 2), range(1, 3), range(2, 4)):
        ambient = o * d * math.comb(d + 1, 2)
        yield _attention(d, a, o, heads), min(ambient, heads * (a * (2 * d - a) + d * o - 1))


def _stack(n: int, r: int, *widths: int) -> str:
    lines, x = [f"x0=input({n})"], 0
    for h in widths:
        k = len(lines)
        lines += [f"x{k}=dense(x{x},{h})", f"x{k + 1}=power(x{k},{r})", f"x{k + 2}=dense(x{k + 1},{n})"]
        lines.append(f"x{k + 3}=sum(x{x},x{k + 2})")
        x = k + 3
    lines[-1] = lines[-1].split("=", 1)[1]
    return "; ".join(lines)


def _residual() -> Cases:
    shapes = [(2, 2, 2, 2), (2, 2, 1, 2), (2, 2, 3, 4), (2, 3, 2, 4), (3, 2, 2, 3), (3, 2, 3, 3), (2, 2, 2, 2, 2)]
    for n, r, *widths in shapes:
        text = _stack(n, r, *widths)
        known = residual_dimension(parse(text))
        assert known is not None, text
        yield text, known[0]


def _blocks() -> Cases:
    for d, a, h, r in ((2, 1, 2, 2), (2, 1, 3, 2), (2, 2, 2, 2), (2, 1, 2, 3), (2, 2, 4, 2)):
        text = f"x0=input(2,{d}); x1=attention(x0,{a},{d}); x2=sum(x0,x1); x3=dense(x2,{h}); x4=power(x3,{r}); "
        text += f"x5=dense(x4,{d}); sum(x2,x5)"
        known = residual_dimension(parse(text))
        assert known is not None, text
        yield text, known[0]


def _gate(n: int, h: int, o: int) -> str:
    return f"x0=input({n}); x1=dense(x0,{h}); x2=dense(x0,{h}); x3=product(x1,x2); dense(x3,{o})"


def _one_gate() -> Cases:
    for n, h in _grid(range(1, 6), range(1, 4)):
        s = min(n, 2 * h)
        yield _gate(n, h, 1), s * n - s * (s - 1) // 2


def _gates() -> Cases:
    for n, h, o in _grid(range(2, 5), range(1, 5), range(2, 4)):
        m, every = min(o, h), math.comb(n + 1, 2)
        yield _gate(n, h, o), (o - m) * min(h, every) + min(m * every, h * (2 * n + m - 2))


def _kan(n: int, h: int) -> str:
    text = f"x0=input({n}); x1=power(x0,2); x2=dense(x0,{h}); x3=dense(x1,{h}); x4=sum(x2,x3); x5=power(x4,2); "
    return text + "x6=dense(x4,1); x7=dense(x5,1); sum(x6,x7)"


def _kans() -> Cases:
    for n, h in _grid(range(2, 4), range(1, 6)):
        if h <= 2 * n:
            yield _kan(n, h), min(h * (2 * n + 1) - h * (h - 1) // 2, 2 * n * (n + 1))


FORMULAS: tuple[Formula, ...] = (
    Formula(
        "linear networks",
        "[d₀,…,d_L] r=1",
        "m (d₀ + d_L − m)",
        "m the least width",
        "Matrices of rank at most m.",
        _linear,
        "*parameters*, *idle layer*; theorem",
    ),
    Formula(
        "quadratic forms",
        "[n,s,1] r=2",
        "k n − k (k−1)/2",
        "k = min(n, s)",
        "Symmetric matrices of rank at most s.",
        _quadrics,
        "*quadrics*; theorem",
    ),
    Formula(
        "sums of powers",
        "[n,s,1] r≥3",
        "min(s n, C(n+r−1, r))",
        "less 1 in four cases",
        "Alexander and Hirschowitz; Brambilla, Ottaviani, arXiv math/0701409.",
        lambda: _perceptrons(_grid(range(2, 4), range(1, 5), range(1, 2)), 3),
        "*Veronese*; theorem",
    ),
    Formula(
        "equal widths",
        "[n,…,n] r",
        "(L−1)(n² − n) + n²",
        "r ≥ 2",
        "Finkel, Rodriguez, Wu, Yahl, arXiv 2408.04569.",
        _equal,
        "*parameters*; theorem",
    ),
    Formula(
        "falling widths",
        "[d₀ ≥ … ≥ d_{L−1}, d_L]",
        "weights − hidden neurons",
        "widths ≥ 2, and d_L ≥ 2 or the last degree ≥ 3",
        "Usevich, Borsoi, Dérand, Clausel, arXiv 2506.17093, Corollary 16.",
        _falling,
        "*parameters*; theorem",
    ),
    Formula(
        "one neuron",
        "[…,1,…,d_L]",
        "dim up to the layer + d_L − 1",
        "a layer of width 1",
        "Behind it every output is a multiple of one power; scaling the neuron scales the multiples.",
        _one_neuron,
        "*cut*; theorem",
    ),
    Formula(
        "convolutions",
        "one channel, degrees r",
        "Σ k_i − (L − 1)",
        "monomial activation",
        "Shahverdi, Marchetti, Kohn, arXiv 2410.00722.",
        _convolutions,
        "*symmetries*",
    ),
    Formula(
        "one head",
        "lightning attention, t ≥ 2 tokens",
        "a (2d − a) + d o − 1",
        "a = min(rank, d)",
        "Henry, Marchetti, Kohn, arXiv 2408.17221, Theorem 3.2.",
        _one_head,
        "*symmetries*",
    ),
    Formula(
        "residual stacks",
        "n inputs, blocks x + C σ(A x) of widths h_i",
        "Σ dim [n,h_i,n]",
        "degrees ≥ 2, h_i ≥ n for i ≥ 2",
        THEOREM,
        _residual,
        "*cells*; theorem",
    ),
    Formula(
        "transformer blocks",
        "attention and perceptrons, each with the identity beside it, t ≥ 2 tokens",
        "Σ of a (2d − a) + d² − 1 and dim [d,h,d]",
        "degrees ≥ 2; after the first block h ≥ d, a = d",
        "The theorem on residual stacks, on matrices of tokens, with the dimension of one head.",
        _blocks,
        "*cells*; theorem",
    ),
    Formula(
        "heads of full rank, one output",
        "Σ of H heads, t ≥ 2 tokens",
        "H (d − H) + d (C(d+1, 2) − C(d−H+1, 2))",
        "rank ≥ d, H ≤ d",
        "The function is the tensor of the quadrics ``q_k = Σ_h v_h α_hk``, k = 1..d, with linear forms ``v_h`` and "
        "any ``α_hk``: d quadrics that vanish on the subspace L of dimension d − H where all ``v_h`` do. L is a point "
        "of a Grassmannian, the quadrics on L have codimension C(d−H+1, 2), so dim is at most that. The quadrics "
        "determine L up to finitely many: a tangent vector φ: L → ℝᵈ/L that keeps all of them has ``Σ_h φ_h(x) α_hk(x) "
        "= 0`` on L for all k; at a generic x in L the H × d matrix ``α_hk(x)`` has rank H, so φ = 0.",
        _full_heads,
        "*heads of full rank*",
    ),
    Formula(
        "heads of rank 1",
        "Σ of H heads, o outputs, t ≥ 2 tokens",
        "min(o d C(d+1, 2), H (a (2d − a) + d o − 1))",
        "rank a = 1",
        "",
        _many_heads,
    ),
    Formula(
        "biased squares",
        "[n,h,1] r=2 bias",
        "h (n+1) − h (h−1)/2 + 1",
        "h ≤ n",
        "The functions are ``Q + ℓ + c`` with a quadratic form Q of rank at most h, a linear form ℓ in its span, of "
        "dimension h, and any c: for generic biases ``Q = Σ w_i a_i²`` and ``ℓ = 2 Σ w_i b_i a_i``. So dim = h n − "
        "h (h−1)/2 + h + 1.",
        _biased_quadrics,
        "*quadratic function*",
    ),
    Formula(
        "quadratic activation",
        "[n,h,1] p=c₀,c₁,c₂",
        "h (n+1) − h (h−1)/2",
        "c₁, c₂ ≠ 0, h ≤ n",
        "The functions ``c₂ Q + c₁ ℓ + c₀ c`` with ``Q = Σ w_i a_i²``, ``ℓ = Σ w_i a_i``, ``c = Σ w_i``. In a basis "
        "``e_i = √w_i a_i`` of the span of Q, ``ℓ = Σ √w_i e_i`` is any vector, and c its square length, which Q and ℓ "
        "determine. So dim is that of the pairs (Q, ℓ), h n − h (h−1)/2 + h.",
        _quadratic_activation,
        "*quadratic function*",
    ),
    Formula(
        "gated units, one output",
        "dense(product(dense(x,h), dense(x,h)), 1)",
        "s n − s (s−1)/2",
        "s = min(n, 2h)",
        "``Σ w_i a_i b_i`` is a quadratic form of rank at most 2h, and over ℂ every such form is of this kind.",
        _one_gate,
        "*quadratic function*",
    ),
    Formula(
        "gated units",
        "dense(product(dense(x,h), dense(x,h)), o)",
        "(o − m) min(h, M) + min(m M, h (2n + m − 2))",
        "o ≥ 2; m = min(o, h), M = C(n+1, 2)",
        "",
        _gates,
    ),
    Formula(
        "polynomial KAN",
        "edges of degree 2, n inputs, h neurons, one output",
        "min(h (2n+1) − h (h−1)/2, 2n (n+1))",
        "h ≤ 2n",
        "",
        _kans,
    ),
)
"""The formulas, those of the literature first."""
