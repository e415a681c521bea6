//! Weights of parts of a prompt, and prompts of more than one chunk. This module uses no tokenizer and no network.

use ndarray::ArrayViewMut2;

use crate::error::{Error, Result};

/// The greatest length of a prompt in bytes. The ids of so much usually take 0.2 s and 100 MB on the way. At worst, for
/// ligatures that a tokenizer writes out, they take 0.7 s and 320 MB. The time grows with the length, and not with its
/// square.
const MOST_BYTES: usize = 1 << 18;

/// The number of ids that a CLIP encoder takes.
pub(crate) const CHUNK: usize = 77;

/// The number of ids of the prompt itself, without the first and the last.
const ROOM: usize = CHUNK - 2;

/// A full chunk ends after a comma that is among its last so many ids. It is the default of Stable Diffusion web UI
/// (`comma_padding_backtrack`).
const BACKTRACK: usize = 20;

/// The greatest number of brackets that are open at a time. It limits how often a run is multiplied.
const MOST_OPEN: usize = 64;

/// The greatest factor by which the values of a chunk are multiplied, or divided, to keep their mean.
const MOST_FACTOR: f64 = 10.0;

/// A piece of a prompt and its weight.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Run {
    pub text: String,
    pub weight: f64,
}

/// Refuses a prompt that is longer than any meaningful one.
///
/// # Errors
/// [`Error::Argument`].
pub(crate) fn check_length(text: &str) -> Result<()> {
    if text.len() > MOST_BYTES {
        let reason = format!("it has {} bytes, and at most {MOST_BYTES} are read; shorten it", text.len());
        return Err(Error::argument("prompt", reason));
    }
    Ok(())
}

/// Refuses a prompt that cannot be read, as the argument `name`. It may be too long. Where signs in it are weights, it
/// may have a wrong sign.
///
/// # Errors
/// As [`parse_a1111`].
pub(crate) fn check_text(name: &'static str, text: &str, weighed: bool) -> Result<()> {
    let checked = if weighed { parse_a1111(text).map(drop) } else { check_length(text) };
    checked.map_err(|error| match error {
        Error::Argument { reason, .. } => Error::argument(name, reason),
        error => error,
    })
}

/// A part of a prompt.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Part {
    Run(Run),
    /// A break, behind which a new chunk begins.
    Break,
}

/// Reads the syntax of Stable Diffusion web UI (A1111).
///
/// - `(x)` is ×1.1, `[x]` is ÷1.1, and `(x:1.3)` is ×1.3. Nested brackets multiply.
/// - An open bracket reaches to the end. A stray closing one is text. A backslash makes a bracket text.
/// - `BREAK` ends a chunk. Unlike in the web UI it does so within brackets as well.
///
/// Neighbours of equal weight are one run. There is always a part.
///
/// # Errors
/// [`Error::Argument`] where the prompt has `[a:b:0.5]`, `[a|b]`, `AND` or `<lora:…>`, a weight that is no number, or
/// more than 64 brackets open at a time.
pub(crate) fn parse_a1111(text: &str) -> Result<Vec<Part>> {
    check_length(text)?;
    check_offered(text)?;
    let mut runs = Runs::default();
    let (mut round, mut square) = (Vec::new(), Vec::new());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let mut length = first.len_utf8();
        match first {
            '\\' => {
                let escaped = rest[1..].chars().next().filter(|next| "\\()[]".contains(*next));
                // As in the web UI, a backslash before anything else is dropped.
                runs.text(&rest[1..1 + escaped.map_or(0, char::len_utf8)]);
                length += escaped.map_or(0, char::len_utf8);
            }
            '(' => round.push(runs.count()),
            '[' => square.push(runs.count()),
            ':' => match explicit_weight(rest) {
                Some((spelled, end)) => {
                    length = end;
                    match round.pop() {
                        Some(start) => runs.multiply(start, number(spelled)?),
                        None => runs.text(&rest[..end]),
                    }
                }
                None => runs.text(":"),
            },
            ')' => match round.pop() {
                Some(start) => runs.multiply(start, 1.1),
                None => runs.text(")"),
            },
            ']' => match square.pop() {
                Some(start) => runs.multiply(start, 1.0 / 1.1),
                None => runs.text("]"),
            },
            _ => {
                length = rest.find(|next| "\\()[]:".contains(next)).unwrap_or(rest.len());
                runs.text_with_breaks(&rest[..length]);
            }
        }
        if round.len() + square.len() > MOST_OPEN {
            return Err(too_deep());
        }
        rest = &rest[length..];
    }
    round.iter().for_each(|start| runs.multiply(*start, 1.1));
    square.iter().for_each(|start| runs.multiply(*start, 1.0 / 1.1));
    runs.finish()
}

