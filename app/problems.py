"""A problem as the window tells it: what happened, the cause, the remedy, and details for whoever looks closer."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """One problem, for a dialog and for the log."""

    title: str
    "what did not work, a few words"
    cause: str
    "one sentence"
    remedy: str = ""
    "what to do about it"
    details: str = ""
    "trace or output, folded"

    @classmethod
    def from_error(cls, title: str, error: BaseException, details: str = "") -> "Problem":
        """From an exception whose message follows the project's form: cause; remedy."""
        cause, _, remedy = str(error).partition(";")
        return cls(title, cause.strip() or type(error).__name__, remedy.strip(), details)
