//! The parts of a model beside its predictor: text encoders with their tokenizers, and the autoencoder.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use ndarray::{ArrayD, Axis};
use sha2::{Digest, Sha256};

use super::folder::Folder;
use crate::cancel::Canceller;
use crate::error::{Error, Result};
use crate::log::{Severity, say};
use crate::model::{Pipeline, SchedulerConfig, TextEncoder};
use crate::network::{Binding, Memory, Network, Part, hex};
use crate::prompt::{self, CHUNK, Chunk, Marks, Piece, Run, chunks, parse_a1111};
use crate::sync::Mutex;
use crate::tokenizer::{Specials, Tokenizer, TokenizerFiles, Tokens};

/// The parts of a model beside its predictor, and what they share.
pub(crate) struct Parts {
    pub(crate) pipeline: Pipeline,
    /// The sampling settings of its folder.
    pub(crate) scheduler: Option<SchedulerConfig>,
    folder: Folder,
    predictor: Arc<Part>,
    readers: BTreeMap<String, Reader>,
    pub(super) decoder: Option<Part>,
    pub(super) encoder: Option<Part>,
    /// A small decoder, for previews.
    pub(super) preview: Option<Part>,
    memory: Memory,
    /// The outputs for the latest texts, the oldest first.
    encoded: Mutex<Vec<Kept>>,
}

/// A text encoder and its tokenizer.
struct Reader {
    spec: TextEncoder,
    part: Part,
    tokenizer: OnceLock<Arc<Tokenizer>>,
    /// The SHA-256 of its tokenizer's files, by their paths. They are set when the files are first read.
    seen: OnceLock<Vec<(String, String)>>,
}

/// The outputs of an encoder for a text, by their names.
struct Kept {
    encoder: String,
    ids: Vec<i64>,
    outputs: Vec<(String, Arc<ArrayD<f32>>)>,
}

/// The number of texts that are remembered, which covers some earlier runs.
const MOST_KEPT: usize = 32;

impl std::fmt::Debug for Parts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Parts").field("pipeline", &self.pipeline.family).finish_non_exhaustive()
    }
}

/// Refuses a folder without the files of a tokenizer.
fn check_tokenizer(folder: &Folder, tokenizer: &str) -> Result<()> {
    let has = |name: &str| folder.has(&format!("{tokenizer}/{name}"));
    if has("tokenizer.json") || has("vocab.json") && has("merges.txt") {
        return Ok(());
    }
    let reason = "there is no tokenizer.json, and no vocab.json with a merges.txt; where there is a spiece.model or a tokenizer.model, convert it: AutoTokenizer.from_pretrained(folder).save_pretrained(folder)";
    Err(Error::model(folder.name_of(tokenizer), reason))
}

/// Logs that previews are made in another way.
pub(super) fn without_previews(error: &Error) {
    say(Severity::Warning, || format!("there are no previews of the small decoder: {error}"));
}

impl Parts {
    /// The parts that `pipeline` names, from those that `part` opens.
    pub(super) fn new(
        folder: Folder,
        pipeline: Pipeline,
        scheduler: Option<SchedulerConfig>,
        predictor: Arc<Part>,
        memory: Memory,
        part: &mut dyn FnMut(&Folder, &str) -> Result<Part>,
    ) -> Result<Self> {
        let mut readers = BTreeMap::new();
        for (name, spec) in &pipeline.text_encoders {
            let part = part(&folder, &spec.graph)?;
            check_tokenizer(&folder, &spec.tokenizer)?;
            readers.insert(
                name.clone(),
                Reader { spec: spec.clone(), part, tokenizer: OnceLock::new(), seen: OnceLock::new() },
            );
        }
        let mut half = |graph: Option<&String>| graph.map(|graph| part(&folder, graph)).transpose();
        let autoencoder = pipeline.autoencoder.as_ref();
        let decoder = half(autoencoder.map(|autoencoder| &autoencoder.decoder))?;
        let encoder = half(autoencoder.and_then(|autoencoder| autoencoder.encoder.as_ref()))?;
        let small = autoencoder.and_then(|autoencoder| autoencoder.preview.as_ref());
        let preview = match half(small.map(|small| &small.decoder)) {
            Err(Error::Cancelled) => return Err(Error::Cancelled),
            // It takes no part in the result.
            preview => preview.map_err(|error| without_previews(&error)).unwrap_or_default(),
        };
        let encoded = Mutex::default();
        Ok(Self { pipeline, scheduler, folder, predictor, readers, decoder, encoder, preview, memory, encoded })
    }

