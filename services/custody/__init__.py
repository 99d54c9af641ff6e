"""What is kept, how long, under which key, and how it is given out or erased."""
