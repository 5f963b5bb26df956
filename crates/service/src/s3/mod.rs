//! s3: to be written.
