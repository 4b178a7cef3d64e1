"""Small networks of every family, written as programs: the test set of the upper bounds.

Families × r ∈ {2, 3} × inputs ∈ {2, 3} × h ∈ {2, 3, 4} × outputs ∈ {1, 2}, 24 each, and three sweeps.
"""

from __future__ import annotations

import itertools

FAMILIES = {
    "kan": "x=input({d}); x2=power(x,2); a=dense(x,{h}); b=dense(x2,{h}); s=sum(a,b); s2=power(s,{r}); "
    "c=dense(s,{o}); e=dense(s2,{o}); sum(c,e)",
    "skip": "x=input({d}); a=dense(x,{h}); b=power(a,{r}); c=sum(b,a); dense(c,{o})",
    "residual": "x=input({d}); a=dense(x,{h}); b=power(a,{r}); c=dense(b,{d}); s=sum(x,c); e=dense(s,{h}); "
    "f=power(e,{r}); g=dense(f,{d}); sum(s,g)",
    "biased": "[{d},{h},{h},{o}] r={r} bias",
    "polynomial": "[{d},{h},{o}] p={ones}",
    "tied": "[{d},{h},{h},{h},{o}] r={r} tied",
    "ccp": "ccp({d},rank={h},degree={r},outputs={o})",
    "gated": "x=input({d}); a=dense(x,{h}); b=dense(x,{h}); c=product(a,b); u=dense(c,{h}); v=dense(c,{h}); "
    "w=product(u,v); dense(w,{o})",
    "heads": "x=input(2,{d}); a=attention(x,1,{o}); b=attention(x,1,{o}); sum(a,b)",
    "block": "x=input(2,{d}); a=attention(x,1,{d}); s=sum(x,a); m=dense(s,{h}); p=power(m,{r}); "
    "q=dense(p,{d}); sum(s,q)",
}


def texts(family: str) -> list[str]:
    """The 24 networks of a family."""
    return [
        FAMILIES[family].format(r=r, d=d, h=h, o=o, ones=",".join("1" * (r + 1)))
        for r, d, h, o in itertools.product((2, 3), (2, 3), (2, 3, 4), (1, 2))
    ]


def biased() -> list[str]:
    """``sweep "[2..4,2..4,2..4,1..2] r=2..3 bias"``."""
    widths = itertools.product((2, 3, 4), (2, 3, 4), (2, 3, 4), (1, 2))
    return [f"[{a},{b},{c},{o}] r={r} bias" for r, (a, b, c, o) in itertools.product((2, 3), widths)]


def quadratic() -> list[str]:
    """``sweep "[2..3,2..4,2..4,1..2] p=0,1,1"``."""
    widths = itertools.product((2, 3), (2, 3, 4), (2, 3, 4), (1, 2))
    return [f"[{a},{b},{c},{o}] p=0,1,1" for a, b, c, o in widths]
