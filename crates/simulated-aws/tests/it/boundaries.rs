//! What may be named where: the architecture's absences that the compiler cannot hold, held by reading the sources.

use std::collections::{BTreeMap, BTreeSet};
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

/// The source files of these folders, by their path in the workspace.
fn files(folders: &[&str]) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for folder in folders {
        sources(&Path::new(crate::root()).join(folder), &mut found);
    }
    let name = |path: &PathBuf| path.strip_prefix(crate::root()).unwrap().display().to_string();
    let files: Vec<_> = found.iter().map(|path| (name(path), fs::read_to_string(path).unwrap())).collect();
    assert!(files.len() > 5, "{folders:?}");
    files
}

fn is_test(name: &str) -> bool {
    name.contains("/tests")
}

#[test]
fn every_file_says_its_job_first() {
    let all = files(&["src", "crates"]);
    let silent: Vec<_> = all.iter().filter(|(_, text)| !text.starts_with("//!")).map(|(name, _)| name).collect();
    assert!(silent.is_empty(), "{silent:?}");
}

#[test]
fn domain_and_decide_are_pure() {
    let pure = files(&["crates/core/src/domain", "crates/core/src/decide", "crates/core/src/alert"]);
    for (name, text) in pure.iter().filter(|(name, _)| !is_test(name)) {
        for impure in
            ["async ", ".await", "tokio", "ports::Account", "ports::Iam", "ports::Ec2", "tracing::", "reconcile"]
        {
            assert!(!text.contains(impure), "{name} has {impure:?}");
        }
    }
}

/// The modules that a file imports, by their paths from the crate's root.
fn imports(module: &str, text: &str, modules: &BTreeSet<String>) -> BTreeSet<String> {
    let code: String =
        text.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join(" ");
    let code = code.split("#[cfg(test)] mod tests {").next().unwrap_or_default().to_owned();
    let mut named = BTreeSet::new();
    for (at, _) in code.match_indices("crate::").chain(code.match_indices("super::")) {
        let is_word = code[..at]
            .chars()
            .next_back()
            .is_some_and(|before| before.is_alphanumeric() || before == '_' || before == ':');
        if !is_word {
            flatten("", &code[at..], &mut named);
        }
    }
    let resolve = |path: &String| {
        let mut parts: Vec<&str> = path.split("::").collect();
        let mut base: Vec<&str> = if parts[0] == "crate" { Vec::new() } else { module.split("::").collect() };
        while let Some(first @ ("crate" | "super")) = parts.first().copied() {
            if first == "super" {
                base.pop();
            }
            parts.remove(0);
        }
        base.extend(parts);
        (1..=base.len()).rev().map(|length| base[..length].join("::")).find(|path| modules.contains(path))
    };
    named.iter().filter_map(resolve).filter(|path| path != module).collect()
}

/// Takes one path, or a tree of them in braces, apart.
fn flatten(prefix: &str, code: &str, found: &mut BTreeSet<String>) {
    let end = code.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':')).unwrap_or(code.len());
    let path = format!("{prefix}{}", &code[..end]);
    if !code[end..].starts_with('{') {
        found.insert(path.trim_end_matches(':').to_owned());
        return;
    }
    let (mut depth, mut start) = (0, end + 1);
    for (at, c) in code[end..].char_indices() {
        let at = end + at;
        match c {
            '{' => depth += 1,
            ',' | '}' if depth == 1 => {
                flatten(&path, code[start..at].trim(), found);
                start = at + 1;
                if c == '}' {
                    return;
                }
            }
            '}' => depth -= 1,
            _ => {}
        }
    }
}

#[test]
fn no_two_modules_import_each_other_in_a_circle() {
    for root in ["crates/core/src/", "crates/command-line-core/src/"] {
        let module = |name: &str| {
            let path = name.strip_prefix(root)?.strip_suffix(".rs")?.replace('/', "::");
            (!is_test(name) && path != "lib").then_some(path)
        };
        let all = files(&[root]);
        let modules: BTreeSet<String> = all.iter().filter_map(|(name, _)| module(name)).collect();
        let mut graph: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (name, text) in &all {
            if let Some(module) = module(name) {
                graph.insert(module.clone(), imports(&module, text, &modules));
            }
        }
        assert!(graph.values().map(BTreeSet::len).sum::<usize>() > 50, "{root}: hardly any import was read");
        // Takes away what imports nothing that is left: what remains is in a circle, or leads into one.
        loop {
            let free: Vec<String> = graph
                .iter()
                .filter(|(_, imports)| imports.iter().all(|import| !graph.contains_key(import)))
                .map(|(module, _)| module.clone())
                .collect();
            if free.is_empty() {
                break;
            }
            graph.retain(|module, _| !free.contains(module));
        }
        assert!(graph.is_empty(), "{root}: in a circle, or importing one: {:?}", graph.keys().collect::<Vec<_>>());
    }
}

#[test]
fn no_public_type_of_the_core_has_the_name_of_another() {
    let mut seen: BTreeMap<String, String> = BTreeMap::new();
    for (file, text) in files(&["crates/core/src"]) {
        for line in text.lines() {
            let of = |kind: &str| line.strip_prefix("pub ").and_then(|rest| rest.strip_prefix(kind));
            let Some(rest) = ["struct ", "enum ", "trait ", "type "].iter().find_map(|kind| of(kind)) else { continue };
            let name: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            if let Some(other) = seen.insert(name.clone(), file.clone()) {
                panic!("{name} is in {other} and in {file}");
            }
        }
    }
    assert!(seen.len() > 100, "{}", seen.len());
}

#[test]
fn an_enum_with_words_of_serde_and_strum_is_in_the_test_that_compares_them() {
    let compared = fs::read_to_string(Path::new(crate::root()).join("crates/core/src/tests.rs")).unwrap();
    let mut seen = 0;
    for (file, text) in files(&["crates/core/src"]) {
        for (at, keyword) in text.match_indices("\npub enum ") {
            let attributes = text[..at].rsplit("\n\n").next().unwrap_or_default();
            let name = text[at + keyword.len()..].split([' ', '<']).next().unwrap_or_default();
            if attributes.contains("strum::") && attributes.contains("Serialize") {
                assert!(compared.contains(&format!("words::<{name}>()")), "{file}: {name}");
                seen += 1;
            }
        }
    }
    assert!(seen > 5, "{seen}");
}

#[test]
fn names_of_tests_have_at_most_80_characters() {
    for (file, text) in files(&["crates", "src"]) {
        let mut is_next = false;
        for line in text.lines().map(str::trim_start) {
            if line.starts_with("#[test]") || line.starts_with("#[tokio::test") {
                is_next = true;
            } else if is_next && let Some((_, rest)) = line.split_once("fn ") {
                let name: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                assert!(name.len() <= 80, "{file}: {name}");
                is_next = false;
            }
        }
    }
}
