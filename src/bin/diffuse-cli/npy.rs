//! Reads and writes numpy's arrays, `.npy` (<https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html>).
//! The files are not trusted.
//!
//! The header is a Python literal. A reader of the whole language would follow brackets as deep as they go. This one
//! knows the three keys that a header has. So it reads each byte once, and refuses the first that does not belong
//! there.

use diffuse::tensor::Tensor;
use half::f16;
use ndarray::{ArrayD, ArrayViewD, IxDyn, ShapeBuilder};

const MAGIC: &[u8] = b"\x93NUMPY";

/// The most bytes of a header, which is the limit of version 1.0. Only structured types need more.
const MOST_HEADER: usize = 1 << 16;

/// The most axes, as in numpy.
const MOST_AXES: usize = 64;

/// The most values, which is as many as a run can have.
const MOST_VALUES: usize = diffuse::sample::MOST_VALUES;

/// Reads the values in `bytes` as f32, in standard order. A float becomes the nearest f32. An integer has to be exact.
/// The error states what was expected and what was found.
pub(crate) fn read(bytes: &[u8]) -> Result<ArrayD<f32>, String> {
    match read_any(bytes)? {
        Tensor::F32(array) => Ok(array),
        Tensor::F64(array) => narrowed(&array, |value| {
            let narrow = value as f32;
            let is_beyond = value.is_finite() && narrow.is_infinite();
            if is_beyond { Err(format!("{value:e}, which is beyond f32 ({:e})", f32::MAX)) } else { Ok(narrow) }
        }),
        // Beyond 2^24 not every integer is an f32. A label that became its neighbour would be another label.
        Tensor::I64(array) => narrowed(&array, |value| {
            let narrow = value as f32;
            let is_same = narrow as i128 == i128::from(value);
            if is_same { Ok(narrow) } else { Err(format!("{value}, which f32 does not have")) }
        }),
    }
}

fn narrowed<T: Copy>(array: &ArrayD<T>, narrow: impl Fn(T) -> Result<f32, String>) -> Result<ArrayD<f32>, String> {
    let mut values = Vec::new();
    values.try_reserve_exact(array.len()).map_err(|_| no_memory(array.len()))?;
    for (place, value) in array.iter().enumerate() {
        values.push(narrow(*value).map_err(|reason| format!("value {place} is {reason}"))?);
    }
    ArrayD::from_shape_vec(array.shape(), values).map_err(|error| error.to_string())
}

fn no_memory(count: usize) -> String {
    format!("there is no memory for {count} values")
}

/// Reads the values in `bytes`, in standard order, in a type that has them all.
pub(crate) fn read_any(bytes: &[u8]) -> Result<Tensor, String> {
    let (text, data) = split(bytes)?;
    let Header { descr, fortran, shape } = Header::parse(text)?;
    let element = Element::of(&descr)?;
    // The header's claim is checked against what is there, before anything of that size is made.
    let count = shape.iter().try_fold(1usize, |count, &axis| count.checked_mul(axis));
    let length = count.and_then(|count| count.checked_mul(element.size));
    let (Some(count), Some(length)) = (count, length) else {
        return Err(format!("the shape {} is more than any memory holds", tuple(&shape)));
    };
    if length != data.len() {
        return Err(format!(
            "the shape {} of {descr} takes {length} bytes of values; found {}",
            tuple(&shape),
            data.len()
        ));
    }
    if count > MOST_VALUES {
        return Err(format!("the shape {} has {count} values; at most {MOST_VALUES} are read", tuple(&shape)));
    }
    Ok(match element.values(data, count)? {
        Values::F32(values) => Tensor::F32(shaped(&shape, fortran, values)?),
        Values::F64(values) => Tensor::F64(shaped(&shape, fortran, values)?),
        Values::I64(values) => Tensor::I64(shaped(&shape, fortran, values)?),
    })
}

fn shaped<T: Clone>(shape: &[usize], fortran: bool, values: Vec<T>) -> Result<ArrayD<T>, String> {
    let array = ArrayD::from_shape_vec(IxDyn(shape).set_f(fortran), values)
        .map_err(|error| format!("the shape {}: {error}", tuple(shape)))?;
    Ok(if fortran { array.as_standard_layout().into_owned() } else { array })
}

