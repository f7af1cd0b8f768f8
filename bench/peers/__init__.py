"""Other ways to do the same job, to compare this program with."""
