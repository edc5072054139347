//! Markup that is put together piece by piece.
//!
//! Invariant: what is not a piece of this program's text is escaped: [`Markup::raw`] takes nothing that is made at run time,
//! and there is no other way in.

use std::fmt::{Display, Write as _};

/// A piece of a page.
#[derive(Debug, Default)]
pub(super) struct Markup(String);

impl Markup {
    /// Adds markup of our own.
    pub(super) fn raw(&mut self, markup: &'static str) -> &mut Self {
        self.0.push_str(markup);
        self
    }

    /// Adds text, escaped for an element or a quoted attribute.
    /// <https://html.spec.whatwg.org/multipage/parsing.html#data-state>
    pub(super) fn text(&mut self, text: impl Display) -> &mut Self {
        let _ = write!(Escaped(&mut self.0), "{text}");
        self
    }

    /// Adds an element without attributes, with text in it.
    pub(super) fn element(&mut self, open: &'static str, text: impl Display, close: &'static str) -> &mut Self {
        self.raw(open).text(text).raw(close)
    }

    /// Adds another piece.
    pub(super) fn add(&mut self, piece: &Self) -> &mut Self {
        self.0.push_str(&piece.0);
        self
    }

    /// The whole.
    pub(super) fn into_string(self) -> String {
        self.0
    }
}

struct Escaped<'a>(&'a mut String);

impl std::fmt::Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        for c in text.chars() {
            match c {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                c => self.0.push(c),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_can_end_neither_an_element_nor_an_attribute() {
        let mut markup = Markup::default();
        markup.raw("<p title=\"").text("\"><script>'&").raw("\">").element("<b>", "</b>", "</b>");
        assert_eq!(markup.into_string(), "<p title=\"&quot;&gt;&lt;script&gt;&#39;&amp;\"><b>&lt;/b&gt;</b>");
    }
}
