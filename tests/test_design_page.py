"""``docs/design.md`` and its picture name the parts that there are."""

from __future__ import annotations

from xml.etree import ElementTree

from tests.support.tool import ROOT


def test_the_design_page_says_what_each_part_of_the_runner_is_for() -> None:
    page = (ROOT / "docs" / "design.md").read_text()
    for path in (ROOT / "runner").iterdir():
        if path.suffix == ".py" and not path.name.startswith("__"):
            assert f"{path.name}`" in page, path.name
        elif (path / "__init__.py").is_file():
            assert f"`runner/{path.name}/`" in page, path.name


def test_the_picture_of_the_design_shows_the_data_s_way() -> None:
    picture = ElementTree.parse(ROOT / "docs" / "design.svg")
    words = [element.text for element in picture.iter("{http://www.w3.org/2000/svg}text")]
    way = ["files", "migrations", "plan", "apply", "verify", "report"]
    assert [word for word in words if word in way] == way
