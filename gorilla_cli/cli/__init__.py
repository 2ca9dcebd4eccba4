"""The command line: one thin file per command group. Parses, wires the rooms together, prints; decides nothing else.

With `config` the only place that reads environment, working directory and clock.
"""