/// Splits a file of version 1.0, 2.0 or 3.0 into the header's text and the values.
fn split(bytes: &[u8]) -> Result<(&str, &[u8]), String> {
    if bytes.is_empty() {
        return Err("it is empty".into());
    }
    let rest = bytes.strip_prefix(MAGIC).ok_or("it does not begin as a .npy does")?;
    let cut = || "it ends within its header".to_owned();
    let (&[major, minor], rest) = rest.split_first_chunk().ok_or_else(cut)?;
    let (length, rest) = match (major, minor) {
        (1, 0) => rest.split_first_chunk().map(|(length, rest)| (u32::from(u16::from_le_bytes(*length)), rest)),
        (2 | 3, 0) => rest.split_first_chunk().map(|(length, rest)| (u32::from_le_bytes(*length), rest)),
        _ => return Err(format!("version {major}.{minor} of the format; 1.0, 2.0 and 3.0 are known")),
    }
    .ok_or_else(cut)?;
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    if length > MOST_HEADER {
        return Err(format!("a header of {length} bytes; at most {MOST_HEADER} are read"));
    }
    let (header, data) = rest.split_at_checked(length).ok_or_else(cut)?;
    // Only names of fields are not ASCII, and a type with fields is not read.
    let header = std::str::from_utf8(header).map_err(|_| "its header is not text")?;
    Ok((header, data))
}

/// The contents of a header.
struct Header {
    descr: String,
    fortran: bool,
    shape: Vec<usize>,
}

impl Header {
    fn parse(text: &str) -> Result<Self, String> {
        let mut parser = Parser { text, place: 0 };
        let (mut descr, mut fortran, mut shape) = (None, None, None);
        parser.expect('{', "the header's {")?;
        while !parser.take('}') {
            let key = parser.string()?;
            parser.expect(':', "a colon behind the key")?;
            let twice = match key {
                "descr" => descr.replace(parser.descr()?.to_owned()).is_some(),
                "fortran_order" => fortran.replace(parser.boolean()?).is_some(),
                "shape" => shape.replace(parser.shape()?).is_some(),
                _ => return Err(format!("its header has the key '{key}'; descr, fortran_order and shape are known")),
            };
            if twice {
                return Err(format!("its header has {key} twice"));
            }
            if !parser.take(',') {
                parser.expect('}', "a comma or the header's }")?;
                break;
            }
        }
        if !parser.rest().trim_ascii().is_empty() {
            return Err(parser.wrong("nothing but spaces behind the header's }"));
        }
        let lacks = |key: &str| format!("its header has no {key}");
        Ok(Self {
            descr: descr.ok_or_else(|| lacks("descr"))?,
            fortran: fortran.ok_or_else(|| lacks("fortran_order"))?,
            shape: shape.ok_or_else(|| lacks("shape"))?,
        })
    }
}

/// Reads the header from left to right.
struct Parser<'a> {
    text: &'a str,
    place: usize,
}

