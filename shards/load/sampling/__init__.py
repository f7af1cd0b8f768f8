"""Which sample goes to which rank in which order. Pure: numbers in, numbers out."""
