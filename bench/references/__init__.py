"""What others would write, each in an environment of its own, built from the pinned list beside it."""