/// The parts that were read.
#[derive(Default)]
struct Runs {
    parts: Vec<Part>,
}

impl Runs {
    fn count(&self) -> usize {
        self.parts.len()
    }

    fn text(&mut self, text: &str) {
        self.parts.push(Part::Run(Run { text: text.to_owned(), weight: 1.0 }));
    }

    /// Adds text. `BREAK` as a word is a break, and the spaces around it go with it.
    fn text_with_breaks(&mut self, text: &str) {
        let mut rest = text;
        while let Some(place) = find_word(rest, "BREAK") {
            self.text(rest[..place].trim_end());
            self.parts.push(Part::Break);
            rest = rest[place + "BREAK".len()..].trim_start();
        }
        self.text(rest);
    }

    fn multiply(&mut self, start: usize, factor: f64) {
        for part in self.parts.iter_mut().skip(start) {
            if let Part::Run(run) = part {
                run.weight *= factor;
            }
        }
    }

    /// The parts. Neighbours of equal weight are one part, and only a sole part may be empty.
    fn finish(self) -> Result<Vec<Part>> {
        let mut merged: Vec<Part> = Vec::new();
        for part in self.parts {
            match (merged.last_mut(), part) {
                (Some(Part::Run(last)), Part::Run(run)) if last.weight.to_bits() == run.weight.to_bits() => {
                    last.text.push_str(&run.text);
                }
                (_, Part::Run(run)) if !(run.weight as f32).is_finite() => {
                    return Err(Error::argument("prompt", format!("the weight of {:?} is too large", run.text)));
                }
                (_, part) => merged.push(part),
            }
        }
        merged.retain(|part| !matches!(part, Part::Run(run) if run.text.is_empty()));
        if merged.is_empty() {
            merged.push(Part::Run(Run { text: String::new(), weight: 1.0 }));
        }
        Ok(merged)
    }
}

fn too_deep() -> Error {
    Error::argument("prompt", format!("more than {MOST_OPEN} brackets are open at a time; close them, or write \\("))
}

/// A weight as it is spelled.
fn number(spelled: &str) -> Result<f64> {
    spelled.parse().map_err(|_| {
        Error::argument("prompt", format!("the weight {spelled:?} is no number; write one such as 1.3, or \\( and \\)"))
    })
}

/// Finds `:` with a weight and a closing bracket. Returns the weight as it is spelled, and the length of all of it.
fn explicit_weight(text: &str) -> Option<(&str, usize)> {
    let behind = text.strip_prefix(':')?.trim_start();
    let digits = behind.strip_prefix(['+', '-']).unwrap_or(behind);
    let after = digits.trim_start_matches(|next: char| next == '.' || next.is_ascii_digit());
    let rest = after.trim_start().strip_prefix(')')?;
    let spelled = &behind[..behind.len() - after.len()];
    (after.len() < digits.len()).then_some((spelled, text.len() - rest.len()))
}

/// The place where `word` stands by itself.
fn find_word(text: &str, word: &str) -> Option<usize> {
    let inside = |next: Option<char>| next.is_some_and(|next| next.is_alphanumeric() || next == '_');
    let mut places = text.match_indices(word).map(|(place, _)| place);
    places
        .find(|place| !inside(text[..*place].chars().next_back()) && !inside(text[place + word.len()..].chars().next()))
}