    /// The name of the folder.
    pub(super) fn name(&self) -> Option<&str> {
        self.folder.stem()
    }

    /// The reader of this name.
    fn reader(&self, encoder: &str) -> Result<&Reader> {
        let missing = || Error::model(self.folder.name(), format!("it has no text encoder '{encoder}'"));
        self.readers.get(encoder).ok_or_else(missing)
    }

    /// The tokenizer of a text encoder. It is read when it is first needed.
    fn tokenizer(&self, reader: &Reader) -> Result<Arc<Tokenizer>> {
        if let Some(known) = reader.tokenizer.get() {
            return Ok(Arc::clone(known));
        }
        let folder = &reader.spec.tokenizer;
        let (files, _) = self.tokenizer_files(reader)?;
        let tokenizer = Tokenizer::new(&self.folder.name_of(folder), &files)?;
        if let Some(vocabulary) = reader.spec.vocabulary
            && usize::try_from(tokenizer.largest()).is_ok_and(|largest| largest >= vocabulary)
        {
            let reason = format!(
                "it has tokens up to {}, and {} knows {vocabulary} (vocab_size): the tokenizer is another model's",
                tokenizer.largest(),
                reader.spec.graph
            );
            return Err(Error::model(self.folder.name_of(folder), reason));
        }
        Ok(Arc::clone(reader.tokenizer.get_or_init(|| Arc::new(tokenizer))))
    }

