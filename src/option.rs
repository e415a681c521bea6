//! Options by name: the settings of a run, of a solver or of an execution provider. The C interface, the command line
//! and the documents are made from these tables.

use std::fmt;

use crate::error::{Error, Result};

/// The most numbers that an option of [`Kind::Numbers`] may have.
pub const MOST_NUMBERS: usize = 10_000;

/// The values that an option may have.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Kind {
    /// `1` or `0`. `true` and `false` are accepted as well.
    Flag,
    /// A whole number within these bounds.
    Whole(u64, u64),
    /// A number within these bounds.
    Real(f64, f64),
    /// One of the words of the first list. The second list has their meanings, if they need any.
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

/// What an option is about. Every interface shows its options under this heading. It also decides who else than the
/// caller may set them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Group {
    /// The settings of every run, such as a solver and a number of steps.
    Sampling,
    /// What a run starts from.
    Start,
    /// The pictures that a model of several parts generates.
    Picture,
    /// How the levels of a grid are computed.
    Grid,
    /// The levels themselves, in place of a grid.
    Levels,
    /// Classifier-free guidance.
    Guidance,
    /// Guidance by a classifier.
    Classifier,
    /// Dynamic clipping.
    Threshold,
    /// Langevin corrections between the steps of a solver.
    Correction,
    /// The options of some solvers.
    Solver,
    /// The options of an execution provider.
    Provider,
}

impl Group {
    /// The groups that have options of a request, in the order in which they are shown.
    pub const OF_REQUEST: &'static [Self] = &[
        Self::Sampling,
        Self::Start,
        Self::Picture,
        Self::Grid,
        Self::Levels,
        Self::Guidance,
        Self::Classifier,
        Self::Threshold,
        Self::Correction,
        Self::Solver,
    ];

    /// The heading under which its options are shown.
    #[must_use]
    pub fn heading(self) -> &'static str {
        match self {
            Self::Sampling => "Sampling",
            Self::Start => "Start",
            Self::Picture => "Pictures",
            Self::Grid => "Grid",
            Self::Levels => "Explicit noise levels",
            Self::Guidance => "Guidance",
            Self::Classifier => "Classifier guidance",
            Self::Threshold => "Dynamic clipping",
            Self::Correction => "Langevin corrections",
            Self::Solver => "Solver options",
            Self::Provider => "Execution providers",
        }
    }

    /// Whether a model's manifest may have other defaults for its options.
    #[must_use]
    pub fn is_of_model(self) -> bool {
        matches!(self, Self::Grid | Self::Guidance | Self::Threshold | Self::Correction | Self::Solver)
    }

    /// Whether only the caller can set its options. No scheduler's configuration has a start or a guidance.
    #[must_use]
    pub fn is_of_caller(self) -> bool {
        matches!(self, Self::Start | Self::Picture) || self.guides()
    }

    /// Whether its options guide a run.
    #[must_use]
    pub fn guides(self) -> bool {
        matches!(self, Self::Guidance | Self::Classifier)
    }
}

