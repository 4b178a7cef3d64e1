"""The search for the smallest upper bound, compiled, for many perceptrons of one activation degree each.

The twin of `polygeom.dimensions.bounds.search.upper_bound`: the same rules in the same order, the same choice among
equal bounds, with every architecture that was bounded once kept in a table. The rules are stated and proved in
`polygeom.dimensions.bounds.rules`; here is their arithmetic alone, and a test compares the two searches.

An architecture is a row ``(number of widths, r, d_0, …, d_L)`` of `CASE` integers. Its key is those numbers with 16
bits each. An inequality with a part of width 2^16 or more is left out: what remains is a bound, but need not be the
smallest, and its layer is `ROUGH` more, as are those of what rests on it. All counts are capped at a limit below 2^31,
so a product of two stays below 2^62. Cost: per architecture ``L²`` look-ups, memory 43 bytes per entry of the table.

The search keeps a stack in place of recursion, which numba cannot cache: an architecture whose parts are not all known
puts them on the stack and is looked at again when they are. Look-ups stand in one place: compiling them once for every
rule would take half a minute.
"""

# mypy: disable-error-code="no-untyped-def, no-untyped-call"

from __future__ import annotations

import numpy as np

from polygeom.modular._jit import entry, inner

CASE = 16
"""Integers of a case: two and up to 14 widths."""
MOST_WIDTHS = CASE - 2
WIDEST = 1 << 16
_CAP, _NONE = 1 << 30, np.int64(1 << 62)
_WORDS = 4
STACK = 1 << 14
_OFFERS = 256

RULES = (
    *("parameters", "ambient", "Segre–Veronese", "Veronese", "quadrics", "surplus", "inputs", "outputs"),
    *("rotations", "cut", "lift", "hypersurface", "span", "pencil", "identifications"),
)
"""The rules by number, in the order in which they are asked."""
ORDERS = (0, 1, 2, 2, 2, 11, 20, 21, 22, 30, 30, 40, 41, 42, 43)
_ORDER = np.array(ORDERS)
_PARAMETERS, _AMBIENT, _SEGRE, _VERONESE, _QUADRICS, _SURPLUS, _INPUTS, _OUTPUTS = range(8)
_ROTATIONS, _CUT, _LIFT, _HYPERSURFACE, _SPAN, _PENCIL, _IDENTIFICATIONS = range(8, 15)

ROUGH = 64
FULL, TOO_LARGE, UNKNOWN = -1, -2, -3
"""Why a search stopped: the table is full, a width is too large or the stack too high, conditions are not counted."""


@inner
def capped(variables, degree, cap):
    """min(C(variables + degree - 1, degree), cap); cap below 2^30."""
    few, many = (degree, variables - 1) if degree < variables else (variables - 1, degree)
    total = 1
    for i in range(1, few + 1):
        total = total * (many + i) // i
        if total >= cap:
            return cap
    return min(total, cap)


@inner
def _power(r, exponent):
    """min(r^exponent, _CAP)."""
    total = 1
    for _ in range(exponent):
        total = min(total * r, _CAP)
    return total


