//! deployment: to be written.
