"""The config of a run, and published facts about each source."""
