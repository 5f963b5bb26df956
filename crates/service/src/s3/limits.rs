//! Every limit of the S3 face, in one place. s3s has none of its own for streamed bodies, connections or time.
//!
//! Limits of what is stored (keys, metadata, tags, parts) are the vault's.
//!
//! Figures marked S3 are Amazon's published ones, so that clients built for S3 never meet a smaller limit unprepared.

use std::time::Duration;

/// Largest single PUT and largest part: 5 GiB (S3).
pub const OBJECT_BYTES_MAX: u64 = 5 << 30;
/// Part numbers run from 1 to this (S3).
pub const PARTS_MAX: i32 = 10_000;
/// Entries on one page of any listing, and keys in one `DeleteObjects` (S3).
pub const KEYS_MAX: i32 = 1000;
/// Largest XML request body. `CompleteMultipartUpload` of 10,000 parts with checksums is about 2 MiB.
pub const XML_BYTES_MAX: usize = 4 << 20;
/// Largest browser form, file included: it is held in memory until its policy was checked.
pub const FORM_BYTES_MAX: usize = 16 << 20;
/// Longest field of a form but its file.
pub const FORM_FIELD_BYTES_MAX: usize = 64 << 10;
/// Forms read at a time; a further one gets `503 SlowDown`.
pub const FORMS_MAX: usize = 8;
/// Largest chunk of a *signed* `aws-chunked` body: it is held in memory until its signature is checked.
pub const SIGNED_CHUNK_BYTES_MAX: u64 = 16 << 20;
/// Longest header line of an `aws-chunked` chunk.
pub const CHUNK_HEADER_BYTES_MAX: usize = 256;
/// Request header lines. SDKs send about 20; user metadata may add 100.
pub const HEADERS_MAX: usize = 192;
/// All request headers together, HTTP/1 and HTTP/2.
pub const HEADER_BYTES_MAX: usize = 64 << 10;
/// Simultaneous connections; a further one waits in the kernel's queue.
pub const CONNECTIONS_MAX: usize = 1024;
/// Simultaneous requests, from their headers to the end of their answer's body; a further one gets `503 SlowDown`.
pub const REQUESTS_MAX: usize = 512;
/// Simultaneous HTTP/2 streams on one connection.
pub const STREAMS_MAX: u32 = 64;
/// HTTP/2 flow-control window of a stream and of a connection.
pub const WINDOW_BYTES: u32 = 1 << 20;
/// HTTP/1 read buffer of one connection.
pub const READ_BUFFER_BYTES: usize = 512 << 10;
/// A client must send its whole request head in this time; an idle kept-alive connection ends after it too.
pub const HEAD_READ_TIMEOUT: Duration = Duration::from_secs(60);
/// Longest silence while a request body is awaited.
pub const BODY_IDLE_TIMEOUT: Duration = Duration::from_secs(60);
/// When a request is answered before its body was read, so much of the body is still read and thrown away.
pub const LINGER_BYTES_MAX: u64 = 16 << 20;
/// And for so long.
pub const LINGER_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest time a client may leave our answer unread.
pub const WRITE_STALL_TIMEOUT: Duration = Duration::from_secs(60);
/// After the signal to stop, running requests get this long.
pub const DRAIN_TIMEOUT: Duration = Duration::from_secs(20);
/// Clock difference allowed between client and server (S3: 15 minutes).
pub const CLOCK_SKEW: Duration = Duration::from_secs(900);
/// Longest validity of a presigned URL: 7 days (S3).
pub const PRESIGNED_MAX: Duration = Duration::from_secs(7 * 24 * 3600);
/// What a client that met `503 SlowDown` is told to wait, in seconds.
pub const RETRY_AFTER_SECONDS: u32 = 1;
