"""One run: choose, plan, make shards, finish, report."""
