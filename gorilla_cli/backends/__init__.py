"""Models: what runs them, which ones there are, how they get here and where they lie on the disk."""
