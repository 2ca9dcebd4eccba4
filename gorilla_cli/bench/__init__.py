"""How often a proposal is right, measured by running it. Only `cli` imports this wing, and only when asked to."""
