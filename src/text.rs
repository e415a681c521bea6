//! Escapes text from elsewhere before it is shown. File names, names in models and messages of other libraries may hold
//! what a terminal obeys.

use std::fmt::{self, Display, Write as _};

/// Whether a terminal would obey `character`, show it as nothing, or let it reverse the text around it.
#[must_use]
pub fn is_unsafe(character: char) -> bool {
    matches!(character,
        // C0, DEL and C1, among them ESC, and U+009B, which is ESC and [ in one.
        '\0'..='\x1f' | '\x7f'..='\u{9f}'
        // These change the direction of the text.
        | '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        // Ends of lines and paragraphs.
        | '\u{2028}' | '\u{2029}'
        // These are invisible. The joiners U+200C and U+200D are allowed, since scripts and emoji need them.
        | '\u{ad}' | '\u{180e}' | '\u{200b}' | '\u{2060}'..='\u{2065}' | '\u{206a}'..='\u{206f}' | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// `text` on one line, with escapes such as `\n`, `\r`, `\t` and `\u{1b}` for every character that [`is_unsafe`].
/// Backslashes stay as they are, since paths have them. So escaping twice is the same as escaping once.
#[must_use]
pub fn escaped(text: &str) -> impl Display {
    Escaped { text, lines: false }
}

/// As [`escaped`], except that ends of lines stay. It is for text of several lines whose parts from elsewhere are
/// escaped already.
#[must_use]
pub fn escaped_lines(text: &str) -> impl Display {
    Escaped { text, lines: true }
}

/// JSON with escapes such as `\u001b` for every character that [`is_unsafe`]. Within JSON's strings they mean the same.
/// Ends of lines stay, since they are between its values.
#[must_use]
pub fn escaped_json(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for character in json.chars() {
        if is_unsafe(character) && character != '\n' {
            for unit in character.encode_utf16(&mut [0; 2]) {
                let _ = write!(text, "\\u{unit:04x}");
            }
        } else {
            text.push(character);
        }
    }
    text
}

struct Escaped<'a> {
    text: &'a str,
    lines: bool,
}

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.text;
        let ours = |character: char| self.lines && character == '\n';
        while let Some(place) = rest.find(|character| is_unsafe(character) && !ours(character)) {
            let (plain, from) = rest.split_at(place);
            let mut characters = from.chars();
            f.write_str(plain)?;
            if let Some(character) = characters.next() {
                write!(f, "{}", character.escape_default())?;
            }
            rest = characters.as_str();
        }
        f.write_str(rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_obeys_is_escaped_and_the_rest_stays() {
        for (text, shown) in [
            ("größe 你好 👩‍🚀 C:\\temp", "größe 你好 👩‍🚀 C:\\temp"),
            ("\x1b]0;owned\x07\x1b[2J", "\\u{1b}]0;owned\\u{7}\\u{1b}[2J"),
            ("a\r\nb\tc\x7f", "a\\r\\nb\\tc\\u{7f}"),
            ("\u{9b}31m\u{85}", "\\u{9b}31m\\u{85}"),
            ("gnp.\u{202e}exe\u{2069}", "gnp.\\u{202e}exe\\u{2069}"),
            ("\u{2028}\u{feff}\u{61c}\u{200f}", "\\u{2028}\\u{feff}\\u{61c}\\u{200f}"),
        ] {
            assert_eq!(escaped(text).to_string(), shown);
            assert_eq!(escaped(shown).to_string(), shown, "once more changes nothing");
        }
        assert_eq!(escaped_lines("a\x1b\nb\r\n").to_string(), "a\\u{1b}\nb\\r\n");
    }

    #[test]
    fn json_means_the_same_as_before() {
        let value = serde_json::json!({"a\u{9b}": ["\x1b[1m\u{202e}\u{7f}", "\u{e0041}\u{feff}", "plain\nlines"]});
        let json = escaped_json(&serde_json::to_string_pretty(&value).unwrap());
        assert!(!json.chars().any(|character| is_unsafe(character) && character != '\n'), "{json}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&json).unwrap(), value);
    }
}
