"""Branches and their lives, what leads them, villages and liaison points, stations, brands."""
