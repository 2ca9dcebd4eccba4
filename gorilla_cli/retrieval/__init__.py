"""Finds documents for a query: one SQLite file, searched where it lies. Knows no source, runs nothing, asks nobody."""
