//! rulebook: to be written.
