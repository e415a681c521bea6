//! Options by name: what may be said of a run, of a solver or of an execution provider. The C interface, the command line and the
//! documents know them from these tables alone.

use std::fmt;

use crate::error::{Error, Result};

/// The most numbers that an option of [`Kind::Numbers`] may have.
pub const MOST_NUMBERS: usize = 10_000;

/// What an option may be set to.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Kind {
    /// `1` or `0`; `true` and `false` are taken as well.
    Flag,
    /// A whole number within these bounds.
    Whole(u64, u64),
    /// A number within these bounds.
    Real(f64, f64),
    /// One of the words of the first list; the second says what they mean, if that needs to be said.
    Choice(&'static [&'static str], &'static [&'static str]),
    /// Text of up to 1,024 bytes.
    Text,
    /// Up to 10,000 numbers, separated by commas.
    Numbers,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Flag => f.write_str("0 or 1"),
            Self::Whole(least, u64::MAX) => write!(f, "a whole number from {least}"),
            Self::Whole(least, most) => write!(f, "a whole number from {least} to {most}"),
            Self::Real(least, f64::INFINITY) => write!(f, "a number from {least}"),
            Self::Real(least, most) => write!(f, "a number from {least} to {most}"),
            Self::Choice(words, _) => f.write_str(&words.join(", ")),
            Self::Text => f.write_str("1 to 1024 bytes of text"),
            Self::Numbers => write!(f, "1 to {MOST_NUMBERS} numbers, separated by commas"),
        }
    }
}

/// An option: its name, its values and its meaning.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OptionEntry {
    /// The name that it has in all interfaces.
    pub key: &'static str,
    /// What it may be set to.
    pub kind: Kind,
    /// What it is for, in its unit, and what it is where it is not set.
    pub summary: &'static str,
}

/// What an option is set to.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
#[serde(untagged)]
pub enum Value {
    /// Of [`Kind::Flag`].
    Flag(bool),
    /// Of [`Kind::Whole`].
    Whole(u64),
    /// Of [`Kind::Real`].
    Real(f64),
    /// Of [`Kind::Choice`] and [`Kind::Text`].
    Text(String),
    /// Of [`Kind::Numbers`].
    Numbers(Vec<f64>),
}

impl Value {
    /// The whole number; `None` if it is something else.
    #[must_use]
    pub fn whole(&self) -> Option<usize> {
        match self {
            Self::Whole(value) => usize::try_from(*value).ok(),
            _ => None,
        }
    }

    /// The word or the text; "" if it is something else.
    #[must_use]
    pub fn text(&self) -> &str {
        match self {
            Self::Text(value) => value,
            _ => "",
        }
    }
}

impl fmt::Display for Value {
    /// As [`OptionEntry::parse`] reads it; flags as 0 and 1.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(value) => write!(f, "{}", u8::from(*value)),
            Self::Whole(value) => value.fmt(f),
            Self::Real(value) => value.fmt(f),
            Self::Text(value) => value.fmt(f),
            Self::Numbers(values) => {
                let texts: Vec<_> = values.iter().map(f64::to_string).collect();
                f.write_str(&texts.join(","))
            }
        }
    }
}

impl OptionEntry {
    /// What `text` stands for.
    ///
    /// # Errors
    /// [`Error::Argument`], under the name of the option, if it cannot have this value.
    pub fn parse(&self, text: &str) -> Result<Value> {
        self.read(text).ok_or_else(|| Error::argument(self.key, format!("{text:?}; expected {}", self.kind)))
    }

    fn read(&self, text: &str) -> Option<Value> {
        match self.kind {
            Kind::Flag => match text {
                "1" | "true" => Some(Value::Flag(true)),
                "0" | "false" => Some(Value::Flag(false)),
                _ => None,
            },
            Kind::Whole(least, most) => {
                text.parse().ok().filter(|number| (least..=most).contains(number)).map(Value::Whole)
            }
            Kind::Real(least, most) => text
                .parse()
                .ok()
                .filter(|number: &f64| number.is_finite() && (least..=most).contains(number))
                .map(Value::Real),
            Kind::Choice(words, _) => words.contains(&text).then(|| Value::Text(text.to_owned())),
            Kind::Numbers => {
                let number = |text: &str| text.trim().parse().ok().filter(|number: &f64| number.is_finite());
                let numbers: Option<Vec<f64>> = text.split(',').take(MOST_NUMBERS + 1).map(number).collect();
                numbers.filter(|numbers| numbers.len() <= MOST_NUMBERS).map(Value::Numbers)
            }
            Kind::Text => {
                let sound = !text.is_empty() && text.len() <= 1024 && !text.contains('\0');
                sound.then(|| Value::Text(text.to_owned()))
            }
        }
    }
}

/// Options that were set, in the order in which they were.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Options(Vec<(&'static str, Value)>);

