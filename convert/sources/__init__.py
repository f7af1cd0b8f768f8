"""The sources that a config may name. A new source is one file here and one line in `kinds`."""
