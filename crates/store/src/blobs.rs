//! blobs: to be written.
