"""Plain English for what several parts of the workbench say."""


def duration(seconds: float) -> str:
    """Say a length of time with the two leading units at most: 45 s, 3 min, 2 h 10 min, 5 d."""
    if seconds < 1:
        return "under 1 s"
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    hours, rest = divmod(minutes, 60)
    if hours < 36:
        return f"{hours} h {rest} min" if rest and hours < 10 else f"{hours} h"
    return f"{round(hours / 24)} d"


def percent(share: float, digits: int = 0) -> str:
    """Say a share between 0 and 1 in percent: 42 %, 42.5 %."""
    return f"{100 * share:.{digits}f} %"


def counted(number: int, noun: str) -> str:
    """Say how many there are of something that is named by one plain word: 1 order, 3 searches."""
    if number == 1:
        return f"1 {noun}"
    if noun.endswith(("s", "x", "ch", "sh")):
        return f"{number} {noun}es"
    if noun.endswith("y") and noun[-2:-1] not in "aeiou":
        return f"{number} {noun[:-1]}ies"
    return f"{number} {noun}s"