@inner
def _pack(case, key):
    """The key of a case; whether it has one."""
    for word in range(_WORDS):
        key[word] = 0
    for i in range(case[0] + 2):
        if case[i] >= WIDEST:
            return False
        key[i // 4] |= np.uint64(case[i]) << np.uint64(16 * (i % 4))
    return True


@inner
def _slot(keys, key):
    """The place of a key in the table, or the free place where it belongs: open addressing, linear steps."""
    mixed = np.uint64(0)
    for word in range(_WORDS):
        mixed = (mixed ^ key[word]) * np.uint64(0x9E3779B97F4A7C15)
        mixed ^= mixed >> np.uint64(29)
    mask = keys.shape[0] - 1
    at = np.int64(mixed) & mask
    while keys[at, 0] != 0:
        same = True
        for word in range(_WORDS):
            same = same and keys[at, word] == key[word]
        if same:
            return at
        at = (at + 1) & mask
    return at


@inner
def _offer(constant, rule, layer, parts, offers, counts):
    """An inequality ``value ≤ constant + Σ parts`` that begins; `_part` adds its parts."""
    row = offers[counts[0]]
    row[0], row[1], row[2], row[3] = constant, rule, layer, counts[1]
    counts[0] += 1


@inner
def _part(case, head, start, stop, last, parts, counts):
    """A part (head, d_start, …, d_{stop-1}) of the offer begun last, its last width replaced by ``last`` if positive.

    ``head`` 0 stands for none.
    """
    part = parts[counts[1]]
    counts[1] += 1
    count = 2
    if head > 0:
        part[2] = head
        count = 3
    for i in range(start, stop):
        part[count] = case[2 + i]
        count += 1
    if last > 0:
        part[count - 1] = last
    part[0], part[1] = count - 2, case[1]


@inner
def _formulas(w, r, parts, offers, counts):
    """The rules without parts for one hidden layer: Segre–Veronese, Veronese, quadrics."""
    n, s, m = w[0], w[1], w[2]
    ottaviani = r == 2 and m == 3 and n >= 4 and n % 2 == 0 and s == 3 * (n // 2 - 1) + 2
    if ottaviani or (n, s, m, r) == (3, 5, 2, 3) or (n, s, m, r) == (4, 6, 5, 2):
        _offer(min(m * capped(n, r, _CAP), s * (n + m - 1)) - 1, _SEGRE, 0, parts, offers, counts)
    if m == 1:
        if (n, s, r) == (5, 7, 3) or (n, s, r) == (4, 9, 4):
            _offer(34, _VERONESE, 0, parts, offers, counts)
        elif (n, s, r) == (3, 5, 4):
            _offer(14, _VERONESE, 0, parts, offers, counts)
        elif (n, s, r) == (5, 14, 4):
            _offer(69, _VERONESE, 0, parts, offers, counts)
        if r == 2 and s <= n:
            _offer(s * n - s * (s - 1) // 2, _QUADRICS, 0, parts, offers, counts)


@inner
def _feature_span(w, count, r):
    """`polygeom.dimensions.bounds.architecture.feature_span` of the first ``count`` widths."""
    if count == 2:
        return w[0]
    span = min(w[1], capped(w[0], r, _CAP))
    for k in range(2, count - 1):
        span = min(w[k], r * (span - 1) + 1)
    return span


@inner
def _relation(w, r, k, limit):
    """The degree of an equation between the features of layer k, as in the rule *hypersurface*."""
    n, product = w[k] - 1, 1
    if 2 <= n <= 64:
        for i in range(k - 1, -1, -1):
            product *= r
            if product >= limit:
                break
            if w[i] == n:
                relation = 1
                for _ in range(n - 1):
                    relation *= product
                    if relation >= limit:
                        return limit
                return relation
    return limit


@inner
def _beyond_relation(variables, t, relation, limit):
    """min(M(variables, t) - M(variables, t - relation), limit), as a sum over the degrees that remain."""
    space = 0
    for e in range(t - relation + 1, t + 1):
        space += capped(variables - 1, e, limit)
        if space >= limit:
            return limit
    return space


@inner
def _conditions(table, n, m, r, t):
    """The row of (n, m, r, t) in the table of conditions, -1 if there is none."""
    for i in range(table.shape[0]):
        if table[i, 0] == n and table[i, 1] == m and table[i, 2] == r and table[i, 3] == t:
            return i
    return -1


@inner
def _identified(case, w, count, r, limit, table, parts, offers, counts):
    """The rule *identifications*; the row of the table that must be counted first, or -1."""
    n, m = w[0], w[1]
    if count < 4 or not n + 2 <= m < 2 * n:
        return -1
    for j in range(3, count):
        t = _power(r, j - 2)
        if t >= limit:
            break
        row = _conditions(table, n, m, r, t)
        if row < 0:
            continue
        useful = capped(m, t, limit)
        forms = capped(n, r * t, _CAP)
        if forms - table[row, 4] >= useful:
            continue
        if table[row, 5] < 0:
            return row
        space = forms - table[row, 5]
        if space < useful:
            _offer(n * m - m, _IDENTIFICATIONS, 1, parts, offers, counts)
            _part(case, space, j, count, 0, parts, counts)
    return -1


@inner
def _by_equation(case, w, r, count, limit, parts, offers, counts):
    """The rule *hypersurface*."""
    for k in range(1, count - 1):
        relation = _relation(w, r, k, limit)
        if relation == limit:
            continue
        t = 1
        for j in range(k + 2, count):
            t *= r
            if t >= limit:
                break
            space = _beyond_relation(w[k], t, relation, limit) if t >= relation else limit
            if space < limit:
                _offer(-w[k], _HYPERSURFACE, k, parts, offers, counts)
                _part(case, 0, 0, k + 1, 0, parts, counts)
                _part(case, space, j, count, 0, parts, counts)


@inner
def _instances(case, thorough, table, smaller, parts, offers, counts):
    """Every inequality for a case, in the order of the rules; TOO_LARGE, or a row of the table to count, or -1."""
    count, r = case[0], case[1]
    w = case[2:]
    hidden, top = count - 2, count - 1
    limit = 0
    for k in range(top):
        limit += w[k] * w[k + 1]
    for k in range(1, top):
        limit -= w[k]
    _offer(limit, _PARAMETERS, 0, parts, offers, counts)
    if limit >= _CAP:
        return TOO_LARGE
    degree = _power(r, hidden)
    value = w[top] * capped(w[0], degree, limit // w[top] + 1)
    if value < limit:
        _offer(value, _AMBIENT, 0, parts, offers, counts)
    if hidden == 0:
        return -1
    if hidden == 1:
        _formulas(w, r, parts, offers, counts)

    narrow = False
    for i in range(CASE):
        smaller[i] = case[i]
    for k in range(1, top):
        smaller[2 + k] = capped(w[0], _power(r, k), capped(smaller[1 + k], r, w[k]))
        narrow = narrow or smaller[2 + k] < w[k]
    if narrow:  # an equality: no other rule needs to be asked
        _offer(0, _SURPLUS, 0, parts, offers, counts)
        _part(smaller, 0, 0, count, 0, parts, counts)
        return -1

    if w[1] < w[0]:
        _offer(w[1] * (w[0] - w[1]), _INPUTS, 0, parts, offers, counts)
        _part(case, w[1], 1, count, 0, parts, counts)
    if w[top] > w[top - 1]:
        last = w[top - 1]
        _offer((w[top] - last) * capped(w[0], degree, last), _OUTPUTS, 0, parts, offers, counts)
        _part(case, 0, 0, count, last, parts, counts)
    if r == 2 and w[top] == 1:
        s = w[top - 1]
        if 2 <= s <= _feature_span(w, top, r):
            _offer(-(s * (s - 1) // 2), _ROTATIONS, 0, parts, offers, counts)
            _part(case, 0, 0, top, 0, parts, counts)
    if hidden >= 2:
        for k in range(1, top):
            _offer(-w[k], _CUT, k, parts, offers, counts)
            _part(case, 0, 0, k + 1, 0, parts, counts)
            _part(case, 0, k, count, 0, parts, counts)
        for k in range(2, top):
            space = capped(w[0], _power(r, k - 1), limit)
            if space < limit:
                _offer(0, _LIFT, k, parts, offers, counts)
                _part(case, space, k, count, 0, parts, counts)
        _by_equation(case, w, r, count, limit, parts, offers, counts)
    for k in range(1, top):
        m = w[k]
        space = capped(w[0], _power(r, k), limit + m)
        if m < space and m * (space - m) < limit:
            _offer(m * (space - m), _SPAN, k, parts, offers, counts)
            _part(case, 0, k, count, 0, parts, counts)
    if hidden >= 2:
        if w[0] == 4 and w[1] == 8 and r == 2:
            _offer(15, _PENCIL, 1, parts, offers, counts)
            _part(case, 34, 3, count, 0, parts, counts)
        if thorough:
            return _identified(case, w, count, r, limit, table, parts, offers, counts)
    return -1


@entry(
    "int64(int64[:, ::1], boolean, int64[:, ::1], uint64[:, ::1], int32[::1], int8[:, ::1], int64[::1], int64[:, ::1],"
    " int64[::1], int64[:, ::1])"
)
def bound_cases(cases, thorough, table, keys, values, rules, used, stack, why, out):
    """Bounds of the cases into ``out`` (value, rule, layer); how many are done, all unless ``why[0]`` says why not.

    ``keys``, ``values``, ``rules`` are the table, a power of two long, with ``used[0]`` entries, at most half of it.
    ``table`` has rows (n, m, r, t, most conditions, conditions or -1); ``why[1]`` is a row that must be counted.
    """
    smaller, key, counts = np.empty(CASE, np.int64), np.zeros(_WORDS, np.uint64), np.zeros(2, np.int64)
    offers, parts = np.empty((_OFFERS, 4), np.int64), np.empty((2 * _OFFERS, CASE), np.int64)
    why[0] = 0
    for number in range(cases.shape[0]):
        stack[0] = cases[number]
        top = 0
        while top >= 0:
            case = stack[top]
            if not _pack(case, key):
                why[0] = TOO_LARGE
                return number
            at = _slot(keys, key)
            known = keys[at, 0] != 0
            if known and top == 0:
                out[number, 0], out[number, 1], out[number, 2] = values[at], rules[at, 0], rules[at, 1]
            if known:
                top -= 1
                continue
            counts[0], counts[1] = 0, 0
            answer = _instances(case, thorough, table, smaller, parts, offers, counts)
            if answer == TOO_LARGE:
                why[0] = TOO_LARGE
                return number
            if answer >= 0:
                why[0], why[1] = UNKNOWN, answer
                return number
            above = top
            best, rule, layer, rough = _NONE, np.int64(0), np.int64(0), np.int64(0)
            for one in range(counts[0]):
                value = offers[one, 0]
                stop = offers[one + 1, 3] if one + 1 < counts[0] else counts[1]
                for i in range(offers[one, 3], stop):
                    part = parts[i]
                    if part[0] == 2:
                        value += part[2] * part[3]
                        continue
                    if not _pack(part, key):
                        value, rough = _NONE, np.int64(ROUGH)
                        break
                    place = _slot(keys, key)
                    if keys[place, 0] != 0:
                        value += values[place]
                        rough |= rules[place, 1] & ROUGH
                    else:
                        above += 1
                        if above == stack.shape[0]:
                            why[0] = TOO_LARGE
                            return number
                        stack[above] = part
                kind = offers[one, 1]
                order, before = _ORDER[kind], _ORDER[rule]
                first = order < before or (order == before and offers[one, 2] < layer)
                if value < best or (value == best and first):
                    best, rule, layer = value, kind, offers[one, 2]
            if above > top:  # parts are missing: they are on the stack now
                top = above
                continue
            if 2 * used[0] >= keys.shape[0]:
                why[0] = FULL
                return number
            _pack(case, key)
            keys[at] = key
            values[at], rules[at, 0], rules[at, 1] = best, rule, layer + rough
            used[0] += 1
    return cases.shape[0]


@entry("void(uint64[:, ::1], int32[::1], int8[:, ::1], uint64[:, ::1], int32[::1], int8[:, ::1])")
def move(keys, values, rules, new_keys, new_values, new_rules):
    """Copy all entries of a table into a larger one."""
    for i in range(keys.shape[0]):
        if keys[i, 0] != 0:
            at = _slot(new_keys, keys[i])
            for word in range(_WORDS):
                new_keys[at, word] = keys[i, word]
            new_values[at] = values[i]
            new_rules[at, 0], new_rules[at, 1] = rules[i, 0], rules[i, 1]
