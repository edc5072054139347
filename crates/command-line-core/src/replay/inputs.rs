//! Which files are read: those named, all in the folders named, and stdin.
//!
//! Invariant: what is named and cannot be read is an error at once; what is found in a folder is named, and hinders
//! nothing else.

use std::ffi::OsStr;
use std::io::Read;
use std::path::{Path, PathBuf};

use walkdir::{DirEntry, WalkDir};

use crate::error::Error;

/// Where bytes come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Source {
    /// Stdin.
    Stdin,
    /// A file that was named.
    Named(PathBuf),
    /// A file in a folder that was named.
    Found(PathBuf),
}

impl Source {
    /// The name by which people know it.
    #[must_use]
    pub(super) fn name(&self) -> String {
        match self {
            Self::Stdin => "stdin".to_owned(),
            Self::Named(path) | Self::Found(path) => path.display().to_string(),
        }
    }

    /// All of it; for a file that was found in a folder and cannot be read, the text says why.
    ///
    /// # Errors
    /// What was named cannot be read.
    pub(super) fn read(&self) -> Result<Result<Vec<u8>, String>, Error> {
        let mut bytes = Vec::new();
        let read = match self {
            Self::Stdin => std::io::stdin().lock().read_to_end(&mut bytes).map(drop),
            Self::Named(path) | Self::Found(path) => std::fs::read(path).map(|read| bytes = read),
        };
        match (read, self) {
            (Ok(()), _) => Ok(Ok(bytes)),
            (Err(cause), Self::Found(_)) => Ok(Err(format!("it cannot be read: {cause}"))),
            (Err(cause), _) => Err(Error::Unreadable { what: self.name(), cause }),
        }
    }
}

/// The sources that are named; of a folder all files at any depth, by their path.
///
/// # Errors
/// A folder that cannot be read, or that has no file.
pub(super) fn sources(named: &[PathBuf]) -> Result<Vec<Source>, Error> {
    let mut sources = Vec::new();
    for path in named {
        if path.as_os_str() == "-" {
            sources.push(Source::Stdin);
        } else if path.is_dir() {
            in_folder(path, &mut sources)?;
        } else {
            sources.push(Source::Named(path.clone()));
        }
    }
    Ok(sources)
}

fn in_folder(folder: &Path, sources: &mut Vec<Source>) -> Result<(), Error> {
    let before = sources.len();
    let walk = WalkDir::new(folder).follow_links(true).sort_by_file_name();
    // What an operating system or an editor leaves beside the files of people begins with a dot.
    for entry in walk.into_iter().filter_entry(|entry| entry.depth() == 0 || !is_hidden(entry)) {
        let entry = entry.map_err(|error| {
            let what = error.path().unwrap_or(folder).display().to_string();
            Error::Unreadable { what, cause: error.into() }
        })?;
        if entry.file_type().is_file() {
            sources.push(Source::Found(entry.into_path()));
        }
    }
    if sources.len() == before {
        return Err(Error::Input(format!("there is no file in the folder {}", folder.display())));
    }
    Ok(())
}

fn is_hidden(entry: &DirEntry) -> bool {
    OsStr::to_str(entry.file_name()).is_some_and(|name| name.starts_with('.'))
}
