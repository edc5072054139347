//! Pages of a list and the opaque tokens between them.
//!
//! Invariant: a token is valid only for the request that it was given for. Callers cannot rely on any order of rows. A
//! row that exists all the time is on exactly one page, whatever is created or deleted meanwhile.
//! <https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-pagination.html>: a page can hold fewer rows than asked
//! for, or none, and not be the last; tokens are not to be made up nor used with other parameters.

use std::collections::HashMap;

use reprofile_core::ports::Page;

/// The tokens that were given out.
#[derive(Default)]
pub(super) struct Pages {
    given: HashMap<String, Given>,
}

struct Given {
    request: String,
    after: String,
}

/// The refusal of a token that was not given out for this request.
#[derive(Debug)]
pub(super) struct UnknownToken;

/// FNV-1a, which scatters ids in the same way each time.
pub(super) fn scatter(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

impl Pages {
    /// The page for a token, out of rows with their ids.
    pub(super) fn page<T>(
        &mut self,
        request: &str,
        token: Option<&str>,
        rows: Vec<(String, T)>,
        size: usize,
        starts_empty: bool,
    ) -> Result<Page<T>, UnknownToken> {
        assert!(size > 0, "a page has room for a row");
        let after = match token {
            None if starts_empty => {
                return Ok(Page { items: Vec::new(), next: Some(self.give(request, String::new())) });
            }
            None => String::new(),
            Some(token) => match self.given.get(token) {
                Some(given) if given.request == request => given.after.clone(),
                _ => return Err(UnknownToken),
            },
        };
        let mut rows: Vec<(String, T)> =
            rows.into_iter().map(|(id, row)| (format!("{:016x} {id}", scatter(&id)), row)).collect();
        rows.retain(|(key, _)| *key > after);
        rows.sort_by(|(a, _), (b, _)| a.cmp(b));
        let is_last = rows.len() <= size;
        rows.truncate(size);
        let next = (!is_last).then(|| self.give(request, rows.last().unwrap().0.clone()));
        Ok(Page { items: rows.into_iter().map(|(_, row)| row).collect(), next })
    }

    fn give(&mut self, request: &str, after: String) -> String {
        let token = format!("eyJ2IjoxLCJ{:016x}{:016x}", scatter(request), scatter(&after));
        self.given.insert(token.clone(), Given { request: request.to_owned(), after });
        token
    }
}