impl<'a> Parser<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.place..).unwrap_or_default()
    }

    fn skip_spaces(&mut self) {
        let rest = self.rest();
        self.place += rest.len() - rest.trim_ascii_start().len();
    }

    fn take(&mut self, character: char) -> bool {
        self.skip_spaces();
        let is = self.rest().starts_with(character);
        self.place += if is { character.len_utf8() } else { 0 };
        is
    }

    fn expect(&mut self, character: char, what: &str) -> Result<(), String> {
        if self.take(character) { Ok(()) } else { Err(self.wrong(what)) }
    }

    /// Everything up to the first character that is not `of`.
    fn while_is(&mut self, of: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let taken = rest.split_at(rest.find(|character| !of(character)).unwrap_or(rest.len())).0;
        self.place += taken.len();
        taken
    }

    /// A few characters of what is found where `what` is expected.
    fn wrong(&self, what: &str) -> String {
        let found: String = self.rest().chars().take(12).collect();
        format!("its header: expected {what} at byte {}; found {found:?}", self.place)
    }

    /// A string without escapes: no key and no type needs one.
    fn string(&mut self) -> Result<&'a str, String> {
        self.skip_spaces();
        let Some(quote @ ('\'' | '"')) = self.rest().chars().next() else {
            return Err(self.wrong("a string"));
        };
        self.place += 1;
        let text = self.while_is(|character| character != quote && character != '\\');
        self.expect(quote, "the end of a string")?;
        Ok(text)
    }

    fn descr(&mut self) -> Result<&'a str, String> {
        self.skip_spaces();
        match self.rest().chars().next() {
            Some('[' | '(') => Err("its values are structured, with fields of several types; expected numbers".into()),
            _ => self.string(),
        }
    }

    fn boolean(&mut self) -> Result<bool, String> {
        self.skip_spaces();
        let start = self.place;
        match self.while_is(|character| character.is_ascii_alphanumeric()) {
            "True" => Ok(true),
            "False" => Ok(false),
            _ => {
                self.place = start;
                Err(self.wrong("True or False"))
            }
        }
    }

    /// A tuple of sizes: `()`, `(3,)`, `(3, 4)`. Python 2 wrote `(3L, 4L)`.
    fn shape(&mut self) -> Result<Vec<usize>, String> {
        const FORM: &str = "a shape such as (3, 64, 64)";
        let mut shape = Vec::new();
        self.expect('(', FORM)?;
        loop {
            if self.take(')') {
                return Ok(shape);
            }
            self.skip_spaces();
            let digits = self.while_is(|character| character.is_ascii_digit());
            if digits.is_empty() {
                return Err(self.wrong(FORM));
            }
            let axis = digits.parse().map_err(|_| "an axis of its shape is more than any memory holds".to_owned())?;
            if shape.len() == MOST_AXES {
                return Err(format!("its shape has more than {MOST_AXES} axes"));
            }
            shape.push(axis);
            let _ = self.take('L');
            if !self.take(',') {
                // Without a comma `(3)` is a number and no tuple.
                let what = if shape.len() == 1 { "a comma, as in (3,)" } else { "a comma or the shape's )" };
                return if shape.len() > 1 && self.take(')') { Ok(shape) } else { Err(self.wrong(what)) };
            }
        }
    }
}