/// The default of an option.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Fallback {
    /// The default of a [`Kind::Flag`].
    Flag(bool),
    /// The default of a [`Kind::Whole`].
    Whole(u64),
    /// The default of a [`Kind::Real`]. Infinity is no bound.
    Real(f64),
    /// The default of a [`Kind::Choice`] or a [`Kind::Text`].
    Word(&'static str),
    /// No value that could be set, but what it depends on, such as "the schedule's".
    Phrase(&'static str),
    /// The first, or another one in some cases. Each case is described in words.
    But(&'static Self, &'static [(&'static str, Self)]),
    /// No default. The option has no effect unless it is set.
    Nothing,
}

impl Fallback {
    /// A greatest value. `None` is no bound.
    pub(crate) const fn at_most(bound: Option<f64>) -> Self {
        Self::Real(match bound {
            Some(bound) => bound,
            None => f64::INFINITY,
        })
    }

    /// The value outside of the cases of [`But`](Self::But).
    pub(crate) fn first(self) -> Self {
        if let Self::But(first, _) = self { first.first() } else { self }
    }
}

impl fmt::Display for Fallback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Flag(value) => write!(f, "{}", u8::from(value)),
            Self::Whole(value) => value.fmt(f),
            Self::Real(value) if value.is_infinite() => f.write_str("no bound"),
            Self::Real(value) => value.fmt(f),
            Self::Word(text) | Self::Phrase(text) => f.write_str(text),
            Self::But(first, cases) => {
                let cases: Vec<String> = cases.iter().map(|(case, value)| format!("{value} {case}")).collect();
                write!(f, "{first} ({})", cases.join(", "))
            }
            Self::Nothing => f.write_str("nothing"),
        }
    }
}

/// An option: its name, its values, its default and its meaning. All texts about it are made from this.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OptionEntry {
    /// Its name in all interfaces.
    pub key: &'static str,
    /// The group that it belongs to.
    pub group: Group,
    /// The values that it may have.
    pub kind: Kind,
    /// The value that it has where it is not set.
    pub default: Fallback,
    /// Its purpose, with its unit. The default is not repeated here, since [`text`](Self::text) adds it.
    pub summary: &'static str,
}

/// The value of an option.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
#[serde(untagged)]
pub enum Value {
    /// The value of a [`Kind::Flag`].
    Flag(bool),
    /// The value of a [`Kind::Whole`].
    Whole(u64),
    /// The value of a [`Kind::Real`].
    Real(f64),
    /// The value of a [`Kind::Choice`] or a [`Kind::Text`].
    Text(String),
    /// The value of a [`Kind::Numbers`].
    Numbers(Vec<f64>),
}

impl Value {
    /// The whole number. `None` if the value is something else.
    #[must_use]
    pub fn whole(&self) -> Option<usize> {
        match self {
            Self::Whole(value) => usize::try_from(*value).ok(),
            _ => None,
        }
    }

    /// The word or the text. It is "" if the value is something else.
    #[must_use]
    pub fn text(&self) -> &str {
        match self {
            Self::Text(value) => value,
            _ => "",
        }
    }
}

impl fmt::Display for Value {
    /// Writes the value as [`OptionEntry::parse`] reads it, flags as 0 and 1.
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
    /// The text about it for users: its purpose, and its default.
    #[must_use]
    pub fn text(&self) -> String {
        self.default_text().map_or_else(|| self.summary.to_owned(), |text| format!("{} Default: {text}.", self.summary))
    }

    /// Its default, in words. `None` if it has no effect unless it is set.
    fn default_text(&self) -> Option<String> {
        let model = if self.group.is_of_model() { "the model's, else " } else { "" };
        (self.default != Fallback::Nothing).then(|| format!("{model}{}", self.default))
    }

    /// The option as JSON, for an interface that shows options it does not know.
    ///
    /// - `name` is its name.
    /// - `group` is the heading under which it is shown.
    /// - `kind` is boolean, integer, number, choice, text or numbers.
    /// - `minimum` and `maximum` are there where there are bounds.
    /// - `choices` are the words. `meanings` has a sentence for each of them, where there are some.
    /// - `default` is there where it is a value and no model has another.
    /// - `default_text` is the default in words, where there is something to state.
    /// - `text` is the text for users.
    #[must_use]
    pub fn described(&self) -> serde_json::Value {
        let (kind, bounds): (_, [Option<serde_json::Value>; 2]) = match self.kind {
            Kind::Flag => ("boolean", [None, None]),
            Kind::Whole(least, most) => ("integer", [Some(least.into()), (most != u64::MAX).then(|| most.into())]),
            Kind::Real(least, most) => ("number", [least, most].map(|bound| bound.is_finite().then(|| bound.into()))),
            Kind::Choice(..) => ("choice", [None, None]),
            Kind::Text => ("text", [None, None]),
            Kind::Numbers => ("numbers", [None, None]),
        };
        let (choices, meanings) = match self.kind {
            Kind::Choice(words, []) => (Some(words.into()), None),
            Kind::Choice(words, meanings) => (Some(words.into()), Some(meanings.into())),
            _ => (None, None),
        };
        let mut described = serde_json::json!({
            "name": self.key,
            "group": self.group.heading(),
            "kind": kind,
            "text": self.summary,
        });
        let [least, most] = bounds;
        let default = match self.default.first() {
            _ if self.group.is_of_model() => None,
            Fallback::Flag(value) => Some(value.into()),
            Fallback::Whole(value) => Some(value.into()),
            Fallback::Real(value) if value.is_finite() => Some(value.into()),
            Fallback::Word(word) => Some(word.into()),
            _ => None,
        };
        let said = self.default_text().map(Into::into);
        let optional = [
            ("minimum", least),
            ("maximum", most),
            ("choices", choices),
            ("meanings", meanings),
            ("default", default),
            ("default_text", said),
        ];
        for (name, value) in optional {
            if let Some(value) = value {
                described[name] = value;
            }
        }
        described
    }

