//! What clients report on their console, one line each: cases, rows of the conversation, benches.
//!
//! * `@boot …`: the first line a client prints
//! * `@case <name> pass|fail <detail…>`: a test case
//! * `@msg from=… to=… call=… answer=… trips=… <detail…> ok|bad`: a row of the conversation
//! * `@bench <name> <iterations>`: before each counted window
//! * `@panic …`, `@exception …`: the client died
//! * `@end <count> <failures>`: the last line, over all cases, rows and benches

use crate::console::Line;
use serde::Serialize;

/// A test case and how it went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Case {
    /// Its name.
    pub name: String,
    /// Whether it passed.
    pub passed: bool,
    /// What it saw.
    pub detail: String,
}

/// A row of the conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Message {
    /// Who sent.
    pub from: String,
    /// To whom.
    pub to: String,
    /// By which call.
    pub call: String,
    /// What came back.
    pub answer: String,
    /// How many round trips.
    pub round_trips: u64,
    /// What was seen.
    pub detail: String,
    /// Whether that is what the client wants.
    pub passed: bool,
}

/// A bench that a client announces.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Bench {
    /// Its name.
    pub name: String,
    /// How often its window repeats the round trip.
    pub iterations: u64,
}

/// What a client has reported so far.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Results {
    /// The cases.
    pub cases: Vec<Case>,
    /// The counts of `@end`: all, failures.
    pub end: Option<(u64, u64)>,
    /// The rows of the conversation.
    pub messages: Vec<Message>,
    /// The benches.
    pub benches: Vec<Bench>,
    /// Seconds from power-on to the client's first line.
    pub boot: Option<f64>,
    /// What was wrong with the reports themselves.
    pub problems: Vec<String>,
}

impl Results {
    /// Takes a line's report, if it has one. Says whether it had.
    pub fn feed(&mut self, line: &Line) -> bool {
        let text = line.text.trim();
        let Some((kind, rest)) = text
            .strip_prefix('@')
            .map(|text| text.split_once(' ').unwrap_or((text, "")))
        else {
            return false;
        };
        let understood = match kind {
            "case" => parse_case(rest).map(|case| self.cases.push(case)),
            "msg" => parse_message(rest).map(|message| self.messages.push(message)),
            "bench" => parse_bench(rest).map(|bench| self.benches.push(bench)),
            "end" => parse_end(rest).map(|end| self.set_end(end)),
            "panic" | "exception" => {
                self.problems.push(format!("the client died: {text}"));
                Some(())
            }
            "boot" => {
                self.boot.get_or_insert(line.time);
                Some(())
            }
            _ => return false,
        };
        if understood.is_none() {
            self.problems
                .push(format!("a report cannot be read: {text:?}"));
        }
        true
    }

    fn set_end(&mut self, end: (u64, u64)) {
        if self.end.is_some() {
            self.problems
                .push("a second @end came: the suite ran twice".to_owned());
        }
        self.end = Some(end);
    }

    /// How many cases passed and failed.
    pub fn counts(&self) -> (u64, u64) {
        let passed = self.cases.iter().filter(|case| case.passed).count() as u64;
        (passed, self.cases.len() as u64 - passed)
    }

    /// What is wrong with the reports as a whole, for a suite that must end with `@end`.
    pub fn check_end(&self) -> Vec<String> {
        let mut problems = self.problems.clone();
        match self.end {
            None => problems.push("the suite printed no @end".to_owned()),
            Some((all, failures)) => {
                let seen = (
                    self.cases.len() + self.messages.len() + self.benches.len(),
                    self.cases.iter().filter(|case| !case.passed).count()
                        + self.messages.iter().filter(|row| !row.passed).count(),
                );
                if (all, failures) != (seen.0 as u64, seen.1 as u64) {
                    problems.push(format!(
                        "@end counts {failures} failures of {all}, but {} of {} were seen",
                        seen.1, seen.0
                    ));
                }
            }
        }
        problems
    }
}

