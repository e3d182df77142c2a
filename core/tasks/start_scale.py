"""How wide the start ranges are, in words or as a number (no torch: command lines and forms read it)."""

PRETRAINING, MAXIMUM = "pretraining", "maximum"


def start_share(scale: str) -> float:
    """Share of the way from the demonstrations' start ranges (0) to the widest of the curriculum (1).

    Raises ValueError for anything but `pretraining`, `maximum` and numbers from 0.
    """
    try:
        share = {PRETRAINING: 0.0, MAXIMUM: 1.0}.get(scale)
        share = float(scale) if share is None else share
    except ValueError:
        share = -1.0
    if not 0.0 <= share <= 1.0:
        raise ValueError(
            f"start_scale must be {PRETRAINING}, {MAXIMUM} or a number from 0 (as {PRETRAINING}) to 1 (as {MAXIMUM}), "
            f"got {scale!r}"
        )
    return share
