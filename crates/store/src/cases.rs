//! cases: to be written.
