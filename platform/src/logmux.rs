//! Framing of an image's UART stream: plain text, log records and partitions' console lines share one wire.
//!
//! Owns the byte format, its encoder and its decoder. Called by the logger and by whoever forwards a partition's
//! console; the decoder by tests and by tools on the host. Never touches a UART, never buffers a frame, never
//! allocates, and knows nothing of what a record or a line means.
//!
//! The format:
//!
//! | on the wire | meaning |
//! | --- | --- |
//! | any byte outside a frame, other than the three below | text, as it is |
//! | `0xF5` | a frame begins |
//! | `0xF6` | a frame ends (ignored outside a frame, so that a panic may always send one first) |
//! | `0xF7`, `b ^ 0x20` | inside a frame: the byte `b`, which was one of `0xF5..=0xF7` |
//!
//! UTF-8 never contains a byte from `0xF5` up, so text from anything else that writes to the same UART (TF-A, a panic)
//! passes unharmed. The first byte of a frame is its kind: [`KIND_RECORD`] or [`KIND_CONSOLE`].

/// Byte that begins a frame.
pub const FRAME_START: u8 = 0xF5;
/// Byte that ends a frame. Outside a frame it means nothing.
pub const FRAME_END: u8 = 0xF6;
/// Byte that announces a stuffed byte inside a frame.
pub const STUFF: u8 = 0xF7;
/// What a stuffed byte is XORed with.
pub const STUFF_XOR: u8 = 0x20;

/// Frame kind: one raw defmt record, from byte 1 on.
pub const KIND_RECORD: u8 = 1;
/// Frame kind: one console line of an endpoint. Bytes 1 and 2 are the endpoint's id, little endian; the text follows,
/// without a line end, ASCII only.
pub const KIND_CONSOLE: u8 = 2;

/// What stands in for a character that an endpoint may not put on the wire.
pub const REPLACEMENT: u8 = b'?';

/// Opens a frame of the given kind.
pub fn begin(kind: u8, sink: &mut impl FnMut(u8)) {
    sink(FRAME_START);
    put(kind, sink);
}

/// Writes one byte of a frame's payload, stuffed if need be.
pub fn put(byte: u8, sink: &mut impl FnMut(u8)) {
    if matches!(byte, FRAME_START..=STUFF) {
        sink(STUFF);
        sink(byte ^ STUFF_XOR);
    } else {
        sink(byte);
    }
}

/// Closes the open frame.
pub fn end(sink: &mut impl FnMut(u8)) {
    sink(FRAME_END);
}

/// Writes one whole frame.
pub fn frame(kind: u8, payload: &[u8], sink: &mut impl FnMut(u8)) {
    begin(kind, sink);
    for byte in payload {
        put(*byte, sink);
    }
    end(sink);
}

/// Makes one byte from an endpoint harmless: printable ASCII and tab stay, everything else becomes [`REPLACEMENT`].
///
/// An endpoint can thus forge neither a frame nor a terminal escape.
#[must_use]
pub const fn sanitise(byte: u8) -> u8 {
    match byte {
        b'\t' | b' '..=b'~' => byte,
        _ => REPLACEMENT,
    }
}

/// Collects the console characters of one endpoint and emits them a line at a time.
///
/// `N` is the longest line in bytes; a longer one leaves in pieces of `N`. A line leaves at `'\n'`, when the buffer is
/// full, and at [`LineBuffer::flush`]. `'\r'` and NUL are dropped, everything else goes through [`sanitise`].
#[derive(Clone, Debug)]
pub struct LineBuffer<const N: usize> {
    bytes: [u8; N],
    len: usize,
    /// The last piece left because the buffer was full, so the newline that follows ends that line and is not a new,
    /// empty one.
    continued: bool,
}

impl<const N: usize> LineBuffer<N> {
    /// An empty buffer.
    #[must_use]
    pub const fn new() -> Self {
        const { assert!(N > 0, "a line buffer holds at least one byte") };
        Self {
            bytes: [0; N],
            len: 0,
            continued: false,
        }
    }

    /// Whether nothing waits to be emitted.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Takes one character from `endpoint`, and emits a frame to `sink` if it completes a line.
    pub fn push(&mut self, endpoint: u16, byte: u8, sink: &mut impl FnMut(u8)) {
        match byte {
            b'\r' | 0 => {}
            b'\n' => {
                if self.len > 0 || !self.continued {
                    self.emit(endpoint, sink);
                }
                self.continued = false;
            }
            _ => {
                if let Some(slot) = self.bytes.get_mut(self.len) {
                    *slot = sanitise(byte);
                    self.len = self.len.saturating_add(1);
                }
                if self.len >= N {
                    self.emit(endpoint, sink);
                    self.continued = true;
                }
            }
        }
    }

