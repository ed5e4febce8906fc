//! Progress of long steps on standard error: a spinner with the time on a terminal, else plain
//! lines.

use indicatif::{ProgressBar, ProgressStyle};
use std::{
    io::IsTerminal as _,
    time::{Duration, Instant},
};

/// A step under way. Dropping it without [`Step::done`] means that it failed.
pub struct Step {
    name: String,
    start: Instant,
    bar: Option<ProgressBar>,
    /// The tens of percent that were shown.
    tens: u64,
}

impl Step {
    /// Shows that a step has begun.
    pub fn start(name: impl Into<String>) -> Self {
        let name = name.into();
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new_spinner().with_message(name.clone());
            if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} ({elapsed})") {
                bar.set_style(style);
            }
            bar.enable_steady_tick(Duration::from_millis(100));
            bar
        });
        if bar.is_none() {
            eprintln!("{name} …");
        }
        Self {
            name,
            start: Instant::now(),
            bar,
            tens: 0,
        }
    }

    /// Shows how far it is: always on a terminal, else in a line for each ten percent.
    pub fn percent(&mut self, percent: u64) {
        if let Some(bar) = &self.bar {
            bar.set_message(format!("{}: {percent} %", self.name));
        } else if percent / 10 > self.tens {
            self.tens = percent / 10;
            eprintln!("{}: {percent} %", self.name);
        }
    }

    /// Shows that it is done.
    pub fn done(mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
        eprintln!(
            "{}: done in {} s",
            self.name,
            self.start.elapsed().as_secs()
        );
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}
