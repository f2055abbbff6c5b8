"""One decision: store it, and say which case comes next."""

from core.errors import BadInput
from core.schema import LONGEST_SCHEME, scheme_name
from core.store import cases, impressions, verdicts
from core.store.home import Home
from core.store.impressions import Impression
from core.store.verdicts import Verdict

DECISIONS = {"confirmed": "Confirmed abuse", "legitimate": "Legitimate", "unclear": "Unclear"}
CONFIDENCE = {"sure": 1.0, "fairly": 0.7, "a guess": 0.4}  # how much a verdict counts in training


def decide(
    home: Home,
    case_id: int,
    decision: str,
    *,
    analyst: str,
    scheme: str | None = None,
    note: str = "",
    confidence: float = 1.0,
    skipping: list[int] | None = None,
    seconds: float | None = None,
) -> int | None:
    """Store a verdict and return the next waiting case of the data set, if there is one.

    The verdict covers the flagged sequences; a case drawn at random has none, there it is the
    sequence with the highest score that was looked at. Only abuse has a scheme. `confidence`, above
    0 and at most 1, is how much it counts in training. `seconds` is how long the case was shown
    with its score and explanation, where somebody timed it.

    Raises
    ------
    BadInput
        If the scheme is too long for a name, or `confidence` out of range.
    """
    if not 0 < confidence <= 1:
        raise BadInput(f"A confidence is above 0 and at most 1; this one is {confidence}.")
    named = scheme_name(scheme) if scheme and decision == "confirmed" else None
    if named and len(named) > LONGEST_SCHEME:
        raise BadInput(
            f"The name of a scheme has at most {LONGEST_SCHEME} characters; this one has "
            f"{len(named)}. Put what it was into the note."
        )
    with home.engine.begin() as con:
        case = cases.get(con, case_id)
        verdict = Verdict(
            case_id=case_id,
            analyst=analyst,
            decision=decision,
            sequences=case.flagged or [case.sequence_id],
            score=case.score,
            scheme=named or None,
            note=note,
            confidence=confidence,
        )
        verdicts.add(con, verdict)
        impressions.add(con, Impression(case_id, analyst, impressions.LAST, decision, seconds))
        return cases.next_open(con, case.dataset_id, skipping=skipping or [])


def undo(home: Home, analyst: str) -> int:
    """Take back the analyst's last verdict, or impression before one, and return its case."""
    with home.engine.begin() as con:
        case_id = impressions.undo_last(con, analyst)
        return verdicts.undo_last(con, analyst) if case_id is None else case_id


def class_counts(home: Home, dataset_id: str) -> dict[str, int]:
    """Return how many standing verdicts of each decision a data set has."""
    with home.engine.connect() as con:
        found = verdicts.of_dataset(con, dataset_id)["decision"].value_counts()
    return {decision: int(found.get(decision, 0)) for decision in DECISIONS}


def covered_sequences(case: cases.Case) -> list[str]:
    """Return the sequences to look at, the one with the highest score first."""
    return list(dict.fromkeys([case.sequence_id, *case.flagged]))
