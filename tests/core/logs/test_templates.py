from pathlib import Path

import pytest

from core.errors import BadInput, Conflict
from core.logs.importing import import_log
from core.logs.mapping import Mapping, parse_mapping
from core.logs.templates import Template, fitting, read_templates, save_template
from core.store.home import Home


def mapping(*columns: str) -> Mapping:
    first, *others = columns
    return Mapping.model_validate(
        {"roles": {"actor": first}, "columns": dict.fromkeys(others, "entity")}
    )


def test_a_template_is_found_again_as_it_was_saved(tmp_path: Path) -> None:
    kept = [save_template(tmp_path / "t", name, mapping("user", "ip")) for name in ("b", "店铺 a")]
    assert read_templates(tmp_path / "t") == (kept, [])
    assert sorted(file.name for file in (tmp_path / "t").iterdir()) == ["b.json", "店铺 a.json"]


def test_without_a_folder_there_are_no_templates(tmp_path: Path) -> None:
    assert read_templates(tmp_path / "nowhere") == ([], [])


def test_a_name_that_is_taken_is_replaced_only_on_purpose(tmp_path: Path) -> None:
    save_template(tmp_path, "shop", mapping("user"))
    with pytest.raises(Conflict, match="'shop' already"):
        save_template(tmp_path, " shop ", mapping("buyer"))
    assert read_templates(tmp_path)[0] == [Template("shop", mapping("user"))]
    save_template(tmp_path, "shop", mapping("buyer"), replace=True)
    assert read_templates(tmp_path)[0] == [Template("shop", mapping("buyer"))]


@pytest.mark.parametrize("name", ["", "  ", "../x", "a/b", ".x", "a\\b", "x" * 61, "a\nb"])
def test_a_name_stays_inside_the_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadInput, match="cannot name a template"):
        save_template(tmp_path / "t", name, mapping("user"))
    assert list(tmp_path.rglob("*.json")) == []


def test_files_that_are_no_templates_are_left_out_with_a_note(tmp_path: Path) -> None:
    save_template(tmp_path, "good", mapping("user"))
    (tmp_path / "broken.json").write_text("{")
    (tmp_path / "binary.json").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "other.json").write_text('{"roles": {"who": "x"}}')
    (tmp_path / "folder.json").mkdir()
    templates, notes = read_templates(tmp_path)
    assert [one.name for one in templates] == ["good"]
    assert [note.split("'")[1] for note in notes] == ["binary", "broken", "folder", "other"]
    assert "roles.who" in notes[-1]


def test_the_template_with_the_most_columns_in_common_comes_first() -> None:
    known = [
        Template("few", mapping("user")),
        Template("more", mapping("user", "ip")),
        Template("too many", mapping("user", "ip", "shop")),
        Template("none", Mapping()),
    ]
    assert [one.name for one in fitting(known, ["ip", "user", "new"])] == ["more", "few"]
    assert fitting(known, ["ip"]) == []


def test_a_template_is_a_mapping_that_an_import_takes(home: Home, tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text("user,ip,new\nu1,p1,a\nu1,p2,b\n")
    save_template(tmp_path / "t", "shop", mapping("user", "ip"))
    given = parse_mapping((tmp_path / "t" / "shop.json").read_text(encoding="utf-8"))
    dataset = import_log(home, tmp_path / "log.csv", mapping=given)
    assert dataset.mapping["columns"] == {"ip": "entity", "new": "categorical"}


def test_a_template_of_an_earlier_version_is_still_read(tmp_path: Path) -> None:
    (tmp_path / "old.json").write_text('{"roles": {"actor": "u"}, "sequence": {"by": "actor"}}')
    (template,), notes = read_templates(tmp_path)
    assert (template.mapping.time.zone, notes) == ("UTC", [])
