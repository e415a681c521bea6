//! Says of manifests whether they hold: for `onnx/test_manifest.py`, which compares that with the exporter's own rules.
//! A line of the input is a JSON string, each character of which is a byte of a manifest's file; a line of the output
//! is what is wrong with it, as a JSON string, or `null`.

use std::io::BufRead;

use diffuse::model::Manifest;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    for line in std::io::stdin().lock().lines() {
        let text: String = serde_json::from_str(&line?)?;
        let bytes: Vec<u8> = text.chars().map(u8::try_from).collect::<Result<_, _>>()?;
        println!("{}", serde_json::to_string(&Manifest::from_bytes(&bytes).err())?);
    }
    Ok(())
}