/// Refuses syntax that Stable Diffusion web UI reads before the weights.
fn check_offered(text: &str) -> Result<()> {
    let refused = |what: &str, remedy: &str| {
        Err(Error::argument("prompt", format!("{what} isn't offered; {remedy}, or turn the weights off")))
    };
    if find_word(text, "AND").is_some() {
        return refused("AND, the composition of prompts,", "write \"and\" in lower case");
    }
    let networks = ["<lora:", "<lyco:", "<hypernet:"].iter().filter_map(|name| text.find(name));
    if networks.min().is_some_and(|place| text[place..].contains('>')) {
        return refused(
            "<lora:…>",
            "merge the LoRA into the model before it is exported, and take it out of the prompt",
        );
    }
    // These are the open brackets: which, whether an alternative was in it, and what stands behind its latest colon.
    let mut open: Vec<(char, bool, Option<usize>)> = Vec::new();
    let mut characters = text.char_indices();
    while let Some((place, character)) = characters.next() {
        match (character, open.last_mut()) {
            ('\\', _) => drop(characters.next()),
            ('(' | '[', _) => open.push((character, false, None)),
            (')', Some(('(', ..))) => drop(open.pop()),
            (']', Some(('[', true, _))) => return refused("[a|b], the alternation,", "write \\[ and \\]"),
            (']', Some(('[', false, colon))) => {
                let when = colon.map(|colon| text[colon..place].trim());
                if when.is_some_and(|when| when.parse::<f64>().is_ok()) {
                    return refused("[a:b:0.5], the editing of prompts,", "write \\[ and \\]");
                }
                open.pop();
            }
            ('|', Some(('[', alternative, _))) => *alternative = true,
            (':', Some(('[', _, colon))) => *colon = Some(place + 1),
            _ => {}
        }
    }
    Ok(())
}

/// The ids of a part of a prompt, without those of its beginning and end.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Piece {
    Ids(Vec<i64>, f64),
    Break,
}

/// The ids that chunks are made with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Marks {
    pub begin: i64,
    pub end: i64,
    /// The padding id behind the end. It differs from `end` in Stable Diffusion 2 and in the second encoder of SDXL.
    pub pad: i64,
    /// A comma as a word, if there is one.
    pub comma: Option<i64>,
}

/// The input of one run of an encoder.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Chunk {
    /// The [`CHUNK`] ids.
    pub ids: Vec<i64>,
    /// A weight for each id. It is 1 for ids that are not the prompt's.
    pub weights: Vec<f32>,
    /// The number of ids that are not padding.
    pub used: usize,
}

impl Chunk {
    /// The chunk of these ids and weights, of which there are at most [`ROOM`].
    fn of(ids: &[(i64, f32)], marks: Marks) -> Self {
        let own = |marked: i64| (marked, 1.0);
        let mut pairs = vec![own(marks.begin)];
        pairs.extend(ids);
        pairs.resize(CHUNK, own(marks.end));
        if marks.pad != marks.end {
            // It is behind the first end, also where the prompt itself has one.
            let behind = pairs.iter().position(|(id, _)| *id == marks.end).map_or(CHUNK, |place| place + 1);
            pairs.iter_mut().skip(behind).for_each(|(id, _)| *id = marks.pad);
        }
        let used = ids.len() + 2;
        let (ids, weights) = pairs.into_iter().unzip();
        Self { ids, weights, used }
    }
}

/// Divides `pieces` into chunks, as Stable Diffusion web UI does. There is always a chunk. A full chunk ends after its
/// latest comma, if that is among its last twenty ids. The next chunk begins behind the comma.
pub(crate) fn chunks(pieces: &[Piece], marks: Marks) -> Vec<Chunk> {
    let mut done = Vec::new();
    let mut open: Vec<(i64, f32)> = Vec::with_capacity(ROOM);
    // The place behind the latest comma of the open chunk.
    let mut comma = None;
    for piece in pieces {
        let Piece::Ids(ids, weight) = piece else {
            done.push(Chunk::of(&open, marks));
            open.clear();
            comma = None;
            continue;
        };
        for id in ids {
            let is_comma = marks.comma == Some(*id);
            if open.len() == ROOM {
                let cut = comma.filter(|cut| !is_comma && ROOM + 1 - cut <= BACKTRACK).unwrap_or(ROOM);
                done.push(Chunk::of(&open[..cut], marks));
                open.drain(..cut);
                comma = None;
            } else if is_comma {
                comma = Some(open.len() + 1);
            }
            open.push((*id, *weight as f32));
        }
    }
    if !open.is_empty() || done.is_empty() {
        done.push(Chunk::of(&open, marks));
    }
    done
}

/// Adds chunks of an empty prompt until there are `count`.
pub(crate) fn fill(chunks: &mut Vec<Chunk>, count: usize, marks: Marks) {
    while chunks.len() < count {
        chunks.push(Chunk::of(&[], marks));
    }
}

