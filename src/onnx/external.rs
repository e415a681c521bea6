//! The names of the files that a graph has its weights in, read from the graph's file.
//!
//! ONNX Runtime does not say them. They are strings in a protobuf message (onnx.proto3), of which only the fields on the way are looked at. Weights that
//! lie in the graph itself are passed over without being read, so that it takes no longer for large ones.

use std::collections::BTreeSet;
use std::io::{self, BufReader, Read, Seek};

/// The names of the files with external data that the graph in `file`, which has `length` bytes, has weights in. What is no such graph has none: what is
/// wrong with it is for ONNX Runtime to say.
pub(super) fn names(file: impl Read + Seek, length: u64) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut scanner = Scanner { file: BufReader::with_capacity(1 << 16, file), at: 0, names: &mut names };
    let _ = scanner.message(Message::Model, length, 0);
    names
}

/// The messages that lead to external data, and what else has to be known of them.
#[derive(Clone, Copy)]
enum Message {
    Model,
    Function,
    Graph,
    Node,
    Attribute,
    SparseTensor,
    Tensor,
    Entry,
}

impl Message {
    /// What lies in the field of this number, where that leads on.
    fn field(self, number: u64) -> Option<Self> {
        Some(match (self, number) {
            (Self::Model, 7) | (Self::Attribute, 6 | 11) => Self::Graph,
            (Self::Model, 25) => Self::Function,
            (Self::Function, 7) | (Self::Graph, 1) => Self::Node,
            (Self::Graph, 5) | (Self::Attribute, 5 | 10) | (Self::SparseTensor, 1 | 2) => Self::Tensor,
            (Self::Graph, 15) | (Self::Attribute, 22 | 23) => Self::SparseTensor,
            (Self::Node, 5) => Self::Attribute,
            (Self::Tensor, 13) => Self::Entry,
            _ => return None,
        })
    }
}

/// Graphs within graphs beyond this are no model's.
const DEEPEST: usize = 200;

/// A longer string is no name of a file.
const LONGEST_NAME: u64 = 1 << 12;

struct Scanner<'a, R> {
    file: BufReader<R>,
    at: u64,
    names: &'a mut BTreeSet<String>,
}

impl<R: Read + Seek> Scanner<'_, R> {
    /// Reads a message that ends at `end`.
    fn message(&mut self, message: Message, end: u64, depth: usize) -> io::Result<()> {
        if depth > DEEPEST {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let mut entry = [None, None];
        while self.at < end {
            let tag = self.varint()?;
            let (number, length) = match tag & 7 {
                0 => {
                    self.varint()?;
                    continue;
                }
                1 => (0, 8),
                2 => (tag >> 3, self.varint()?),
                5 => (0, 4),
                _ => return Err(io::ErrorKind::InvalidData.into()),
            };
            let until = self.at.checked_add(length).filter(|until| *until <= end).ok_or(io::ErrorKind::InvalidData)?;
            match (message.field(number), message, number) {
                (Some(inner), ..) => self.message(inner, until, depth + 1)?,
                (None, Message::Entry, 1 | 2) if length <= LONGEST_NAME => {
                    entry[number as usize - 1] = Some(self.bytes(length as usize)?);
                }
                _ => {
                    self.file.seek_relative(i64::try_from(length).map_err(|_| io::ErrorKind::InvalidData)?)?;
                    self.at = until;
                }
            }
        }
        if let [Some(key), Some(value)] = entry
            && key == b"location"
            && let Ok(name) = String::from_utf8(value)
        {
            self.names.insert(name);
        }
        Ok(())
    }

    fn bytes(&mut self, count: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; count];
        self.file.read_exact(&mut bytes)?;
        self.at += count as u64;
        Ok(bytes)
    }

    fn varint(&mut self) -> io::Result<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let mut byte = [0];
            self.file.read_exact(&mut byte)?;
            self.at += 1;
            value |= u64::from(byte[0] & 0x7f) << shift;
            if byte[0] < 0x80 {
                return Ok(value);
            }
        }
        Err(io::ErrorKind::InvalidData.into())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    /// A field with bytes in it.
    fn field(number: u8, content: &[u8]) -> Vec<u8> {
        // The tag of numbers above 15 takes two bytes.
        let tag = u16::from(number) << 3 | 2;
        let mut bytes = if tag < 128 { vec![tag as u8] } else { vec![tag as u8 | 0x80, (tag >> 7) as u8] };
        let mut length = content.len();
        while length >= 128 {
            bytes.push(length as u8 | 0x80);
            length >>= 7;
        }
        bytes.push(length as u8);
        bytes.extend_from_slice(content);
        bytes
    }

    fn tensor(name: &str) -> Vec<u8> {
        let entry =
            |key: &str, value: &str| field(13, &[field(1, key.as_bytes()), field(2, value.as_bytes())].concat());
        [field(9, &[7; 300]), entry("offset", "0"), entry("location", name), entry("length", "4096")].concat()
    }

    fn found(bytes: &[u8]) -> Vec<String> {
        names(Cursor::new(bytes), bytes.len() as u64).into_iter().collect()
    }

    #[test]
    fn weights_are_found_wherever_a_graph_can_have_them() {
        let of_node = |attribute: Vec<u8>| field(1, &field(5, &attribute));
        let inner = [field(5, &tensor("inner")), of_node(field(10, &tensor("list")))].concat();
        let graph = [
            field(2, b"a name"),
            field(5, &tensor("weights.bin")),
            field(5, &tensor("weights.bin")),
            field(15, &field(1, &tensor("sparse"))),
            of_node(field(6, &inner)),
            of_node(field(5, &tensor("constant"))),
        ]
        .concat();
        let function = field(7, &field(5, &field(5, &tensor("function"))));
        let model = [vec![8, 10], field(7, &graph), field(25, &function)].concat();
        assert_eq!(found(&model), ["constant", "function", "inner", "list", "sparse", "weights.bin"]);
    }

    #[test]
    fn no_length_is_believed() {
        let model = field(7, &field(5, &tensor("weights.bin")));
        for place in 0..model.len() {
            for value in [0x00, 0x01, 0x7f, 0x80, 0xff] {
                let mut bytes = model.clone();
                bytes[place] = value;
                found(&bytes);
                found(&bytes[..place]);
            }
        }
        // Graphs in graphs without end.
        let mut deep = Vec::new();
        for _ in 0..2000 {
            deep = field(1, &field(5, &field(6, &deep)));
        }
        assert!(found(&field(7, &deep)).is_empty());
    }
}
