"""The sources a config may name. Adding one is one file here and one line in the registry."""
