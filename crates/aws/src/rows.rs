//! Converts the rows of AWS's answers into the core's checked types.
//!
//! Invariant: a row that the types refuse is left out of its page and logged. It never fails the page, and never
//! becomes a malformed value.

use reprofile_core::domain::aws_error::AwsError;
use reprofile_core::domain::names::Malformed;

/// Why a row of an answer cannot be converted.
#[derive(Debug, PartialEq, thiserror::Error)]
pub enum OddRow {
    /// The row lacks a field that AWS documents as always present.
    #[error("it has no {0}")]
    Missing(&'static str),
    /// The row has a malformed name, id or ARN.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// The stored document does not have the shape that it names.
    #[error("its document is damaged: {0}")]
    Document(String),
    /// A later version wrote the stored document.
    #[error("a newer Reprofile wrote it, in shape {shape}, and this one knows {known} at most: deploy the newer one")]
    Newer {
        /// The shape of the stored document.
        shape: u32,
        /// The last shape that this version knows.
        known: u16,
    },
}

impl OddRow {
    /// The error of a call whose whole answer is this row. The state of the resource is unknown then; it may exist.
    #[must_use]
    pub fn into_error(self, operation: &'static str) -> AwsError {
        AwsError::new(operation, "MalformedAnswer", &format!("the answer can't be read: {self}"))
    }
}

/// The value of a field that should always be present.
///
/// # Errors
/// [`OddRow::Missing`], where the field is absent.
pub fn need<T>(field: &'static str, value: Option<T>) -> Result<T, OddRow> {
    value.ok_or(OddRow::Missing(field))
}

/// Converts all rows that can be converted, and logs the others. `which` names a row in the log.
pub fn readable<R, T>(
    operation: &'static str,
    rows: &[R],
    which: impl Fn(&R) -> Option<&str>,
    read: impl Fn(&R) -> Result<T, OddRow>,
) -> Vec<T> {
    rows.iter()
        .filter_map(|row| {
            read(row)
                .inspect_err(|odd| {
                    tracing::warn!(
                        aws.operation = operation,
                        aws.row = which(row).unwrap_or("without an id"),
                        error = %odd,
                        "A row of an AWS answer can't be read and is left out."
                    );
                })
                .ok()
        })
        .collect()
}

/// The token of the next page. On the last page AWS sends none, or an empty one.
pub fn next_page(token: Option<&str>) -> Option<String> {
    token.filter(|token| !token.is_empty()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use insta::assert_snapshot;

    use super::*;
    use reprofile_core::domain::names::InstanceId;

    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Log {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn the_log_names_the_row_that_is_left_out_and_says_why() {
        let log = Log::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .without_time()
            .with_target(false)
            .with_writer(move || writer.clone())
            .finish();
        let kept = tracing::subscriber::with_default(subscriber, || {
            readable(
                "ec2:DescribeInstances",
                &[Some("i-0a1b2c3d4e5f60718"), Some("mi-1"), None],
                |row| *row,
                |row| Ok(InstanceId::new(need("instanceId", *row)?)?),
            )
        });
        assert_eq!(kept, [InstanceId::new("i-0a1b2c3d4e5f60718").unwrap()]);
        assert_snapshot!(String::from_utf8(log.0.lock().unwrap().clone()).unwrap(), @r#"
        WARN A row of an AWS answer can't be read and is left out. aws.operation="ec2:DescribeInstances" aws.row="mi-1" error="mi-1" is no instance id: an instance id looks like i-0123456789abcdef0
        WARN A row of an AWS answer can't be read and is left out. aws.operation="ec2:DescribeInstances" aws.row="without an id" error=it has no instanceId
        "#);
    }

    #[test]
    fn an_empty_token_is_no_next_page() {
        assert_eq!(next_page(Some("")), None);
        assert_eq!(next_page(None), None);
        assert_eq!(next_page(Some("x")), Some("x".to_owned()));
    }
}
