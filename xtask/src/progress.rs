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
