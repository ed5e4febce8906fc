//! What the UARTs say, as lines that each have a time, an origin and perhaps a level.

mod demux;
mod print;

pub use demux::{Demux, Piece};
pub use print::{Level, Printer, plain};

use defmt_decoder::Table;
use serde::{Serialize, Serializer};
use std::{fmt, sync::Arc};

/// Which UART. A board has the first two at least.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Stream {
    /// The normal world's UART: TF-A, then the proxy or the client at NS-EL2.
    Normal,
    /// The secure world's UART: the SPMC, and where they have none of their own, partitions and EL3's crashes.
    Secure,
    /// EL3's own, from the hand-over to the normal world on.
    El3,
    /// The partitions' own.
    Partitions,
}

impl Stream {
    /// Whether what is wanted of this stream may be seen on `other`: a board may have more UARTs than others.
    pub fn takes(self, other: Self) -> bool {
        self == other || (self == Self::Secure && other == Self::Partitions)
    }
}

impl fmt::Display for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Normal => "normal-world UART",
            Self::Secure => "secure UART",
            Self::El3 => "UART of EL3",
            Self::Partitions => "UART of the partitions",
        })
    }
}

/// Who said a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// TF-A: BL1, BL2, BL31.
    TfA,
    /// The SPMC itself.
    Spmc,
    /// The proxy itself.
    Proxy,
    /// A client that runs at NS-EL2 without the proxy.
    NsEl2,
    /// A VM, by its id.
    Vm(u16),
    /// A secure partition, by its id.
    Sp(u16),
    /// QEMU's own messages.
    Qemu,
}

impl Origin {
    fn endpoint(id: u16) -> Self {
        if id & 0x8000 == 0 {
            Self::Vm(id)
        } else {
            Self::Sp(id)
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TfA => f.pad("TF-A"),
            Self::Spmc => f.pad("SPMC"),
            Self::Proxy => f.pad("PROXY"),
            Self::NsEl2 => f.pad("NS-EL2"),
            Self::Vm(id) => f.pad(&format!("VM {id:x}")),
            Self::Sp(id) => f.pad(&format!("SP {id:04x}")),
            Self::Qemu => f.pad("QEMU"),
        }
    }
}

impl Serialize for Origin {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// One line of the log.
#[derive(Clone, Debug, Serialize)]
pub struct Line {
    /// Seconds since QEMU was started.
    pub time: f64,
    /// The UART it came by; `None` for QEMU's own messages.
    pub stream: Option<Stream>,
    /// Who said it.
    pub origin: Origin,
    /// Its level, if it is a log record.
    pub level: Option<Level>,
    /// What it says.
    pub text: String,
}

impl Line {
    /// Whether it is one of the many lines in which TF-A lists CPUs that are not there. They are
    /// kept in the log's file and not shown.
    pub fn is_noise(&self) -> bool {
        self.origin == Origin::TfA
            && (self.text.contains("CPU Node : MPID") || self.text.contains("Skip loading image"))
    }
}

/// Turns one UART's bytes into lines.
pub struct Decoder {
    stream: Stream,
    /// Whose plain text it is once TF-A's own lines are told apart.
    owner: Origin,
    table: Option<Arc<Table>>,
    demux: Demux,
    /// The stream has ended: its last line may be cut.
    ended: bool,
    /// EL3 has crashed: all plain text that follows is its dump.
    el3_crashed: bool,
}

impl Decoder {
    /// Makes the decoder of `stream`. `owner` is who writes plain text and log records there, and
    /// `table` is the defmt table of its ELF.
    pub fn new(stream: Stream, owner: Origin, table: Option<Arc<Table>>) -> Self {
        Self {
            stream,
            owner,
            table,
            demux: Demux::default(),
            ended: false,
            el3_crashed: false,
        }
    }

    /// Takes bytes that arrived `time` seconds after power-on and returns the lines they complete.
    pub fn feed(&mut self, time: f64, bytes: &[u8]) -> Vec<Line> {
        let pieces = self.demux.feed(bytes);
        self.lines(time, pieces)
    }

