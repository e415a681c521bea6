//! Gives the ids of prompts: for `tests/tokens/run`, which compares them with those of transformers. The argument is a
//! tokenizer's folder and, with a second one, how many ids there are to be. A line of the input is a prompt as a JSON
//! string; a line of the output is a list of its ids, or an error as a string. Without a length there is no padding.

use std::io::{BufRead, Write};
use std::path::Path;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// More ids than any line has.
    const ENOUGH: usize = 1 << 14;
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().ok_or("the folder of a tokenizer is missing")?;
    let length = arguments.next().map(|length| length.parse::<usize>()).transpose()?;
    let tokens = diffuse::tokens_of(Path::new(&folder))?;
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    for line in std::io::stdin().lock().lines() {
        let prompt: String = serde_json::from_str(&line?)?;
        match tokens(&prompt, length.unwrap_or(ENOUGH)) {
            Ok((ids, used, _)) => {
                serde_json::to_writer(&mut out, &ids[..if length.is_some() { ids.len() } else { used }])?
            }
            Err(error) => serde_json::to_writer(&mut out, &error.to_string())?,
        }
        out.write_all(b"\n")?;
    }
    Ok(())
}
