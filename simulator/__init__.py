"""The local WeChat: stands where WeChat stands, so that the assistant runs without it.

What it imitates is written in the platform notes; the section numbers (§) in this package are theirs.
"""
