"""Room of the verifiers: what is wrong, or proven, about a candidate. Nothing here runs or changes a candidate."""
