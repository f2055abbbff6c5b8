"""Groups of actors by what a column of the log says of them, to compare how a model treats them."""

from typing import Final

import pandas as pd

from core.errors import BadInput
from core.logs.frames import read_groups, read_mapping
from core.logs.mapping import extra_columns
from core.store.home import Home

MOST_GROUPS: Final = 8  # actors of the others are joined
OTHER: Final = "other"
NOT_GIVEN: Final = "not given"


def group_columns(home: Home, dataset_id: str) -> list[str]:
    """Return the columns of a data set that actors can be grouped by: its categories."""
    extras = extra_columns(read_mapping(home, dataset_id))
    return [name for name, kind in extras.items() if kind == "categorical"]


def group_actors(home: Home, dataset_id: str, column: str) -> pd.Series:
    """Return the group of each actor: its commonest value, those of few actors joined.

    Raises
    ------
    BadInput
        If `column` is no category of the data set.
    """
    if column not in (accepted := group_columns(home, dataset_id)):
        raise BadInput(
            f"'{dataset_id}' cannot be grouped by '{column}'. Accepted: "
            f"{', '.join(accepted) or 'nothing: it has no column of categories'}."
        )
    values = read_groups(home, dataset_id, column)
    groups = values.astype(object).where(values.notna(), NOT_GIVEN).astype(str)
    sizes = groups.value_counts()
    kept = sizes.index if len(sizes) <= MOST_GROUPS else sizes.index[: MOST_GROUPS - 1]
    joined: pd.Series = groups.where(groups.isin(kept), OTHER)
    return joined
