from __future__ import annotations

from decimal import Decimal

import pytest

from fhirserver.fhirpath import FhirPathError
from tests.fhirpath.answers import plain

TRUE = "true"
FALSE = "false"
EMPTY = "empty"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1 + 2 * 3", [7]),
        ("-2 + 1", [-1]),
        ("+3", [3]),
        ("-{}", []),
        ("7 div 2", [3]),
        ("-7 div 2", [-3]),
        ("7 mod 3", [1]),
        ("7.5 mod 2", [Decimal("1.5")]),
        ("1 / 4", [Decimal("0.25")]),
        ("1 / 0", []),
        ("1 div 0", []),
        ("1 mod 0", []),
        ("'a' + 'b' & {} & 'c'", ["abc"]),
        ("'a' + {}", []),
        ("@2020-02-29 & ''", ["2020-02-29"]),
        ("9223372036854775807 + 1", []),
        ("2 * 4611686018427387904", []),
        (
            "1 'g' + 500 'mg'",
            [{"value": Decimal("1.5"), "unit": "g", "system": "http://unitsofmeasure.org", "code": "g"}],
        ),
        ("3 'g' - 1 'g' = 2 'g'", [True]),
        ("1 'g' + 1 'm'", []),
        ("2 'm' * 3 = 6 'm'", [True]),
        ("3 * 2 'm' = 6 'm'", [True]),
        ("6 'm' / 2 's' = 3 'm/s'", [True]),
        ("6 'm' / 0 's'", []),
        ("6 'zorkmid' * 2 's'", []),
        ("-(1 'g') < 0 'g'", [True]),
        ("1 'g' = 1", []),
        ("1 = 1 '1'", [True]),
        ("1 'g' > 1 'm'", []),
        ("2 > 1 '1'", [True]),
        ("1 year = 12 months", [True]),
        ("1 year > 11 months", [True]),
        ("1 year = 1 'a'", []),
        ("1 year ~ 1 'a'", [True]),
        ("1 day = 24 hours", [True]),
        ("1 'Cel' = 1 'Cel'", [True]),
        ("0 'g' ~ 0 'mg'", [True]),
        ("1 'g' ~ 1 'm'", [False]),
        ("1 'g' !~ 1.04 'g'", [False]),
        ("'a b' ~ 'A  B'", [True]),
        ("true ~ 'true'", [False]),
        ("{} ~ {}", [True]),
        ("1 ~ 'a'", [False]),
        ("maritalStatus.coding[0] ~ maritalStatus.coding[1]", [False]),
        ("maritalStatus ~ maritalStatus", [True]),
        ("name ~ name.last().combine(name.first())", [True]),
        ("1 = 'a'", [False]),
        ("'1' = 1", [False]),
        ("@2020 = 'x'", [False]),
        ("true = 1", [False]),
        ("@2020-01 = @T10:00", [False]),
        ("(1 | 2) = 1", [False]),
        ("(@2020 | 1) = (@2020-01-01 | 1)", []),
        ("'a' <= 'b'", [True]),
        ("1 < {}", []),
        ("1 in (1 | 2)", [True]),
        ("{} in (1 | 2)", []),
        ("gender in ('male' | 'female')", [True]),
        ("'Centre' in contained.name", [True]),
        ("contained.id contains managingOrganization.reference.substring(1)", [True]),
        ("generalPractitioner.exists('#d1' in %resource.descendants().reference)", [True]),
        ("(name.given | 'x' | 'x').count()", [3]),
        ("('a' | 'b').where($this = 'b')", ["b"]),
        ("true and true and {}", []),
        ("true and {} and false", [False]),
        ("true and true and true", [True]),
        ("false or {} or false", []),
        ("false or {} or true", [True]),
        ("false or false or false", [False]),
        ("{} or false", []),
        ("{} and true", []),
        ("true xor {}", []),
        ("true xor false", [True]),
        ("{} implies true", [True]),
        ("{} implies {}", []),
        ("true implies {}", []),
        ("false implies {}", [True]),
        ("active and 'x'", [True]),
        ("name.given.first() = 'Jeanne'", [True]),
        ("'Jeanne' = name.first().given.first()", [True]),
        ("name.family = 'Martin'", [True]),
        ("name.use = 'official'", [False]),
        ("maritalStatus.text = 'x'", []),
        ("birthDate = '2020'", []),
        ("name.family != 'Petit'", [True]),
        ("multipleBirth = 2", [True]),
        ("multipleBirth > 1 and multipleBirth + 1 = 3", [True]),
    ],
)
def test_an_operator_gives(text: str, expected: list[object]) -> None:
    assert plain(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "'a' < 1",
        "true < false",
        "name < name",
        "name.first() > 1",
        "1 < (1 | 2)",
        "-'a'",
        "-true",
        "1 + 'a'",
        "'a' - 'b'",
        "'a' * 2",
        "'a' / 2",
        "'a' div 2",
        "'a' mod 2",
        "1 & 'a'",
        "name.first() & 'a'",
        "@2020 + 1",
        "@2020 + 1 'cm'",
        "@T10:00 + 1 day",
        "(1 | 2) in (1 | 2)",
        "(true | false) and true",
        "name['a']",
        "name[(0 | 1)]",
    ],
)
def test_an_operator_refuses(text: str) -> None:
    with pytest.raises(FhirPathError):
        plain(text)
