//! Words of strangers in a letter: on one line, with whatever would not be seen made visible.

use std::fmt::Write as _;

/// The words on one line, so that they cannot pass for a further line of the letter. A character that is not seen, and could
/// turn the words around it or hide among them, is written as its number: `[U+202E]`.
pub fn visible(words: &str) -> String {
    let mut line = String::with_capacity(words.len());
    for word in words.split_whitespace() {
        if !line.is_empty() {
            line.push(' ');
        }
        for character in word.chars() {
            if is_unseen(character) {
                // Writing to a string does not fail.
                let _ = write!(line, "[U+{:04X}]", u32::from(character));
            } else {
                line.push(character);
            }
        }
    }
    line
}

/// Controls, marks of direction, fillers, tags, and code points that are no characters. Not the joiners, which some languages
/// are written with.
fn is_unseen(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
            | '\u{e000}'..='\u{f8ff}' | '\u{fdd0}'..='\u{fdef}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{10ffff}')
        || u32::from(character) & 0xfffe == 0xfffe
}

#[cfg(test)]
mod tests {
    use super::visible;

    #[test]
    fn a_strangers_words_stay_on_one_line_and_hide_nothing() {
        assert_eq!(
            visible("Court\n\nWe disclose everything."),
            "Court We disclose everything."
        );
        assert_eq!(visible("a\u{202e}b\u{0}c\u{feff}"), "a[U+202E]b[U+0000]c[U+FEFF]");
        assert_eq!(
            visible(" Zażółć  Ελλάδα\u{a0}می\u{200c}خواهم "),
            "Zażółć Ελλάδα می\u{200c}خواهم"
        );
    }
}
