"""Where approved actions run. Takes `Approved` and nothing else; proposes, asks and decides nothing."""
