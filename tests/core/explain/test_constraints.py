import pandas as pd
import pytest

from core.explain.constraints import _unread
from core.fields import Field
from core.logs.mapping import Mapping
from core.tokens import Tokenizer


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (500, ["The model has never learned the quantity '500': it reads it as 3."]),
        (0.5, ["The model has never learned the quantity '0.5': it reads it as under 1."]),
        (3, []),
        (None, []),
        (7, []),  # it was there before the edits: nobody typed it
    ],
)
def test_a_number_without_a_token_of_its_own_is_warned_of(
    given: float | None, said: list[str]
) -> None:
    words = "the quantity is {value}"
    field = Field("quantity", "quantity", "event", "number", words, edges=(1, 2, 3), discrete=True)
    mapping = Mapping.model_validate({"columns": {"quantity": "numeric"}})
    was, now = (pd.DataFrame({"quantity": values}, dtype=float) for values in ([7, 1], [given, 1]))
    assert list(_unread(was, now, mapping, Tokenizer([field]))) == said
