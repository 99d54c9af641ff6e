"""A citizen's question from the first word to the rating."""
