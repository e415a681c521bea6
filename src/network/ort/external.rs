//! The names of the files that a graph has its weights in, read from the graph's file.
//!
//! ONNX Runtime does not say them. They are strings in a protobuf message (onnx.proto3), of which only the fields on
//! the way are looked at. Weights that lie in the graph itself are passed over without being read, so that it takes no
//! longer for large ones.

use std::collections::BTreeSet;
use std::io::{self, BufReader, Read, Seek};

/// The names of the files with external data that the graph in `file`, which has `length` bytes, has weights in. `stop`
/// is asked now and then, and ends it.
///
/// # Errors
/// Where it is no such graph, or longer than ONNX allows. What is wrong with it is for ONNX Runtime to say; but what it
/// can read all the same has weights that are not known.
pub(super) fn names(file: impl Read + Seek, length: u64, stop: &dyn Fn() -> bool) -> io::Result<BTreeSet<Vec<u8>>> {
    /// A protobuf message has at most 2 GiB.
    const LONGEST: u64 = 1 << 31;
    if length > LONGEST {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    let mut names = BTreeSet::new();
    let file = BufReader::with_capacity(1 << 16, file);
    Scanner { file, at: 0, fields: 0, names: &mut names, stop }.message(Some(Message::Model), length, 0)?;
    Ok(names)
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
    fields: u64,
    names: &'a mut BTreeSet<Vec<u8>>,
    stop: &'a dyn Fn() -> bool,
}

impl<R: Read + Seek> Scanner<'_, R> {
    /// Reads a message that ends at `end`. One that leads nowhere is a group, which a field of its own ends.
    fn message(&mut self, message: Option<Message>, end: u64, depth: usize) -> io::Result<()> {
        let invalid = || io::Error::from(io::ErrorKind::InvalidData);
        if depth > DEEPEST {
            return Err(invalid());
        }
        let mut entry = [None, None];
        while self.at < end {
            self.look_up()?;
            let tag = self.varint()?;
            let number = tag >> 3;
            let length = match tag & 7 {
                _ if number == 0 => return Err(invalid()),
                0 => {
                    self.varint()?;
                    continue;
                }
                1 => 8,
                2 => self.varint()?,
                // Groups are of the past, and skipped wherever they are.
                3 => {
                    self.message(None, end, depth + 1)?;
                    continue;
                }
                4 if message.is_none() => return Ok(()),
                5 => 4,
                _ => return Err(invalid()),
            };
            let until = self.at.checked_add(length).filter(|until| *until <= end).ok_or_else(invalid)?;
            match message.filter(|_| tag & 7 == 2).map(|message| (message.field(number), message, number)) {
                Some((Some(inner), ..)) => self.message(Some(inner), until, depth + 1)?,
                Some((None, Message::Entry, 1 | 2)) if length <= LONGEST_NAME => {
                    entry[number as usize - 1] = Some(self.bytes(length as usize)?);
                }
                _ => {
                    self.file.seek_relative(i64::try_from(length).map_err(|_| invalid())?)?;
                    self.at = until;
                }
            }
        }
        if message.is_none() {
            return Err(invalid());
        }
        if let [Some(key), Some(value)] = entry
            && key == b"location"
        {
            self.names.insert(value);
        }
        Ok(())
    }

    /// Ends where it is asked to.
    fn look_up(&mut self) -> io::Result<()> {
        self.fields += 1;
        let stopped = self.fields.is_multiple_of(1 << 16) && (self.stop)();
        if stopped { Err(io::ErrorKind::Interrupted.into()) } else { Ok(()) }
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
        let names = names(Cursor::new(bytes), bytes.len() as u64, &|| false).unwrap_or_default();
        names.into_iter().map(|name| String::from_utf8_lossy(&name).into_owned()).collect()
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

    /// Groups, which nobody writes any more and every reader skips; and names of any bytes.
    #[test]
    fn what_other_readers_skip_is_skipped() {
        let model = field(7, &field(5, &tensor("weights.bin")));
        let group = [0xa3, 6, 8, 1, 0xab, 6, 0xac, 6, 0xa4, 6];
        assert_eq!(found(&[&group[..], &model].concat()), ["weights.bin"]);
        let read = |bytes: &[u8]| names(Cursor::new(bytes), bytes.len() as u64, &|| false);
        // One that is not ended, the end of one that was not begun, and a field without a number.
        for wrong in [&group[..2], &group[8..], &[0, 0]] {
            assert!(read(&[wrong, &model].concat()).is_err(), "{wrong:?}");
        }
        let mut bytes = model.clone();
        let place = bytes.windows(7).position(|part| part == b"weights").unwrap();
        bytes[place] = 0xff;
        assert_eq!(read(&bytes).unwrap().into_iter().next().unwrap(), b"\xffeights.bin");
        // Zeros, or fields of two bytes, without end.
        assert!(names(Cursor::new(&bytes), u64::MAX, &|| false).is_err());
        let many = [8, 1].repeat(1 << 17);
        assert!(names(Cursor::new(&many), many.len() as u64, &|| true).is_err());
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
