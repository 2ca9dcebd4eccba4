"""API requests: constraints, records in hand, the prompt, the grammar, the checked call and the code around it."""
