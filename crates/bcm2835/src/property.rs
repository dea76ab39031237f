//! Messages to the GPU's firmware: building and reading them, without sending.
//!
//! Format and tags: github.com/raspberrypi/firmware/wiki/Mailbox-property-interface.

/// Words in a [`Message`]: whole cache lines, which it fills and shares with nothing; two on a Zero, one
/// on a Zero 2 W.
const WORDS: usize = 16;
/// Words before the values: size, code, tag, space for values, length of values.
const HEADER: usize = 5;
/// Word 1 of an answer that was understood.
const ANSWERED: u32 = 0x8000_0000;
/// Bit of word 4 that marks the values as the answer's.
const RESPONSE: u32 = 0x8000_0000;

/// Most values in a message: what is left beside the header and the end mark.
const MAX_VALUES: usize = WORDS - HEADER - 1;

/// A message with one tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C, align(64))]
pub(crate) struct Message {
    words: [u32; WORDS],
}

/// Why an answer is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PropertyError {
    /// The firmware did not understand the message as a whole.
    Rejected,
    /// The firmware does not know the tag.
    UnknownTag,
    /// The answer is not as long as it must be.
    WrongLength,
}

impl Message {
    /// All zero: the state of a buffer before its first use.
    pub(crate) const EMPTY: Self = Self { words: [0; WORDS] };

    /// Asks `tag` with these values; the answer may be as long as it has place for values. A
    /// question has at most [`MAX_VALUES`] of them, further ones are left out.
    pub(crate) fn new(tag: u32, values: &[u32]) -> Self {
        let mut words = [0; WORDS];
        let [size, _, tag_word, space, ..] = &mut words;
        *size = size_of::<Self>() as u32;
        *tag_word = tag;
        *space = (MAX_VALUES * size_of::<u32>()) as u32;
        let places = words.iter_mut().skip(HEADER).take(MAX_VALUES);
        for (place, value) in places.zip(values) {
            *place = *value;
        }
        Self { words }
    }

    /// The first `N` values of the answer.
    pub(crate) fn answer<const N: usize>(&self) -> Result<[u32; N], PropertyError> {
        let [_, code, _, _, length, values @ ..] = &self.words;
        if *code != ANSWERED {
            return Err(PropertyError::Rejected);
        }
        if length & RESPONSE == 0 {
            return Err(PropertyError::UnknownTag);
        }
        if ((length & !RESPONSE) as usize) < N * size_of::<u32>() {
            return Err(PropertyError::WrongLength);
        }
        values.first_chunk().copied().ok_or(PropertyError::WrongLength)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GET_CLOCK_RATE: u32 = 0x0003_0002;

    /// As the wiki writes a question for the ARM's clock.
    #[test]
    fn a_question_has_the_documented_layout() {
        let message = Message::new(GET_CLOCK_RATE, &[3]);
        assert_eq!(message.words[..6], [64, 0, GET_CLOCK_RATE, 40, 0, 3]);
        assert_eq!(message.words[6..], [0; 10], "unused values, then the end mark");
        assert_eq!(core::mem::align_of::<Message>(), 64);
    }

    fn answered(code: u32, length: u32) -> Message {
        let mut message = Message::new(GET_CLOCK_RATE, &[3]);
        message.words[1] = code;
        message.words[4] = length;
        message.words[6] = 700_000_000;
        message
    }

    #[test]
    fn an_answer_is_read() {
        assert_eq!(answered(ANSWERED, RESPONSE | 8).answer(), Ok([3, 700_000_000]));
    }

    #[test]
    fn no_answer_is_taken_for_one() {
        let refused = |code, length| answered(code, length).answer::<2>();
        assert_eq!(refused(0, RESPONSE | 8), Err(PropertyError::Rejected));
        assert_eq!(refused(0x8000_0001, RESPONSE | 8), Err(PropertyError::Rejected));
        assert_eq!(refused(ANSWERED, 8), Err(PropertyError::UnknownTag));
        assert_eq!(refused(ANSWERED, RESPONSE | 7), Err(PropertyError::WrongLength));
        let long = answered(ANSWERED, RESPONSE | 400).answer::<12>();
        assert_eq!(long, Err(PropertyError::WrongLength));
    }

    #[test]
    fn too_many_values_leave_the_end_mark_alone() {
        assert_eq!(Message::new(1, &[7; 40]).words[15], 0);
    }
}