/// A tuple as Python writes it.
fn tuple(shape: &[usize]) -> String {
    match shape {
        [one] => format!("({one},)"),
        _ => format!("({})", shape.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")),
    }
}

/// The type of a value.
struct Element {
    kind: char,
    size: usize,
    big_endian: bool,
}

impl Element {
    /// The type that numpy writes so.
    fn of(descr: &str) -> Result<Self, String> {
        let (big_endian, name) = match descr.split_at_checked(1) {
            Some(("<", name)) => (false, name),
            Some((">", name)) => (true, name),
            Some(("|" | "=", name)) => (cfg!(target_endian = "big"), name),
            _ => (cfg!(target_endian = "big"), descr),
        };
        let (kind, size) = match name {
            "f2" => ('f', 2),
            "f4" => ('f', 4),
            "f8" => ('f', 8),
            "i1" | "b" => ('i', 1),
            "i2" => ('i', 2),
            "i4" => ('i', 4),
            "i8" => ('i', 8),
            "u1" | "B" => ('u', 1),
            "u2" => ('u', 2),
            "u4" => ('u', 4),
            "u8" => ('u', 8),
            "b1" | "?" => ('b', 1),
            _ => return Err(Self::refusal(descr, name)),
        };
        Ok(Self { kind, size, big_endian })
    }

    fn refusal(descr: &str, name: &str) -> String {
        let what = match name.chars().next() {
            Some('c') => "complex numbers",
            Some('O') => "Python's objects",
            Some('S' | 'a') => "strings of bytes",
            Some('U') => "strings",
            Some('V') => "raw bytes, as of a structured type or of one that numpy does not know",
            Some('M' | 'm') => "dates or times",
            Some('f') => "floats of another size",
            _ => "of a type that is not known",
        };
        let descr: String = descr.chars().take(24).collect();
        format!("its values are {what} ({descr:?}); expected f2, f4, f8, i1 to i8, u1 to u8 or b1")
    }

    /// The `count` values in `data`.
    fn values(&self, data: &[u8], count: usize) -> Result<Values, String> {
        let big = self.big_endian;
        let whole = |values: Result<Vec<i64>, String>| values.map(Values::I64);
        match (self.kind, self.size) {
            ('f', 2) => numbers(data, count, big, |bytes| Ok(f16::from_le_bytes(bytes).to_f32())).map(Values::F32),
            ('f', 4) => numbers(data, count, big, |bytes| Ok(f32::from_le_bytes(bytes))).map(Values::F32),
            ('f', _) => numbers(data, count, big, |bytes| Ok(f64::from_le_bytes(bytes))).map(Values::F64),
            ('i', 1) => whole(numbers(data, count, big, |bytes| Ok(i8::from_le_bytes(bytes).into()))),
            ('i', 2) => whole(numbers(data, count, big, |bytes| Ok(i16::from_le_bytes(bytes).into()))),
            ('i', 4) => whole(numbers(data, count, big, |bytes| Ok(i32::from_le_bytes(bytes).into()))),
            ('i', _) => whole(numbers(data, count, big, |bytes| Ok(i64::from_le_bytes(bytes)))),
            ('u', 1) => whole(numbers(data, count, big, |bytes| Ok(u8::from_le_bytes(bytes).into()))),
            ('u', 2) => whole(numbers(data, count, big, |bytes| Ok(u16::from_le_bytes(bytes).into()))),
            ('u', 4) => whole(numbers(data, count, big, |bytes| Ok(u32::from_le_bytes(bytes).into()))),
            ('u', _) => whole(numbers(data, count, big, |bytes| {
                let value = u64::from_le_bytes(bytes);
                i64::try_from(value).map_err(|_| format!("is {value}, which is more than an integer of 63 bits"))
            })),
            _ => whole(numbers(data, count, big, |[byte]| match byte {
                0 | 1 => Ok(byte.into()),
                _ => Err(format!("is {byte}, and a bool is 0 or 1")),
            })),
        }
    }
}

/// The values of a file, in a type that has all of its type.
enum Values {
    F32(Vec<f32>),
    F64(Vec<f64>),
    I64(Vec<i64>),
}

/// `count` numbers of `N` bytes each.
fn numbers<const N: usize, T>(
    data: &[u8],
    count: usize,
    big_endian: bool,
    number: impl Fn([u8; N]) -> Result<T, String>,
) -> Result<Vec<T>, String> {
    let mut values = Vec::new();
    values.try_reserve_exact(count).map_err(|_| no_memory(count))?;
    for (place, bytes) in data.as_chunks::<N>().0.iter().enumerate() {
        let mut bytes = *bytes;
        if big_endian {
            bytes.reverse();
        }
        values.push(number(bytes).map_err(|reason| format!("value {place} {reason}"))?);
    }
    Ok(values)
}

/// Writes `array` as a file: version 1.0, f32, little-endian, in standard order.
pub(crate) fn write(array: ArrayViewD<'_, f32>) -> Vec<u8> {
    let text = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': {}, }}", tuple(array.shape()));
    // The values begin at a multiple of 64 bytes.
    let start = (MAGIC.len() + 4 + text.len() + 1).next_multiple_of(64);
    let length = start - MAGIC.len() - 4;
    let mut bytes = Vec::with_capacity(start + 4 * array.len());
    bytes.extend(MAGIC);
    bytes.extend([1, 0]);
    bytes.extend((length as u16).to_le_bytes());
    bytes.extend(format!("{text:<width$}\n", width = length - 1).as_bytes());
    match array.as_slice() {
        Some(values) => values.iter().for_each(|value| bytes.extend(value.to_le_bytes())),
        None => array.iter().for_each(|value| bytes.extend(value.to_le_bytes())),
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file with this header, unpadded.
    fn file(version: u8, header: &str, data: &[u8]) -> Vec<u8> {
        let length = header.len() as u32;
        let length = if version == 1 { length.to_le_bytes()[..2].to_vec() } else { length.to_le_bytes().to_vec() };
        [b"\x93NUMPY", &[version, 0][..], &length, header.as_bytes(), data].concat()
    }

    fn of(descr: &str, shape: &str, data: &[u8]) -> Result<Vec<f32>, String> {
        let header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}");
        read(&file(1, &header, data)).map(|array| array.into_raw_vec_and_offset().0)
    }

    #[test]
    fn what_is_written_is_what_numpy_writes_and_is_read_again() {
        let array = ArrayD::from_shape_fn(IxDyn(&[2, 3]), |at| at[0] as f32 - 0.5 * at[1] as f32);
        let bytes = write(array.view());
        // numpy 2.3 writes this with np.save of the same array.
        let header = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }";
        assert_eq!(bytes[..10], *b"\x93NUMPY\x01\x00\x76\x00");
        assert_eq!(bytes[10..128], *format!("{header:<117}\n").as_bytes());
        assert_eq!(bytes.len(), 128 + 24);
        assert_eq!(read(&bytes).unwrap(), array);
        // An array out of order, one without axes, and one with one axis.
        assert_eq!(read(&write(array.t().into_dyn())).unwrap(), array.t().to_owned().into_dyn());
        for shape in [&[][..], &[3], &[0, 4], &[1; 40]] {
            let array = ArrayD::from_elem(IxDyn(shape), 0.25);
            assert_eq!(read(&write(array.view())).unwrap(), array);
        }
    }

    #[test]
    fn every_type_of_number_is_read_in_both_orders_of_bytes() {
        let (mut seen, values) = (0, [1i8, 0, 100]);
        macro_rules! check {
            ($($type:ty => $name:literal),+) => {$(
                let little: Vec<u8> = values.iter().flat_map(|&value| (value as $type).to_le_bytes()).collect();
                let big: Vec<u8> = values.iter().flat_map(|&value| (value as $type).to_be_bytes()).collect();
                assert_eq!(of(concat!("<", $name), "(3,)", &little).unwrap(), [1.0, 0.0, 100.0], $name);
                assert_eq!(of(concat!(">", $name), "(3,)", &big).unwrap(), [1.0, 0.0, 100.0], $name);
                seen += 1;
            )+};
        }
        check!(f32 => "f4", f64 => "f8", i8 => "i1", i16 => "i2", i32 => "i4", i64 => "i8", u8 => "u1", u16 => "u2", u32 => "u4", u64 => "u8");
        assert_eq!(seen, 10);
        let halves = [0x3c00u16, 0x0001, 0xfc00, 0x3555].map(u16::to_be_bytes).concat();
        assert_eq!(of(">f2", "(4,)", &halves).unwrap(), [1.0, 2f32.powi(-24), f32::NEG_INFINITY, 0.333_251_95]);
        assert_eq!(of("|b1", "(2,)", &[1, 0]).unwrap(), [1.0, 0.0]);
        assert_eq!(of("|i1", "(1,)", &[255]).unwrap(), [-1.0]);
        assert!(of("<f4", "(1,)", &f32::NAN.to_le_bytes()).unwrap()[0].is_nan());
    }

    #[test]
    fn a_value_that_f32_does_not_have_is_refused() {
        let of_f64 = |value: f64| of("<f8", "(1,)", &value.to_le_bytes());
        assert_eq!(of_f64(0.1).unwrap(), [0.1]);
        assert_eq!(of_f64(f64::INFINITY).unwrap(), [f32::INFINITY]);
        assert!(of_f64(-1e39).unwrap_err().contains("value 0 is -1e39, which is beyond f32"));
        let of_i64 = |value: i64| of("<i8", "(1,)", &value.to_le_bytes());
        assert_eq!(of_i64((1 << 24) + 2).unwrap(), [16_777_218.0]);
        assert_eq!(of_i64(i64::MIN).unwrap(), [-9_223_372_036_854_775_808.0]);
        assert!(of_i64((1 << 24) + 1).unwrap_err().contains("16777217, which f32 does not have"));
        assert!(of_i64(i64::MAX).is_err() && of("<u8", "(1,)", &u64::MAX.to_le_bytes()).is_err());
        assert!(of("|b1", "(1,)", &[2]).unwrap_err().contains("a bool is 0 or 1"));
    }

    #[test]
    fn headers_of_any_hand_are_read() {
        let data: Vec<u8> = [1f32, 2.0, 3.0, 4.0, 5.0, 6.0].iter().flat_map(|value| value.to_le_bytes()).collect();
        let (rows, columns) = ([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [1.0, 3.0, 5.0, 2.0, 4.0, 6.0]);
        for (header, expected) in [
            ("{'descr':'<f4','fortran_order':False,'shape':(2,3)}", rows),
            ("{\"shape\": (2, 3,), \"descr\": \"<f4\", \"fortran_order\": False}\n", rows),
            ("  { 'fortran_order' : True , 'shape' : ( 2L , 3L ) , 'descr' : 'f4' , }   \n", columns),
            ("{'descr': '=f4', 'fortran_order': False, 'shape': (2, 3), }                 ", rows),
        ] {
            for version in 1..=3 {
                let array = read(&file(version, header, &data)).unwrap();
                assert_eq!((array.shape(), array.as_slice().unwrap()), (&[2, 3][..], &expected[..]), "{header}");
            }
        }
    }

    #[test]
    fn what_is_no_array_of_numbers_is_refused_in_words() {
        let deep = "(".repeat(60_000);
        for (descr, shape, length, said) in [
            (
                "<f4",
                "(9999999999, 2)",
                0,
                "the shape (9999999999, 2) of <f4 takes 79999999992 bytes of values; found 0",
            ),
            ("<f4", "(2, 3)", 20, "takes 24 bytes of values; found 20"),
            ("<f4", "(2, 3)", 25, "found 25"),
            ("<f8", "(4611686018427387904, 4)", 0, "more than any memory holds"),
            ("<f4", "(0, 9223372036854775807, 9)", 0, "the shape (0, 9223372036854775807, 9)"),
            ("<f4", "(99999999999999999999,)", 0, "more than any memory holds"),
            ("<f4", "(-1,)", 4, "expected a shape such as (3, 64, 64)"),
            ("<f4", "(3)", 12, "a comma, as in (3,)"),
            ("<f4", "[3]", 12, "expected a shape"),
            ("<f4", "None", 12, "expected a shape"),
            ("<f4", &deep, 0, "expected a shape"),
            ("<f4", &format!("({})", "1,".repeat(65)), 4, "more than 64 axes"),
            ("<c8", "(1,)", 8, "complex numbers"),
            ("|O", "(1,)", 8, "Python's objects"),
            ("|S3", "(1,)", 3, "strings of bytes"),
            ("<U3", "(1,)", 12, "strings (\"<U3\")"),
            ("|V2", "(1,)", 2, "raw bytes"),
            ("<M8[ns]", "(1,)", 8, "dates or times"),
            ("<f16", "(1,)", 16, "floats of another size"),
            ("", "(1,)", 4, "not known (\"\")"),
            ("ü", "(1,)", 4, "not known"),
        ] {
            let reason = of(descr, shape, &vec![0; length]).unwrap_err();
            assert!(reason.contains(said) && reason.len() < 300, "{descr} {shape:.20}: {reason}");
        }
        for (bytes, said) in [
            (Vec::new(), "it is empty"),
            (b"text".to_vec(), "does not begin"),
            (b"\x93NUMPY".to_vec(), "ends within its header"),
            (b"\x93NUMPY\x01\x00\xff\xff{".to_vec(), "ends within its header"),
            (b"\x93NUMPY\x02\x00\xff\xff\xff\xff{".to_vec(), "at most 65536"),
            (b"\x93NUMPY\x04\x00\x01\x00{".to_vec(), "version 4.0"),
            (file(1, "{}", &[]), "has no descr"),
            (file(1, "{'descr': '<f4', 'descr': '<f4'}", &[]), "descr twice"),
            (file(1, "{'descr': [('a', '<f4'), ('b', '<i4')], }", &[]), "structured"),
            (file(1, "{'shape': (), 'fortran_order': Falsehood}", &[]), "True or False"),
            (file(1, "{'shape': (), 'x': 1}", &[]), "the key 'x'"),
            (file(1, "{'shape\\'': ()}", &[]), "end of a string"),
            (file(1, "{'descr': '<f4', 'fortran_order': False, 'shape': ()} x", &[0; 4]), "nothing but spaces"),
            (file(1, "{'descr': '<f4'", &[]), "a comma or the header's }"),
            ([b"\x93NUMPY\x03\x00\x02\x00\x00\x00".as_slice(), &[0xff, 0xfe]].concat(), "not text"),
        ] {
            let reason = read(&bytes).unwrap_err();
            assert!(reason.contains(said), "{bytes:?}: {reason}");
        }
    }
}
