//! Old ground and lost positions, a rule at a time.
