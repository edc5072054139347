//! Packings and encodings, whole and cut.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::*;

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

#[expect(clippy::unnecessary_wraps, reason = "it is compared with a Result")]
fn whole(text: &str) -> Result<Decoded, String> {
    Ok(Decoded { text: text.to_owned(), cut: None })
}

#[test]
fn gzip_in_several_members_or_twice_is_one_text() {
    assert_eq!(decode(&gzip("ab")), whole("ab"));
    assert_eq!(decode(&[gzip("ab"), gzip("cd")].concat()), whole("abcd"));
    let mut twice = GzEncoder::new(Vec::new(), Compression::default());
    twice.write_all(&gzip("ab")).unwrap();
    assert_eq!(decode(&twice.finish().unwrap()), whole("ab"));
}

#[test]
fn gzip_that_breaks_off_is_read_as_far_as_it_goes_and_said() {
    let text: String = (0..20_000).map(|number: u32| number.to_string()).collect();
    let packed = gzip(&text);
    let Decoded { text: read, cut } = decode(&packed[..packed.len() / 2]).unwrap();
    assert!(!read.is_empty() && text.starts_with(&read));
    assert!(cut.unwrap().contains("breaks off"));
    assert!(decode(&packed[..12]).unwrap_err().contains("cannot be unpacked"));
}

#[test]
fn what_windows_writes_is_text() {
    let utf_16: Vec<u8> = "{\"ü\": 1}".encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!(decode(&[&b"\xff\xfe"[..], &utf_16].concat()), whole("{\"ü\": 1}"));
    assert_eq!(decode(&utf_16), whole("{\"ü\": 1}"));
    let swapped: Vec<u8> = utf_16.chunks(2).flat_map(|pair| [pair[1], pair[0]]).collect();
    assert_eq!(decode(&swapped), whole("{\"ü\": 1}"));
    assert_eq!(decode(b"\xef\xbb\xbf{}"), whole("{}"));
    assert_eq!(decode(b"{\"\xfc\": 1}"), whole("{\"ü\": 1}"));
}

#[test]
fn what_is_packed_otherwise_is_named_with_what_unpacks_it() {
    assert_eq!(
        decode(b"PK\x03\x04rest").unwrap_err(),
        "it is a zip archive; pipe it through: unzip -p FILE | reprofile replay -"
    );
    assert!(decode(b"\x28\xb5\x2f\xfdrest").unwrap_err().contains("zstdcat"));
    assert_eq!(decode(b"\x7fELF\0\0\0\x01").unwrap_err(), "it is no text");
}

#[test]
fn base64_counts_only_where_json_or_gzip_is_in_it() {
    let engine = base64::engine::general_purpose::STANDARD;
    assert_eq!(of_base64(&engine.encode(gzip("{}"))).unwrap().text, "{}");
    assert_eq!(of_base64(&engine.encode("{\"a\":1}")).unwrap().text, "{\"a\":1}");
    assert_eq!(of_base64(engine.encode("{\"a\": 1}").trim_end_matches('=')).unwrap().text, "{\"a\": 1}");
    for text in ["", "e", "eventName", "H4sI", "Where is it", "Wabc"] {
        assert_eq!(of_base64(text), None, "{text}");
    }
}
