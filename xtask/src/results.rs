//! What clients report on their console, one line each: cases, rows of the conversation, benches.
//!
//! * `@case <name> pass|fail <detail…>`, then `@end <passed> <failed>`
//! * `@msg <from> <to> <call> <reply> <round trips> <detail…>`
//! * `@boot …`: the first line a client prints
//! * `@bench <name> <iterations>`: before each counted window

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
    pub reply: String,
    /// How many round trips.
    pub round_trips: u64,
    /// What was seen.
    pub detail: String,
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
    /// The counts of `@end`: passed, failed.
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
            Some(end) if end != self.counts() => problems.push(format!(
                "@end counts {} passed and {} failed, but {} and {} were seen",
                end.0,
                end.1,
                self.counts().0,
                self.counts().1
            )),
            Some(_) => {}
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
    let mut word = || words.next().map(str::to_owned);
    Some(Message {
        from: word()?,
        to: word()?,
        call: word()?,
        reply: word()?,
        round_trips: word()?.parse().ok()?,
        detail: word().unwrap_or_default(),
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
                raw: false,
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
            "@end 1 1",
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
            "@msg VM1 8001 FFA_MSG_SEND_DIRECT_REQ2 FFA_MSG_SEND_DIRECT_RESP2 1000 14 registers each",
            "@bench direct_req2 1000",
        ]);
        assert_eq!(results.messages[0].round_trips, 1000);
        assert_eq!(results.messages[0].detail, "14 registers each");
        assert_eq!(results.benches[0].iterations, 1000);
    }

    #[test]
    fn other_lines_are_left_alone() {
        assert_eq!(results(&["@home", "case", "", "@"]), Results::default());
    }
}
