"""JSON for the mini program and for county systems; `shapes.py` is the contract."""
