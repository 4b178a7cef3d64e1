"""Polynomials as browsers set formulas: MathML, which needs no script and no font from elsewhere."""

from __future__ import annotations

import re
from html import escape

_TOKEN = re.compile(r"\s*(\d+|[A-Za-z_]\w*|\*\*|[-+*/()=])")
_NAME = re.compile(r"([A-Za-z]+)_?(\w*)")


def mathml(text: str) -> str:
    """A polynomial or an equation, as sympy prints it, as a displayed formula.

    Names have their letters first and the rest as an index; products have no sign.

    Examples
    --------
    >>> mathml("2*x1**3")
    '<math display="block"><mn>2</mn><msup><msub><mi>x</mi><mn>1</mn></msub><mn>3</mn></msup></math>'
    """
    tokens = _TOKEN.findall(text)
    parts: list[str] = []
    at = 0
    while at < len(tokens):
        token = tokens[at]
        if token == "**" and at + 1 < len(tokens) and parts:
            parts[-1] = f"<msup>{parts[-1]}{_atom(tokens[at + 1])}</msup>"
            at += 2
            continue
        if token != "*":
            parts.append(_atom(token))
        at += 1
    return f'<math display="block">{"".join(parts)}</math>'


def _atom(token: str) -> str:
    if token.isdecimal():
        return f"<mn>{token}</mn>"
    named = _NAME.fullmatch(token)
    if named is None:
        return f"<mo>{escape({'-': '−'}.get(token, token))}</mo>"
    letters, index = named[1], named[2]
    if not index:
        return f"<mi>{letters}</mi>"
    kind = "mn" if index.isdecimal() else "mi"
    return f"<msub><mi>{letters}</mi><{kind}>{index}</{kind}></msub>"


__all__ = ["mathml"]
