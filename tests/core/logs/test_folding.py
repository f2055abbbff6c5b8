from collections.abc import Callable
from pathlib import Path

from core.fields import Field, fit
from core.logs.mapping import Mapping
from core.logs.proposal import inspect_log
from core.schema import MAX_VALUES

Write = Callable[..., Path]
MAPPING = Mapping.model_validate(
    {
        "roles": {"actor": "user", "item": "item", "action": "action", "time": None},
        "columns": {"brand": "categorical", "device": "entity", "words": "text"},
    }
)


def test_what_folds_to_other_is_what_a_model_would_fold(write: Write) -> None:
    brands = ["often"] * 5 + ["seldom"] * 4 + [""]
    items = ["a"] * 3 + ["b"] + ["c"] * 6
    devices = [f"d{number % 4}" for number in range(10)]
    rows = zip(brands, items, devices, strict=True)
    text = "".join(f"u1,view,{item},{brand},{device},hi\n" for brand, item, device in rows)
    path = write("user,action,item,brand,device,words\n" + text)
    found = inspect_log(path, mapping=MAPPING)
    assert found.quality["vocabulary"] == {
        "action": {"values": 1, "kept": 1, "other_share": 0.0},
        "item": {"values": 3, "kept": 2, "other_share": 0.1},
        "brand": {"values": 2, "kept": 1, "other_share": 0.4},
        "device": {"values": 4, "kept": None, "other_share": None},
    }
    assert fit(Field("brand", "brand", "event", "category", ""), found.preview["brand"]).values == (
        "often",
    )


def test_more_values_than_a_model_keeps_fold_too(write: Write) -> None:
    values = MAX_VALUES["category"] + 10
    rows = "".join(f"u1,view,i,b{number},d,hi\n" * 5 for number in range(values))
    path = write("user,action,item,brand,device,words\n" + rows)
    assert inspect_log(path, mapping=MAPPING).quality["vocabulary"]["brand"] == {
        "values": values,
        "kept": MAX_VALUES["category"],
        "other_share": round(10 / values, 4),
    }
