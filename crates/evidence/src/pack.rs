//! Making a package.
//!
//! Objects come in piece by piece and go out at once: memory does not grow with them. The builder holds each object
//! against the record's commitment, so a package that would not verify is not made.

use std::io::{self, Read, Write};

use casework::{
    canonical::{CanonicalError, to_canonical_json},
    event::Event,
    ids::{Digest, ObjectId},
    record::{OBJECTS_MAX, ReleaseRecord},
};
use jiff::Timestamp;
use translog::{
    entry::{Opening, Salt},
    proof::Receipt,
};

use crate::{
    custody::{self, Custody},
    fingerprint::Fingerprint,
    measure::{Measure, Measuring},
    name,
    seal::{self, SealError, Sealer},
    statement::{
        CHECKPOINT, CONTENTS, CUSTODY, Contents, ContentsSchema, Derived, INDEX_CSV, INDEX_JSON, MANIFEST,
        NAME_MAX, ObjectDetail, PARTS_MAX, RECEIPT, RECORD, STATEMENT_MAX,
    },
    ustar::{self, BadPath},
};

/// Everything about a package but the objects' bytes.
pub struct PackageInput {
    /// The provider, as it names itself.
    pub sender: String,
    /// When the package is made.
    pub made_at: Timestamp,
    /// What is released.
    pub record: ReleaseRecord,
    /// The case's events so far, first to last.
    pub events: Vec<Event>,
    /// What hid the record's docket entry.
    pub salt: Salt,
    /// The docket's receipt for the record.
    pub receipt: Receipt,
    /// One per object of the record, in the record's order.
    pub details: Vec<ObjectDetail>,
}

