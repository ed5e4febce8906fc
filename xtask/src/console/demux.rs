//! Takes one UART's byte stream apart: frames (log records, endpoints' console lines) and the
//! plain text between them.
//!
//! A frame is 0xF5, a payload with byte stuffing, 0xF6. The payload's first byte is its kind.

/// Starts a frame.
const START: u8 = 0xf5;
/// Ends a frame.
const END: u8 = 0xf6;
/// The next byte was changed by [`FLIP`].
const ESCAPE: u8 = 0xf7;
/// What a stuffed byte is combined with (exclusive or).
const FLIP: u8 = 0x20;
/// No frame is longer than this many bytes: past it, the start was noise.
const LONGEST_FRAME: usize = 16 * 1024;
/// No line of plain text is longer than this many bytes: past it, it is cut.
const LONGEST_LINE: usize = 4 * 1024;

/// What a stream consists of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Kind 0x01: one raw-encoded defmt record.
    Record(Vec<u8>),
    /// Kind 0x02: one line that an endpoint wrote to its console.
    Console {
        /// The endpoint's id.
        endpoint: u16,
        /// The line, without its end.
        text: String,
    },
    /// One line of plain text, without its end.
    Text(String),
}

/// The demultiplexer of one stream. Feed it bytes as they come.
#[derive(Debug, Default)]
pub struct Demux {
    line: Vec<u8>,
    frame: Option<Vec<u8>>,
    escaped: bool,
}

impl Demux {
    /// Takes bytes and returns what is complete now.
    pub fn feed(&mut self, bytes: &[u8]) -> Vec<Piece> {
        let mut pieces = Vec::new();
        for byte in bytes {
            self.byte(*byte, &mut pieces);
        }
        pieces
    }

    /// Returns what is left at the end of the stream: a line without an end, a cut frame.
    pub fn finish(&mut self) -> Vec<Piece> {
        let mut pieces = Vec::new();
        self.cut_frame(&mut pieces);
        self.end_line(&mut pieces);
        pieces
    }

    fn byte(&mut self, byte: u8, pieces: &mut Vec<Piece>) {
        if byte == START {
            self.cut_frame(pieces);
            self.frame = Some(Vec::new());
            self.escaped = false;
            return;
        }
        let Some(frame) = &mut self.frame else {
            self.text_byte(byte, pieces);
            return;
        };
        match byte {
            END => {
                let frame = self.frame.take().unwrap_or_default();
                match parse(&frame) {
                    Some(piece) => pieces.push(piece),
                    None => pieces.push(Piece::Text(printable(&frame))),
                }
            }
            ESCAPE => self.escaped = true,
            _ => {
                frame.push(if self.escaped { byte ^ FLIP } else { byte });
                self.escaped = false;
                if frame.len() > LONGEST_FRAME {
                    self.cut_frame(pieces);
                }
            }
        }
    }

    fn text_byte(&mut self, byte: u8, pieces: &mut Vec<Piece>) {
        match byte {
            b'\n' => {
                // An empty line inside plain text stays: it is part of the layout.
                let line = std::mem::take(&mut self.line);
                pieces.push(Piece::Text(printable(&line)));
            }
            // A panic may send an END first, to close a frame that may be open.
            b'\r' | 0 | END => {}
            _ => {
                self.line.push(byte);
                if self.line.len() >= LONGEST_LINE {
                    self.end_line(pieces);
                }
            }
        }
    }

    fn end_line(&mut self, pieces: &mut Vec<Piece>) {
        if !self.line.is_empty() {
            let line = std::mem::take(&mut self.line);
            pieces.push(Piece::Text(printable(&line)));
        }
    }

    /// Shows a frame that has no end as text: it may hold the last words of an image that died.
    fn cut_frame(&mut self, pieces: &mut Vec<Piece>) {
        if let Some(frame) = self.frame.take()
            && !frame.is_empty()
        {
            for line in frame.split(|byte| *byte == b'\n') {
                let text = printable(line.trim_ascii_end());
                if !text.trim().is_empty() {
                    pieces.push(Piece::Text(text));
                }
            }
        }
    }
}

