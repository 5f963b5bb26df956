//! vault: to be written.
