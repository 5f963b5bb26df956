//! Error codes (TS 103 120 Annex D) and what carries them.

use serde::{Deserialize, Serialize};

/// Longest description that is sent, in characters: the schema's `LongString`.
const DESCRIPTION_CHARS_MAX: usize = 65_535;

/// The standard's error codes, as far as this provider gives them. The published schemas hold no list of them: any whole number
/// fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u32)]
pub enum Code {
    /// The request is understood and cannot be followed.
    BusinessLogic = 3000,
    /// An action, object or field that is not supported.
    NotSupported = 3001,
    /// Two actions have one identifier.
    DuplicateAction = 3002,
    /// Try again later.
    Transient = 3003,
    /// The two sides are set up for different things.
    Configuration = 3004,
    /// Something that is needed is missing.
    Missing = 3005,
    /// A value that may not be changed.
    ChangeNotAllowed = 3006,
    /// A value that cannot stand.
    Improper = 3007,
    /// A value that may not be changed so.
    ImproperChange = 3008,
    /// A value that is in no dictionary.
    UnknownValue = 3009,
    /// An object of that identifier exists.
    Exists = 3010,
    /// The object to be updated does not exist.
    UpdateMissing = 3011,
    /// The object to be updated is over.
    UpdateOver = 3012,
    /// The object asked for does not exist.
    NotFound = 3014,
    /// The object asked for cannot be given.
    NotDeliverable = 3015,
    /// An associated object does not exist.
    LinkMissing = 3016,
    /// An associated object is refused in the same message.
    LinkFailed = 3018,
    /// The message is in an encoding that is not taken.
    Encoding = 3019,
    /// The message does not fit its schema.
    Validation = 3020,
    /// The message is too large.
    TooLarge = 3022,
}

impl Code {
    /// The number.
    pub fn number(self) -> u32 {
        self as u32
    }
}

/// Why an action, or a whole message, was refused: `ActionUnsuccesfulInformation`, as the schemas spell it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// A [`Code`]'s number, or another side's.
    #[serde(rename = "ErrorCode")]
    pub code: u64,
    /// For people.
    #[serde(rename = "ErrorDescription")]
    pub description: String,
}

impl Failure {
    /// With one of our codes.
    pub fn new(code: Code, description: impl Into<String>) -> Self {
        let mut description = description.into();
        if let Some((at, _)) = description.char_indices().nth(DESCRIPTION_CHARS_MAX) {
            description.truncate(at);
        }
        Self {
            code: u64::from(code.number()),
            description,
        }
    }

    /// Whether it carries this code.
    pub fn is(&self, code: Code) -> bool {
        self.code == u64::from(code.number())
    }
}
