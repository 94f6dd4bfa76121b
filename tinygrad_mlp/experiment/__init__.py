"""The experiment: the two-layer loss, its closed form, and how far rounding may part the two."""
