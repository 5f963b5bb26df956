//! gate: to be written.
