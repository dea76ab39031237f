//! Bytes to text, piece by piece: a token may end in the middle of a character.

/// Joins bytes into whole characters.
///
/// What it gives out, put together, is what `String::from_utf8_lossy` makes of all the bytes:
/// U+FFFD stands for each invalid sequence. It holds back three bytes at most.
#[derive(Clone, Debug, Default)]
pub struct Utf8Stream {
    /// The beginning of a character, never a whole one.
    held: [u8; 4],
    length: usize,
}

impl Utf8Stream {
    /// A stream with nothing held back.
    pub const fn new() -> Self {
        Utf8Stream { held: [0; 4], length: 0 }
    }

    /// Takes bytes in and gives out the text that is now complete, in one or more pieces.
    pub fn push(&mut self, bytes: &[u8], mut emit: impl FnMut(&str)) {
        let mut rest = bytes;
        while self.length > 0 {
            let Some((first, tail)) = rest.split_first() else { return };
            if self.complete(*first, &mut emit) {
                rest = tail;
            }
        }
        let mut chunks = rest.utf8_chunks().peekable();
        while let Some(chunk) = chunks.next() {
            if !chunk.valid().is_empty() {
                emit(chunk.valid());
            }
            if chunk.invalid().is_empty() {
                continue;
            }
            // Only at the end of the bytes can the rest of the character still follow.
            if chunks.peek().is_none() && is_beginning(chunk.invalid()) {
                self.hold(chunk.invalid());
            } else {
                emit("\u{FFFD}");
            }
        }
    }

    /// Ends the text: a character begun and never finished becomes U+FFFD.
    pub fn finish(&mut self, mut emit: impl FnMut(&str)) {
        if self.length > 0 {
            self.length = 0;
            emit("\u{FFFD}");
        }
    }

    /// Adds one byte to the character held back. `false` if it does not belong to it.
    fn complete(&mut self, byte: u8, emit: &mut impl FnMut(&str)) -> bool {
        let Some(place) = self.held.get_mut(self.length) else {
            self.length = 0;
            return false;
        };
        *place = byte;
        let held = self.held.get(..=self.length).unwrap_or_default();
        match core::str::from_utf8(held) {
            Ok(character) => {
                emit(character);
                self.length = 0;
                true
            }
            Err(error) if error.error_len().is_none() => {
                self.length = self.length.saturating_add(1);
                true
            }
            Err(_) => {
                self.length = 0;
                emit("\u{FFFD}");
                false
            }
        }
    }

    fn hold(&mut self, bytes: &[u8]) {
        for (place, byte) in self.held.iter_mut().zip(bytes) {
            *place = *byte;
        }
        self.length = bytes.len().min(self.held.len());
    }
}

/// Whether these bytes can still become a character.
fn is_beginning(bytes: &[u8]) -> bool {
    matches!(core::str::from_utf8(bytes), Err(error) if error.error_len().is_none())
}

#[cfg(test)]
mod tests {
    use super::Utf8Stream;
    use alloc::string::String;

    fn pieces(parts: &[&[u8]]) -> String {
        let mut text = String::new();
        let mut stream = Utf8Stream::new();
        for part in parts {
            stream.push(part, |piece| {
                assert!(!piece.is_empty());
                text.push_str(piece);
                text.push('|');
            });
        }
        stream.finish(|piece| text.push_str(piece));
        text
    }

    #[test]
    fn a_character_is_never_split() {
        assert_eq!(pieces(&[b"a\xF0\x9F", b"\x98", b"\x80b"]), "a|\u{1F600}|b|");
    }

    #[test]
    fn a_broken_character_does_not_swallow_the_next() {
        assert_eq!(pieces(&[b"\xE2\x82", b"x"]), "\u{FFFD}|x|");
        assert_eq!(pieces(&[b"\xE2\x82", b"\xE2\x82\xAC"]), "\u{FFFD}|\u{20AC}|");
    }

    #[test]
    fn only_the_last_bytes_wait_for_more() {
        assert_eq!(pieces(&[b"\xEF\x00", b"\x9Aa"]), "\u{FFFD}|\0|\u{FFFD}|a|");
    }

    #[test]
    fn an_unfinished_character_is_replaced_at_the_end() {
        assert_eq!(pieces(&[b"ok\xC3"]), "ok|\u{FFFD}");
    }
}
