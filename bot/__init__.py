"""Knows WeChat and not the Party."""
