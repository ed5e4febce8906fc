//! Shows lines: for people with the origin in front, or one JSON object per line.

use super::{Line, Origin};
use anstyle::{AnsiColor, Style};
use anyhow::{Result, bail};
use serde::Serialize;
use std::{
    fmt,
    io::{IsTerminal as _, Write as _},
    str::FromStr,
};

/// The level of a log record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// The finest.
    Trace,
    /// For those who look for a bug.
    Debug,
    /// What a reader wants to follow.
    Info,
    /// Something was refused or is not as it should be.
    Warn,
    /// Something failed.
    Error,
}

impl Level {
    /// Reads a level's name.
    pub fn parse(name: &str) -> Option<Self> {
        Some(match name.to_ascii_lowercase().as_str() {
            "trace" => Self::Trace,
            "debug" => Self::Debug,
            "info" => Self::Info,
            "warn" => Self::Warn,
            "error" => Self::Error,
            _ => return None,
        })
    }

    /// Its name in small letters.
    pub fn name(self) -> &'static str {
        match self {
            Self::Trace => "trace",
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.name().to_ascii_uppercase())
    }
}

impl FromStr for Level {
    type Err = anyhow::Error;

    fn from_str(name: &str) -> Result<Self> {
        match Self::parse(name) {
            Some(level) => Ok(level),
            None => bail!("found level {name:?}, wanted trace, debug, info, warn or error"),
        }
    }
}

/// Where lines go and which.
#[derive(Clone, Copy, Debug)]
pub struct Printer {
    /// The lowest level of log records shown.
    pub level: Level,
    /// One JSON object per line.
    pub json: bool,
    /// Nothing is shown at all.
    pub quiet: bool,
}

impl Printer {
    /// Shows a line on standard output.
    pub fn print(self, line: &Line) {
        if self.quiet || line.is_noise() || line.level.is_some_and(|level| level < self.level) {
            return;
        }
        let mut out = std::io::stdout().lock();
        // A reader that went away (`| head`) must not stop a run.
        let _ = if self.json {
            writeln!(out, "{}", serde_json::to_string(line).unwrap_or_default())
        } else if out.is_terminal() && std::env::var_os("NO_COLOR").is_none() {
            writeln!(out, "{}", coloured(line))
        } else {
            writeln!(out, "{}", plain(line))
        };
    }
}

/// A line as it is shown and kept in log files, without colours.
pub fn plain(line: &Line) -> String {
    let level = line.level.map(Level::name).unwrap_or_default();
    format!(
        "{:7.3}  {:<8}{:<6}| {}",
        line.time,
        line.origin,
        level.to_ascii_uppercase(),
        line.text
    )
}

fn coloured(line: &Line) -> String {
    let origin = colour(match line.origin {
        Origin::TfA | Origin::Qemu => AnsiColor::BrightBlack,
        Origin::Spmc => AnsiColor::Blue,
        Origin::Proxy => AnsiColor::Magenta,
        Origin::Vm(_) | Origin::NsEl2 => AnsiColor::Green,
        Origin::Sp(_) => AnsiColor::Cyan,
    });
    let level = match line.level {
        Some(Level::Error) => colour(AnsiColor::Red),
        Some(Level::Warn) => colour(AnsiColor::Yellow),
        _ => Style::new().dimmed(),
    };
    let dim = Style::new().dimmed();
    format!(
        "{dim}{:7.3}{dim:#}  {origin}{:<8}{origin:#}{level}{:<6}{level:#}| {}",
        line.time,
        line.origin,
        line.level
            .map(|level| level.to_string())
            .unwrap_or_default(),
        line.text
    )
}

fn colour(colour: AnsiColor) -> Style {
    Style::new().fg_color(Some(colour.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_ordered_and_read_by_name() {
        assert!(Level::Trace < Level::Error);
        assert_eq!("WARN".parse::<Level>().unwrap(), Level::Warn);
        assert!("loud".parse::<Level>().is_err());
    }

    #[test]
    fn a_plain_line_shows_time_origin_level_text() {
        let line = Line {
            time: 12.3451,
            stream: None,
            origin: Origin::Spmc,
            level: Some(Level::Info),
            text: "hello".to_owned(),
        };
        assert_eq!(plain(&line), " 12.345  SPMC    INFO  | hello");
    }
}
