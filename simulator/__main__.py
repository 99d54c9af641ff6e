"""``python -m simulator``: without a command it serves."""

from simulator.cli import main

if __name__ == "__main__":
    main()
