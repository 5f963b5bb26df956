//! gate_memory: to be written.
