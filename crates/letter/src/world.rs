//! All that typst gets to see: one template, one letter, and the fonts in this program. No file, no package, no clock.

use typst::{
    Library, LibraryExt as _, World,
    diag::{FileError, FileResult},
    foundations::{Bytes, Datetime, Duration},
    syntax::{FileId, RootedPath, Source, VirtualPath, VirtualRoot},
    text::{Font, FontBook},
    utils::LazyHash,
};

/// The page design.
const TEMPLATE: &str = include_str!("letter.typ");

/// What one letter is set from.
pub(crate) struct Desk {
    library: LazyHash<Library>,
    book: LazyHash<FontBook>,
    fonts: Vec<Font>,
    template: Source,
    letter: FileId,
    json: Bytes,
}

impl Desk {
    /// A desk with this letter on it. `None` where a name of its own is no path, which is a defect.
    pub(crate) fn new(json: Vec<u8>) -> Option<Self> {
        let named = |name: &str| {
            let path = VirtualPath::new(name).ok()?;
            Some(RootedPath::new(VirtualRoot::Project, path).intern())
        };
        let fonts: Vec<Font> = typst_assets::fonts()
            .flat_map(|data| Font::iter(Bytes::new(data)))
            .collect();
        Some(Self {
            library: LazyHash::new(Library::default()),
            book: LazyHash::new(FontBook::from_fonts(&fonts)),
            fonts,
            template: Source::new(named("letter.typ")?, TEMPLATE.to_owned()),
            letter: named("letter.json")?,
            json: Bytes::new(json),
        })
    }

    /// Whether a font shows the character.
    pub(crate) fn shows(&self, character: char) -> bool {
        let code = u32::from(character);
        // What only stands between letters has no picture.
        matches!(character, ' ' | '\u{200b}'..='\u{200d}')
            || self.fonts.iter().any(|font| font.info().coverage.contains(code))
    }
}

impl World for Desk {
    fn library(&self) -> &LazyHash<Library> {
        &self.library
    }
    fn book(&self) -> &LazyHash<FontBook> {
        &self.book
    }
    fn main(&self) -> FileId {
        self.template.id()
    }
    fn source(&self, id: FileId) -> FileResult<Source> {
        if id == self.template.id() {
            Ok(self.template.clone())
        } else {
            Err(FileError::AccessDenied)
        }
    }
    fn file(&self, id: FileId) -> FileResult<Bytes> {
        if id == self.letter {
            Ok(self.json.clone())
        } else {
            Err(FileError::AccessDenied)
        }
    }
    fn font(&self, index: usize) -> Option<Font> {
        self.fonts.get(index).cloned()
    }
    fn today(&self, _: Option<Duration>) -> Option<Datetime> {
        None
    }
}
