//! Tokenizers: text as the ids that a text encoder takes. The ids are those of transformers 5. That includes special
//! tokens that a prompt spells out: a literal `<|endoftext|>` becomes the token.

use std::path::Path;

#[cfg(feature = "text")]
use reading::Backend;

use crate::error::{Error, Result};
use crate::prompt::check_length;

/// Without the feature there is never a tokenizer.
#[cfg(not(feature = "text"))]
type Backend = std::convert::Infallible;

/// The files of a tokenizer's folder, or the bytes that a host gave for them.
#[derive(Debug, Default)]
pub(crate) struct TokenizerFiles {
    pub tokenizer_json: Option<Vec<u8>>,
    /// The file vocab.json.
    pub vocab: Option<Vec<u8>>,
    /// The file merges.txt.
    pub merges: Option<Vec<u8>>,
    pub tokenizer_config: Option<Vec<u8>>,
    pub special_tokens_map: Option<Vec<u8>>,
    pub added_tokens: Option<Vec<u8>>,
}

impl TokenizerFiles {
    /// Reads the files of these names. `read` returns the bytes of each, if there is one.
    ///
    /// # Errors
    /// Those of `read`.
    pub(crate) fn read(mut read: impl FnMut(&str) -> Result<Option<Vec<u8>>>) -> Result<Self> {
        Ok(Self {
            tokenizer_json: read("tokenizer.json")?,
            vocab: read("vocab.json")?,
            merges: read("merges.txt")?,
            tokenizer_config: read("tokenizer_config.json")?,
            special_tokens_map: read("special_tokens_map.json")?,
            added_tokens: read("added_tokens.json")?,
        })
    }
}

/// The ids of a prompt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tokens {
    pub ids: Vec<i64>,
    /// The text that did not fit, as it stands in the prompt. `None` where all of it did.
    pub cut: Option<String>,
    /// The number of ids that are not padding.
    pub used: usize,
}

/// The ids around a prompt's own. CLIP has `<|startoftext|>` and `<|endoftext|>`. T5 has only `</s>`, behind it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Specials {
    pub before: Vec<i64>,
    pub after: Vec<i64>,
}

/// The tokenizer of a folder.
pub(crate) struct Tokenizer {
    place: String,
    backend: Backend,
    specials: Specials,
    pad: i64,
    largest: i64,
    length: Option<usize>,
}

impl Tokenizer {
    /// Creates the tokenizer that `files` describe. It is tokenizer.json if that is there, and else vocab.json and
    /// merges.txt, which are read as transformers' `CLIPTokenizer` reads them. `place` is the folder's name in errors.
    ///
    /// # Errors
    /// [`Error::Model`] names the file and the field that is missing or wrong. Without the feature `text` it is always
    /// an error.
    pub(crate) fn new(place: &str, files: &TokenizerFiles) -> Result<Self> {
        #[cfg(feature = "text")]
        return reading::tokenizer(files).map_err(|reason| Error::model(place, reason)).map(|read| Self {
            place: place.to_owned(),
            backend: read.backend,
            specials: read.specials,
            pad: read.pad,
            largest: read.largest,
            length: read.length,
        });
        #[cfg(not(feature = "text"))]
        {
            let _ = files;
            Err(Error::model(
                place,
                "this build has no tokenizers; build diffuse with its feature \"text\", or give ids",
            ))
        }
    }

    /// The id of the padding behind a prompt.
    pub(crate) fn pad(&self) -> i64 {
        self.pad
    }

    /// The largest id that it can return. An encoder whose embedding has no such row belongs to another tokenizer.
    pub(crate) fn largest(&self) -> i64 {
        self.largest
    }

    /// The number of ids that the encoder takes (`model_max_length`), where the folder states it.
    pub(crate) fn length(&self) -> Option<usize> {
        self.length
    }

    /// The ids that stand around a prompt's own.
    pub(crate) fn specials(&self) -> &Specials {
        &self.specials
    }

    /// The id of `token` as it is spelled in the vocabulary. `,</w>` is CLIP's comma.
    pub(crate) fn id(&self, token: &str) -> Option<i64> {
        #[cfg(feature = "text")]
        return self.backend.token_to_id(token).map(i64::from);
        #[cfg(not(feature = "text"))]
        match (self.backend, token) {}
    }

    /// The ids of `text`, cut and padded to `length`, with those around it. The end of the text is cut, and padding
    /// stands behind it, whatever the folder's own settings for the two.
    ///
    /// # Errors
    /// [`Error::Argument`] where `text` is longer than 256 KiB, or where `length` has no room for the ids around it.
    /// [`Error::Model`] where the tokenizer can't make ids of it.
    pub(crate) fn encode(&self, text: &str, length: usize) -> Result<Tokens> {
        let Specials { before, after } = &self.specials;
        let Some(room) = length.checked_sub(before.len() + after.len()) else {
            let around = before.len() + after.len();
            return Err(Error::argument(
                "length",
                format!("{length} ids have no room for the {around} around a prompt"),
            ));
        };
        let (own, starts) = self.own(text)?;
        let kept = own.len().min(room);
        // Where a token begins within a character, as those of bytes do, the whole character was cut.
        let cut = starts.get(kept).map(|start| {
            let start = (0..=*start.min(&text.len())).rev().find(|place| text.is_char_boundary(*place));
            text[start.unwrap_or(0)..].trim().to_owned()
        });
        let mut ids = Vec::with_capacity(length.min(before.len() + kept + after.len()));
        ids.extend(before);
        ids.extend(&own[..kept]);
        ids.extend(after);
        let used = ids.len();
        crate::tensor::make_room(&mut ids, length - used)?;
        ids.resize(length, self.pad);
        Ok(Tokens { ids, cut, used })
    }

    /// The ids of a part of a prompt, without those around it and without padding.
    ///
    /// # Errors
    /// As [`encode`](Self::encode).
    pub(crate) fn pieces(&self, text: &str) -> Result<Vec<i64>> {
        Ok(self.own(text)?.0)
    }

