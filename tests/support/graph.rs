//! Graphs that no exporter makes, written by hand: ONNX's protobuf, of which a test needs a few fields.

/// The numbers of ONNX's element types.
pub(crate) const FLOAT: u64 = 1;
pub(crate) const INT64: u64 = 7;
pub(crate) const BOOL: u64 = 9;
pub(crate) const FLOAT16: u64 = 10;
pub(crate) const BFLOAT16: u64 = 16;

fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

/// Field `field` with a number.
fn number(field: u64, value: u64) -> Vec<u8> {
    [varint(field << 3), varint(value)].concat()
}

/// Field `field` with bytes: a text, or a message.
pub(crate) fn bytes(field: u64, value: impl AsRef<[u8]>) -> Vec<u8> {
    let value = value.as_ref();
    [varint(field << 3 | 2), varint(value.len() as u64), value.to_vec()].concat()
}

/// An axis: of a size, or free.
#[derive(Clone, Copy)]
pub(crate) enum Axis {
    Of(u64),
    Free(&'static str),
}

/// An input or an output: its name, type and axes.
#[derive(Clone)]
pub(crate) struct Tensor(pub(crate) &'static str, pub(crate) u64, pub(crate) Vec<Axis>);

impl Tensor {
    fn encode(&self) -> Vec<u8> {
        let Self(name, element, axes) = self;
        let axes: Vec<u8> = axes
            .iter()
            .flat_map(|axis| match axis {
                Axis::Of(size) => bytes(1, number(1, *size)),
                Axis::Free(name) => bytes(1, bytes(2, name)),
            })
            .collect();
        let of_tensor = [number(1, *element), bytes(2, axes)].concat();
        [bytes(1, name), bytes(2, bytes(1, of_tensor))].concat()
    }
}

/// A node: what it does, of what, to what, and further fields.
pub(crate) fn node(operator: &str, inputs: &[&str], outputs: &[&str], more: &[u8]) -> Vec<u8> {
    let inputs = inputs.iter().flat_map(|name| bytes(1, name));
    let outputs = outputs.iter().flat_map(|name| bytes(2, name));
    let mut node: Vec<u8> = inputs.chain(outputs).collect();
    node.extend(bytes(4, operator));
    node.extend(more);
    node
}

/// An attribute of a node that is a whole number.
pub(crate) fn attribute(name: &str, value: u64) -> Vec<u8> {
    bytes(5, [bytes(1, name), number(3, value), number(20, 2)].concat())
}

/// A constant of the graph: one value, without an axis.
pub(crate) fn constant(name: &str, element: u64, value: &[u8]) -> Vec<u8> {
    [number(2, element), bytes(8, name), bytes(9, value)].concat()
}

fn graph(nodes: &[Vec<u8>], constants: &[Vec<u8>], inputs: &[Tensor], outputs: &[Tensor]) -> Vec<u8> {
    let mut graph: Vec<u8> = nodes.iter().flat_map(|node| bytes(1, node)).collect();
    graph.extend(bytes(2, "graph"));
    graph.extend(constants.iter().flat_map(|constant| bytes(5, constant)));
    graph.extend(inputs.iter().flat_map(|input| bytes(11, input.encode())));
    graph.extend(outputs.iter().flat_map(|output| bytes(12, output.encode())));
    graph
}

/// The bytes of a model file.
pub(crate) fn model(
    nodes: &[Vec<u8>],
    constants: &[Vec<u8>],
    inputs: &[Tensor],
    outputs: &[Tensor],
    manifest: &str,
) -> Vec<u8> {
    let of_manifest = [bytes(1, "diffuse"), bytes(2, manifest)].concat();
    [number(1, 8), bytes(7, graph(nodes, constants, inputs, outputs)), bytes(8, number(2, 17)), bytes(14, of_manifest)]
        .concat()
}

/// A model whose network returns its input, so x̂₀ is x. `batch` is the first axis of the sample and of the output, and
/// `time` the type of the time.
pub(crate) fn same(batch: Axis, time: u64, manifest: &str) -> Vec<u8> {
    let sample = |name| Tensor(name, FLOAT, vec![batch, Axis::Of(4)]);
    let inputs = [sample("x"), Tensor("t", time, vec![Axis::Free("times")])];
    model(&[node("Identity", &["x"], &["out"], &[])], &[], &inputs, &[sample("out")], manifest)
}

/// A model whose network does not end: a loop of 2⁶² rounds.
pub(crate) fn endless(manifest: &str) -> Vec<u8> {
    let sample = |name| Tensor(name, FLOAT, vec![Axis::Free("batch"), Axis::Of(4)]);
    let body = graph(
        &[node("Identity", &["go_on"], &["goes_on"], &[]), node("Identity", &["v"], &["w"], &[])],
        &[],
        &[Tensor("round", INT64, vec![]), Tensor("go_on", BOOL, vec![]), sample("v")],
        &[Tensor("goes_on", BOOL, vec![]), sample("w")],
    );
    let body = bytes(5, [bytes(1, "body"), bytes(6, body), number(20, 5)].concat());
    let constants = [constant("rounds", INT64, &(1i64 << 62).to_le_bytes()), constant("true", BOOL, &[1])];
    let inputs = [sample("x"), Tensor("t", INT64, vec![Axis::Free("times")])];
    model(&[node("Loop", &["rounds", "true", "x"], &["out"], &body)], &constants, &inputs, &[sample("out")], manifest)
}

/// The manifest of a model of points of four values.
pub(crate) const MANIFEST: &str =
    r#"{"diffuse": 1, "sample": {"shape": [4]}, "schedule": {"kind": "linear"}, "prediction": "x0"}"#;