impl Options {
    /// Sets an option, in place of what it was set to before.
    pub(crate) fn set(&mut self, key: &'static str, value: Value) {
        self.0.retain(|(known, _)| *known != key);
        self.0.push((key, value));
    }

    /// What an option is set to; `None` if it is not.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.0.iter().find(|(known, _)| *known == key).map(|(_, value)| value)
    }

    /// The number that an option is set to.
    #[must_use]
    pub fn real(&self, key: &str) -> Option<f64> {
        match self.get(key) {
            Some(Value::Real(value)) => Some(*value),
            _ => None,
        }
    }

    /// The whole number that an option is set to.
    #[must_use]
    pub fn whole(&self, key: &str) -> Option<usize> {
        self.get(key).and_then(Value::whole)
    }

    /// The flag that an option is set to.
    #[must_use]
    pub fn flag(&self, key: &str) -> Option<bool> {
        match self.get(key) {
            Some(Value::Flag(value)) => Some(*value),
            _ => None,
        }
    }

    /// The numbers that an option is set to.
    #[must_use]
    pub fn numbers(&self, key: &str) -> Option<&[f64]> {
        match self.get(key) {
            Some(Value::Numbers(values)) => Some(values),
            _ => None,
        }
    }

    /// Those that `wanted` says yes to.
    #[must_use]
    pub fn filtered(&self, wanted: impl Fn(&str) -> bool) -> Self {
        Self(self.0.iter().filter(|(key, _)| wanted(key)).cloned().collect())
    }

    /// The word or the text that an option is set to.
    #[must_use]
    pub fn text(&self, key: &str) -> Option<&str> {
        self.get(key).map(Value::text)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &Value)> {
        self.0.iter().map(|(key, value)| (*key, value))
    }
}

impl serde::Serialize for Options {
    /// As a map.
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

/// An enum whose values have words, by which every interface knows them.
macro_rules! words {
    ($(#[$meta:meta])* $visibility:vis enum $name:ident {
        $($(#[$attribute:meta])* $variant:ident = $word:literal, $meaning:literal;)+
    }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        $visibility enum $name {
            $(#[doc = $meaning] $(#[$attribute])* $variant,)+
        }

        impl $name {
            /// The words for the values.
            pub const WORDS: &'static [&'static str] = &[$($word),+];
            /// What they mean.
            pub const MEANINGS: &'static [&'static str] = &[$($meaning),+];
            /// An option's kind whose values these are.
            pub const KIND: $crate::option::Kind = $crate::option::Kind::Choice(Self::WORDS, Self::MEANINGS);

            /// The word for this value.
            #[must_use]
            pub fn word(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }

            /// The value that `word` stands for.
            #[must_use]
            pub fn from_word(word: &str) -> Option<Self> {
                match word {
                    $($word => Some(Self::$variant),)+
                    _ => None,
                }
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
                serializer.serialize_str(self.word())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
                let word = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                Self::from_word(&word).ok_or_else(|| serde::de::Error::unknown_variant(&word, Self::WORDS))
            }
        }
    };
}

pub(crate) use words;

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(kind: Kind) -> OptionEntry {
        OptionEntry { key: "key", kind, summary: "" }
    }

    #[test]
    fn values_are_read_and_written_alike() {
        for (kind, text, written) in [
            (Kind::Flag, "true", "1"),
            (Kind::Flag, "0", "0"),
            (Kind::Whole(1, 9), "9", "9"),
            (Kind::Real(0.0, 1.0), "0.1", "0.1"),
            (Kind::Real(0.0, f64::INFINITY), "1e300", &format!("{}", 1e300)),
            (Kind::Choice(&["a", "b"], &[]), "b", "b"),
            (Kind::Text, "ö", "ö"),
            (Kind::Numbers, "14.6, 1e-2", "14.6,0.01"),
        ] {
            let value = entry(kind).parse(text).unwrap();
            assert_eq!(value.to_string(), written);
            assert_eq!(entry(kind).parse(written).unwrap(), value);
        }
    }

    #[test]
    fn values_out_of_bounds_are_refused() {
        for (kind, text) in [
            (Kind::Flag, "yes"),
            (Kind::Whole(1, 9), "0"),
            (Kind::Whole(1, 9), "10"),
            (Kind::Whole(0, 9), "-1"),
            (Kind::Whole(0, 9), "1.0"),
            (Kind::Real(0.0, 1.0), "1.01"),
            (Kind::Real(0.0, 1.0), "NaN"),
            (Kind::Real(0.0, f64::INFINITY), "inf"),
            (Kind::Choice(&["a", "b"], &[]), "c"),
            (Kind::Text, ""),
            (Kind::Text, "a\0b"),
            (Kind::Numbers, "1,,2"),
            (Kind::Numbers, "1,inf"),
        ] {
            let error = entry(kind).parse(text).unwrap_err().to_string();
            assert!(error.starts_with("key: ") && error.contains("expected"), "{error}");
        }
    }
}
