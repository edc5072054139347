//! Bytes become text: gzip is unpacked, and the encoding found out. Pure.
//!
//! Invariant: an incomplete input is read as far as it goes, and named as incomplete.

use std::io::Read;

use base64::Engine;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use encoding_rs::{Encoding, UTF_16BE, UTF_16LE, WINDOWS_1252};
use flate2::read::MultiGzDecoder;

/// No log file of CloudTrail is larger when unpacked: it cuts them every five minutes.
const LONGEST: u64 = 512 * 1024 * 1024;

/// How often something may be packed in itself: a log file that a bucket compresses once more.
const LAYERS: usize = 3;

/// How much of the input tells its encoding, in bytes.
const SAMPLE: usize = 1024;

const GZIP: &[u8] = &[0x1f, 0x8b];

/// What other packers begin their files with, what it is, and what unpacks it.
const PACKED: [(&[u8], &str, &str); 5] = [
    (b"PK\x03\x04", "a zip archive", "unzip -p FILE"),
    (b"BZh", "packed by bzip2", "bzcat FILE"),
    (b"\xfd7zXZ\0", "packed by xz", "xzcat FILE"),
    (b"\x28\xb5\x2f\xfd", "packed by zstd", "zstdcat FILE"),
    (b"PAR1", "a Parquet file", "duckdb -json -c \"select * from 'FILE'\""),
];

/// A text, and how its packing breaks off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Decoded {
    /// As far as it goes.
    pub(super) text: String,
    /// Where it ends before its end: why.
    pub(super) cut: Option<String>,
}

/// Reads bytes as text.
///
/// # Errors
/// What it is instead of a text, and what to pipe it through.
pub(super) fn decode(bytes: &[u8]) -> Result<Decoded, String> {
    unpacked(bytes, LAYERS)
}

fn unpacked(bytes: &[u8], layers: usize) -> Result<Decoded, String> {
    if layers > 0 && bytes.starts_with(GZIP) {
        let mut out = Vec::new();
        let cut = match MultiGzDecoder::new(bytes).take(LONGEST).read_to_end(&mut out) {
            Err(error) if out.is_empty() => return Err(format!("the gzipped input cannot be unpacked: {error}")),
            Err(error) => Some(format!("the gzipped input breaks off: {error}")),
            Ok(read) if read as u64 == LONGEST => {
                Some(format!("only the first {} MB of it were unpacked", LONGEST / 1024 / 1024))
            }
            Ok(_) => None,
        };
        return unpacked(&out, layers - 1).map(|inner| Decoded { cut: cut.or(inner.cut), ..inner });
    }
    if let Some((_, what, by)) = PACKED.into_iter().find(|(magic, ..)| bytes.starts_with(magic)) {
        return Err(format!("it is {what}; pipe it through: {by} | reprofile replay -"));
    }
    let text = text(bytes);
    if text.chars().take(SAMPLE).any(|c| c == '\0') {
        return Err("it is no text".to_owned());
    }
    Ok(Decoded { text, cut: None })
}

/// By its byte-order mark, else by where its zero bytes are. What is no UTF-8 either was written by a Windows program.
fn text(bytes: &[u8]) -> String {
    let (encoding, bytes) = match Encoding::for_bom(bytes) {
        Some((encoding, mark)) => (Some(encoding), &bytes[mark..]),
        None => (utf_16(bytes), bytes),
    };
    match (encoding, std::str::from_utf8(bytes)) {
        (Some(encoding), _) => encoding.decode_without_bom_handling(bytes).0.into_owned(),
        (None, Ok(text)) => text.to_owned(),
        (None, Err(_)) => WINDOWS_1252.decode_without_bom_handling(bytes).0.into_owned(),
    }
}

/// JSON is mostly ASCII, and in UTF-16 every other byte of that is zero.
fn utf_16(bytes: &[u8]) -> Option<&'static Encoding> {
    let (pairs, _) = bytes[..bytes.len().min(SAMPLE)].as_chunks::<2>();
    let zeros = |at: usize| pairs.iter().filter(|pair| pair[at] == 0).count();
    let (first, second) = (zeros(0), zeros(1));
    match (first * 2 > pairs.len(), second * 2 > pairs.len()) {
        (false, true) if first == 0 => Some(UTF_16LE),
        (true, false) if second == 0 => Some(UTF_16BE),
        _ => None,
    }
}

/// Text out of base64, where that is what it is: gzipped, as CloudWatch Logs hands it on, or JSON as it is.
#[must_use]
pub(super) fn of_base64(text: &str) -> Option<Decoded> {
    const LENIENT: GeneralPurposeConfig =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    const ENGINE: GeneralPurpose = GeneralPurpose::new(&base64::alphabet::STANDARD, LENIENT);
    // The mark of gzip, and a brace, in base64.
    if !text.starts_with("H4sI") && !text.starts_with('e') && !text.starts_with('W') {
        return None;
    }
    let text: String = text.split_whitespace().collect();
    let bytes = ENGINE.decode(&text).ok().filter(|bytes| matches!(bytes.first(), Some(0x1f | b'{' | b'[')))?;
    decode(&bytes).ok()
}

#[cfg(test)]
mod tests;
