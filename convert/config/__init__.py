"""What a run is told, and what is published of each source."""
