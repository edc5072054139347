//! Rows of AWS's answers into our checked types.
//!
//! Invariant: a row that our types refuse is left out of a page and named in the log; it never fails the page, and never
//! becomes a value that is not well-formed.

use reprofile_core::domain::aws_error::AwsError;
use reprofile_core::domain::names::Malformed;

/// Why a row of an answer can't be read.
#[derive(Debug, PartialEq, thiserror::Error)]
pub enum OddRow {
    /// AWS's page says that the field is always there.
    #[error("it has no {0}")]
    Missing(&'static str),
    /// A name, id or ARN that is not well-formed.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// A stored document that is not of the shape that it says.
    #[error("its document is damaged: {0}")]
    Document(String),
    /// A stored document that a later version wrote.
    #[error("a newer Reprofile wrote it, in shape {shape}, and this one knows {known} at most: deploy the newer one")]
    Newer {
        /// The shape that it was written in.
        shape: u32,
        /// The last that this version knows.
        known: u16,
    },
}

impl OddRow {
    /// The error of a call whose whole answer is this one row: the state is unknown then, never "nothing there".
    #[must_use]
    pub fn into_error(self, operation: &'static str) -> AwsError {
        AwsError::new(operation, "MalformedAnswer", &format!("the answer can't be read: {self}"))
    }
}

/// What should always be there.
///
/// # Errors
/// It is not there.
pub fn need<T>(field: &'static str, value: Option<T>) -> Result<T, OddRow> {
    value.ok_or(OddRow::Missing(field))
}

/// The rows that can be read; the others are logged by what `which` calls them.
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
                        "left out a row of an AWS answer that can't be read"
                    );
                })
                .ok()
        })
        .collect()
}

/// The token of the page after this one; AWS spells "there is none" as absent or as empty.
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
        WARN left out a row of an AWS answer that can't be read aws.operation="ec2:DescribeInstances" aws.row="mi-1" error="mi-1" is no instance id: an instance id looks like i-0123456789abcdef0
        WARN left out a row of an AWS answer that can't be read aws.operation="ec2:DescribeInstances" aws.row="without an id" error=it has no instanceId
        "#);
    }

    #[test]
    fn an_empty_token_is_no_next_page() {
        assert_eq!(next_page(Some("")), None);
        assert_eq!(next_page(None), None);
        assert_eq!(next_page(Some("x")), Some("x".to_owned()));
    }
}
