//! Reads a graph's inputs, outputs and weight files from its file, without opening it in ONNX Runtime.
//!
//! These are fields of a protobuf message (onnx.proto3), of which only those on the way are read. Weights inside the
//! graph are skipped without being read, so large ones take no longer.

use std::collections::BTreeSet;
use std::io::{self, BufReader, Read, Seek};

use crate::signature::{Element, Signature, TensorInfo};

/// What is read from a graph's file.
#[derive(Debug, Default)]
pub(super) struct Contents {
    /// The names of the files with external data.
    pub(super) files: BTreeSet<Vec<u8>>,
    /// The inputs and outputs.
    pub(super) signature: Signature,
    /// Whether it has an operator that is a network compiled for one device (EPContext).
    pub(super) is_compiled: bool,
    /// The names of the weights inside the graph, which some exporters list among the inputs.
    weights: BTreeSet<Vec<u8>>,
}

/// Reads the graph in `file`, which has `length` bytes. `stop` is called now and then, and ends the reading if it
/// returns true.
///
/// # Errors
/// The file is no such graph, or longer than ONNX allows. Other defects are for ONNX Runtime to report. The weights of
/// a graph that it can read all the same are not known.
pub(super) fn read(file: impl Read + Seek, length: u64, stop: &dyn Fn() -> bool) -> io::Result<Contents> {
    /// The greatest length of a protobuf message, 2 GiB.
    const LONGEST: u64 = 1 << 31;
    if length > LONGEST {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    let mut contents = Contents::default();
    let file = BufReader::with_capacity(1 << 16, file);
    Scanner { file, at: 0, fields: 0, contents: &mut contents, stop }.message(Some(Message::Model), length, 0)?;
    let Contents { signature, weights, .. } = &mut contents;
    signature.inputs.retain(|input| !weights.contains(input.name.as_bytes()));
    Ok(contents)
}

/// The messages that lead to external data, and others that are read.
#[derive(Clone, Copy, PartialEq)]
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
    /// The message in the field of this number, where it leads on.
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

impl Message {
    /// Whether the field of this number is noted: an input or an output, the name of a tensor of weights, or an
    /// operator that may be EPContext.
    fn is_said(self, number: u64, depth: usize, length: u64) -> bool {
        match (self, number) {
            (Self::Graph, 11 | 12) => depth == OF_MODEL && length <= LONGEST_INFO,
            (Self::Tensor, 8) => depth == OF_MODEL + 1 && length <= LONGEST_NAME,
            (Self::Node, 4) => length == EP_CONTEXT.len() as u64,
            _ => false,
        }
    }
}

/// The greatest depth of graphs within graphs. No model has more.
const DEEPEST: usize = 200;

/// The greatest length of the name of a file or of a tensor.
const LONGEST_NAME: u64 = 1 << 12;

/// The greatest length of the description of an input or an output.
const LONGEST_INFO: u64 = 1 << 16;

/// The depth of the graph itself, whose inputs and outputs are those of the model.
const OF_MODEL: usize = 1;

struct Scanner<'a, R> {
    file: BufReader<R>,
    at: u64,
    fields: u64,
    contents: &'a mut Contents,
    stop: &'a dyn Fn() -> bool,
}

impl<R: Read + Seek> Scanner<'_, R> {
    /// Reads a message that ends at `end`. A message of no interest here is a group, which a field of its own ends.
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
                // Groups are obsolete, and skipped wherever they are.
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
                Some((None, message, number)) if message.is_said(number, depth, length) => {
                    self.note(message, number, length)?;
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
            self.contents.files.insert(value);
        }
        Ok(())
    }

    /// Notes the field of this number, whose bytes follow.
    fn note(&mut self, message: Message, number: u64, length: u64) -> io::Result<()> {
        let bytes = self.bytes(length as usize)?;
        let Signature { inputs, outputs } = &mut self.contents.signature;
        match (message, number) {
            (Message::Graph, of_inputs) => {
                let info = tensor(&bytes).ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))?;
                if of_inputs == 11 { inputs.push(info) } else { outputs.push(info) }
            }
            (Message::Tensor, _) => drop(self.contents.weights.insert(bytes)),
            _ => self.contents.is_compiled |= bytes == EP_CONTEXT,
        }
        Ok(())
    }

    /// Ends the reading when `stop` returns true.
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

/// The operator for a network that a provider has compiled.
const EP_CONTEXT: &[u8] = b"EPContext";

/// A field of a message in memory: its number, and its bytes or its value.
enum Field<'a> {
    Bytes(u64, &'a [u8]),
    Number(u64, u64),
    Other,
}

/// Takes the first field off `bytes`. `None` where there is none, or where they are no message.
fn field<'a>(bytes: &mut &'a [u8]) -> Option<Field<'a>> {
    let varint = |bytes: &mut &'a [u8]| {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = bytes.split_first()?;
            *bytes = rest;
            value |= u64::from(byte & 0x7f) << shift;
            if *byte < 0x80 {
                return Some(value);
            }
        }
        None
    };
    let take = |bytes: &mut &'a [u8], length: u64| {
        let (taken, rest) = bytes.split_at_checked(usize::try_from(length).ok()?)?;
        *bytes = rest;
        Some(taken)
    };
    let tag = varint(bytes)?;
    Some(match tag & 7 {
        0 => Field::Number(tag >> 3, varint(bytes)?),
        1 => take(bytes, 8).map(|_| Field::Other)?,
        2 => {
            let length = varint(bytes)?;
            Field::Bytes(tag >> 3, take(bytes, length)?)
        }
        5 => take(bytes, 4).map(|_| Field::Other)?,
        _ => return None,
    })
}