/// Why a package was not made.
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    /// The particulars do not fit the record.
    #[error("particulars of object {number} do not fit the record: {reason}")]
    Detail {
        /// Its number, from 1.
        number: usize,
        /// What is wrong.
        reason: &'static str,
    },
    /// The content is not what was stored.
    #[error("object `{0}` is not the one that the record commits to")]
    NotCommitted(ObjectId),
    /// More or fewer bytes, or objects, than the record says.
    #[error("object `{object}` has another size than the record says")]
    Size {
        /// The object.
        object: ObjectId,
    },
    /// Objects were left out, or bytes came when none were due.
    #[error("the package was ended before its last object, or fed after it")]
    OutOfTurn,
    /// The chain does not support the record.
    #[error("the case does not support the record: {0}")]
    Custody(String),
    /// Over a limit.
    #[error(
        "`{what}` is larger than a package holds ({limit} bytes); split the release into several records"
    )]
    TooLarge {
        /// Which statement.
        what: &'static str,
        /// The limit.
        limit: u64,
    },
    /// A path does not fit.
    #[error(transparent)]
    Path(#[from] BadPath),
    /// A statement has no canonical form.
    #[error(transparent)]
    Canonical(#[from] CanonicalError),
    /// The spreadsheet could not be written.
    #[error("the index could not be written: {0}")]
    Csv(#[from] csv::Error),
    /// Encryption failed.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// Writing failed.
    #[error("writing the package failed: {0}")]
    Write(#[source] io::Error),
    /// Reading an object failed.
    #[error("object `{object}` could not be read: {cause}")]
    Read {
        /// The object.
        object: ObjectId,
        /// Why.
        cause: io::Error,
    },
}

/// A package being written. Feed each object of the record in order: [`Builder::write`] its bytes, then
/// [`Builder::end_object`]; then [`Builder::finish`].
pub struct Builder<W: Write> {
    out: W,
    record: ReleaseRecord,
    record_digest: Digest,
    contents: Contents,
    demand: Digest,
    reference: Option<String>,
    statements: Vec<(String, Measure)>,
    done: Vec<Digest>,
}

/// One object of a package being written.
pub struct ObjectWriter<'b, W: Write> {
    out: &'b mut W,
    done: &'b mut Vec<Digest>,
    object: ObjectId,
    size: u64,
    commitment: Digest,
    opening: Digest,
    fingerprint: Fingerprint<'b>,
}

impl<W: Write> Builder<W> {
    /// Writes everything that comes before the objects.
    ///
    /// # Errors
    /// When the input does not hold together, passes a limit, or writing fails.
    pub fn start(input: PackageInput, out: W) -> Result<Self, PackError> {
        let PackageInput {
            sender,
            made_at,
            record,
            events,
            salt,
            mut receipt,
            details,
        } = input;
        check_details(&record, &details)?;
        let custody = Custody::disclose(&events, &record);
        let course = custody::course(&custody, &record).map_err(PackError::Custody)?;
        let record_digest = record.digest()?;
        receipt.extra = Some(
            Opening {
                kind: ReleaseRecord::KIND.to_owned(),
                salt,
                digest: record_digest.0,
            }
            .to_bytes(),
        );
        let contents = Contents {
            schema: ContentsSchema::V1,
            sender,
            made_at,
            objects: details,
        };
        let mut builder = Self {
            out,
            record_digest,
            demand: course.demand_bytes,
            reference: course.demand.reference,
            statements: Vec::new(),
            done: Vec::with_capacity(record.objects.len()),
            record,
            contents,
        };
        let record = to_canonical_json(&builder.record)?;
        builder.statement(RECORD, &record)?;
        builder.statement(CUSTODY, &to_canonical_json(&custody)?)?;
        builder.statement(RECEIPT, receipt.to_string().as_bytes())?;
        builder.statement(CHECKPOINT, receipt.checkpoint.as_bytes())?;
        let contents = to_canonical_json(&builder.contents)?;
        builder.statement(CONTENTS, &contents)?;
        Ok(builder)
    }

    /// The object that is due, if any is left.
    pub fn due(&self) -> Option<ObjectId> {
        self.record.objects.get(self.done.len()).map(|o| o.object)
    }

    /// Begins the object that is due.
    ///
    /// # Errors
    /// When none is left, or writing fails.
    pub fn object(&mut self) -> Result<ObjectWriter<'_, W>, PackError> {
        let number = self.done.len();
        let (Some(object), Some(detail)) =
            (self.record.objects.get(number), self.contents.objects.get(number))
        else {
            return Err(PackError::OutOfTurn);
        };
        let path = name::object_path(number + 1, &detail.name);
        self.out
            .write_all(&ustar::header(&path, object.size)?)
            .map_err(PackError::Write)?;
        Ok(ObjectWriter {
            out: &mut self.out,
            done: &mut self.done,
            object: object.object,
            size: object.size,
            commitment: object.commitment,
            opening: detail.opening,
            fingerprint: Fingerprint::new(&detail.parts),
        })
    }

    /// Writes index, manifest and the archive's end, and gives the writer back.
    ///
    /// # Errors
    /// When objects are missing, a limit is passed, or writing fails.
    pub fn finish(mut self) -> Result<W, PackError> {
        if self.done.len() != self.record.objects.len() {
            return Err(PackError::OutOfTurn);
        }
        let derived = Derived {
            record: &self.record,
            record_digest: self.record_digest,
            contents: &self.contents,
            demand: self.demand,
            reference: self.reference.clone(),
            objects: &self.done,
        };
        let (csv, json) = (derived.index_csv()?, derived.index_json()?);
        let mut statements = self.statements.clone();
        statements.push((INDEX_CSV.to_owned(), Measure::of(&csv)));
        statements.push((INDEX_JSON.to_owned(), Measure::of(&json)));
        let manifest = derived.manifest(&statements)?;
        self.statement(INDEX_CSV, &csv)?;
        self.statement(INDEX_JSON, &json)?;
        self.statement(MANIFEST, &manifest)?;
        ustar::write_end(&mut self.out).map_err(PackError::Write)?;
        Ok(self.out)
    }

    fn statement(&mut self, path: &'static str, bytes: &[u8]) -> Result<(), PackError> {
        let limit = if matches!(path, RECEIPT | CHECKPOINT) {
            crate::statement::RECEIPT_MAX
        } else {
            STATEMENT_MAX
        };
        let size = bytes.len() as u64;
        if size > limit {
            return Err(PackError::TooLarge { what: path, limit });
        }
        self.statements.push((path.to_owned(), Measure::of(bytes)));
        let header = ustar::header(path, size)?;
        self.out
            .write_all(&header)
            .and_then(|()| self.out.write_all(bytes))
            .and_then(|()| ustar::write_padding(&mut self.out, size))
            .map_err(PackError::Write)
    }
}

impl<W: Write> ObjectWriter<'_, W> {
    /// Which object it is.
    pub fn id(&self) -> ObjectId {
        self.object
    }

    /// Takes the object's next bytes.
    ///
    /// # Errors
    /// When there are more than the record says, or writing fails.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), PackError> {
        if !self.fingerprint.update(bytes).is_empty() {
            return Err(PackError::Size { object: self.object });
        }
        self.out.write_all(bytes).map_err(PackError::Write)
    }

    /// Ends the object, and holds it against the record's commitment.
    ///
    /// # Errors
    /// When it is not the object that the record names, or writing fails.
    pub fn end(self) -> Result<(), PackError> {
        let print = self
            .fingerprint
            .finish()
            .ok_or(PackError::Size { object: self.object })?;
        let opening = envelope::content::Opening::from_bytes(self.opening.0);
        envelope::content::verify_commitment(&opening, &print.content, &self.commitment.0)
            .map_err(|_| PackError::NotCommitted(self.object))?;
        ustar::write_padding(self.out, self.size).map_err(PackError::Write)?;
        self.done.push(print.sha256);
        Ok(())
    }
}

