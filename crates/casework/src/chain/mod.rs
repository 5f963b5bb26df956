//! chain: to be written.
