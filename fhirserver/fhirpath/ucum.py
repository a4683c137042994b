"""Units of measure: which are the same, and by what factor (a table of what clinical data use, https://ucum.org).

Units on ratio scales only: a temperature in Cel or [degF] equals only the same unit.
"""

from __future__ import annotations

import re
from fractions import Fraction
from functools import lru_cache
from typing import Final, NamedTuple

_PREFIXES: Final = {
    "Y": 24, "Z": 21, "E": 18, "P": 15, "T": 12, "G": 9, "M": 6, "k": 3, "h": 2, "da": 1,
    "d": -1, "c": -2, "m": -3, "u": -6, "n": -9, "p": -12, "f": -15, "a": -18, "z": -21, "y": -24,
}  # fmt: skip

_METRIC: Final = {
    "m": "", "g": "", "s": "", "K": "", "cd": "", "C": "", "rad": "", "L": "1e-3 m3", "l": "1e-3 m3",
    "mol": "6.02214076e23", "N": "1e3 g.m/s2", "Pa": "1e3 g/m/s2", "J": "1e3 g.m2/s2", "W": "1e3 g.m2/s3",
    "Hz": "/s", "A": "C/s", "V": "1e3 g.m2/s2/C", "F": "1e-3 C2.s2/g/m2", "Ohm": "1e3 g.m2/s/C2",
    "S": "1e-3 C2.s/g/m2", "T": "1e3 g/s/C", "Bq": "/s", "Gy": "m2/s2", "Sv": "m2/s2", "kat": "6.02214076e23 /s",
    "U": "1.00368994e16 /s", "eq": "6.02214076e23", "osm": "6.02214076e23", "bar": "1e8 g/m/s2", "t": "1e6 g",
    "cal": "4184 g.m2/s2", "m[Hg]": "133322387.415 g/m/s2", "m[H2O]": "9806650 g/m/s2",
    "eV": "1.602176634e-16 g.m2/s2", "B[10.nV]": "", "[iU]": "", "[IU]": "1 [iU]", "lm": "cd", "lx": "cd/m2",
    "ar": "100 m2", "Ci": "3.7e10 /s",
}  # fmt: skip

_PLAIN: Final = {
    "%": "1e-2", "[ppth]": "1e-3", "[ppm]": "1e-6", "[ppb]": "1e-9", "10*": "10", "10^": "10",
    "[pi]": "3.14159265358979", "min": "60 s", "h": "3600 s", "d": "86400 s", "wk": "604800 s", "a": "31557600 s",
    "a_j": "31557600 s", "a_t": "31556925.216 s", "a_g": "31556952 s", "mo": "2629800 s", "mo_j": "2629800 s",
    "mo_g": "2629746 s", "deg": "0.0174532925199433 rad", "[in_i]": "0.0254 m", "[ft_i]": "0.3048 m",
    "[yd_i]": "0.9144 m", "[mi_i]": "1609.344 m", "[in_us]": "0.0254000508001016 m", "[sin_i]": "0.00064516 m2",
    "[sft_i]": "0.09290304 m2", "[cin_i]": "0.000016387064 m3", "[gr]": "0.06479891 g", "[lb_av]": "453.59237 g",
    "[oz_av]": "28.349523125 g", "[stone_av]": "6350.29318 g", "[gal_us]": "0.003785411784 m3",
    "[pt_us]": "0.000473176473 m3", "[qt_us]": "0.000946352946 m3", "[foz_us]": "0.0000295735295625 m3",
    "[tsp_us]": "0.00000492892159375 m3", "[tbs_us]": "0.00001478676478125 m3", "[cup_us]": "0.0002365882365 m3",
    "[drp]": "5e-8 m3", "[Cal]": "4184000 g.m2/s2", "atm": "101325000 g/m/s2", "[psi]": "6894757.293 g/m/s2",
    "Cel": "", "[degF]": "", "[pH]": "", "[arb'U]": "", "[CFU]": "", "[hp_X]": "", "[diop]": "/m", "[mesh_i]": "",
    "[Ch]": "", "bit": "", "By": "8 bit",
}  # fmt: skip

_TERM: Final = re.compile(
    r"([./])?(?:(\d+)(?![*^])|((?:\[[^\]\s]*\]|[^\d./(){}\[\]+*^-]|10[*^])+?)([+-]?\d{1,2})?)(?:\{[^}]*\})*(?=[./]|\Z)"
)
_LONGEST: Final = 100
_ALONE: Final = re.compile(r"(^|[./])\{[^{}]*\}")
_ANNOTATION: Final = re.compile(r"\{[^{}]*\}")


class Unit(NamedTuple):
    """`factor` base units; `dimension` the exponents of the base units, sorted, zeros left out."""

    factor: Fraction
    dimension: tuple[tuple[str, int], ...]


def unit(code: str) -> Unit | None:
    """What a UCUM code (case-sensitive) measures; None when the table does not know it."""
    return _unit(code) if len(code) <= _LONGEST else None


@lru_cache(1024)
def _unit(code: str) -> Unit | None:
    text = _ANNOTATION.sub("", _ALONE.sub(r"\g<1>1", code))
    if "(" in text:
        return None
    if text in ("", "1"):
        return Unit(Fraction(1), ())
    factor, powers, at = Fraction(1), dict[str, int](), 0
    while at < len(text):
        match = _TERM.match(text, at)
        if match is None or (match[1] is None) != (at == 0 and text[0] not in "./"):
            return None
        sign = -1 if match[1] == "/" else 1
        if match[2]:
            factor *= Fraction(match[2]) ** sign
        else:
            atom = _atom(match[3])
            if atom is None:
                return None
            exponent = sign * int(match[4] or 1)
            factor *= atom.factor**exponent
            for base, power in atom.dimension:
                powers[base] = powers.get(base, 0) + power * exponent
        at = match.end()
    return Unit(factor, tuple(sorted((base, power) for base, power in powers.items() if power)))


def _atom(symbol: str) -> Unit | None:
    for name, scale in _readings(symbol):
        definition = _METRIC.get(name, _PLAIN.get(name))
        if definition is None:
            continue
        if not definition:
            return Unit(scale, ((name, 1),))
        number, _, rest = definition.partition(" ")
        if not number[0].isdigit():
            number, rest = "1", definition
        inner = unit(rest) if rest else Unit(Fraction(1), ())
        return None if inner is None else Unit(scale * Fraction(number) * inner.factor, inner.dimension)
    return None


def _readings(symbol: str) -> list[tuple[str, Fraction]]:
    found = [(symbol, Fraction(1))]
    for prefix, power in _PREFIXES.items():
        rest = symbol.removeprefix(prefix)
        if rest != symbol and rest in _METRIC:
            found.append((rest, Fraction(10) ** power))
    return found


def product(left: str, right: str, *, inverse: bool = False) -> tuple[str, Fraction] | None:
    """The unit, in base units, of a product (or quotient) of two units, and its factor; None when one is unknown."""
    one, other = unit(left), unit(right)
    if one is None or other is None:
        return None
    powers = dict(one.dimension)
    for base, power in other.dimension:
        powers[base] = powers.get(base, 0) + (-power if inverse else power)
    code = ".".join(f"{base}{'' if power == 1 else power}" for base, power in sorted(powers.items()) if power)
    return code or "1", one.factor / other.factor if inverse else one.factor * other.factor
