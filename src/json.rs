//! Reads JSON as other programs write it: with a byte-order mark, in UTF-16, or with whole numbers that have a point. A
//! key that is there twice is ambiguous, and an error.

use std::borrow::Cow;
use std::collections::HashSet;

use serde::de::DeserializeOwned;

/// Whole numbers below this are written out. It is 2⁵³, above which f64 cannot tell whole numbers apart.
const MOST_WHOLE: f64 = 9_007_199_254_740_992.0;

/// The greatest depth of nested objects and lists, which is that of `serde_json`.
const MOST_DEEP: usize = 128;

/// Decodes bytes as UTF-8, or as UTF-16 where they begin with its byte-order mark. PowerShell writes the latter.
///
/// # Errors
/// The message, where they are neither.
pub(crate) fn decoded(bytes: &[u8]) -> Result<Cow<'_, str>, String> {
    let wide = |units: &[u8], unit: fn([u8; 2]) -> u16| {
        let (pairs, rest) = units.as_chunks::<2>();
        let text = if rest.is_empty() {
            String::from_utf16(&pairs.iter().map(|pair| unit(*pair)).collect::<Vec<_>>()).ok()
        } else {
            None
        };
        text.map(Cow::Owned).ok_or_else(|| "it begins as UTF-16, and is none".to_owned())
    };
    match bytes {
        [0xff, 0xfe, units @ ..] => wide(units, u16::from_le_bytes),
        [0xfe, 0xff, units @ ..] => wide(units, u16::from_be_bytes),
        _ => {
            let text = std::str::from_utf8(bytes);
            text.map(Cow::Borrowed)
                .map_err(|error| format!("it is neither UTF-8 nor UTF-16 with a byte-order mark: {error}"))
        }
    }
}

/// Reads `text` as any JSON value.
///
/// # Errors
/// What is wrong, and in which line and column.
pub fn value(text: &str) -> Result<serde_json::Value, String> {
    Json::new(text)?.read().map_err(|error| error.to_string())
}

/// The numbers that Python writes and that JSON does not have.
const NO_NUMBERS: [&str; 3] = ["-Infinity", "Infinity", "NaN"];

/// The text with these words of Python as strings, which no field takes for a number.
pub(crate) fn quoted(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    let (mut rest, mut within, mut escaped) = (json, false, false);
    while let Some(first) = rest.chars().next() {
        if let Some(word) = NO_NUMBERS.iter().find(|word| !within && rest.starts_with(**word)) {
            text.extend(["\"", *word, "\""]);
            rest = &rest[word.len()..];
            continue;
        }
        within ^= first == '"' && !escaped;
        escaped = within && first == '\\' && !escaped;
        text.push(first);
        rest = &rest[first.len_utf8()..];
    }
    text
}

/// JSON that was checked. No key is there twice, and whole numbers are written without a point.
#[derive(Debug)]
pub(crate) struct Json(String);

impl Json {
    /// Checks `text`.
    ///
    /// # Errors
    /// What is wrong, and in which line and column.
    pub(crate) fn new(text: &str) -> Result<Self, String> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        // This refuses what is no JSON, however deep it is.
        serde_json::from_str::<serde::de::IgnoredAny>(text).map_err(|error| error.to_string())?;
        Walk::over(text).map(Self)
    }

    /// Reads it as a `T`. Errors name the field.
    pub(crate) fn read<T: DeserializeOwned>(&self) -> Result<T, serde_path_to_error::Error<serde_json::Error>> {
        serde_path_to_error::deserialize(&mut serde_json::Deserializer::from_str(&self.0))
    }
}

/// The state of a walk over valid JSON.
struct Walk<'a> {
    text: &'a str,
    at: usize,
    /// The objects and lists that are open.
    open: Vec<Open>,
    written: String,
}

enum Open {
    /// The keys so far, and the current one.
    Object(HashSet<String>, String),
    /// The place of the current entry.
    List(usize),
}

