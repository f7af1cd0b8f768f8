"""How annotation files are read that hold one split each."""