    /// Takes several characters, as [`LineBuffer::push`] does one.
    pub fn push_all(&mut self, endpoint: u16, bytes: &[u8], sink: &mut impl FnMut(u8)) {
        for byte in bytes {
            self.push(endpoint, *byte, sink);
        }
    }

    /// Emits what waits, if anything does.
    pub fn flush(&mut self, endpoint: u16, sink: &mut impl FnMut(u8)) {
        if !self.is_empty() {
            self.emit(endpoint, sink);
            self.continued = true;
        }
    }

    fn emit(&mut self, endpoint: u16, sink: &mut impl FnMut(u8)) {
        begin(KIND_CONSOLE, sink);
        for byte in endpoint.to_le_bytes() {
            put(byte, sink);
        }
        for byte in self.bytes.iter().take(self.len) {
            put(*byte, sink);
        }
        end(sink);
        self.len = 0;
    }
}

impl<const N: usize> Default for LineBuffer<N> {
    fn default() -> Self {
        Self::new()
    }
}

/// What the decoder made of a byte.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Event<'a> {
    /// A byte of plain text.
    Text(u8),
    /// A whole frame: its kind and its payload, the kind left out.
    Frame {
        /// [`KIND_RECORD`], [`KIND_CONSOLE`] or something newer.
        kind: u8,
        /// The unstuffed bytes after the kind.
        payload: &'a [u8],
    },
    /// A frame that was cut short by another, had no kind, ended inside a stuffed byte, or was longer than the decoder
    /// holds. Its bytes are lost.
    Broken,
}

/// Takes a UART stream apart again, a byte at a time. `N` is the longest frame it holds, kind included, in bytes.
///
/// Every stream of bytes is decodable: what makes no sense becomes [`Event::Broken`] and the next frame is found again.
#[derive(Clone, Debug)]
pub struct Decoder<const N: usize> {
    bytes: [u8; N],
    len: usize,
    state: State,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    Text,
    Frame,
    Stuffed,
    /// Inside a frame that no longer fits.
    Overlong,
}

impl<const N: usize> Decoder<N> {
    /// A decoder that expects text.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            bytes: [0; N],
            len: 0,
            state: State::Text,
        }
    }

    /// Takes the next byte of the stream, and says what it completes.
    pub fn push(&mut self, byte: u8) -> Option<Event<'_>> {
        match (self.state, byte) {
            (State::Text, FRAME_START) => {
                self.restart();
                None
            }
            (State::Text, FRAME_END) => None,
            (State::Text, _) => Some(Event::Text(byte)),
            (_, FRAME_START) => {
                self.restart();
                Some(Event::Broken)
            }
            (State::Frame, FRAME_END) => {
                self.state = State::Text;
                Some(
                    match self.bytes.get(..self.len).and_then(<[u8]>::split_first) {
                        Some((kind, payload)) => Event::Frame {
                            kind: *kind,
                            payload,
                        },
                        None => Event::Broken,
                    },
                )
            }
            (State::Stuffed | State::Overlong, FRAME_END) => {
                self.state = State::Text;
                Some(Event::Broken)
            }
            (State::Frame, STUFF) => {
                self.state = State::Stuffed;
                None
            }
            (State::Frame, _) => {
                self.keep(byte);
                None
            }
            (State::Stuffed, _) => {
                self.keep(byte ^ STUFF_XOR);
                None
            }
            (State::Overlong, _) => None,
        }
    }

    fn restart(&mut self) {
        self.len = 0;
        self.state = State::Frame;
    }

    fn keep(&mut self, byte: u8) {
        match self.bytes.get_mut(self.len) {
            Some(slot) => {
                *slot = byte;
                self.len = self.len.saturating_add(1);
                self.state = State::Frame;
            }
            None => self.state = State::Overlong,
        }
    }
}