impl<'a> Walk<'a> {
    /// `text` with whole numbers written without a point.
    fn over(text: &'a str) -> Result<String, String> {
        let mut walk = Self { text, at: 0, open: Vec::new(), written: String::with_capacity(text.len()) };
        while let Some(byte) = text.as_bytes().get(walk.at) {
            match byte {
                b'"' => walk.string()?,
                b'-' | b'0'..=b'9' => walk.number(),
                _ => walk.other(*byte)?,
            }
        }
        Ok(walk.written)
    }

    /// Copies the next `length` bytes as they are.
    fn pass(&mut self, length: usize) {
        self.written.push_str(&self.text[self.at..self.at + length]);
        self.at += length;
    }

    fn other(&mut self, byte: u8) -> Result<(), String> {
        match byte {
            b'{' | b'[' if self.open.len() == MOST_DEEP => {
                return Err(format!("it is nested deeper than {MOST_DEEP}{}", self.place()));
            }
            b'{' => self.open.push(Open::Object(HashSet::new(), String::new())),
            b'[' => self.open.push(Open::List(0)),
            b'}' | b']' => drop(self.open.pop()),
            b',' => {
                if let Some(Open::List(place)) = self.open.last_mut() {
                    *place += 1;
                }
            }
            _ => {}
        }
        let length = self.text[self.at..].chars().next().map_or(1, char::len_utf8);
        self.pass(length);
        Ok(())
    }

    fn string(&mut self) -> Result<(), String> {
        let rest = &self.text.as_bytes()[self.at + 1..];
        let mut length = 0;
        while rest.get(length).is_some_and(|byte| *byte != b'"') {
            length += if rest[length] == b'\\' { 2 } else { 1 };
        }
        let token = &self.text[self.at..self.at + length + 2];
        // A key is followed by a colon.
        if self.text[self.at + token.len()..].trim_start().starts_with(':') {
            // This compares the key, however it is spelled.
            let key: String = serde_json::from_str(token).unwrap_or_default();
            if let Some(Open::Object(keys, latest)) = self.open.last_mut() {
                latest.clone_from(&key);
                if !keys.insert(key) {
                    return Err(self.twice());
                }
            }
        }
        self.pass(token.len());
        Ok(())
    }

    /// The message about the current key, which was there before.
    fn twice(&self) -> String {
        let mut path = String::new();
        for open in &self.open {
            match open {
                Open::Object(_, key) if path.is_empty() => path.push_str(key),
                Open::Object(_, key) => path = format!("{path}.{key}"),
                Open::List(place) => path = format!("{path}[{place}]"),
            }
        }
        format!("{path:?} is there twice{}", self.place())
    }

    /// The line and the column.
    fn place(&self) -> String {
        let before = &self.text[..self.at];
        let column = before.len() - before.rfind('\n').map_or(0, |at| at + 1) + 1;
        format!(" at line {} column {column}", before.matches('\n').count() + 1)
    }

    fn number(&mut self) {
        let rest = &self.text[self.at..];
        let length = rest.find(|c: char| !matches!(c, '0'..='9' | '-' | '+' | '.' | 'e' | 'E')).unwrap_or(rest.len());
        let spelled = &rest[..length];
        match spelled.parse::<f64>() {
            Ok(value) if spelled.contains(['.', 'e', 'E']) && is_whole(value) => {
                let whole = format!("{value:.0}");
                self.written.push_str(&whole);
                // The text behind it keeps its column.
                self.written.extend(std::iter::repeat_n(' ', length.saturating_sub(whole.len())));
                self.at += length;
            }
            _ => self.pass(length),
        }
    }
}

