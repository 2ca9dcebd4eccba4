"""A local, private assistant for the command line. This file holds the version and imports nothing."""

__version__ = "0.1.0"
