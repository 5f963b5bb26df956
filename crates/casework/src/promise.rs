//! promise: to be written.