/// Whether a number stays the same without a point. −0 does not.
fn is_whole(value: f64) -> bool {
    value.fract() == 0.0 && value.abs() < MOST_WHOLE && (value != 0.0 || value.is_sign_positive())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_are_none_are_texts_outside_of_texts_alone() {
        assert_eq!(
            quoted(r#"{"a": -Infinity, "b": [NaN, "NaN \" NaN"]}"#),
            r#"{"a": "-Infinity", "b": ["NaN", "NaN \" NaN"]}"#
        );
    }

    fn read(text: &str) -> serde_json::Value {
        Json::new(text).unwrap().read().unwrap()
    }

    #[test]
    fn whole_numbers_are_whole_however_they_are_written() {
        let value =
            read(r#"{"a": [1000.0, 1e3, 1.5e1, -2.0E+0, 0.0], "b": "1.0", "c": 0.5, "d": 1e300, "e": -0.0, "f": 7}"#);
        assert_eq!(value["a"], serde_json::json!([1000, 1000, 15, -2, 0]));
        assert!(value["a"].as_array().unwrap().iter().all(|number| number.is_i64()));
        assert_eq!((value["b"].as_str(), value["c"].as_f64()), (Some("1.0"), Some(0.5)));
        assert_eq!((value["d"].as_f64(), value["f"].as_u64()), (Some(1e300), Some(7)));
        assert!(value["e"].as_f64().unwrap().is_sign_negative());
        // The text behind it keeps its column.
        let refused = |text: &str| {
            let read = Json::new(text).unwrap().read::<std::collections::BTreeMap<String, u32>>();
            read.unwrap_err().to_string()
        };
        assert_eq!(refused("{\"a\": 1000.0, \"b\": true}"), refused("{\"a\": 100000, \"b\": true}"));
    }

    #[test]
    fn a_key_that_is_there_twice_is_refused_with_its_path() {
        for (text, why) in [
            (r#"{"a": 1, "a": 1}"#, "\"a\" is there twice at line 1 column 10"),
            ("{\"a\": {\"b\": 1,\n  \"b\": 2}}", "\"a.b\" is there twice at line 2 column 3"),
            (r#"{"a": [{}, {"é": 1, "é": 2}]}"#, "\"a[1].é\" is there twice"),
            (r#"{"a": 1, "\u0061": 2}"#, "\"a\" is there twice"),
            (r#"{"a\"b": 1, "a\"b" : 2}"#, "is there twice"),
            (r#"[{"x": {}, "x": {}}]"#, "\"[0].x\" is there twice"),
        ] {
            let error = Json::new(text).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
        // The key is in another object, or it is a value.
        read(r#"{"a": {"b": 1}, "c": {"b": 1}, "d": [{"b": 1}, {"b": "b"}], "e": "e", "f": ["f", "f"]}"#);
    }

    #[test]
    fn what_is_no_json_is_said_with_its_place() {
        for (text, why) in [
            ("{\n  \"a\": }", "line 2 column 8"),
            ("", "line 1 column 0"),
            ("{} {}", "trailing characters"),
            ("[NaN]", "expected value"),
            ("\u{feff}\u{feff}{}", "expected value"),
        ] {
            let error = Json::new(text).unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
        let deep = |depth| Json::new(&["[".repeat(depth), "]".repeat(depth)].concat());
        assert!(deep(128).is_ok());
        for depth in [129, 1_000_000] {
            assert!(deep(depth).unwrap_err().contains("deeper than 128 at line 1 column 129"));
        }
        read("\u{feff}{}");
    }

    #[test]
    fn bytes_are_utf_8_or_marked_utf_16() {
        let text = "{\"ä𝄞\": 1}";
        let units: Vec<u16> = text.encode_utf16().collect();
        let little =
            [&[0xff, 0xfe][..], &units.iter().flat_map(|unit| unit.to_le_bytes()).collect::<Vec<_>>()].concat();
        let big = [&[0xfe, 0xff][..], &units.iter().flat_map(|unit| unit.to_be_bytes()).collect::<Vec<_>>()].concat();
        for bytes in [text.as_bytes(), &little, &big] {
            assert_eq!(decoded(bytes).unwrap(), text);
        }
        assert_eq!(read(&decoded(&[&b"\xef\xbb\xbf"[..], text.as_bytes()].concat()).unwrap()), read(text));
        for (bytes, why) in [
            (&little[..little.len() - 1], "begins as UTF-16"),
            (&[0xff, 0xfe, 0x00, 0xd8], "begins as UTF-16"),
            (b"{\"\xe9\": 1}", "neither UTF-8"),
        ] {
            assert!(decoded(bytes).unwrap_err().contains(why));
        }
    }
}
