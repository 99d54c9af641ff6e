"""Benchmarks: what the assistant does under load, beside others, on one machine, in the same minutes."""