    /// Its value in `options`. `None` if it is not set.
    #[must_use]
    pub fn given<'a>(&self, options: &'a Options) -> Option<&'a Value> {
        options.get(self.key)
    }

    /// Its number in `options`, or its default, which is a number. Infinity is no bound.
    pub(crate) fn real(&self, options: &Options) -> f64 {
        options.real(self.key).unwrap_or_else(|| match self.default.first() {
            Fallback::Real(value) => value,
            _ => self.lacks("number"),
        })
    }

    /// Its whole number in `options`, or its default, which is one.
    pub(crate) fn whole(&self, options: &Options) -> usize {
        options.whole(self.key).unwrap_or_else(|| match self.default.first() {
            // A number beyond the memory is refused where it is used.
            Fallback::Whole(value) => usize::try_from(value).unwrap_or(usize::MAX),
            _ => self.lacks("whole number"),
        })
    }

    /// Its flag in `options`, or its default, which is one.
    pub(crate) fn flag(&self, options: &Options) -> bool {
        options.flag(self.key).unwrap_or_else(|| match self.default.first() {
            Fallback::Flag(value) => value,
            _ => self.lacks("flag"),
        })
    }

    /// The value of its word, or the default. The entry has its default from `T`.
    pub(crate) fn choice<T: Words>(&self, options: &Options) -> T {
        debug_assert!(self.kind == T::KIND, "{} has other words", self.key);
        options.text(self.key).and_then(T::from_word).unwrap_or_default()
    }

    /// A mistake in this crate's tables: the default has another type than the caller expects.
    fn lacks<T: Default>(&self, what: &str) -> T {
        debug_assert!(false, "the default of {} is no {what}", self.key);
        T::default()
    }

    /// Reads `text` as a value of the option.
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

/// Options that were set, in the order in which they were set.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Options(Vec<(&'static str, Value)>);

impl Options {
    /// Sets an option, in place of an earlier value.
    pub(crate) fn set(&mut self, key: &'static str, value: Value) {
        self.0.retain(|(known, _)| *known != key);
        self.0.push((key, value));
    }

    /// The value of an option. `None` if it is not set.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.0.iter().find(|(known, _)| *known == key).map(|(_, value)| value)
    }

    /// The number that an option is set to, if any.
    #[must_use]
    pub fn real(&self, key: &str) -> Option<f64> {
        match self.get(key) {
            Some(Value::Real(value)) => Some(*value),
            _ => None,
        }
    }

    /// The whole number that an option is set to, if any.
    #[must_use]
    pub fn whole(&self, key: &str) -> Option<usize> {
        self.get(key).and_then(Value::whole)
    }

    /// The flag that an option is set to, if any.
    #[must_use]
    pub fn flag(&self, key: &str) -> Option<bool> {
        match self.get(key) {
            Some(Value::Flag(value)) => Some(*value),
            _ => None,
        }
    }

    /// The numbers that an option is set to, if any.
    #[must_use]
    pub fn numbers(&self, key: &str) -> Option<&[f64]> {
        match self.get(key) {
            Some(Value::Numbers(values)) => Some(values),
            _ => None,
        }
    }

    /// The options for which `wanted` returns true.
    #[must_use]
    pub fn filtered(&self, wanted: impl Fn(&str) -> bool) -> Self {
        Self(self.0.iter().filter(|(key, _)| wanted(key)).cloned().collect())
    }

    /// The word or the text that an option is set to, if any.
    #[must_use]
    pub fn text(&self, key: &str) -> Option<&str> {
        self.get(key).map(Value::text)
    }

    /// All options, with their values.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &Value)> {
        self.0.iter().map(|(key, value)| (*key, value))
    }
}

