from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tol_luigi.core.license_names import UNKNOWN, is_allowed, license_url, parse_allowed, spdx_name

CC = "https://creativecommons.org"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("CC-BY-4.0", "CC-BY-4.0"),
        ("cc-by", "CC-BY"),
        ("cc by 4.0", "CC-BY-4.0"),
        ("CC_BY_NC_4_0", "CC-BY-NC-4.0"),
        ("http://creativecommons.org/licenses/by/4.0/", "CC-BY-4.0"),
        ("https://creativecommons.org/licenses/by-nc-sa/3.0/us/legalcode", "CC-BY-NC-SA-3.0-US"),
        ("creativecommons.org/licenses/by-nd/2.0", "CC-BY-ND-2.0"),
        ("Creative Commons Attribution-NonCommercial 4.0 International License", "CC-BY-NC-4.0"),
        ("Attribution-Share-Alike 3.0", "CC-BY-SA-3.0"),
        ("cc-by-sa-3.0-igo", "CC-BY-SA-3.0-IGO"),
        ("CC BY-SA-NC 2.5", "CC-BY-NC-SA-2.5"),
        ("CC0", "CC0-1.0"),
        ("cc-0-1.0", "CC0-1.0"),
        ("CC0 1.0 Universal", "CC0-1.0"),
        ("https://creativecommons.org/publicdomain/zero/1.0/", "CC0-1.0"),
        ("http://creativecommons.org/publicdomain/mark/1.0/", "CC-PDM-1.0"),
        ("cc-publicdomain", "CC-PDM-1.0"),
        ("Public Domain", "CC-PDM-1.0"),
        ("All rights reserved", "all-rights-reserved"),
        ("No known copyright restrictions", "no-known-copyright-restrictions"),
        ("", ""),
        ("by", ""),
        ("mine", ""),
        ("cc", ""),
        ("cc-nc-4.0", ""),
        ("cc-by-sa-nd-4.0", ""),
        ("cc-by-4.0, but ask me first", ""),
        ("not cc-by-4.0", ""),
        ("0", ""),
        ("https://example.org/licenses/by/4.0/", ""),
    ],
)
def test_names(text: str, name: str) -> None:
    assert spdx_name(text) == name


@pytest.mark.parametrize(
    ("allowed", "names", "others"),
    [
        (
            "CC-BY",
            ["CC-BY", "CC-BY-2.0", "CC-BY-4.0", "CC-BY-3.0-US"],
            ["CC-BY-SA", "CC-BY-NC-4.0", "CC0-1.0", ""],
        ),
        ("cc-by-3.0", ["CC-BY-3.0", "CC-BY-3.0-US"], ["CC-BY", "CC-BY-4.0", "CC-BY-SA-3.0"]),
        ("cc-by-3.0-us", ["CC-BY-3.0-US"], ["CC-BY-3.0", "CC-BY-3.0-DE"]),
        ("cc0", ["CC0-1.0"], ["CC-PDM-1.0", ""]),
        ("public domain", ["CC-PDM-1.0"], ["CC0-1.0"]),
        ("Unknown", [""], ["CC-BY", "all-rights-reserved"]),
    ],
)
def test_what_an_allowed_name_stands_for(allowed: str, names: list[str], others: list[str]) -> None:
    chosen = {parse_allowed(allowed)}

    assert all(is_allowed(name, chosen) for name in names)
    assert not any(is_allowed(name, chosen) for name in others)


def test_a_misspelt_name_is_not_allowed() -> None:
    with pytest.raises(ValueError, match="CC-BYE"):
        parse_allowed("CC-BYE")


@given(st.text(max_size=30))
def test_any_text_has_a_name_that_stays_the_same(text: str) -> None:
    name = spdx_name(text)

    assert spdx_name(name) == name
    assert name != UNKNOWN


@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("CC-BY-NC-SA-3.0-US", f"{CC}/licenses/by-nc-sa/3.0/us/"),
        ("CC-BY-4.0", f"{CC}/licenses/by/4.0/"),
        ("CC0-1.0", f"{CC}/publicdomain/zero/1.0/"),
        ("CC-PDM-1.0", f"{CC}/publicdomain/mark/1.0/"),
        ("CC-BY", ""),
        ("all-rights-reserved", ""),
        ("", ""),
    ],
)
def test_addresses_are_those_of_the_licence(name: str, url: str) -> None:
    assert license_url(name) == url
    assert not url or spdx_name(url) == name