    /// The ids of `text`, and where each of them begins in it.
    fn own(&self, text: &str) -> Result<(Vec<i64>, Vec<usize>)> {
        check_length(text)?;
        #[cfg(feature = "text")]
        {
            // Texts are encoded one at a time, since only batches start threads or read the environment.
            let encoding = reading::contained(|| self.backend.encode(text, false));
            let encoding = encoding.map_err(|reason| {
                Error::model(&*self.place, format!("the tokenizer can't make ids of this prompt: {reason}"))
            })?;
            let ids = encoding.get_ids().iter().copied().map(i64::from).collect();
            Ok((ids, encoding.get_offsets().iter().map(|(start, _)| *start).collect()))
        }
        #[cfg(not(feature = "text"))]
        match self.backend {}
    }
}

/// Reads the tokenizer in `folder`. It returns a function from a text and a length to ids of that length. The function
/// also returns how many ids are not padding, and the text that was cut.
///
/// It is for the tests that compare the ids with transformers', and is not part of the API.
///
/// # Errors
/// As the tokenizer's.
#[doc(hidden)]
#[expect(clippy::type_complexity, reason = "a function for tests, whose result is taken apart at once")]
pub fn tokens_of(folder: &Path) -> Result<impl Fn(&str, usize) -> Result<(Vec<i64>, usize, Option<String>)>> {
    let files = TokenizerFiles::read(|name| {
        let path = folder.join(name);
        match std::fs::read(&path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::io(&path, error)),
        }
    })?;
    let tokenizer = Tokenizer::new(&folder.to_string_lossy(), &files)?;
    Ok(move |text: &str, length: usize| {
        let tokens = tokenizer.encode(text, length)?;
        Ok((tokens.ids, tokens.used, tokens.cut))
    })
}

#[cfg(feature = "text")]
mod reading {
    use std::collections::BTreeMap;
    use std::fmt;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use serde::Deserialize;
    use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
    use serde::de::{DeserializeOwned, Deserializer, MapAccess, SeqAccess, Visitor};
    use serde_json::Value;
    use tokenizers::models::ModelWrapper;
    use tokenizers::models::bpe::{BPE, Vocab};
    use tokenizers::models::unigram::Unigram;
    use tokenizers::models::wordpiece::WordPiece;
    use tokenizers::normalizers::replace::ReplacePattern;
    use tokenizers::normalizers::{Lowercase, NFC, NormalizerWrapper, Precompiled, Replace, Sequence};
    use tokenizers::pre_tokenizers::byte_level::ByteLevel;
    use tokenizers::pre_tokenizers::sequence::Sequence as PreTokenizers;
    use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
    use tokenizers::processors::roberta::RobertaProcessing;
    use tokenizers::{AddedToken, DecoderWrapper, Encoding, PostProcessorWrapper, PreTokenizerWrapper, Token};

    use crate::error::Error;
    use crate::json::{Json, decoded};
    use crate::tokenizer::{Specials, TokenizerFiles};

    pub(super) type Backend = tokenizers::Tokenizer;

    type Result<T, E = String> = std::result::Result<T, E>;

    /// The greatest depth of a tokenizer, which none comes near. Deeper nesting might take all of the stack.
    const MOST_DEEP: usize = 16;

    /// The greatest factor by which the replacements of a tokenizer may lengthen a text. Gemma's and T5's make it three
    /// times as long.
    const MOST_GROWTH: usize = 100;

    /// A longer `model_max_length` means that there is none. transformers writes 10³⁰ then.
    const LONGEST: f64 = 1e6;

    const BEGIN_OF_CLIP: &str = "<|startoftext|>";
    const END_OF_CLIP: &str = "<|endoftext|>";

    /// The contents of the files.
    pub(super) struct Read {
        pub(super) backend: Backend,
        pub(super) specials: Specials,
        pub(super) pad: i64,
        pub(super) largest: i64,
        pub(super) length: Option<usize>,
    }

    /// Calls the tokenizers crate. It panics on some files, such as one whose character map is cut off.
    pub(super) fn contained<T>(call: impl FnOnce() -> tokenizers::Result<T>) -> Result<T> {
        match catch_unwind(AssertUnwindSafe(call)) {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => Err(error.to_string()),
            Err(panic) => match Error::panic(&*panic) {
                Error::Panic { reason } => Err(format!("the tokenizers crate ended in a panic: {reason}")),
                _ => Err("the tokenizers crate ended in a panic".to_owned()),
            },
        }
    }

    pub(super) fn tokenizer(files: &TokenizerFiles) -> Result<Read> {
        let config: Value = optional("tokenizer_config.json", files.tokenizer_config.as_deref())?.unwrap_or_default();
        let map: Value = optional("special_tokens_map.json", files.special_tokens_map.as_deref())?.unwrap_or_default();
        let mut named = Named::of(&config, &map)?;
        let (mut backend, mut added, padding, mut largest) = match &files.tokenizer_json {
            Some(bytes) => of_json(read("tokenizer.json", bytes)?)?,
            None => of_clip(files, &config, &mut named)?,
        };
        // The configuration's settings of tokens take precedence over those of tokenizer.json.
        if let Some(tokens) = config.get("added_tokens_decoder") {
            added = of_config(tokens)?;
        } else if let Some(bytes) = &files.added_tokens {
            let tokens: BTreeMap<String, u32> = read("added_tokens.json", bytes)?;
            let mut tokens: Vec<_> = tokens.into_iter().map(|(content, id)| (id, content)).collect();
            tokens.sort_unstable();
            added.extend(tokens.into_iter().map(|(_, content)| {
                let special = named.has(&content);
                AddedToken::from(content, special)
            }));
        }
        for token in &mut added {
            token.special |= named.has(&token.content);
        }
        let missing = named.tokens.iter().map(|(_, token)| token).filter(|token| {
            let known = backend.get_added_vocabulary().get_vocab().contains_key(&token.content);
            !known && !added.iter().any(|other| other.content == token.content)
        });
        // This makes a padding token such as "!" a special one, also where a prompt has it, as in transformers.
        let missing: Vec<AddedToken> = missing.cloned().collect();
        contained(|| backend.add_tokens(added.into_iter().chain(missing)))?;
        largest = backend.get_added_vocabulary().get_vocab().values().copied().fold(largest, u32::max);
        let specials = around(&backend).map_err(|reason| format!("tokenizer.json: post_processor: {reason}"))?;
        let length = config.get("model_max_length").and_then(Value::as_f64);
        Ok(Read {
            pad: pad(&backend, &named, padding.as_ref())?,
            specials,
            largest: largest.into(),
            length: length.filter(|length| (1.0..=LONGEST).contains(length)).map(|length| length as usize),
            backend,
        })
    }