impl serde::Serialize for Options {
    /// Serializes them as a map.
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

/// An enum of [`words!`] with a default.
pub(crate) trait Words: Default {
    /// The kind of an option that has these values.
    const KIND: Kind;

    /// The value of `word`.
    fn from_word(word: &str) -> Option<Self>;
}

/// Defines an enum whose values have words, which are their names in every interface. The value that is marked as the
/// default is `DEFAULT`. The entry of its option takes its default from there.
macro_rules! words {
    ($(#[$meta:meta])* $visibility:vis enum $name:ident {
        $($(#[$default:ident])? $variant:ident = $word:literal, $meaning:literal;)+
    }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        $visibility enum $name {
            $(#[doc = $meaning] $variant,)+
        }

        $($($crate::option::words!(@$default $name $variant);)?)+

        impl $name {
            /// The words of the values.
            pub const WORDS: &'static [&'static str] = &[$($word),+];
            /// The meanings of the words.
            pub const MEANINGS: &'static [&'static str] = &[$($meaning),+];
            /// The kind of an option that has these values.
            pub const KIND: $crate::option::Kind = $crate::option::Kind::Choice(Self::WORDS, Self::MEANINGS);

            /// The word for this value.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }

            /// The value of `word`.
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
    (@default $name:ident $variant:ident) => {
        impl $name {
            /// The default value.
            pub const DEFAULT: Self = Self::$variant;
        }

        impl Default for $name {
            fn default() -> Self {
                Self::DEFAULT
            }
        }

        impl $crate::option::Words for $name {
            const KIND: $crate::option::Kind = Self::KIND;

            fn from_word(word: &str) -> Option<Self> {
                Self::from_word(word)
            }
        }
    };
}

pub(crate) use words;

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(kind: Kind) -> OptionEntry {
        OptionEntry { key: "key", group: Group::Solver, kind, default: Fallback::Nothing, summary: "What it is for." }
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
    fn the_default_is_said_behind_the_summary() {
        let text = |group, default| OptionEntry { group, default, ..entry(Kind::Flag) }.text();
        assert_eq!(text(Group::Start, Fallback::Flag(true)), "What it is for. Default: 1.");
        assert_eq!(text(Group::Solver, Fallback::Real(1e-4)), "What it is for. Default: the model's, else 0.0001.");
        assert_eq!(text(Group::Start, Fallback::at_most(None)), "What it is for. Default: no bound.");
        let cases = Fallback::But(&Fallback::Real(1.0), &[("from an image", Fallback::Real(0.8))]);
        assert_eq!(text(Group::Start, cases), "What it is for. Default: 1 (0.8 from an image).");
        assert_eq!(text(Group::Start, Fallback::Nothing), "What it is for.");
    }

    #[test]
    fn what_is_not_set_is_the_default() {
        let of = |kind, default| OptionEntry { default, ..entry(kind) };
        let real = of(Kind::Real(0.0, 1.0), Fallback::But(&Fallback::Real(0.5), &[("at night", Fallback::Real(0.1))]));
        let whole = of(Kind::Whole(0, 9), Fallback::Whole(3));
        let flag = of(Kind::Flag, Fallback::Flag(true));
        let mut options = Options::default();
        assert_eq!((real.real(&options), whole.whole(&options), flag.flag(&options)), (0.5, 3, true));
        assert_eq!(real.given(&options), None);
        options.set("key", Value::Real(0.25));
        assert_eq!((real.real(&options), real.given(&options)), (0.25, Some(&Value::Real(0.25))));
        options.set("key", Value::Whole(4));
        assert_eq!(whole.whole(&options), 4);
        options.set("key", Value::Flag(false));
        assert!(!flag.flag(&options));
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