fn parse_case(text: &str) -> Option<Case> {
    let (name, rest) = text.split_once(' ')?;
    let (verdict, detail) = rest.split_once(' ').unwrap_or((rest, ""));
    let passed = match verdict {
        "pass" => true,
        "fail" => false,
        _ => return None,
    };
    Some(Case {
        name: name.to_owned(),
        passed,
        detail: detail.trim().to_owned(),
    })
}

fn parse_message(text: &str) -> Option<Message> {
    let mut words = text.splitn(6, ' ');
    let mut word = |key: &str| Some(words.next()?.strip_prefix(key)?.to_owned());
    let (from, to, call) = (word("from=")?, word("to=")?, word("call=")?);
    let (answer, trips) = (word("answer=")?, word("trips=")?);
    let rest = words.next()?.trim();
    let (detail, verdict) = rest.rsplit_once(' ').unwrap_or(("", rest));
    let passed = match verdict {
        "ok" => true,
        "bad" => false,
        _ => return None,
    };
    Some(Message {
        from,
        to,
        call,
        answer,
        round_trips: trips.parse().ok()?,
        detail: detail.trim().to_owned(),
        passed,
    })
}

fn parse_bench(text: &str) -> Option<Bench> {
    let (name, iterations) = text.trim().split_once(' ')?;
    let iterations = iterations.trim().parse().ok().filter(|count| *count > 0)?;
    Some(Bench {
        name: name.to_owned(),
        iterations,
    })
}

fn parse_end(text: &str) -> Option<(u64, u64)> {
    let (passed, failed) = text.trim().split_once(' ')?;
    Some((passed.parse().ok()?, failed.trim().parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::Origin;

    fn results(lines: &[&str]) -> Results {
        let mut results = Results::default();
        for text in lines {
            results.feed(&Line {
                time: 1.5,
                stream: None,
                origin: Origin::Vm(1),
                level: None,
                text: (*text).to_owned(),
            });
        }
        results
    }

    #[test]
    fn a_whole_suite_is_read() {
        let results = results(&[
            "@boot client-test",
            "hello",
            "@case version pass 1.2",
            "@case id fail found 2, wanted 1",
            "@end 2 1",
        ]);
        assert_eq!(results.counts(), (1, 1));
        assert_eq!(results.cases[1].detail, "found 2, wanted 1");
        assert_eq!(results.boot, Some(1.5));
        assert!(results.check_end().is_empty());
    }

    #[test]
    fn a_missing_wrong_or_second_end_is_a_failure() {
        assert_eq!(results(&["@case a pass"]).check_end().len(), 1);
        assert_eq!(results(&["@case a pass", "@end 2 0"]).check_end().len(), 1);
        assert_eq!(results(&["@case a fail", "@end 1 0"]).check_end().len(), 1);
        assert_eq!(results(&["@end 0 0", "@end 0 0"]).check_end().len(), 1);
    }

    #[test]
    fn a_report_that_cannot_be_read_is_a_failure() {
        let results = results(&[
            "@case a maybe",
            "@bench x 0",
            "@msg a b",
            "@end x",
            "@end 0 0",
        ]);
        assert_eq!(results.check_end().len(), 4);
    }

    #[test]
    fn rows_and_benches_are_read() {
        let results = results(&[
            "@msg from=vm1 to=echo call=FFA_A answer=FFA_B trips=1000 14 registers ok",
            "@msg from=vm1 to=spmc call=FFA_A answer=FFA_B trips=1 bad",
            "@bench direct_req2 1000",
            "@end 3 1",
        ]);
        assert_eq!(results.messages[0].round_trips, 1000);
        assert_eq!(results.messages[0].detail, "14 registers");
        assert!(results.messages[0].passed && !results.messages[1].passed);
        assert_eq!(results.benches[0].iterations, 1000);
        assert!(results.check_end().is_empty());
    }

    #[test]
    fn the_death_of_a_client_is_a_failure() {
        assert_eq!(results(&["@panic at x", "@end 0 0"]).check_end().len(), 1);
    }

    #[test]
    fn other_lines_are_left_alone() {
        assert_eq!(results(&["@home", "case", "", "@"]), Results::default());
    }
}
