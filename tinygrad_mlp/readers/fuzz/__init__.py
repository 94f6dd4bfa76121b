"""Random programs, run on the tape and on oracles that share nothing with it."""