    /// Returns what is left at the end of the stream.
    pub fn finish(&mut self, time: f64) -> Vec<Line> {
        self.ended = true;
        let pieces = self.demux.finish();
        self.lines(time, pieces)
    }

    fn lines(&mut self, time: f64, pieces: Vec<Piece>) -> Vec<Line> {
        pieces
            .into_iter()
            .map(|piece| self.line(time, piece))
            .collect()
    }

    fn line(&mut self, time: f64, piece: Piece) -> Line {
        let (origin, level, text) = match piece {
            Piece::Console { endpoint, text } => (Origin::endpoint(endpoint), None, text),
            Piece::Record(record) => {
                let (level, text) = self.record(&record);
                (self.owner, level, text)
            }
            Piece::Text(text) => (self.text_origin(&text), None, text),
        };
        Line {
            time,
            stream: Some(self.stream),
            origin,
            level,
            text,
        }
    }

    /// Who wrote a line of plain text. TF-A uses the normal world's UART while it boots, and the
    /// secure one for a crash.
    fn text_origin(&mut self, text: &str) -> Origin {
        match self.stream {
            Stream::Normal if is_tf_a(text) => return Origin::TfA,
            Stream::Normal | Stream::Partitions | Stream::El3 => {}
            Stream::Secure => {
                // The machine may power off in the middle of the first of these.
                let starts = |start: &str| {
                    text.starts_with(start) || (self.ended && start.starts_with(text))
                };
                self.el3_crashed |= starts("PANIC at PC :")
                    || starts("PANIC in EL3")
                    || starts("Unhandled Exception");
            }
        }
        if self.el3_crashed {
            Origin::TfA
        } else {
            self.owner
        }
    }

    fn record(&self, record: &[u8]) -> (Option<Level>, String) {
        let Some(table) = &self.table else {
            return (
                None,
                format!("log record {record:02x?}, but the image's ELF has no log table"),
            );
        };
        match table.decode(record) {
            Ok((frame, _)) => (
                frame.level().and_then(|level| Level::parse(level.as_str())),
                frame.display_message().to_string(),
            ),
            Err(error) => (
                Some(Level::Error),
                format!("log record {record:02x?} cannot be decoded: {error:?}"),
            ),
        }
    }
}

/// Whether a line is one of TF-A's: they start with a level in capitals.
fn is_tf_a(text: &str) -> bool {
    ["NOTICE: ", "INFO: ", "WARNING: ", "ERROR: ", "VERBOSE: "]
        .iter()
        .any(|level| text.starts_with(level))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_follow_stream_and_frame() {
        let mut normal = Decoder::new(Stream::Normal, Origin::Proxy, None);
        let lines = normal.feed(
            0.5,
            b"NOTICE:  BL31: v2.12.1\nPANIC\n\xf5\x02\x01\x00@boot 1\xf6",
        );
        let seen: Vec<_> = lines
            .iter()
            .map(|line| (line.origin, line.text.as_str()))
            .collect();
        assert_eq!(
            seen,
            [
                (Origin::TfA, "NOTICE:  BL31: v2.12.1"),
                (Origin::Proxy, "PANIC"),
                (Origin::Vm(1), "@boot 1")
            ]
        );
        let mut secure = Decoder::new(Stream::Secure, Origin::Spmc, None);
        let lines = secure.feed(1.0, b"\xf5\x02\x01\x80hi\xf6\xf5\x01\x05\xf6");
        assert_eq!(lines[0].origin, Origin::Sp(0x8001));
        assert!(lines[1].text.contains("no log table"));
    }

    #[test]
    fn a_crash_of_el3_is_told_from_one_of_the_spmc() {
        let mut secure = Decoder::new(Stream::Secure, Origin::Spmc, None);
        let lines = secure.feed(0.0, b"PANIC on core 0: x\nPANIC at PC : 0x1\nx0 = 0x0\n");
        let origins: Vec<_> = lines.iter().map(|line| line.origin).collect();
        assert_eq!(origins, [Origin::Spmc, Origin::TfA, Origin::TfA]);

        let mut cut = Decoder::new(Stream::Secure, Origin::Spmc, None);
        cut.feed(0.0, b"PA");
        assert_eq!(cut.finish(0.0)[0].origin, Origin::TfA);
    }
}
