from typing import Any

import pytest

from core.errors import NotFound
from core.scoring.engine import Scorer
from core.scoring.runs import score_dataset
from core.store import datasets
from core.store.home import Home


def test_scores_of_a_data_set_deleted_meanwhile_leave_no_file(
    seeded_home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    predict = Scorer.predict_proba

    def while_somebody_deletes(*given: Any, **named: Any) -> Any:
        datasets.delete_dataset(seeded_home, "small")
        return predict(*given, **named)

    scorer = Scorer.load(seeded_home.model_dir("finetuned"))
    monkeypatch.setattr(Scorer, "predict_proba", while_somebody_deletes)
    with pytest.raises(NotFound, match=r"'small'.* was deleted while it was being scored"):
        score_dataset(seeded_home, scorer, "small")
    assert list((seeded_home.path / "runs").iterdir()) == []
