//! docket: to be written.
