"""Where documents come from: the shipped catalogue, tldr pages, and the manual pages of this machine.

Each source implements `protocols.DocSource`. This room reads and parses; it does not rank, and it opens no socket.
"""
