"""Pure decisions: values in, a plan out; no clock, no network."""