    /// The id of the padding token.
    fn pad(backend: &Backend, named: &Named, padding: Option<&Value>) -> Result<i64> {
        if let Some(token) = named.get("pad_token") {
            let id = backend.token_to_id(&token.content);
            return id.map(i64::from).ok_or_else(|| format!("pad_token: {:?} is not in the vocabulary", token.content));
        }
        if let Some(id) = padding.and_then(|padding| padding.get("pad_id")).and_then(Value::as_u64) {
            return i64::try_from(id).map_err(|_| "tokenizer.json: padding: pad_id is too large".to_owned());
        }
        // These are the defaults of transformers' classes: T5's and Gemma's, BERT's, CLIP's and Qwen's.
        let usual = ["<pad>", "[PAD]", END_OF_CLIP].iter().find_map(|token| backend.token_to_id(token));
        usual.map(i64::from).ok_or_else(|| "tokenizer_config.json: pad_token is missing".to_owned())
    }

    /// The ids that the post-processor puts around a text.
    fn around(backend: &Backend) -> Result<Specials> {
        let text = Encoding::from_tokens(vec![Token::new(0, "a".to_owned(), (0, 1))], 0);
        let whole = contained(|| backend.post_process(text, None, true))?;
        let own = whole.get_special_tokens_mask().iter().position(|special| *special == 0);
        let once = whole.get_special_tokens_mask().iter().filter(|special| **special == 0).count() == 1;
        let Some(place) = own.filter(|_| once) else {
            return Err("it doesn't take the text as one piece".to_owned());
        };
        let ids = |range: &[u32]| range.iter().copied().map(i64::from).collect();
        let all = whole.get_ids();
        Ok(Specials { before: ids(&all[..place]), after: ids(&all[place + 1..]) })
    }

    /// Reads a JSON file.
    fn read<T: DeserializeOwned>(name: &str, bytes: &[u8]) -> Result<T> {
        let said = decoded(bytes).and_then(|text| Json::new(&text)?.read::<T>().map_err(|error| error.to_string()));
        said.map_err(|reason| format!("{name}: {reason}"))
    }

    fn optional<T: DeserializeOwned>(name: &str, bytes: Option<&[u8]>) -> Result<Option<T>> {
        bytes.map(|bytes| read(name, bytes)).transpose()
    }

    /// A token with its settings, as the files state them.
    #[derive(Deserialize)]
    struct Added {
        content: String,
        #[serde(default)]
        single_word: bool,
        #[serde(default)]
        lstrip: bool,
        #[serde(default)]
        rstrip: bool,
        normalized: Option<bool>,
        #[serde(default)]
        special: bool,
    }

    impl Added {
        fn token(self) -> AddedToken {
            AddedToken::from(self.content, self.special)
                .single_word(self.single_word)
                .lstrip(self.lstrip)
                .rstrip(self.rstrip)
                .normalized(self.normalized.unwrap_or(!self.special))
        }
    }

    /// The tokens of `added_tokens_decoder`, in the order of the ids.
    fn of_config(tokens: &Value) -> Result<Vec<AddedToken>> {
        let name = "tokenizer_config.json: added_tokens_decoder";
        let mut sorted = Vec::new();
        for (id, token) in tokens.as_object().ok_or_else(|| format!("{name} is no object"))? {
            let id: u32 = id.parse().map_err(|_| format!("{name}: {id:?} is no id"))?;
            let token = Added::deserialize(token).map_err(|error| format!("{name}: {id}: {error}"))?;
            sorted.push((id, token.token()));
        }
        sorted.sort_by_key(|(id, _)| *id);
        Ok(sorted.into_iter().map(|(_, token)| token).collect())
    }

    /// The special tokens that tokenizer_config.json and special_tokens_map.json name, by their keys.
    struct Named {
        tokens: Vec<(&'static str, AddedToken)>,
    }

    impl Named {
        /// The names in both files. The map takes precedence where the configuration has no settings of tokens, as in
        /// transformers.
        fn of(config: &Value, map: &Value) -> Result<Self> {
            const KEYS: [&str; 7] =
                ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"];
            const LISTS: [&str; 2] = ["additional_special_tokens", "extra_special_tokens"];
            let mut order = [("tokenizer_config.json", config), ("special_tokens_map.json", map)];
            if config.get("added_tokens_decoder").is_none() {
                order.reverse();
            }
            let mut tokens = Vec::new();
            for key in KEYS {
                for (file, values) in order {
                    if let Some(value) = values.get(key).filter(|value| !value.is_null()) {
                        tokens.push((key, Self::token(value).map_err(|reason| format!("{file}: {key}: {reason}"))?));
                        break;
                    }
                }
            }
            for (file, values) in order {
                for key in LISTS {
                    let listed: Vec<&Value> = match values.get(key) {
                        Some(Value::Array(list)) => list.iter().collect(),
                        Some(Value::Object(list)) => list.values().collect(),
                        _ => Vec::new(),
                    };
                    for value in listed {
                        tokens.push((key, Self::token(value).map_err(|reason| format!("{file}: {key}: {reason}"))?));
                    }
                }
            }
            Ok(Self { tokens })
        }

        fn token(value: &Value) -> Result<AddedToken> {
            match value {
                Value::String(content) => Ok(AddedToken::from(content, true)),
                _ => Added::deserialize(value)
                    .map(|added| Added { special: true, ..added }.token())
                    .map_err(|error| error.to_string()),
            }
        }

        fn get(&self, key: &str) -> Option<&AddedToken> {
            self.tokens.iter().find(|(name, _)| *name == key).map(|(_, token)| token)
        }

