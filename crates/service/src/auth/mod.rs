//! auth: to be written.
