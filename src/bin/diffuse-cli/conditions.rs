//! The tensors of --condition, in files or by value.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use diffuse::model::{Axis, ConditionInput, Kind};
use diffuse::tensor::Tensor;
use diffuse::{Model, json};
use ndarray::{ArrayD, IxDyn};
use serde_json::Value;

use crate::failure::Failure;
use crate::input::Input;

/// The help of --condition, on every command that has it.
pub(crate) const HELP: &str = "A condition of the network, by its name in the manifest. Its value is a .png, a .npy, a number or a list such as [1,2]. May be given more than once.";

/// The value of a condition in a flag.
enum Given {
    /// A number or a list of numbers, as it stands on the command line.
    Value(String, Tensor),
    File(Input),
}

/// The values of a flag for conditions, by the conditions' names. The files are read.
pub(crate) struct Unread {
    flag: &'static str,
    given: Vec<(String, Given)>,
}

/// A tensor, and the condition that it is for.
#[derive(Debug)]
pub(crate) struct Condition {
    tensor: Arc<Tensor>,
    info: ConditionInput,
}

/// The tensors of conditions, by name.
#[derive(Debug, Default)]
pub(crate) struct Conditions(BTreeMap<String, Condition>);

/// The names and values of a flag's texts.
fn parts(texts: &[String]) -> impl Iterator<Item = (&str, &str)> {
    texts.iter().filter_map(|text| text.split_once('='))
}

/// The files among a flag's values.
pub(crate) fn paths(texts: &[String]) -> impl Iterator<Item = &Path> {
    parts(texts).filter(|(_, text)| !is_value(text)).map(|(_, path)| Path::new(path))
}

/// Whether it is a list, a number or a truth value, and not the name of a file. A file of such a name is given as
/// `./3`.
fn is_value(text: &str) -> bool {
    let is_number = || text.parse::<f64>().is_ok() && text.bytes().any(|byte| byte.is_ascii_digit());
    text.starts_with('[') || is_number() || ["true", "false"].contains(&text)
}

/// Reads the values of the flag `flag`, each file once.
pub(crate) fn read(flag: &'static str, texts: &[String]) -> Result<Unread, Failure> {
    let wrong = |text: &&String| text.split_once('=').is_none_or(|(name, value)| name.is_empty() || value.is_empty());
    if let Some(text) = texts.iter().find(wrong) {
        return Err(Failure::Usage(format!("{flag}: {text:?}; expected NAME=FILE, NAME=NUMBER or NAME=[NUMBERS]")));
    }
    let one = |(name, text): (&str, &str)| {
        let given = if is_value(text) {
            let value = value_of(text).map_err(|reason| {
                // The first part of a long text is enough.
                let shown: String = text.chars().take(60).collect();
                Failure::Usage(format!("{flag}: {name}={shown}: {reason}"))
            })?;
            Given::Value(text.to_owned(), value)
        } else {
            Given::File(Input::values(flag, Path::new(text))?)
        };
        Ok((name.to_owned(), given))
    };
    Ok(Unread { flag, given: parts(texts).map(one).collect::<Result<_, Failure>>()? })
}

/// The tensor that a text means, in a type that has all of its numbers.
fn value_of(text: &str) -> Result<Tensor, String> {
    /// The numbers of a value, one behind the other, whose shape is `shape` from `depth` on.
    fn collect(value: &Value, depth: usize, shape: &mut Vec<usize>, numbers: &mut Vec<Value>) -> Result<(), String> {
        match value {
            Value::Array(items) => {
                if depth == shape.len() && numbers.is_empty() {
                    shape.push(items.len());
                }
                if shape.get(depth) != Some(&items.len()) {
                    return Err("lists within it are not of one length".into());
                }
                items.iter().try_for_each(|item| collect(item, depth + 1, shape, numbers))
            }
            Value::Number(_) | Value::Bool(_) if depth == shape.len() => {
                numbers.push(value.clone());
                Ok(())
            }
            Value::Number(_) | Value::Bool(_) => Err("lists within it are not of one length".into()),
            _ => Err(format!("{value} is no number")),
        }
    }
    // A number here need not be one in JSON. `.5` is not.
    let value = match text.parse::<f64>() {
        Ok(number) if !number.is_finite() => return Err("it is beyond the numbers of 64 bits".into()),
        Ok(number) if !text.starts_with('[') && json::value(text).is_err() => Value::from(number),
        _ => json::value(text).map_err(|error| error.to_string())?,
    };
    let (mut shape, mut numbers) = (Vec::new(), Vec::new());
    collect(&value, 0, &mut shape, &mut numbers)?;
    if numbers.is_empty() {
        return Err("there are no numbers in it".into());
    }
    let whole = |value: &Value| value.as_bool().map(i64::from).or_else(|| value.as_i64());
    let shaped = |error: ndarray::ShapeError| error.to_string();
    if let Some(values) = numbers.iter().map(whole).collect::<Option<Vec<i64>>>() {
        return ArrayD::from_shape_vec(IxDyn(&shape), values).map(Tensor::I64).map_err(shaped);
    }
    let real = |value: &Value| value.as_bool().map(|value| f64::from(u8::from(value))).or_else(|| value.as_f64());
    let values: Vec<f64> = numbers.iter().filter_map(real).collect();
    ArrayD::from_shape_vec(IxDyn(&shape), values).map(Tensor::F64).map_err(shaped)
}