        fn has(&self, content: &str) -> bool {
            self.tokens.iter().any(|(_, token)| token.content == content)
        }
    }

    /// A backend, the tokens to add to it, its own settings for padding, its largest id so far, and the end of a word.
    type Built = (Backend, Vec<AddedToken>, Option<Value>, u32);

    /// The file tokenizer.json. Its truncation isn't read.
    #[derive(Deserialize)]
    struct File {
        #[serde(default)]
        added_tokens: Vec<Added>,
        padding: Option<Value>,
        normalizer: Option<Value>,
        pre_tokenizer: Option<Value>,
        post_processor: Option<Value>,
        decoder: Option<Value>,
        model: Model,
    }

    #[derive(Deserialize)]
    struct Model {
        #[serde(rename = "type")]
        kind: Option<String>,
        vocab: Vocabulary,
        merges: Option<Vec<Merge>>,
        unk_token: Option<String>,
        unk_id: Option<usize>,
        continuing_subword_prefix: Option<String>,
        end_of_word_suffix: Option<String>,
        fuse_unk: Option<bool>,
        byte_fallback: Option<bool>,
        ignore_merges: Option<bool>,
        max_input_chars_per_word: Option<usize>,
    }

    /// Tokens with their ids, or with their scores in the order of their ids.
    enum Vocabulary {
        Ids(Vocab),
        Scores(Vec<(String, f64)>),
    }

    impl<'de> Deserialize<'de> for Vocabulary {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            struct Either;
            impl<'de> Visitor<'de> for Either {
                type Value = Vocabulary;

                fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    f.write_str("an object of ids, or a list of tokens and scores")
                }

                fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Vocabulary, A::Error> {
                    Vocab::deserialize(MapAccessDeserializer::new(map)).map(Vocabulary::Ids)
                }

                fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Vocabulary, A::Error> {
                    Vec::deserialize(SeqAccessDeserializer::new(list)).map(Vocabulary::Scores)
                }
            }
            deserializer.deserialize_any(Either)
        }
    }

    /// A merge, written "a b" or ["a", "b"].
    struct Merge(String, String);

    impl Merge {
        fn spelled(line: &str) -> Option<Self> {
            let (first, second) = line.split_once(' ')?;
            (!second.contains(' ')).then(|| Self(first.to_owned(), second.to_owned()))
        }
    }

    impl<'de> Deserialize<'de> for Merge {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            struct Either;
            impl<'de> Visitor<'de> for Either {
                type Value = Merge;

                fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    f.write_str("two tokens with a space between them, or a list of two")
                }

                fn visit_str<E: serde::de::Error>(self, line: &str) -> Result<Merge, E> {
                    Merge::spelled(line).ok_or_else(|| E::custom(format!("{line:?} are not two tokens")))
                }

                fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Merge, A::Error> {
                    let (first, second) = <(String, String)>::deserialize(SeqAccessDeserializer::new(list))?;
                    Ok(Merge(first, second))
                }
            }
            deserializer.deserialize_any(Either)
        }
    }

    /// Each part is read by itself. So an error names it, and nothing of it samples or starts threads.
    fn of_json(file: File) -> Result<Built> {
        check_normalizer(file.normalizer.as_ref())?;
        let normalizer: Option<NormalizerWrapper> = part("normalizer", file.normalizer)?;
        let pre_tokenizer: Option<PreTokenizerWrapper> = part("pre_tokenizer", file.pre_tokenizer)?;
        let post_processor: Option<PostProcessorWrapper> = part("post_processor", file.post_processor)?;
        let decoder: Option<DecoderWrapper> = part("decoder", file.decoder)?;
        let (model, largest) = file.model.build().map_err(|reason| format!("tokenizer.json: model: {reason}"))?;
        let mut backend = Backend::new(model);
        let added: Vec<AddedToken> = file.added_tokens.into_iter().map(Added::token).collect();
        contained(|| {
            backend.with_normalizer(normalizer)?;
            backend.with_pre_tokenizer(pre_tokenizer).with_post_processor(post_processor).with_decoder(decoder);
            backend.add_tokens(added.iter().cloned())
        })?;
        Ok((backend, added, file.padding, largest))
    }

    /// A part of tokenizer.json.
    fn part<T: DeserializeOwned>(name: &str, value: Option<Value>) -> Result<Option<T>> {
        let Some(value) = value else { return Ok(None) };
        if depth(&value) > MOST_DEEP {
            return Err(format!("tokenizer.json: {name}: it is nested deeper than {MOST_DEEP}"));
        }
        let read = contained(|| Ok(serde_json::from_value(value)?));
        read.map(Some).map_err(|reason| format!("tokenizer.json: {name}: {reason}"))
    }

    /// The depth of nested lists and objects in `value`. JSON that was read is at most 128 deep.
    fn depth(value: &Value) -> usize {
        match value {
            Value::Array(list) => 1 + list.iter().map(depth).max().unwrap_or(0),
            Value::Object(object) => 1 + object.values().map(depth).max().unwrap_or(0),
            _ => 0,
        }
    }

    /// Refuses what makes the tokenizers crate panic, and what makes gigabytes of a short text.
    fn check_normalizer(normalizer: Option<&Value>) -> Result<()> {
        fn growth(value: &Value) -> Result<usize> {
            match value {
                Value::Array(list) => {
                    list.iter().try_fold(1_usize, |product, value| Ok(product.saturating_mul(growth(value)?)))
                }
                Value::Object(object) => match object.get("type").and_then(Value::as_str) {
                    Some("Precompiled") => {
                        let read = contained(|| Ok(serde_json::from_str::<Precompiled>(&value.to_string())?));
                        read.map(|_| 1).map_err(|reason| format!("precompiled_charsmap: {reason}"))
                    }
                    _ => {
                        let content = object.get("content").and_then(Value::as_str).map_or(1, |text| text.len().max(1));
                        let within = object.get("normalizers").map_or(Ok(1), growth)?;
                        Ok(content.saturating_mul(within))
                    }
                },
                _ => Ok(1),
            }
        }
        match normalizer.map_or(Ok(1), growth) {
            Ok(growth) if growth > MOST_GROWTH => {
                Err(format!("tokenizer.json: normalizer: it makes a text more than {MOST_GROWTH} times as long"))
            }
            Ok(_) => Ok(()),
            Err(reason) => Err(format!("tokenizer.json: normalizer: {reason}")),
        }
    }

    impl Model {
        /// The model, and the largest id of its vocabulary. Its cache of earlier texts is turned off. Prompts are few,
        /// and the cache would be kept for each thread after the tokenizer is gone. Dropout is turned off as well.
        fn build(self) -> Result<(ModelWrapper, u32)> {
            let legacy = match (&self.vocab, &self.merges) {
                (Vocabulary::Scores(_), _) => "Unigram",
                (_, Some(_)) => "BPE",
                _ => "WordPiece",
            };
            match (self.kind.as_deref().unwrap_or(legacy), self.vocab) {
                ("BPE", Vocabulary::Ids(ids)) => {
                    if self.continuing_subword_prefix.is_some_and(|prefix| !prefix.is_empty()) {
                        return Err("continuing_subword_prefix: BPE is read without one only".to_owned());
                    }
                    let largest = largest(&ids)?;
                    let merges = self.merges.ok_or("merges is missing")?;
                    check_merges(&ids, &merges)?;
                    let merges = merges.into_iter().map(|Merge(first, second)| (first, second));
                    let mut builder = BPE::builder()
                        .vocab_and_merges(ids, merges.collect())
                        .fuse_unk(self.fuse_unk.unwrap_or(false))
                        .byte_fallback(self.byte_fallback.unwrap_or(false))
                        .ignore_merges(self.ignore_merges.unwrap_or(false))
                        .cache_capacity(0);
                    if let Some(token) = self.unk_token {
                        builder = builder.unk_token(token);
                    }
                    if let Some(suffix) = self.end_of_word_suffix {
                        builder = builder.end_of_word_suffix(suffix);
                    }
                    Ok((contained(|| builder.build())?.into(), largest))
                }
                ("Unigram", Vocabulary::Scores(scores)) => {
                    let largest = u32::try_from(scores.len()).ok().and_then(|count| count.checked_sub(1));
                    let largest = largest.ok_or("vocab: it is empty")?;
                    let fallback = self.byte_fallback.unwrap_or(false);
                    let mut model = contained(|| Unigram::from(scores, self.unk_id, fallback))?;
                    model.resize_cache(0);
                    Ok((model.into(), largest))
                }
                ("WordPiece", Vocabulary::Ids(ids)) => {
                    let largest = largest(&ids)?;
                    // The time for a word grows with the square of its length.
                    let longest = self.max_input_chars_per_word.unwrap_or(100).min(1000);
                    let builder = WordPiece::builder()
                        .vocab(ids)
                        .unk_token(self.unk_token.unwrap_or_else(|| "[UNK]".to_owned()))
                        .continuing_subword_prefix(self.continuing_subword_prefix.unwrap_or_else(|| "##".to_owned()))
                        .max_input_chars_per_word(longest);
                    Ok((contained(|| builder.build())?.into(), largest))
                }
                ("BPE" | "WordPiece", _) => Err("vocab: it is a list, and has to be an object".to_owned()),
                ("Unigram", _) => Err("vocab: it is an object, and has to be a list".to_owned()),
                (kind, _) => Err(format!("type: {kind:?} isn't known; BPE, Unigram and WordPiece are")),
            }
        }
    }

    /// Refuses merges of what isn't in the vocabulary, since some of them make the tokenizers crate panic.
    fn check_merges(vocabulary: &Vocab, merges: &[Merge]) -> Result<()> {
        for Merge(first, second) in merges {
            let merged = [&**first, second].concat();
            if let Some(token) = [first, second, &merged].into_iter().find(|token| !vocabulary.contains_key(*token)) {
                return Err(format!("merges: {first:?} and {second:?}: {token:?} is not in the vocabulary"));
            }
        }
        Ok(())
    }

    fn largest(vocabulary: &Vocab) -> Result<u32> {
        vocabulary.values().copied().max().ok_or_else(|| "vocab: it is empty".to_owned())
    }

    /// Reads merges.txt.
    fn merges_of_text(bytes: &[u8]) -> Result<Vec<Merge>> {
        let text = decoded(bytes).map_err(|reason| format!("merges.txt: {reason}"))?;
        let mut merges = Vec::new();
        for (number, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
            if !line.is_empty() && !line.starts_with("#version") {
                let merge = Merge::spelled(line);
                merges.push(merge.ok_or_else(|| format!("merges.txt: line {} has not two tokens", number + 1))?);
            }
        }
        if merges.is_empty() {
            return Err("merges.txt: there are no merges in it; was it written to its end?".to_owned());
        }
        Ok(merges)
    }

    /// transformers' `CLIPTokenizer` of vocab.json and merges.txt. The names that it takes for granted are added to
    /// `named`.
    fn of_clip(files: &TokenizerFiles, config: &Value, named: &mut Named) -> Result<Built> {
        let (Some(vocabulary), Some(merges)) = (&files.vocab, &files.merges) else {
            return Err("there is no tokenizer.json, and no vocab.json with a merges.txt; where there is a spiece.model \
                        or a tokenizer.model, convert it: AutoTokenizer.from_pretrained(folder).save_pretrained(folder) \
                        of transformers writes a tokenizer.json"
                .to_owned());
        };
        let class = config.get("tokenizer_class").and_then(Value::as_str).unwrap_or("CLIPTokenizer");
        if !matches!(class, "CLIPTokenizer" | "CLIPTokenizerFast") {
            return Err(format!(
                "tokenizer_config.json: tokenizer_class: {class:?} is read from a tokenizer.json only; \
                 AutoTokenizer.from_pretrained(folder).save_pretrained(folder) of transformers writes one"
            ));
        }
        let vocabulary: Vocab = read("vocab.json", vocabulary)?;
        let merges = merges_of_text(merges)?;
        for (key, usual) in [
            ("bos_token", BEGIN_OF_CLIP),
            ("eos_token", END_OF_CLIP),
            ("unk_token", END_OF_CLIP),
            ("pad_token", END_OF_CLIP),
        ] {
            if named.get(key).is_none() {
                named.tokens.push((key, AddedToken::from(usual, true)));
            }
        }
        let spelled = |key: &str| named.get(key).map(|token| token.content.clone()).unwrap_or_default();
        let (begin, end) = (spelled("bos_token"), spelled("eos_token"));
        let id = |token: &String| {
            let id = vocabulary.get(token).copied();
            id.ok_or_else(|| format!("vocab.json: the special token {token:?} is not there"))
        };
        let post_processor = RobertaProcessing::new((end.clone(), id(&end)?), (begin.clone(), id(&begin)?));
        let model = Model {
            kind: Some("BPE".to_owned()),
            vocab: Vocabulary::Ids(vocabulary),
            merges: Some(merges),
            unk_token: Some(spelled("unk_token")),
            unk_id: None,
            continuing_subword_prefix: None,
            end_of_word_suffix: Some("</w>".to_owned()),
            fuse_unk: None,
            byte_fallback: None,
            ignore_merges: None,
            max_input_chars_per_word: None,
        };
        let (model, largest) = model.build().map_err(|reason| format!("vocab.json and merges.txt: {reason}"))?;
        let mut backend = Backend::new(model);
        contained(|| dress_as_clip(&mut backend, post_processor))?;
        Ok((backend, Vec::new(), None, largest))
    }

    /// Adds what transformers' `CLIPTokenizer` does with a text before and after it is tokens.
    fn dress_as_clip(backend: &mut Backend, post_processor: RobertaProcessing) -> tokenizers::Result<()> {
        let spaces = Replace::new(ReplacePattern::Regex(r"\s+".to_owned()), " ")?;
        let normalizers = [NFC.into(), spaces.into(), Lowercase.into()];
        let words = SplitPattern::Regex(
            r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+".to_owned(),
        );
        let split = Split::new(words, tokenizers::SplitDelimiterBehavior::Removed, true)?;
        let bytes = ByteLevel::new(false, true, true);
        backend.with_normalizer(Some(Sequence::new(normalizers.into())))?;
        backend.with_pre_tokenizer(Some(PreTokenizers::new(vec![split.into(), bytes.into()])));
        backend.with_post_processor(Some(post_processor.trim_offsets(false).add_prefix_space(false)));
        backend.with_decoder(Some(bytes));
        Ok(())
    }
}

