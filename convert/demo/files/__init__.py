"""Writers of the upstream file formats that the miniature is drawn in."""
