"""How fast it is: one file, one question. `python -m bench.<file>` answers it on this machine.

Only the ratios within one run carry over to another machine; goals stand beside them.
"""
