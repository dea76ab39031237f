//! tokenizer.bin: scores and texts of all tokens, without their number.

use tokenizer::{Kind, TableBuilder};

use super::reader::{Cause, ParseError, Reader};

/// The token before every text, `<s>`. llama2.c also ends a story where the model gives it.
pub const BEGIN: u32 = 1;
/// The token after a text, `</s>`.
pub const END: u32 = 2;
/// The token of byte 0; the others follow.
pub(super) const FIRST_BYTE: u32 = 3;
/// sentencepiece's unknown token.
const UNKNOWN: u32 = 0;

/// Longest token in bytes that is taken for real.
const LONGEST: usize = 1 << 16;

/// Reads tokenizer.bin: the longest token's length, then score, length and bytes of each token.
///
/// The file does not say how many tokens it has; llama2.c takes the number from the checkpoint.
/// Tokens 0 to 2 are markers, 3 to 258 must be the bytes `<0x00>` to `<0xFF>`: llama2.c counts
/// on both.
pub fn vocabulary(file: &[u8], tokens: usize) -> Result<TableBuilder, ParseError> {
    let mut reader = Reader::new(file);
    reader.count("the longest token's length", LONGEST)?;
    let mut builder =
        TableBuilder::new().markers(Some(BEGIN), Some(END), Some(UNKNOWN)).dummy_prefix(true);
    for token in 0..tokens {
        let score = reader.f32(|| format!("the score of token {token}"))?;
        let offset = reader.offset();
        let length = reader.i32("the length of a token")?;
        // An empty text is useless but harmless.
        let size = usize::try_from(length).ok().filter(|size| *size <= LONGEST);
        let size = size.ok_or(ParseError {
            offset,
            cause: Cause::OutOfRange {
                what: "the length of a token",
                found: i64::from(length),
                most: LONGEST,
            },
        })?;
        let offset = reader.offset();
        let bytes = reader.take(size, || format!("token {token}"))?;
        builder = match token.checked_sub(FIRST_BYTE as usize).map(u8::try_from) {
            None => builder.token(bytes, score, Kind::Control),
            Some(Err(_)) => builder.token(bytes, score, Kind::Text),
            Some(Ok(byte)) => {
                let expected = format!("<0x{byte:02X}>");
                if bytes != expected.as_bytes() {
                    return Err(ParseError {
                        offset,
                        cause: Cause::NotByteToken { token, expected },
                    });
                }
                builder.token([byte], score, Kind::Byte)
            }
        };
    }
    reader.finish()?;
    Ok(builder)
}
