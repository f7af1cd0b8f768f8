"""Run a function over tasks, in this process or on Ray."""