#[cfg(all(test, not(feature = "text")))]
mod without {
    use super::*;

    #[test]
    fn a_tokenizer_is_refused_with_the_features_name() {
        let error = Tokenizer::new("folder", &TokenizerFiles::default()).map(drop).unwrap_err();
        assert!(error.to_string().starts_with("folder: ") && error.to_string().contains("\"text\""), "{error}");
    }
}

#[cfg(all(test, feature = "text"))]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// A small version of CLIP's vocabulary: the bytes, the same as ends of words, a few merges, and the two special
    /// tokens.
    fn vocabulary() -> (serde_json::Map<String, Value>, &'static str) {
        let printed = |byte: &u32| matches!(byte, 0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff);
        let printed: Vec<u32> = (0..256).filter(printed).collect();
        let bytes = printed.iter().copied().chain((0..256 - printed.len() as u32).map(|place| 256 + place));
        let bytes: Vec<String> = bytes.filter_map(char::from_u32).map(String::from).collect();
        let mut tokens = bytes.clone();
        tokens.extend(bytes.iter().map(|token| format!("{token}</w>")));
        tokens.extend(["ca", "cat</w>", "<|startoftext|>", "<|endoftext|>"].map(str::to_owned));
        let ids = tokens.into_iter().zip(0..).map(|(token, id)| (token, Value::from(id))).collect();
        (ids, "#version: 0.2\nc a\nca t</w>\n")
    }

    fn bytes(value: &Value) -> Option<Vec<u8>> {
        Some(value.to_string().into_bytes())
    }

    fn clip(config: &Value, map: &Value) -> TokenizerFiles {
        let (ids, merges) = vocabulary();
        TokenizerFiles {
            vocab: bytes(&ids.into()),
            merges: Some(merges.as_bytes().to_vec()),
            tokenizer_config: bytes(config),
            special_tokens_map: bytes(map),
            ..TokenizerFiles::default()
        }
    }

    fn of(files: &TokenizerFiles) -> Tokenizer {
        Tokenizer::new("folder", files).unwrap()
    }

    fn refused(files: &TokenizerFiles) -> String {
        let error = Tokenizer::new("folder", files).map(drop).unwrap_err();
        assert!(matches!(error, Error::Model { .. }), "{error}");
        error.to_string()
    }

    fn json_files(tokenizer: &Value) -> TokenizerFiles {
        TokenizerFiles { tokenizer_json: bytes(tokenizer), ..TokenizerFiles::default() }
    }

    const CAT: i64 = 513;
    const BEGIN: i64 = 514;
    const END: i64 = 515;

    #[test]
    fn a_prompt_is_cut_and_padded_between_begin_and_end() {
        let tokenizer = of(&clip(&json!({"model_max_length": 77}), &json!({"pad_token": "!"})));
        assert_eq!((tokenizer.pad(), tokenizer.largest(), tokenizer.length()), (0, END, Some(77)));
        assert_eq!(tokenizer.specials(), &Specials { before: vec![BEGIN], after: vec![END] });
        let a = tokenizer.id("a</w>").unwrap();
        let tokens = tokenizer.encode(" A  Cat", 6).unwrap();
        assert_eq!(tokens, Tokens { ids: vec![BEGIN, a, CAT, END, 0, 0], cut: None, used: 4 });
        let tokens = tokenizer.encode("a cat, a Dog", 4).unwrap();
        assert_eq!(tokens, Tokens { ids: vec![BEGIN, a, CAT, END], cut: Some(", a Dog".to_owned()), used: 4 });
        assert_eq!(tokenizer.encode("", 3).unwrap(), Tokens { ids: vec![BEGIN, END, 0], cut: None, used: 2 });
        assert_eq!(tokenizer.pieces("cat cat").unwrap(), [CAT, CAT]);
        // Within a character of three tokens all of it counts as cut.
        assert_eq!(tokenizer.encode("a 猫猫", 5).unwrap().cut.as_deref(), Some("猫猫"));
        let error = tokenizer.encode("a", 1).unwrap_err();
        assert!(error.to_string().starts_with("length: 1 ids have no room"), "{error}");
    }

    #[test]
    fn what_a_prompt_spells_out_is_the_special_token() {
        let plain = of(&clip(&json!({}), &json!({})));
        assert_eq!(plain.pieces("cat<|endoftext|>cat").unwrap(), [CAT, END, CAT]);
        let mark = plain.id("!</w>").unwrap();
        assert_eq!((plain.pad(), plain.pieces("cat!").unwrap()), (END, vec![CAT, mark]));
        // As in transformers, a padding token is a special one, and so is no longer the end of a word.
        let padded = of(&clip(&json!({"pad_token": {"content": "!"}}), &json!({})));
        assert_eq!((padded.pad(), padded.pieces("cat!").unwrap()), (0, vec![CAT, 0]));
        // Where a token's settings require it, it is found after the text is in lower case.
        let loud = "<|EndOfText|>";
        assert_ne!(plain.pieces(loud).unwrap(), [END]);
        let flags = json!({"515": {"content": "<|endoftext|>", "normalized": true}});
        assert_eq!(of(&clip(&json!({"added_tokens_decoder": flags}), &json!({}))).pieces(loud).unwrap(), [END]);
    }

    #[test]
    fn added_tokens_go_behind_the_vocabulary() {
        let mut files = clip(&json!({}), &json!({}));
        files.added_tokens = bytes(&json!({"<b>": 517, "<a>": 516}));
        let tokenizer = of(&files);
        assert_eq!((tokenizer.pieces("<a> <b>").unwrap(), tokenizer.largest()), (vec![516, 517], 517));
        let decoder = json!({"516": {"content": "<c>"}, "514": {"content": "<|startoftext|>", "special": true}});
        files.tokenizer_config = bytes(&json!({"added_tokens_decoder": decoder}));
        assert_eq!(of(&files).pieces("<c>").unwrap(), [516]);
        // A token that the vocabulary lacks gets the next id, which no embedding has. `largest` shows it.
        let lacking = of(&clip(&json!({"pad_token": "<pad>"}), &json!({})));
        assert_eq!((lacking.pad(), lacking.largest()), (516, 516));
    }

    /// T5's kind, with settings of its own that have no effect.
    fn unigram() -> Value {
        let scores: Vec<(&str, f64)> =
            vec![("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁a", -1.0), ("▁cat", -2.0), ("▁", -3.0), ("s", -3.5)];
        json!({
            "version": "1.0",
            "truncation": {"direction": "Right", "max_length": 1, "strategy": "LongestFirst", "stride": 0},
            "padding": {"strategy": {"Fixed": 9}, "direction": "Left", "pad_to_multiple_of": null, "pad_id": 0,
                "pad_type_id": 0, "pad_token": "<pad>"},
            "added_tokens": [{"id": 1, "content": "</s>", "single_word": false, "lstrip": false, "rstrip": false,
                "normalized": false, "special": true}],
            "normalizer": {"type": "Sequence", "normalizers": [{"type": "NFKC"}]},
            "pre_tokenizer": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": true},
            "post_processor": {"type": "TemplateProcessing",
                "single": [{"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "</s>", "type_id": 0}}],
                "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 0}}],
                "special_tokens": {"</s>": {"id": "</s>", "ids": [1], "tokens": ["</s>"]}}},
            "decoder": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": true},
            "model": {"type": "Unigram", "unk_id": 2, "vocab": scores, "byte_fallback": false},
        })
    }

    #[test]
    fn other_kinds_are_read_from_their_json() {
        let tokenizer = of(&json_files(&unigram()));
        assert_eq!((tokenizer.pad(), tokenizer.largest(), tokenizer.length()), (0, 6, None));
        assert_eq!(tokenizer.specials(), &Specials { before: vec![], after: vec![1] });
        let tokens = tokenizer.encode("a cats", 6).unwrap();
        assert_eq!(tokens, Tokens { ids: vec![3, 4, 6, 1, 0, 0], cut: None, used: 4 });
        assert_eq!(tokenizer.encode("a cats cat", 4).unwrap().cut.as_deref(), Some("cat"));
        // In Gemma's kind spaces are characters, and what has no token is bytes. Dropout is left out.
        let mut ids: serde_json::Map<_, _> = (0..256).map(|byte| (format!("<0x{byte:02X}>"), byte.into())).collect();
        ids.extend(
            [("<pad>", 256), ("<bos>", 257), ("<unk>", 258), ("▁", 259), ("c", 260), ("▁c", 261)]
                .map(|(token, id)| (token.to_owned(), id.into())),
        );
        let gemma = json!({
            "normalizer": {"type": "Replace", "pattern": {"String": " "}, "content": "▁"},
            "model": {"type": "BPE", "vocab": ids, "merges": [["▁", "c"]], "dropout": 1.0, "byte_fallback": true,
                "fuse_unk": true, "unk_token": "<unk>"},
        });
        let tokenizer = of(&json_files(&gemma));
        assert_eq!(tokenizer.pieces("c cé").unwrap(), [260, 261, 0xc3, 0xa9]);
        assert_eq!(tokenizer.specials(), &Specials::default());
        // BERT's kind, without its type, as in old files.
        let bert = json!({
            "pre_tokenizer": {"type": "BertPreTokenizer"},
            "model": {"vocab": {"[PAD]": 0, "[UNK]": 1, "cat": 2, "##s": 3}, "unk_token": "[UNK]",
                "continuing_subword_prefix": "##", "max_input_chars_per_word": 100},
        });
        assert_eq!(of(&json_files(&bert)).pieces("cats dog").unwrap(), [2, 3, 1]);
    }

    #[test]
    fn files_may_begin_with_a_mark_and_be_utf_16() {
        let plain = clip(&json!({}), &json!({}));
        let wide = |bytes: &Option<Vec<u8>>| {
            let text = String::from_utf8(bytes.clone().unwrap()).unwrap();
            Some([0xfe, 0xff].into_iter().chain(text.encode_utf16().flat_map(u16::to_be_bytes)).collect())
        };
        let files = TokenizerFiles {
            vocab: wide(&plain.vocab),
            merges: Some(b"\xef\xbb\xbf#version: 0.2\r\nc a\r\nca t</w>\r\n\r\n".to_vec()),
            tokenizer_config: wide(&bytes(&json!({"model_max_length": 77.0}))),
            ..TokenizerFiles::default()
        };
        let tokenizer = of(&files);
        assert_eq!((tokenizer.pieces("cat").unwrap(), tokenizer.length()), (vec![CAT], Some(77)));
        let endless = of(&clip(&json!({"model_max_length": 1e30}), &json!({})));
        assert_eq!(endless.length(), None);
    }

    #[test]
    fn what_is_wrong_is_said_with_its_file_and_field() {
        let changed = |pointer: &str, value: Value| {
            let mut file = unigram();
            *file.pointer_mut(pointer).unwrap() = value;
            json_files(&file)
        };
        let mut nested = json!({"type": "NFC"});
        for _ in 0..20 {
            nested = json!({"type": "Sequence", "normalizers": [nested]});
        }
        let twice = json!({"type": "Replace", "pattern": {"String": "a"}, "content": "aa"});
        let bpe = |vocab: Value, merges: Value| json!({"type": "BPE", "vocab": vocab, "merges": merges});
        let (class, no_pad) = (json!({"tokenizer_class": "RobertaTokenizer"}), json!({"a": 0, "b": 1}));
        for (files, why) in [
            (TokenizerFiles::default(), "convert it"),
            (TokenizerFiles { vocab: Some(b"{}".to_vec()), ..TokenizerFiles::default() }, "merges.txt"),
            (clip(&class, &json!({})), "tokenizer_class: \"RobertaTokenizer\""),
            (clip(&json!({"pad_token": ""}), &json!({})), "pad_token: \"\" is not in the vocabulary"),
            (clip(&json!({"bos_token": "<s>"}), &json!({})), "vocab.json: the special token \"<s>\""),
            (clip(&json!({"bos_token": 7}), &json!({})), "tokenizer_config.json: bos_token: "),
            (clip(&json!({"added_tokens_decoder": {"x": {}}}), &json!({})), "added_tokens_decoder: \"x\""),
            (TokenizerFiles { merges: Some(b"c a\nc\n".to_vec()), ..clip(&json!({}), &json!({})) }, "line 2"),
            (TokenizerFiles { merges: Some(b"c zz\n".to_vec()), ..clip(&json!({}), &json!({})) }, "zz"),
            (TokenizerFiles { merges: Some(b"#version: 0.2\n".to_vec()), ..clip(&json!({}), &json!({})) }, "no merges"),
            (
                TokenizerFiles { vocab: Some(b"{\"a\": -1}".to_vec()), ..clip(&json!({}), &json!({})) },
                "vocab.json: a: ",
            ),
            (changed("/model/vocab", json!({})), "model: vocab: it is an object"),
            (changed("/model/vocab", json!([])), "model: vocab: it is empty"),
            (changed("/model/unk_id", json!(99)), "unk_id"),
            (changed("/model/type", json!("Other")), "model: type: \"Other\""),
            (changed("/model", bpe(no_pad.clone(), json!(["a"]))), "two tokens"),
            (changed("/model", bpe(no_pad, json!(["a b"]))), "ab"),
            (changed("/normalizer", nested), "normalizer: it is nested deeper"),
            (changed("/normalizer/normalizers", vec![twice; 30].into()), "normalizer: it makes a text more than"),
            (
                changed("/normalizer", json!({"type": "Precompiled", "precompiled_charsmap": "?"})),
                "precompiled_charsmap",
            ),
            (changed("/pre_tokenizer", json!({"type": "Nothing"})), "pre_tokenizer: "),
            (changed("/post_processor/single", json!([])), "post_processor: it doesn't take the text"),
        ] {
            let read = Tokenizer::new("folder", &files).map(|tokenizer| tokenizer.specials().clone());
            let error = read.map(|_| why).expect_err(why).to_string();
            assert!(error.starts_with("folder: ") && error.contains(why), "{why}: {error}");
        }
    }

    #[test]
    fn no_file_makes_it_panic() {
        let whole = unigram().to_string().into_bytes();
        let (ids, _) = vocabulary();
        let vocab = Value::from(ids).to_string().into_bytes();
        for (place, byte) in whole.iter().enumerate() {
            for other in [b'0', b'"', 0, 0xff, byte.wrapping_add(1)] {
                let mut changed = whole.clone();
                changed[place] = other;
                for bytes in [changed, whole[..place].to_vec()] {
                    let files = TokenizerFiles { tokenizer_json: Some(bytes), ..TokenizerFiles::default() };
                    if let Ok(tokenizer) = Tokenizer::new("folder", &files) {
                        let _ = tokenizer.encode("a cats é\0", 5);
                    }
                }
            }
        }
        for place in (0..vocab.len()).step_by(97) {
            let mut files = clip(&json!({}), &json!({}));
            files.vocab = Some(vocab[..place].to_vec());
            refused(&files);
        }
    }

    #[test]
    fn a_long_prompt_takes_no_time_of_its_square() {
        let tokenizers = [of(&clip(&json!({}), &json!({}))), of(&json_files(&unigram()))];
        for unit in ["a", " ", "😀", "e\u{301}", "<|endoftext|>", "'s ", "1", "\u{fdfa}", "</s> "] {
            let text = unit.repeat((1 << 18) / unit.len());
            for tokenizer in &tokenizers {
                let start = std::time::Instant::now();
                assert_eq!(tokenizer.encode(&text, 77).unwrap().ids.len(), 77);
                assert!(start.elapsed().as_secs() < 30, "{unit}");
            }
        }
        let error = tokenizers[0].encode(&"a".repeat((1 << 18) + 1), 77).unwrap_err();
        assert!(matches!(error, Error::Argument { name: "prompt", .. }), "{error}");
    }
}
