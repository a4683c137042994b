"""The icons that are in the repository are those that the tool draws."""

from __future__ import annotations

import struct

import pytest

from tools.build_icons import FOLDER, ICONS, Icon, drawn


@pytest.mark.parametrize("icon", ICONS, ids=lambda icon: icon.name)
def test_the_icon_is_what_is_drawn(icon: Icon) -> None:
    content = (FOLDER / icon.name).read_bytes()
    assert struct.unpack(">II", content[16:24]) == (icon.side, icon.side)
    assert content == drawn(icon)
