//! Cuts a text into the pieces within which tokens are merged.
//!
//! Merges never cross the border of a piece, so that "dog", "dog." and "dog!" share a token. A
//! model must be used with the splitter it was trained with.

use crate::unicode;

/// How a text is cut into pieces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Splitter {
    /// Our own, made for chats: five classes of bytes and no Unicode table. Every byte from 0x80
    /// up counts as a letter. See [`Splitter::pattern`].
    Chat,
    /// The one of GPT-2.
    Gpt2,
    /// GPT-2's with every digit a piece of its own, a blank before it too: SmolLM and others.
    Gpt2Digits,
}

impl Splitter {
    /// All of them.
    pub const ALL: [Splitter; 3] = [Splitter::Chat, Splitter::Gpt2, Splitter::Gpt2Digits];

    /// The number in the table.
    pub(crate) fn code(self) -> u32 {
        match self {
            Splitter::Chat => 1,
            Splitter::Gpt2 => 2,
            Splitter::Gpt2Digits => 3,
        }
    }

    pub(crate) fn from_code(code: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|splitter| splitter.code() == code)
    }

    /// The regular expression that finds the same pieces, for other programs. Rust's `fancy-regex`
    /// and Oniguruma understand it.
    ///
    /// For [`Splitter::Gpt2Digits`] the text is cut before and after every digit (`\p{N}`) first.
    pub const fn pattern(self) -> &'static str {
        match self {
            // A word with the blank before it, with apostrophes between its letters; one digit; a
            // run of signs; a run of control characters; blanks, the last of which is left to what
            // follows.
            Splitter::Chat => concat!(
                r" ?[^\x00-@\[-`{-\x7f]+(?:'[^\x00-@\[-`{-\x7f]+)*",
                r"| ?[0-9]",
                r"| ?[!-/:-@\[-`{-~]+",
                r"|[\x00-\x1f\x7f]+",
                r"| +(?= [!-~\x80-\x{10ffff}])| +",
            ),
            Splitter::Gpt2 | Splitter::Gpt2Digits => {
                r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
            }
        }
    }

    /// The pieces of a text, in order: together they are the text, and none is empty.
    pub fn pieces(self, text: &str) -> Pieces<'_> {
        Pieces { splitter: self, rest: text }
    }

    /// Bytes of the first piece of a text.
    fn first(self, text: &str) -> usize {
        match self {
            Splitter::Chat => chat(text.as_bytes()),
            Splitter::Gpt2 => gpt2(text, false),
            Splitter::Gpt2Digits => gpt2(text, true),
        }
    }
}

/// The pieces of a text. See [`Splitter::pieces`].
#[derive(Clone, Debug)]
pub struct Pieces<'t> {
    splitter: Splitter,
    rest: &'t str,
}

impl<'t> Iterator for Pieces<'t> {
    type Item = &'t str;

    fn next(&mut self) -> Option<&'t str> {
        if self.rest.is_empty() {
            return None;
        }
        // Pieces end between characters. Were one not to, the whole rest would be one piece.
        let length = self.splitter.first(self.rest).max(1);
        let (piece, rest) = self.rest.split_at_checked(length).unwrap_or((self.rest, ""));
        self.rest = rest;
        Some(piece)
    }
}

/// What a byte is to the chat splitter.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Letter,
    Digit,
    Sign,
    Blank,
    Control,
}

fn class(byte: u8) -> Class {
    match byte {
        b'A'..=b'Z' | b'a'..=b'z' | 0x80.. => Class::Letter,
        b'0'..=b'9' => Class::Digit,
        b' ' => Class::Blank,
        0..b' ' | 0x7F => Class::Control,
        _ => Class::Sign,
    }
}

/// Bytes of one class at the front of `bytes`.
fn run(bytes: &[u8], of: Class) -> usize {
    bytes.iter().take_while(|byte| class(**byte) == of).count()
}

fn chat(text: &[u8]) -> usize {
    let blanks = run(text, Class::Blank);
    let body = text.get(blanks..).unwrap_or_default();
    let next = body.first().map(|byte| class(*byte));
    let joined = match next {
        None | Some(Class::Control | Class::Blank) if blanks > 0 => return blanks,
        None | Some(Class::Blank) => return 0,
        Some(Class::Control) => run(body, Class::Control),
        // The last blank belongs to what follows, the ones before it do not.
        Some(_) if blanks > 1 => return blanks - 1,
        Some(Class::Letter) => word(body),
        Some(Class::Digit) => 1,
        Some(Class::Sign) => run(body, Class::Sign),
    };
    blanks.saturating_add(joined)
}

/// Letters, and apostrophes between letters: "don't", "rock'n'roll".
fn word(bytes: &[u8]) -> usize {
    let mut length = run(bytes, Class::Letter);
    while let Some((b'\'', more)) = bytes.get(length..).and_then(<[u8]>::split_first) {
        match run(more, Class::Letter) {
            0 => break,
            letters => length = length.saturating_add(letters).saturating_add(1),
        }
    }
    length
}

/// GPT-2's expression by hand. With `digits_alone` a digit is cut off on both sides before.
fn gpt2(text: &str, digits_alone: bool) -> usize {
    const CONTRACTIONS: [&str; 7] = ["'s", "'t", "'re", "'ve", "'m", "'ll", "'d"];
    if let Some(found) = CONTRACTIONS.iter().find(|ending| text.starts_with(**ending)) {
        return found.len();
    }
    let body = text.strip_prefix(' ').unwrap_or(text);
    let blank = text.len().saturating_sub(body.len());
    let alone = |it: char| digits_alone && unicode::is_number(it);
    let kind = |it: char| (unicode::is_letter(it), unicode::is_number(it));
    match body.chars().next() {
        Some(first) if alone(first) && blank == 0 => first.len_utf8(),
        // A digit of its own ends the text before it.
        Some(first) if alone(first) => blank,
        Some(first) if !first.is_whitespace() => {
            let same = |it: &char| !it.is_whitespace() && kind(*it) == kind(first);
            let run = body.chars().take_while(same).map(char::len_utf8).sum::<usize>();
            blank.saturating_add(run)
        }
        _ => {
            let (mut length, mut last) = (0usize, 0);
            for blank in text.chars().take_while(|it| it.is_whitespace()) {
                last = blank.len_utf8();
                length = length.saturating_add(last);
            }
            // The last blank is left to what follows, if it can begin a piece.
            match text.get(length..).and_then(|rest| rest.chars().next()) {
                Some(next) if !alone(next) && last < length => length.saturating_sub(last),
                _ => length,
            }
        }
    }
}