impl<const N: usize> Default for Decoder<N> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// An event that owns its bytes.
    #[derive(Debug, PartialEq)]
    enum Seen {
        Text(Vec<u8>),
        Frame(u8, Vec<u8>),
        Broken,
    }

    fn decode(stream: &[u8]) -> Vec<Seen> {
        let mut decoder = Decoder::<64>::new();
        let mut seen = Vec::new();
        for byte in stream {
            match decoder.push(*byte) {
                Some(Event::Text(byte)) => match seen.last_mut() {
                    Some(Seen::Text(text)) => text.push(byte),
                    _ => seen.push(Seen::Text(vec![byte])),
                },
                Some(Event::Frame { kind, payload }) => {
                    seen.push(Seen::Frame(kind, payload.to_vec()))
                }
                Some(Event::Broken) => seen.push(Seen::Broken),
                None => {}
            }
        }
        seen
    }

    fn console(endpoint: u16, bytes: &[u8]) -> Vec<u8> {
        let mut wire = Vec::new();
        let mut sink = |byte| wire.push(byte);
        let mut line = LineBuffer::<8>::new();
        line.push_all(endpoint, bytes, &mut sink);
        line.flush(endpoint, &mut sink);
        wire
    }

    fn line(endpoint: u16, text: &[u8]) -> Seen {
        Seen::Frame(KIND_CONSOLE, [&endpoint.to_le_bytes(), text].concat())
    }

    #[test]
    fn stuffing_hides_all_three_control_bytes() {
        let mut wire = Vec::new();
        frame(KIND_RECORD, &[0xF4, 0xF5, 0xF6, 0xF7, 0xF8], &mut |byte| {
            wire.push(byte)
        });
        assert_eq!(
            wire,
            [
                0xF5, 1, 0xF4, 0xF7, 0xD5, 0xF7, 0xD6, 0xF7, 0xD7, 0xF8, 0xF6
            ]
        );
    }

    #[test]
    fn a_line_leaves_at_newline_at_full_and_on_demand() {
        assert_eq!(
            decode(&console(0x8001, b"hi\r\nyou")),
            [line(0x8001, b"hi"), line(0x8001, b"you")]
        );
        assert_eq!(
            decode(&console(0x8001, b"12345678\nx\n")),
            [line(0x8001, b"12345678"), line(0x8001, b"x")]
        );
        assert_eq!(
            decode(&console(0x8001, b"a\n\nb\n")),
            [line(0x8001, b"a"), line(0x8001, b""), line(0x8001, b"b")]
        );
    }

    #[test]
    fn an_endpoint_forges_neither_frames_nor_escapes() {
        assert_eq!(
            decode(&console(0xF5F6, b"\xF5\x01\xF6\x1b[\x7f\t\x80")),
            [line(0xF5F6, b"????[?\t?")]
        );
    }

    #[test]
    fn an_end_outside_a_frame_is_nothing_and_inside_it_frees_the_text() {
        assert_eq!(decode(b"a\xF6b"), [Seen::Text(b"ab".to_vec())]);
        assert_eq!(
            decode(b"\xF5\x01rec\xF6panic"),
            [
                Seen::Frame(1, b"rec".to_vec()),
                Seen::Text(b"panic".to_vec())
            ]
        );
    }

    #[test]
    fn broken_frames_are_said_and_left_behind() {
        assert_eq!(decode(b"\xF5\xF6"), [Seen::Broken]);
        assert_eq!(
            decode(b"\xF5\x01a\xF5\x01b\xF6"),
            [Seen::Broken, Seen::Frame(1, b"b".to_vec())]
        );
        assert_eq!(
            decode(b"\xF5\x01a\xF7\xF6z"),
            [Seen::Broken, Seen::Text(b"z".to_vec())]
        );
        let long = [&[0xF5, 1][..], &[0; 100], &[0xF6, b'z']].concat();
        assert_eq!(decode(&long), [Seen::Broken, Seen::Text(b"z".to_vec())]);
    }

    proptest! {
        #[test]
        fn text_and_frames_round_trip(parts in prop::collection::vec(
            prop_oneof![
                "[^\u{0}]{1,20}".prop_map(|text| Seen::Text(text.into_bytes())),
                (any::<u8>(), prop::collection::vec(any::<u8>(), 0..60)).prop_map(|(kind, bytes)| Seen::Frame(kind, bytes)),
            ],
            0..10,
        )) {
            let mut wire = Vec::new();
            let mut expected: Vec<Seen> = Vec::new();
            for part in parts {
                match (part, expected.last_mut()) {
                    (Seen::Text(text), Some(Seen::Text(before))) => {
                        wire.extend(&text);
                        before.extend(text);
                    }
                    (Seen::Text(text), _) => {
                        wire.extend(&text);
                        expected.push(Seen::Text(text));
                    }
                    (Seen::Frame(kind, payload), _) => {
                        frame(kind, &payload, &mut |byte| wire.push(byte));
                        expected.push(Seen::Frame(kind, payload));
                    }
                    (Seen::Broken, _) => {}
                }
            }
            prop_assert_eq!(decode(&wire), expected);
        }

        #[test]
        fn any_stream_decodes(stream in prop::collection::vec(
            prop_oneof![any::<u8>(), 0xF4..=0xF8u8],
            0..300,
        )) {
            let mut stream = stream;
            stream.extend(b"\xF6\xF5\x01ok\xF6");
            prop_assert_eq!(decode(&stream).pop(), Some(Seen::Frame(1, b"ok".to_vec())));
        }

        #[test]
        fn a_console_line_is_ascii_in_frames_of_its_endpoint(endpoint: u16, bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            for seen in decode(&console(endpoint, &bytes)) {
                let Seen::Frame(KIND_CONSOLE, payload) = seen else { panic!("{seen:?}") };
                prop_assert_eq!(&payload[..2], endpoint.to_le_bytes());
                prop_assert!(payload[2..].iter().all(|byte| *byte == b'\t' || (b' '..=b'~').contains(byte)));
            }
        }
    }
}
