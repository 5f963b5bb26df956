//! database: to be written.
