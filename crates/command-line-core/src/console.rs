//! Where a command writes: results to stdout, all else to stderr; with colour and a width where those are terminals.
//!
//! Invariant: who reads stdout and stops reading ends nothing: a broken pipe is quiet, and the exit code is the one that
//! the command came to.

use std::io::{self, ErrorKind, IsTerminal, Write};

use textwrap::{WordSeparator, WordSplitter};

use crate::error::Error;

/// A space at which no line ends.
const UNBROKEN: &str = "\u{a0}";

/// What a stream shows: colours, and a width.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Terminal {
    /// With colours and bold.
    pub color: bool,
    /// Columns to stay within; `None`: as wide as it gets, for a file or another program.
    pub width: Option<u16>,
}

/// A colour or weight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TermStyle {
    /// What stands out.
    Bold,
    /// What stands back.
    Dim,
    /// Broken.
    Red,
    /// Well.
    Green,
    /// Waits, or is not known.
    Yellow,
}

impl Terminal {
    /// The text in that style, where there are colours.
    #[must_use]
    pub fn paint(self, style: TermStyle, text: &str) -> String {
        if !self.color || text.is_empty() {
            return text.to_owned();
        }
        let code = match style {
            TermStyle::Bold => "1",
            TermStyle::Dim => "2",
            TermStyle::Red => "31",
            TermStyle::Green => "32",
            TermStyle::Yellow => "33",
        };
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }
}

impl Terminal {
    /// The text in lines that fit, broken between words, all but the first indented. To be painted afterwards. A command
    /// between backticks stays in one piece: it is there to be pasted.
    #[must_use]
    pub fn wrap(self, indent: usize, text: &str) -> String {
        let Some(width) = self.width else { return text.to_owned() };
        let indent = " ".repeat(indent);
        let options = textwrap::Options::new(width.into())
            .subsequent_indent(&indent)
            .break_words(false)
            .word_separator(WordSeparator::AsciiSpace)
            .word_splitter(WordSplitter::NoHyphenation);
        let pieces = text.split('`').enumerate();
        let whole = pieces.map(|(n, piece)| if n % 2 == 1 { piece.replace(' ', UNBROKEN) } else { piece.to_owned() });
        textwrap::fill(&whole.collect::<Vec<_>>().join("`"), options).replace(UNBROKEN, " ")
    }
}

/// The process's three streams.
#[derive(Debug, Clone, Copy)]
pub struct Console {
    /// What stdout shows.
    pub stdout: Terminal,
    /// What stderr shows.
    pub stderr: Terminal,
    /// Whether progress is shown: stderr is a terminal.
    pub is_watched: bool,
    /// Whether somebody can be asked: stdin and stderr are terminals.
    pub can_ask: bool,
}

impl Console {
    /// The console of this process; `no_color` where the environment asks for none.
    #[must_use]
    pub fn of_process(no_color: bool) -> Self {
        let terminal = |is_terminal: bool, width: Option<(terminal_size::Width, terminal_size::Height)>| Terminal {
            color: is_terminal && !no_color,
            width: is_terminal.then(|| width.map_or(100, |(width, _)| width.0.max(40))),
        };
        let (stdout, stderr) = (io::stdout().is_terminal(), io::stderr().is_terminal());
        Self {
            stdout: terminal(stdout, terminal_size::terminal_size_of(io::stdout())),
            stderr: terminal(stderr, terminal_size::terminal_size_of(io::stderr())),
            is_watched: stderr,
            can_ask: io::stdin().is_terminal() && stderr,
        }
    }

    /// Prints a result; a line break is added where there is none.
    ///
    /// # Errors
    /// Where it cannot be written, but for a reader that has gone.
    pub fn print(&self, result: &str) -> Result<(), Error> {
        let mut stdout = io::stdout().lock();
        let end = if result.ends_with('\n') { "" } else { "\n" };
        match write!(stdout, "{result}{end}").and_then(|()| stdout.flush()) {
            Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(Error::Unwritten(error)),
            _ => Ok(()),
        }
    }

    /// Says something that is no result, on stderr. That it can't be read is no reason to fail.
    pub fn note(&self, text: &str) {
        let _ = writeln!(io::stderr().lock(), "{text}");
    }

    /// Says what can be done about something, on stderr.
    pub fn advise(&self, advice: &str) {
        self.note(&format!("{} {advice}", self.stderr.paint(TermStyle::Bold, "what to do:")));
    }

    /// Asks on the terminal; `true` only for `yes`, spelled out.
    ///
    /// # Errors
    /// Where the terminal cannot be read.
    pub fn ask(&self, question: &str) -> Result<bool, Error> {
        let mut stderr = io::stderr().lock();
        let _ = write!(stderr, "{question} ").and_then(|()| stderr.flush());
        let mut answer = String::new();
        io::stdin()
            .read_line(&mut answer)
            .map_err(|cause| Error::Unreadable { what: "the answer".to_owned(), cause })?;
        Ok(answer.trim().eq_ignore_ascii_case("yes"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_between_words_where_there_is_a_width() {
        let text = "    stale: the instance profile was deleted";
        assert_eq!(Terminal::default().wrap(4, text), text);
        let narrow = Terminal { color: false, width: Some(24) };
        assert_eq!(narrow.wrap(4, text), "    stale: the instance\n    profile was deleted");
        assert_eq!(
            narrow.wrap(0, "now run `reprofile heal 'web-*'` at once"),
            "now run\n`reprofile heal 'web-*'`\nat once"
        );
        assert_eq!(narrow.wrap(0, "a-word-that-is-longer-than-the-line b"), "a-word-that-is-longer-than-the-line\nb");
    }

    #[test]
    fn there_is_no_escape_without_colours() {
        assert_eq!(Terminal::default().paint(TermStyle::Red, "broken"), "broken");
        let coloured = Terminal { color: true, width: None };
        assert_eq!(coloured.paint(TermStyle::Red, "broken"), "\u{1b}[31mbroken\u{1b}[0m");
        assert_eq!(coloured.paint(TermStyle::Red, ""), "");
    }
}