    /// The files of a reader's tokenizer, and the SHA-256 of each by its path.
    ///
    /// # Errors
    /// As [`Folder::read`]. [`Error::Model`] if one was changed since they were first read.
    fn tokenizer_files<'a>(&self, reader: &'a Reader) -> Result<(TokenizerFiles, &'a [(String, String)])> {
        let folder = &reader.spec.tokenizer;
        let mut digests = Vec::new();
        let files = TokenizerFiles::read(|name| {
            let path = format!("{folder}/{name}");
            let bytes = self.folder.read(&path)?;
            digests.extend(bytes.as_ref().map(|bytes| (path, hex(Sha256::digest(bytes)))));
            Ok(bytes)
        })?;
        let seen = reader.seen.get_or_init(|| digests.clone());
        if *seen != digests {
            let reason = "a file of it was changed since the model was opened; open the model again";
            return Err(Error::model(self.folder.name_of(folder), reason));
        }
        Ok((files, seen))
    }

    /// The tokens of `text` for a text encoder.
    ///
    /// # Errors
    /// [`Error::Model`] if its tokenizer cannot be read. [`Error::Argument`] if the text is too long for any.
    pub(crate) fn tokens(&self, encoder: &str, text: &str) -> Result<Tokens> {
        let reader = self.reader(encoder)?;
        let tokenizer = self.tokenizer(reader)?;
        let length = reader.spec.length.or_else(|| tokenizer.length());
        let unknown = || {
            let reason =
                "its context length is unknown: neither its graph, nor config.json, nor the tokenizer states it";
            Error::model(reader.part.name(), reason)
        };
        tokenizer.encode(text, length.ok_or_else(unknown)?)
    }

    /// The chunks of `text` for one of CLIP's text encoders, in the order of reading. There is always one. Tokens have
    /// weights where signs in the text set them.
    ///
    /// # Errors
    /// As [`tokens`](Self::tokens). [`Error::Argument`] if the encoder is of another kind, or if a sign is not
    /// supported.
    pub(crate) fn chunks(&self, encoder: &str, text: &str, weighed: bool) -> Result<(Vec<Chunk>, Marks)> {
        let reader = self.reader(encoder)?;
        let tokenizer = self.tokenizer(reader)?;
        let Specials { before, after } = tokenizer.specials();
        let ([begin], [end], true) = (&before[..], &after[..], reader.spec.length.is_none_or(|length| length == CHUNK))
        else {
            let reason = format!("{encoder} is not one of CLIP's, for which chunks of {CHUNK} tokens and weights are");
            return Err(Error::argument("weights", reason));
        };
        let comma = tokenizer.id(",</w>");
        let marks = Marks { begin: *begin, end: *end, pad: tokenizer.pad(), comma };
        let parts = if weighed {
            parse_a1111(text)?
        } else {
            vec![prompt::Part::Run(Run { text: text.to_owned(), weight: 1.0 })]
        };
        let piece = |part: prompt::Part| match part {
            prompt::Part::Run(Run { text, weight }) => Ok(Piece::Ids(tokenizer.pieces(&text)?, weight)),
            prompt::Part::Break => Ok(Piece::Break),
        };
        let pieces = parts.into_iter().map(piece).collect::<Result<Vec<_>>>()?;
        Ok((chunks(&pieces, marks), marks))
    }

    /// The outputs of a text encoder for `tokens`, without a batch axis. Outputs of earlier calls are remembered.
    ///
    /// # Errors
    /// [`Error::Model`] if the graph has no such outputs, or fails. [`Error::Cancelled`].
    pub(crate) fn encoded(
        &self,
        encoder: &str,
        outputs: &[&str],
        tokens: &Tokens,
        canceller: &Canceller,
    ) -> Result<Vec<Arc<ArrayD<f32>>>> {
        let reader = self.reader(encoder)?;
        if let Some(known) = self.remembered(encoder, outputs, &tokens.ids) {
            return Ok(known);
        }
        let signature = reader.part.signature();
        let place = |name: &&str| {
            let place = signature.outputs.iter().position(|output| output.name == **name);
            place.ok_or_else(|| {
                let there: Vec<&str> = signature.outputs.iter().map(|output| output.name.as_str()).collect();
                Error::model(reader.part.name(), format!("it has no output '{name}'; it has {}", there.join(", ")))
            })
        };
        let places = outputs.iter().map(place).collect::<Result<Vec<usize>>>()?;
        let network = self.opened(&reader.part, canceller)?;
        let mut binding = Binding::new(&network, &[])?;
        canceller.add(&binding.interrupt());
        let length = tokens.ids.len();
        for (place, input) in network.signature().inputs.iter().enumerate() {
            let used = |position: usize| i64::from(position < tokens.used);
            match input.name.as_str() {
                "attention_mask" => binding.count(place, &[1, length], (0..length).map(used))?,
                "position_ids" => binding.count(place, &[1, length], (0..length).map(|position| position as i64))?,
                "input_ids" | "tokens" => binding.count(place, &[1, length], tokens.ids.iter().copied())?,
                _ if network.signature().inputs.len() == 1 => {
                    binding.count(place, &[1, length], tokens.ids.iter().copied())?;
                }
                _ => {
                    return Err(Error::model(reader.part.name(), format!("its input {input} is not a known one")));
                }
            }
        }
        let mut made = Vec::new();
        for (values, name) in binding.outputs(&places, "reading the prompt")?.into_iter().zip(outputs) {
            if values.shape().first() != Some(&1) {
                let reason = format!("its output '{name}' has a shape of {:?} for one text", values.shape());
                return Err(Error::model(reader.part.name(), reason));
            }
            if let Some(wrong) = values.iter().find(|value| !value.is_finite()) {
                let reason =
                    format!("its output '{name}' holds {wrong}: a text encoder in f16 overflows so; export it in f32");
                return Err(Error::model(reader.part.name(), reason));
            }
            made.push(Arc::new(values.index_axis_move(Axis(0), 0)));
        }
        let named = outputs.iter().map(|name| (*name).to_owned()).zip(made.iter().cloned()).collect();
        let mut encoded = self.encoded.held();
        if encoded.len() >= MOST_KEPT {
            encoded.remove(0);
        }
        encoded.push(Kept { encoder: encoder.to_owned(), ids: tokens.ids.clone(), outputs: named });
        Ok(made)
    }

    fn remembered(&self, encoder: &str, outputs: &[&str], ids: &[i64]) -> Option<Vec<Arc<ArrayD<f32>>>> {
        let encoded = self.encoded.held();
        encoded.iter().filter(|kept| kept.encoder == encoder && kept.ids == ids).find_map(|kept| {
            let of =
                |name: &&str| kept.outputs.iter().find(|(known, _)| known == name).map(|(_, made)| Arc::clone(made));
            outputs.iter().map(of).collect()
        })
    }

    /// The network of a part, which is opened if it is not open. Other parts are released first, where a memory limit
    /// requires it.
    ///
    /// # Errors
    /// As [`Part::network`].
    pub(super) fn opened(&self, part: &Part, canceller: &Canceller) -> Result<Arc<Network>> {
        if let (Memory::Limit(most), None) = (self.memory, part.held()) {
            let others: Vec<&Part> = self.all().filter(|other| !std::ptr::eq(*other, part)).collect();
            let mut held: u64 = others.iter().filter(|other| other.held().is_some()).map(|other| other.bytes()).sum();
            for other in others {
                if held.saturating_add(part.bytes()) > most && other.held().is_some() {
                    held -= other.bytes();
                    other.release();
                }
            }
        }
        part.network(canceller)
    }

    /// Opens the predictor, if it is not open. It stays open for as long as the returned value is held.
    ///
    /// # Errors
    /// As [`Part::network`].
    pub(crate) fn load(&self, canceller: &Canceller) -> Result<Arc<Network>> {
        self.opened(&self.predictor, canceller)
    }

    /// Releases what the memory policy does not keep, when a stage that used it is done.
    pub(crate) fn release(&self) {
        let held: u64 = self.all().filter(|part| part.held().is_some()).map(Part::bytes).sum();
        let keep = match self.memory {
            Memory::Keep => true,
            Memory::Stage => false,
            Memory::Limit(most) => held <= most,
        };
        if !keep {
            self.all().for_each(Part::release);
        }
    }

    /// The graphs of all parts but the predictor, each with its path.
    pub(super) fn graphs(&self) -> impl Iterator<Item = (&str, &Part)> {
        let readers = self.readers.values().map(|reader| (reader.spec.graph.as_str(), &reader.part));
        let autoencoder = self.pipeline.autoencoder.as_ref();
        let decoder = autoencoder.map(|own| own.decoder.as_str()).zip(self.decoder.as_ref());
        let encoder = autoencoder.and_then(|own| own.encoder.as_deref()).zip(self.encoder.as_ref());
        let small = autoencoder.and_then(|own| own.preview.as_deref());
        let preview = small.map(|small| small.decoder.as_str()).zip(self.preview.as_ref());
        readers.chain(decoder).chain(encoder).chain(preview)
    }

    fn all(&self) -> impl Iterator<Item = &Part> {
        self.graphs().map(|(_, part)| part).chain(std::iter::once(&*self.predictor))
    }

    /// The networks of these parts that are open, without the predictor.
    pub(super) fn held(&self) -> Vec<Arc<Network>> {
        self.graphs().filter_map(|(_, part)| part.held()).collect()
    }

    /// The SHA-256 of the files of all parts but the predictor, by their paths.
    pub(super) fn digests(&self) -> Result<Vec<(String, String)>> {
        let mut all = Vec::new();
        for (name, part) in self.graphs() {
            let folder = name.rsplit_once('/').map_or("", |(folder, _)| folder);
            for (file, digest) in part.digests()? {
                let path = if file.is_empty() { name.to_owned() } else { format!("{folder}/{file}") };
                all.push((path, digest));
            }
        }
        for reader in self.readers.values() {
            all.extend_from_slice(self.tokenizer_files(reader)?.1);
        }
        all.sort();
        all.dedup();
        Ok(all)
    }
}
