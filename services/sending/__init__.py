"""Whom, by which way, how fast, and what became of it: everything that is known about sending, and nothing about HTTP."""
