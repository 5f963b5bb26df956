//! case: to be written.
