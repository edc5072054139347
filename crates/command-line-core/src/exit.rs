//! The exit codes, which scripts depend on.
//!
//! Invariant: 0 means that everything was read.

/// How the process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Nothing is wrong, or all of it was done.
    Fine,
    /// Something could not be done, or not be seen.
    Error,
    /// Something is broken, or waits to be done.
    Broken,
}

impl Exit {
    /// The code.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Fine => 0,
            Self::Error => 1,
            Self::Broken => 2,
        }
    }
}