impl Unread {
    /// The values for `model`. The hash of each file, or the value, is added to `hashes`.
    pub(crate) fn decode(self, model: &Model, hashes: &mut BTreeMap<String, String>) -> Result<Conditions, Failure> {
        let Self { flag, given } = self;
        let known = &model.manifest().conditions;
        let mut conditions = BTreeMap::new();
        for (name, given) in given {
            let Some(info) = known.get(&name) else {
                let known: Vec<&str> = known.keys().map(String::as_str).collect();
                let known = if known.is_empty() { "none".into() } else { known.join(", ") };
                return Err(Failure::Usage(format!("{flag}: '{name}'; this model's are: {known}")));
            };
            let (tensor, hash) = match given {
                Given::Value(text, value) => (value, text),
                Given::File(input) if input.is_png() => {
                    (input.image(&of_picture(info, &input)?, info.range(), false)?.into(), input.hash())
                }
                Given::File(input) => (input.tensor()?, input.hash()),
            };
            hashes.insert(format!("{} {name}", flag.trim_start_matches('-').replace('-', " ")), hash);
            if conditions.insert(name.clone(), Condition { tensor: Arc::new(tensor), info: info.clone() }).is_some() {
                return Err(Failure::Usage(format!("{flag}: '{name}' is given twice")));
            }
        }
        Ok(Conditions(conditions))
    }
}

/// The shape of a condition that is a picture. A free size is the picture's.
fn of_picture(info: &ConditionInput, input: &Input) -> Result<Vec<usize>, Failure> {
    if info.kind() != Kind::Image {
        return Err(input.refused(format!("a picture; this condition is no image but {} for an item", info.shape)));
    }
    let (height, width, _) = input.pixels()?.dim();
    let of = |(axis, found): (&Axis, usize)| axis.size().unwrap_or(found);
    Ok(info.shape.item().zip([4, height, width]).map(of).collect())
}

impl Condition {
    /// The number of items that it has. It is 1 for one item, or for all.
    fn items(&self) -> usize {
        let (shape, info) = (self.tensor.shape(), &self.info);
        if !info.batch {
            return 1;
        }
        match (shape, info.shape.sizes().map(|sizes| sizes.iter().product::<usize>())) {
            ([first, item @ ..], _) if item.len() == info.shape.rank() => *first,
            // The length of a flat list determines the number of items.
            ([length], Some(of_item)) if length % of_item == 0 => length / of_item,
            _ => 1,
        }
    }

    /// The tensor for `count` of `total` items, from `first` on.
    fn part(&self, first: usize, count: usize, total: usize) -> Arc<Tensor> {
        let items = self.items();
        if items != total || count == total {
            return Arc::clone(&self.tensor);
        }
        let each = self.tensor.shape()[0] / items;
        Arc::new(self.tensor.items(first * each, count * each))
    }
}

impl Conditions {
    /// The tensors for `count` of `total` items, from `first` on.
    pub(crate) fn part(&self, first: usize, count: usize, total: usize) -> BTreeMap<String, Arc<Tensor>> {
        self.0.iter().map(|(name, condition)| (name.clone(), condition.part(first, count, total))).collect()
    }

    /// Refuses a tensor for another number of items than `total`.
    pub(crate) fn check(&self, flag: &str, total: usize) -> Result<(), Failure> {
        match self.0.values().map(Condition::items).find(|items| ![1, total].contains(items)) {
            None => Ok(()),
            Some(found) => {
                Err(Failure::Usage(format!("{flag}: {found} items, where {total} are drawn; give 1 or as many")))
            }
        }
    }

    /// The number of bytes of memory that they hold.
    pub(crate) fn bytes(&self) -> usize {
        self.0.values().map(|condition| condition.tensor.bytes()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_numbers_and_lists_of_one_shape() {
        for (text, shape) in [
            ("3.5", &[][..]),
            (".5", &[]),
            ("-2", &[]),
            ("1e-3", &[]),
            ("[1,2]", &[2]),
            ("[[1],[2]]", &[2, 1]),
            ("true", &[]),
        ] {
            assert!(is_value(text));
            assert_eq!(value_of(text).unwrap().shape(), shape, "{text}");
        }
        assert!(matches!(value_of("[1,true]").unwrap(), Tensor::I64(_)));
        assert!(matches!(value_of("[1,2.5]").unwrap(), Tensor::F64(_)));
        for text in ["[1,[2]]", "[[1,2],[3]]", "[[1],2]", "[]", "[[]]", "[1", "[\"a\"]", "[null]", "[1,2]]"] {
            assert!(is_value(text) && value_of(text).is_err(), "{text}");
        }
        for text in ["./3", "a.npy", "nan", "inf", "3x", "truth"] {
            assert!(!is_value(text), "{text}");
        }
    }
}
