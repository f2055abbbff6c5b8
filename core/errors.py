"""What can go wrong in a way a person can act on.

SpoorError            pages and the command line catch this one and show its text
├── BadInput          what was given cannot be used; says what was given and what is accepted
├── NotFound          the named thing is not in the workbench
└── Conflict          the request is sensible but not in the present state

Cancelled             no error: somebody asked the work that raises it to stop
"""


class SpoorError(Exception):
    """Base of all errors whose text is meant for the analyst."""


class BadInput(SpoorError):
    """What was given cannot be used."""


class NotFound(SpoorError):
    """The named thing is not in the workbench."""


class Conflict(SpoorError):
    """The request does not fit the present state."""


class Cancelled(Exception):
    """Somebody asked this work to stop, or another process took it over."""
