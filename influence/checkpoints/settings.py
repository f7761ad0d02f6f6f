"""How many of a run's checkpoints scores are summed over."""

MOST_CHECKPOINTS = 4  # unless told otherwise; the paper takes 3 to 5, before the loss saturates