/// How the weights of a chunk were applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Weighed {
    /// All weights are 1, and nothing was changed.
    Not,
    /// The values were multiplied.
    Plainly,
    /// The values were multiplied, and then all of them once more to restore their mean.
    KeepingMean,
    /// As [`Self::Plainly`], although the mean was to be kept. It is so near to 0 that keeping it would multiply
    /// everything by more than ten, by less than a tenth, or by a negative number.
    MeanNearZero,
}

/// Applies `weights` to an encoder's output for a chunk, `[ids, features]`. Each row is multiplied by its weight. With
/// `keep_mean` the whole chunk is then multiplied by `mean before / mean after`.
pub(crate) fn weigh(mut encoded: ArrayViewMut2<'_, f32>, weights: &[f32], keep_mean: bool) -> Weighed {
    if weights.iter().all(|weight| *weight == 1.0) {
        return Weighed::Not;
    }
    let sum = |values: &ArrayViewMut2<'_, f32>| values.iter().map(|value| f64::from(*value)).sum::<f64>();
    let before = sum(&encoded);
    for (mut row, weight) in encoded.rows_mut().into_iter().zip(weights) {
        row.mapv_inplace(|value| value * weight);
    }
    if !keep_mean {
        return Weighed::Plainly;
    }
    let factor = before / sum(&encoded);
    if !(MOST_FACTOR.recip()..=MOST_FACTOR).contains(&factor) {
        return Weighed::MeanNearZero;
    }
    encoded.mapv_inplace(|value| (f64::from(value) * factor) as f32);
    Weighed::KeepingMean
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, array};

    use super::*;

    fn told(parts: &[Part]) -> Vec<(&str, f64)> {
        parts
            .iter()
            .map(|part| match part {
                Part::Run(run) => (&*run.text, run.weight),
                Part::Break => ("|", -1.0),
            })
            .collect()
    }

    fn holds(read: fn(&str) -> Result<Vec<Part>>, cases: &[(&str, &[(&str, f64)])]) {
        for (text, expected) in cases {
            let parts = read(text).unwrap();
            let found = told(&parts);
            let same = |((text, weight), (wanted, exactly)): (&(&str, f64), &(&str, f64))| {
                text == wanted && (weight - exactly).abs() < 1e-12
            };
            assert!(
                found.len() == expected.len() && found.iter().zip(*expected).all(same),
                "{text:?}: {found:?} instead of {expected:?}"
            );
        }
    }

    #[test]
    fn weights_are_those_of_the_web_ui() {
        // The first six are the examples of its own `parse_prompt_attention`.
        holds(
            parse_a1111,
            &[
                ("normal text", &[("normal text", 1.0)]),
                ("an (important) word", &[("an ", 1.0), ("important", 1.1), (" word", 1.0)]),
                ("(unbalanced", &[("unbalanced", 1.1)]),
                ("\\(literal\\]", &[("(literal]", 1.0)]),
                ("(unnecessary)(parens)", &[("unnecessaryparens", 1.1)]),
                (
                    "a (((house:1.3)) [on] a (hill:0.5), sun, (((sky))).",
                    &[
                        ("a ", 1.0),
                        ("house", 1.5730000000000004),
                        (" ", 1.1),
                        ("on", 1.0),
                        (" a ", 1.1),
                        ("hill", 0.55),
                        (", sun, ", 1.1),
                        ("sky", 1.4641000000000006),
                        (".", 1.1),
                    ],
                ),
                ("", &[("", 1.0)]),
                ("()", &[("", 1.0)]),
                ("[x]", &[("x", 1.0 / 1.1)]),
                ("[[x]]", &[("x", 1.0 / 1.1 / 1.1)]),
                ("(x:1.3)", &[("x", 1.3)]),
                ("(x: 1.3 )", &[("x", 1.3)]),
                ("(x:-.5)", &[("x", -0.5)]),
                ("(x:+2)", &[("x", 2.0)]),
                ("((x) y:2)", &[("x", 2.2), (" y", 2.0)]),
                ("a) b]", &[("a) b]", 1.0)]),
                ("a: b:1.3)", &[("a: b:1.3)", 1.0)]),
                ("(a:b)", &[("a:b", 1.1)]),
                ("[a", &[("a", 1.0 / 1.1)]),
                ("(a [b", &[("a ", 1.1), ("b", 1.1 / 1.1)]),
                ("(a [b) c]", &[("a ", 1.1), ("b", 1.1 / 1.1), (" c", 1.0 / 1.1)]),
                ("\\\\ \\(a\\) \\[b\\] \\c \\", &[("\\ (a) [b] c ", 1.0)]),
                ("(\\(a\\):1.2)", &[("(a)", 1.2)]),
                ("(é\u{200d}😀:1.2) 漢字", &[("é\u{200d}😀", 1.2), (" 漢字", 1.0)]),
                ("[a:b]", &[("a:b", 1.0 / 1.1)]),
                ("a | b", &[("a | b", 1.0)]),
                ("\\[a|b\\]", &[("[a|b]", 1.0)]),
                ("HAND and BAND AND_", &[("HAND and BAND AND_", 1.0)]),
                ("a <b:c> <lora: open", &[("a <b:c> <lora: open", 1.0)]),
            ],
        );
    }

    #[test]
    fn a_break_is_a_word_in_upper_case() {
        holds(
            parse_a1111,
            &[
                ("a BREAK b", &[("a", 1.0), ("|", -1.0), ("b", 1.0)]),
                ("a\n BREAK,b", &[("a", 1.0), ("|", -1.0), (",b", 1.0)]),
                ("BREAK", &[("|", -1.0)]),
                ("BREAK BREAK", &[("|", -1.0), ("|", -1.0)]),
                ("BREAKS break xBREAK BREAK_", &[("BREAKS break xBREAK BREAK_", 1.0)]),
                ("(a BREAK b)", &[("a", 1.1), ("|", -1.0), ("b", 1.1)]),
            ],
        );
    }

    #[test]
    fn what_is_not_offered_is_refused_with_a_remedy() {
        for (text, why) in [
            ("a [cat:dog:0.5] b", "the editing of prompts"),
            ("[dog:0.25]", "write \\[ and \\]"),
            ("[cat::10]", "the editing of prompts"),
            ("[(a:1.2):b: .5 ]", "the editing of prompts"),
            ("a [cat|dog]", "the alternation"),
            ("[(a)|b]", "the alternation"),
            ("a AND b", "lower case"),
            ("(a) AND", "lower case"),
            ("a <lora:style:0.8>", "merge the LoRA"),
            ("<hypernet:x>", "merge the LoRA"),
            ("(a:1.2.3)", "is no number"),
            ("(a:.)", "is no number"),
            ("(a:99999999999999999999999999999999999999999)", "is too large"),
            (&"(a".repeat(65), "more than 64 brackets"),
            (&"[".repeat(1000), "more than 64 brackets"),
            (&" ".repeat((1 << 18) + 1), "at most 262144"),
        ] {
            let error = parse_a1111(text).unwrap_err();
            assert!(matches!(error, Error::Argument { name: "prompt", .. }), "{error}");
            assert!(error.to_string().contains(why), "{text}: {error}");
        }
    }

    #[test]
    fn long_prompts_are_read_at_once() {
        for unit in ["a", "(a)", "[a]", ": ", "\\", "BREAK ", "(a:1.1)", "a+ ", "(a)+", ")", "😀", "<lora:", "AND", "("]
        {
            let text = unit.repeat((1 << 18) / unit.len());
            // A quadratic time would not end.
            let _ = parse_a1111(&text);
        }
    }

    const MARKS: Marks = Marks { begin: 1, end: 2, pad: 2, comma: Some(9) };

    fn ids(count: usize) -> Vec<i64> {
        (100..100 + count as i64).collect()
    }

    /// The prompt's own ids of each chunk.
    fn own(chunks: &[Chunk]) -> Vec<Vec<i64>> {
        for chunk in chunks {
            assert_eq!((chunk.ids.len(), chunk.weights.len()), (77, 77));
            assert_eq!((chunk.ids[0], chunk.ids[76]), (1, 2));
            assert_eq!((chunk.weights[0], chunk.weights[76]), (1.0, 1.0));
        }
        chunks.iter().map(|chunk| chunk.ids[1..].iter().copied().take_while(|id| *id != 2).collect()).collect()
    }

    #[test]
    fn chunks_are_filled_and_ended_after_a_comma() {
        let lengths = |pieces: &[Piece]| own(&chunks(pieces, MARKS)).iter().map(Vec::len).collect::<Vec<_>>();
        assert_eq!(lengths(&[]), [0]);
        assert_eq!(lengths(&[Piece::Ids(ids(75), 1.0)]), [75]);
        assert_eq!(lengths(&[Piece::Ids(ids(76), 1.0)]), [75, 1]);
        assert_eq!(lengths(&[Piece::Ids(ids(200), 1.0)]), [75, 75, 50]);
        let with_comma = |at: usize, count: usize| {
            let mut all = ids(count);
            all[at] = 9;
            Piece::Ids(all, 1.0)
        };
        // The comma at index 55 is 20 from the end, which is as far as the search goes. It does not find the one at 54.
        assert_eq!(lengths(&[with_comma(55, 80)]), [56, 24]);
        assert_eq!(lengths(&[with_comma(54, 80)]), [75, 5]);
        assert_eq!(lengths(&[with_comma(74, 80)]), [75, 5]);
        // A comma that does not fit itself moves nothing.
        assert_eq!(lengths(&[with_comma(75, 80)]), [75, 5]);
        // This crosses runs, and a comma of an earlier chunk is forgotten.
        assert_eq!(lengths(&[with_comma(59, 60), Piece::Ids(ids(100), 1.2)]), [60, 75, 25]);
        assert_eq!(lengths(&[Piece::Ids(ids(3), 1.0), Piece::Break, Piece::Ids(ids(2), 1.0)]), [3, 2]);
        assert_eq!(lengths(&[Piece::Break]), [0]);
        assert_eq!(lengths(&[Piece::Break, Piece::Break, Piece::Ids(ids(1), 1.0)]), [0, 0, 1]);
    }

    #[test]
    fn a_chunk_has_a_weight_for_each_id() {
        let pieces = [Piece::Ids(vec![10, 11], 1.5), Piece::Ids(vec![12], 0.5)];
        let mut laid = chunks(&pieces, Marks { pad: 0, ..MARKS });
        assert_eq!(laid[0].ids[..6], [1, 10, 11, 12, 2, 0]);
        assert_eq!(laid[0].weights[..6], [1.0, 1.5, 1.5, 0.5, 1.0, 1.0]);
        assert!(laid[0].ids[5..].iter().all(|id| *id == 0) && laid[0].ids.len() == 77);
        fill(&mut laid, 3, MARKS);
        assert_eq!((laid.len(), own(&laid[1..])), (3, vec![vec![], vec![]]));
        // Text behind the prompt's own end id is padding where that is another id, as in the web UI.
        let ended = [Piece::Ids(vec![10, 2, 11], 1.0)];
        assert_eq!(chunks(&ended, Marks { pad: 0, ..MARKS })[0].ids[..5], [1, 10, 2, 0, 0]);
        assert_eq!(chunks(&ended, MARKS)[0].ids[..5], [1, 10, 2, 11, 2]);
    }

    #[test]
    fn weights_keep_the_mean_where_they_can() {
        let before = array![[1.0_f32, 2.0], [3.0, -1.0], [0.5, 0.25]];
        let weights = [1.0, 1.5, 0.5];
        let weighed = |values: &Array2<f32>, weights: &[f32], keep| {
            let mut values = values.clone();
            (weigh(values.view_mut(), weights, keep), values)
        };
        assert_eq!(weighed(&before, &[1.0; 3], true), (Weighed::Not, before.clone()));
        let plain = array![[1.0_f32, 2.0], [4.5, -1.5], [0.25, 0.125]];
        assert_eq!(weighed(&before, &weights, false), (Weighed::Plainly, plain.clone()));
        let (how, kept) = weighed(&before, &weights, true);
        assert_eq!(how, Weighed::KeepingMean);
        assert!((kept.sum() - before.sum()).abs() < 1e-5);
        assert!((&kept / &plain).iter().all(|factor| (factor - 5.75 / 6.375).abs() < 1e-6));
        // 1·2 − 2 is 0, 1·2.1 − 2 is 0.1 of −1, and 1·3 − 2 turns the sign of it.
        for weight in [2.0, 2.05, 3.0, f32::NAN, f32::INFINITY] {
            let (how, values) = weighed(&array![[-2.0], [1.0]], &[1.0, weight], true);
            assert_eq!(how, Weighed::MeanNearZero, "{weight}");
            assert!(values[[0, 0]] == -2.0 && values[[1, 0]].to_bits() == weight.to_bits());
        }
    }
}
