//! What a person sees: lines, tables, and a bar for long work that is quiet in a pipe.

use indicatif::{ProgressBar, ProgressStyle};
use std::fmt::Display;
use std::io::{self, IsTerminal, Write};
use std::sync::{Arc, OnceLock};

/// Standard output and standard error, and whether people read them.
#[derive(Debug, Clone)]
pub struct Console {
    /// Whether standard error is a terminal: bars and hints go there.
    attended: bool,
    /// Why data did not reach standard output: a program that reads it must not take what came for the whole.
    lost: Arc<OnceLock<String>>,
}

impl Console {
    /// The process's own.
    pub fn new() -> Self {
        Self {
            attended: io::stderr().is_terminal(),
            lost: Arc::default(),
        }
    }

    /// A line of data to standard output. One that cannot be written does not end the work, because that would leave
    /// behind what others clean up; [`Console::lost`] tells it at the end.
    pub fn say(&self, line: impl Display) {
        match writeln!(io::stdout().lock(), "{line}") {
            Ok(()) => {}
            // Whoever closed the pipe has read enough.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
            // Only the first is kept: the others follow from it.
            Err(error) => drop(self.lost.set(unwritten(&error))),
        }
    }

    /// A line about the work to standard error. Where nobody can be told, nothing is left to do.
    pub fn note(&self, line: impl Display) {
        drop(writeln!(io::stderr().lock(), "{line}"));
    }

    /// Why data did not reach standard output, if it did not.
    pub fn lost(&self) -> Option<&str> {
        self.lost.get().map(String::as_str)
    }

    /// Why it failed, with its causes.
    pub fn error(&self, failure: &crate::cli::Failure) {
        let mut text = format!("error: {failure}");
        let mut cause = failure.source();
        while let Some(inner) = cause {
            let inner_text = inner.to_string();
            if !text.contains(&inner_text) {
                text.push_str(": ");
                text.push_str(&inner_text);
            }
            cause = inner.source();
        }
        self.note(text);
    }

    /// A progress bar over `total` bytes; draws nothing unless standard error is a terminal.
    pub fn bar(&self, total: u64, what: &str) -> ProgressBar {
        if !self.attended {
            return ProgressBar::hidden();
        }
        let bar = ProgressBar::new(total);
        if let Ok(style) =
            ProgressStyle::with_template("{msg} {wide_bar} {bytes}/{total_bytes} {eta}")
        {
            bar.set_style(style);
        }
        bar.set_message(what.to_owned());
        bar
    }

    /// As [`Console::bar`], over `total` things.
    pub fn count(&self, total: usize, what: &str) -> ProgressBar {
        let bar = self.bar(u64::try_from(total).unwrap_or(u64::MAX), what);
        if let Ok(style) = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len} {eta}") {
            bar.set_style(style);
        }
        bar
    }

    /// Something that turns while work goes on whose length nobody knows; clear it at the end.
    pub fn spinner(&self, what: &str) -> ProgressBar {
        if !self.attended {
            return ProgressBar::hidden();
        }
        let spinner = ProgressBar::new_spinner();
        spinner.set_message(what.to_owned());
        spinner.enable_steady_tick(std::time::Duration::from_millis(120));
        spinner
    }

    /// A table with a head to standard output. Cells are cut at 60 characters.
    pub fn table(&self, head: &[&str], rows: &[Vec<String>]) {
        for line in table(head, rows) {
            self.say(line);
        }
    }
}

impl Default for Console {
    fn default() -> Self {
        Self::new()
    }
}

/// Standard output for serializers, whose failures say where they happened.
#[derive(Debug)]
pub(crate) struct Output(io::Stdout);

impl Output {
    pub(crate) fn new() -> Self {
        Self(io::stdout())
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes).map_err(placed)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush().map_err(placed)
    }
}

fn placed(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::Interrupted => error,
        kind => io::Error::new(kind, unwritten(&error)),
    }
}

fn unwritten(error: &io::Error) -> String {
    format!("cannot write to standard output: {error}")
}

/// The lines of a table: head, rule, rows.
pub(crate) fn table(head: &[&str], rows: &[Vec<String>]) -> Vec<String> {
    const WIDEST: usize = 60;
    let cut = |cell: &str| -> String {
        if cell.chars().count() > WIDEST {
            cell.chars().take(WIDEST - 1).chain(['…']).collect()
        } else {
            cell.to_owned()
        }
    };
    let rows: Vec<Vec<String>> = rows
        .iter()
        .map(|row| row.iter().map(|cell| cut(cell)).collect())
        .collect();
    let widths: Vec<usize> = head
        .iter()
        .enumerate()
        .map(|(column, name)| {
            rows.iter()
                .filter_map(|row| row.get(column))
                .map(|cell| cell.chars().count())
                .chain([name.chars().count()])
                .max()
                .unwrap_or(0)
        })
        .collect();
    let line = |cells: Vec<&str>| -> String {
        let padded: Vec<String> = cells
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        padded.join("  ").trim_end().to_owned()
    };
    let rule = widths.iter().map(|w| "-".repeat(*w)).collect::<Vec<_>>();
    let mut lines = vec![line(head.to_vec()), rule.join("  ")];
    lines.extend(
        rows.iter()
            .map(|row| line(row.iter().map(String::as_str).collect())),
    );
    lines
}

#[cfg(test)]
mod tests {
    use super::table;

    #[test]
    fn columns_line_up_and_long_cells_are_cut() {
        let long = "x".repeat(100);
        let lines = table(
            &["a", "name"],
            &[vec!["1".into(), "é".into()], vec![long, "b".into()]],
        );
        assert!(lines[0].starts_with("a "));
        let column = lines[0].find("name").unwrap();
        assert_eq!(lines[2].chars().nth(column), Some('é'));
        assert!(lines[3].contains('…'));
    }
}