fn parse(frame: &[u8]) -> Option<Piece> {
    match frame {
        [0x01, record @ ..] => Some(Piece::Record(record.to_vec())),
        [0x02, low, high, text @ ..] => Some(Piece::Console {
            endpoint: u16::from_le_bytes([*low, *high]),
            // A line has no end inside a frame, but who sends one is understood.
            text: printable(text.trim_ascii_end()),
        }),
        _ => None,
    }
}

/// Bytes as text in which nothing can change the terminal: controls and broken UTF-8 become marks.
fn printable(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes)
        .chars()
        .map(|c| {
            if c.is_control() && c != '\t' {
                char::REPLACEMENT_CHARACTER
            } else {
                c
            }
        })
        .collect::<String>()
        .trim_end()
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Piece {
        Piece::Text(text.to_owned())
    }

    fn frame(payload: &[u8]) -> Vec<u8> {
        let mut bytes = vec![START];
        for byte in payload {
            if (START..=ESCAPE).contains(byte) {
                bytes.extend([ESCAPE, byte ^ FLIP]);
            } else {
                bytes.push(*byte);
            }
        }
        bytes.push(END);
        bytes
    }

    #[test]
    fn frames_inside_a_line_of_text_leave_the_line_whole() {
        let mut bytes = b"NOTICE:  BL".to_vec();
        bytes.extend(frame(&[1, 9, 8]));
        bytes.extend(b"31\r\n");
        assert_eq!(
            Demux::default().feed(&bytes),
            [Piece::Record(vec![9, 8]), text("NOTICE:  BL31")]
        );
    }

    #[test]
    fn stuffed_bytes_come_back_whatever_the_chunks() {
        let payload = [1, 0xf5, 0xf6, 0xf7, 0xd5, 0];
        let mut demux = Demux::default();
        let pieces: Vec<_> = frame(&payload)
            .iter()
            .flat_map(|byte| demux.feed(&[*byte]))
            .collect();
        assert_eq!(pieces, [Piece::Record(payload[1..].to_vec())]);
    }

    #[test]
    fn console_line_names_its_endpoint() {
        assert_eq!(
            Demux::default().feed(&frame(b"\x02\x01\x80hello\n")),
            [Piece::Console {
                endpoint: 0x8001,
                text: "hello".to_owned()
            }]
        );
    }

    #[test]
    fn a_new_start_inside_a_frame_shows_the_cut_one_as_text() {
        let mut bytes = vec![START];
        bytes.extend(b"PANIC at x\nline 2\n");
        bytes.extend(frame(&[1, 2]));
        assert_eq!(
            Demux::default().feed(&bytes),
            [text("PANIC at x"), text("line 2"), Piece::Record(vec![2])]
        );
    }

    #[test]
    fn the_end_of_the_stream_loses_nothing() {
        let mut demux = Demux::default();
        assert!(demux.feed(b"half a line").is_empty());
        assert_eq!(demux.finish(), [text("half a line")]);
        assert!(demux.feed(&[START, b'x']).is_empty());
        assert_eq!(demux.finish(), [text("x")]);
        assert!(demux.finish().is_empty());
    }

    #[test]
    fn endless_input_without_an_end_is_bounded() {
        let mut demux = Demux::default();
        demux.feed(&[START]);
        let pieces = demux.feed(&vec![b'a'; LONGEST_FRAME + 1]);
        assert_eq!(pieces.len(), 1);
        let pieces = demux.feed(&vec![b'a'; LONGEST_LINE]);
        assert_eq!(pieces.len(), 1);
    }

    #[test]
    fn unknown_kinds_and_short_frames_are_text() {
        for payload in [&b""[..], b"\x02", b"\x02\x01", b"\x7fzz"] {
            assert!(matches!(
                Demux::default().feed(&frame(payload)).as_slice(),
                [Piece::Text(_)]
            ));
        }
    }
}
