//! import: to be written.
