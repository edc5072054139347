//! What may be named where: the architecture's absences, held by reading the sources.

use std::fs;
use std::path::{Path, PathBuf};

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|end| end == "rs") {
            found.push(path);
        }
    }
}

/// The source files that have `text` in them, by their path in `src`.
fn with(text: &str) -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    assert!(files.len() > 50, "{files:?}");
    let has_it = |file: &&PathBuf| fs::read_to_string(file).unwrap().contains(text);
    files.iter().filter(has_it).map(|file| file.strip_prefix(&root).unwrap().display().to_string()).collect()
}

#[test]
fn only_the_adapters_name_the_sdk() {
    let named = with("aws_sdk_");
    assert!(named.contains(&"aws/ec2.rs".to_owned()), "{named:?}");
    let outside: Vec<_> = named.iter().filter(|file| !file.starts_with("aws/")).collect();
    assert!(outside.is_empty(), "{outside:?}");
}

#[test]
fn the_function_does_not_reach_into_the_command_line() {
    let using = with("crate::cli");
    let outside: Vec<_> = using.iter().filter(|file| !file.starts_with("cli")).collect();
    assert!(outside.is_empty(), "{outside:?}");
    let bootstrap = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/bin/bootstrap.rs")).unwrap();
    assert!(!bootstrap.contains("reprofile::cli"), "bootstrap.rs");
}

#[test]
fn every_file_says_its_job_first() {
    let all = with("");
    let silent: Vec<_> = all
        .iter()
        .filter(|file| {
            let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(file)).unwrap();
            !text.starts_with("//!")
        })
        .collect();
    assert!(silent.is_empty(), "{silent:?}");
}