fn check_details(record: &ReleaseRecord, details: &[ObjectDetail]) -> Result<(), PackError> {
    if record.objects.len() > OBJECTS_MAX || record.objects.len() != details.len() {
        return Err(PackError::Detail {
            number: details.len(),
            reason: "there are more or fewer than objects",
        });
    }
    for (number, (object, detail)) in (1..).zip(record.objects.iter().zip(details)) {
        if let Some(reason) = detail_fault(object.object, object.size, detail) {
            return Err(PackError::Detail { number, reason });
        }
    }
    Ok(())
}

/// What is wrong with an object's particulars, if anything.
pub(crate) fn detail_fault(object: ObjectId, size: u64, detail: &ObjectDetail) -> Option<&'static str> {
    if detail.object != object {
        return Some("they are another object's");
    }
    if detail.parts.is_empty() || detail.parts.len() > PARTS_MAX {
        return Some("an object has 1 to 10000 parts");
    }
    let total = detail
        .parts
        .iter()
        .try_fold(0_u64, |sum, part| sum.checked_add(*part));
    if total != Some(size) {
        return Some("the parts' lengths do not add up to the object's size");
    }
    if detail.name.len() > NAME_MAX || detail.content_type.as_ref().is_some_and(|t| t.len() > NAME_MAX) {
        return Some("its name or media type is too long");
    }
    None
}

/// Writes a whole package in the clear, its objects from readers in the record's order, and measures it.
///
/// # Errors
/// When the input does not hold together, an object cannot be read or is not the one committed to, or writing fails.
pub fn build<R: Read>(
    input: PackageInput,
    objects: impl IntoIterator<Item = io::Result<R>>,
    out: impl Write,
) -> Result<Measure, PackError> {
    let mut builder = Builder::start(input, Measuring::new(out))?;
    let mut buffer = vec![0; 64 * 1024];
    for reader in objects {
        let mut object = builder.object()?;
        let failed = |object: &ObjectWriter<'_, _>, cause| PackError::Read {
            object: object.id(),
            cause,
        };
        let mut reader = reader.map_err(|cause| failed(&object, cause))?;
        loop {
            match reader.read(&mut buffer) {
                Ok(0) => break,
                Ok(n) => object.write(buffer.get(..n).unwrap_or_default())?,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(cause) => return Err(failed(&object, cause)),
            }
        }
        object.end()?;
    }
    Ok(builder.finish()?.finish().1)
}

/// A builder whose output is encrypted to the record's recipient and measured: what is delivered.
pub type SealedBuilder<W> = Builder<Sealer<Measuring<W>>>;

/// Starts a package encrypted to the record's own recipient. Feed it as any [`Builder`], then call [`finish_sealed`].
///
/// # Errors
/// As [`Builder::start`], and when the recipient is no age recipient.
pub fn start_sealed<W: Write>(input: PackageInput, out: W) -> Result<SealedBuilder<W>, PackError> {
    let sealer = seal::seal(&input.record.recipient.age, Measuring::new(out))?;
    Builder::start(input, sealer)
}

/// Ends an encrypted package; gives the writer back, with size and SHA-256 of the encrypted file.
///
/// # Errors
/// As [`Builder::finish`].
pub fn finish_sealed<W: Write>(builder: SealedBuilder<W>) -> Result<(W, Measure), PackError> {
    Ok(builder.finish()?.finish()?.finish())
}
