//! Checks a shared library before the system loads it.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

/// Refuses what is no file, and an ELF library whose end is missing. The loader maps a library whole, and reading
/// beyond its end would end the process. Other defects are for the loader to report.
pub(super) fn check(path: &Path) -> Result<(), String> {
    let shown = path.display();
    let metadata = std::fs::metadata(path).map_err(|error| format!("{shown}: {error}"))?;
    if !metadata.is_file() {
        return Err(format!("{shown} is no file; expected a shared library"));
    }
    let mut file = File::open(path).map_err(|error| format!("{shown}: {error}"))?;
    match elf_end(&mut file, metadata.len()) {
        Some(end) if end > metadata.len() => Err(format!(
            "{shown} is cut off: it has {} bytes; expected {end}, by its header; copy or download it again",
            metadata.len()
        )),
        _ => Ok(()),
    }
}

/// The end of the last segment of a 64-bit little-endian ELF file of `length` bytes. `None` for other files and damaged
/// headers.
fn elf_end(file: &mut (impl Read + Seek), length: u64) -> Option<u64> {
    let mut header = [0; 64];
    file.read_exact(&mut header).ok()?;
    // Class 2 is 64 bits, data 1 little-endian.
    if header[..6] != *b"\x7fELF\x02\x01" {
        return None;
    }
    let u64_at = |bytes: &[u8], at: usize| Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?));
    let u16_at = |bytes: &[u8], at: usize| Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?));
    // This is the table of segments: where it begins (e_phoff), the size of an entry and their number.
    let (begins, size, count) = (u64_at(&header, 32)?, u16_at(&header, 54)?, u16_at(&header, 56)?);
    let table_ends = begins.checked_add(u64::from(size) * u64::from(count))?;
    // This is checked before room is made for it, since the header may state anything.
    if table_ends > length {
        return Some(table_ends);
    }
    file.seek(SeekFrom::Start(begins)).ok()?;
    let mut table = vec![0; usize::from(size) * usize::from(count)];
    file.read_exact(&mut table).ok()?;
    table
        .chunks_exact(usize::from(size).max(1))
        // Type 1 is what gets loaded; p_offset and p_filesz follow.
        .filter(|segment| segment.starts_with(&[1, 0, 0, 0]))
        .filter_map(|segment| u64_at(segment, 8)?.checked_add(u64_at(segment, 32)?))
        .max()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_header_is_believed() {
        // Every field of the header and of the first segment, with extreme values in each.
        let whole = {
            let mut bytes = vec![0u8; 64 + 56];
            bytes[..6].copy_from_slice(b"\x7fELF\x02\x01");
            bytes[32] = 64;
            (bytes[54], bytes[56], bytes[64]) = (56, 1, 1);
            bytes
        };
        let end = |bytes: &[u8]| elf_end(&mut std::io::Cursor::new(bytes), bytes.len() as u64);
        assert_eq!(end(&whole), Some(0));
        for place in 0..whole.len() {
            for value in [0x01, 0x7f, 0x80, 0xff] {
                for width in [1, 2, 8] {
                    let mut bytes = whole.clone();
                    let last = bytes.len().min(place + width);
                    bytes[place..last].fill(value);
                    end(&bytes);
                    end(&bytes[..place]);
                }
            }
        }
    }

    #[test]
    fn a_library_that_was_cut_off_is_refused_and_a_whole_one_is_not() {
        let whole = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("library.so");
        let check_of = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            check(&path)
        };
        check_of(&whole).unwrap();
        if cfg!(all(target_os = "linux", target_pointer_width = "64")) {
            // What comes after is for debuggers.
            let end = elf_end(&mut std::io::Cursor::new(&whole), whole.len() as u64).unwrap() as usize;
            for length in [end - 1, end / 2, end / 50] {
                let message = check_of(&whole[..length]).unwrap_err();
                assert!(message.contains("cut off"), "{message}");
            }
        }
        // A file that is no library is for the loader to refuse.
        check_of(b"text").unwrap();
        check_of(b"").unwrap();
        assert!(check(folder.path()).unwrap_err().contains("no file"));
    }
}