/// Reads a ValueInfoProto, which describes an input or an output.
fn tensor(mut info: &[u8]) -> Option<TensorInfo> {
    let mut tensor = TensorInfo { name: String::new(), element: Element::Other, shape: Vec::new(), axes: Vec::new() };
    while !info.is_empty() {
        match field(&mut info)? {
            Field::Bytes(1, name) => tensor.name = String::from_utf8_lossy(name).into_owned(),
            Field::Bytes(2, mut of_type) => {
                while !of_type.is_empty() {
                    let Field::Bytes(1, of_tensor) = field(&mut of_type)? else { continue };
                    read_type(of_tensor, &mut tensor)?;
                }
            }
            _ => {}
        }
    }
    Some(tensor)
}

/// Reads a TypeProto.Tensor: the type of the elements, and the axes.
fn read_type(mut of_tensor: &[u8], tensor: &mut TensorInfo) -> Option<()> {
    while !of_tensor.is_empty() {
        match field(&mut of_tensor)? {
            Field::Number(1, number) => tensor.element = element(number),
            Field::Bytes(2, mut axes) => {
                while !axes.is_empty() {
                    let Field::Bytes(1, mut axis) = field(&mut axes)? else { continue };
                    let (mut size, mut name) = (None, String::new());
                    while !axis.is_empty() {
                        match field(&mut axis)? {
                            // An axis below 0 is free, as it is for ONNX Runtime.
                            Field::Number(1, number) => {
                                size = i64::try_from(number).ok().and_then(|number| usize::try_from(number).ok());
                            }
                            Field::Bytes(2, bytes) => name = String::from_utf8_lossy(bytes).into_owned(),
                            _ => {}
                        }
                    }
                    tensor.shape.push(size);
                    tensor.axes.push(name);
                }
            }
            _ => {}
        }
    }
    Some(())
}

/// The type with this number (TensorProto.DataType).
fn element(number: u64) -> Element {
    match number {
        1 => Element::F32,
        2 => Element::U8,
        3 => Element::I8,
        4 => Element::U16,
        5 => Element::I16,
        6 => Element::I32,
        7 => Element::I64,
        9 => Element::Bool,
        10 => Element::F16,
        11 => Element::F64,
        12 => Element::U32,
        13 => Element::U64,
        16 => Element::Bf16,
        _ => Element::Other,
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    /// A field with bytes in it.
    fn written(number: u8, content: &[u8]) -> Vec<u8> {
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
            |key: &str, value: &str| written(13, &[written(1, key.as_bytes()), written(2, value.as_bytes())].concat());
        [written(9, &[7; 300]), entry("offset", "0"), entry("location", name), entry("length", "4096")].concat()
    }

    fn found(bytes: &[u8]) -> Vec<String> {
        let contents = super::read(Cursor::new(bytes), bytes.len() as u64, &|| false).unwrap_or_default();
        contents.files.into_iter().map(|name| String::from_utf8_lossy(&name).into_owned()).collect()
    }

    #[test]
    fn weights_are_found_wherever_a_graph_can_have_them() {
        let of_node = |attribute: Vec<u8>| written(1, &written(5, &attribute));
        let inner = [written(5, &tensor("inner")), of_node(written(10, &tensor("list")))].concat();
        let graph = [
            written(2, b"a name"),
            written(5, &tensor("weights.bin")),
            written(5, &tensor("weights.bin")),
            written(15, &written(1, &tensor("sparse"))),
            of_node(written(6, &inner)),
            of_node(written(5, &tensor("constant"))),
        ]
        .concat();
        let function = written(7, &written(5, &written(5, &tensor("function"))));
        let model = [vec![8, 10], written(7, &graph), written(25, &function)].concat();
        assert_eq!(found(&model), ["constant", "function", "inner", "list", "sparse", "weights.bin"]);
    }

    /// Groups, which nobody writes any more, are skipped as every reader does. Names may have any bytes.
    #[test]
    fn what_other_readers_skip_is_skipped() {
        let model = written(7, &written(5, &tensor("weights.bin")));
        let group = [0xa3, 6, 8, 1, 0xab, 6, 0xac, 6, 0xa4, 6];
        assert_eq!(found(&[&group[..], &model].concat()), ["weights.bin"]);
        let read = |bytes: &[u8]| super::read(Cursor::new(bytes), bytes.len() as u64, &|| false);
        // A group that is not ended, the end of one that was not begun, and a field without a number.
        for wrong in [&group[..2], &group[8..], &[0, 0]] {
            assert!(read(&[wrong, &model].concat()).is_err(), "{wrong:?}");
        }
        let mut bytes = model.clone();
        let place = bytes.windows(7).position(|part| part == b"weights").unwrap();
        bytes[place] = 0xff;
        assert_eq!(read(&bytes).unwrap().files.into_iter().next().unwrap(), b"\xffeights.bin");
        // Zeros, or fields of two bytes, without end.
        assert!(super::read(Cursor::new(&bytes), u64::MAX, &|| false).is_err());
        let many = [8, 1].repeat(1 << 17);
        assert!(super::read(Cursor::new(&many), many.len() as u64, &|| true).is_err());
    }

    #[test]
    fn no_length_is_believed() {
        let model = written(7, &written(5, &tensor("weights.bin")));
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
            deep = written(1, &written(5, &written(6, &deep)));
        }
        assert!(found(&written(7, &deep)).is_empty());
    }
}
