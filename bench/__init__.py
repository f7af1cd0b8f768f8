"""Benchmarks: every module is a command, `python -m bench.NAME`, that answers one question.

Only ratios within one run carry over to another machine. Some have a goal, which is printed too.
"""
