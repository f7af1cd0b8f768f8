"""One module per source: its miniature in its upstream layout."""
