//! The page that `scan --html` writes: one file, for a browser, without anything from elsewhere.
