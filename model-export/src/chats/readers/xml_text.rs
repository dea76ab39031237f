//! Text in XML as Android's backups write it: emoji as two halves of UTF-16, unknown entities.

/// Whether the root element of a document has this name. Declarations and comments may come first.
pub(super) fn has_root(head: &[u8], name: &[u8]) -> bool {
    let mut rest = head;
    loop {
        rest = rest.trim_ascii_start();
        let end: &[u8] = match rest {
            [b'<', b'?', ..] => b"?>",
            [b'<', b'!', b'-', b'-', ..] => b"-->",
            [b'<', b'!', ..] => b">",
            _ => break,
        };
        let Some(at) = rest.windows(end.len()).position(|it| it == end) else { return false };
        rest = rest.get(at + end.len()..).unwrap_or_default();
    }
    let after = rest.strip_prefix(b"<").and_then(|rest| rest.strip_prefix(name));
    after.is_some_and(|after| after.first().is_none_or(|it| b" \t\r\n>/".contains(it)))
}

/// The text of an attribute. What is no entity stays as it is.
pub(super) fn unescape(raw: &str) -> String {
    let mut units: Vec<u16> = Vec::with_capacity(raw.len());
    let mut rest = raw;
    while let Some((before, after)) = rest.split_once('&') {
        units.extend(before.encode_utf16());
        let entity = after.split_once(';').filter(|(name, _)| name.len() <= 10);
        match entity.and_then(|(name, after)| Some((meaning(name)?, after))) {
            Some((Meaning::Unit(unit), after)) => {
                units.push(unit);
                rest = after;
            }
            Some((Meaning::Char(it), after)) => {
                units.extend(it.encode_utf16(&mut [0; 2]).iter());
                rest = after;
            }
            None => {
                units.push(u16::from(b'&'));
                rest = after;
            }
        }
    }
    units.extend(rest.encode_utf16());
    String::from_utf16_lossy(&units)
}

enum Meaning {
    Char(char),
    /// Half of a character: the next entity has the other half.
    Unit(u16),
}

fn meaning(entity: &str) -> Option<Meaning> {
    let code = match entity {
        "amp" => return Some(Meaning::Char('&')),
        "lt" => return Some(Meaning::Char('<')),
        "gt" => return Some(Meaning::Char('>')),
        "quot" => return Some(Meaning::Char('"')),
        "apos" => return Some(Meaning::Char('\'')),
        _ => match entity.strip_prefix('#')? {
            digits if digits.starts_with(['x', 'X']) => {
                u32::from_str_radix(digits.get(1..)?, 16).ok()?
            }
            digits => digits.parse().ok()?,
        },
    };
    match char::from_u32(code) {
        Some(it) => Some(Meaning::Char(it)),
        None => u16::try_from(code).ok().map(Meaning::Unit),
    }
}

#[cfg(test)]
mod tests {
    use super::{has_root, unescape};

    #[test]
    fn entities() {
        assert_eq!(unescape("a &amp; b &lt;3 &quot;x&apos;&gt;"), "a & b <3 \"x'>");
        assert_eq!(unescape("&#55357;&#56834; &#x1F602; &#128514;&#10;"), "😂 😂 😂\n");
        assert_eq!(
            unescape("R&B; &nope; &#; &#x; & &#99999999;"),
            "R&B; &nope; &#; &#x; & &#99999999;"
        );
        assert_eq!(unescape("&#55357; alone"), "\u{fffd} alone");
    }

    #[test]
    fn roots() {
        assert!(has_root(b"<?xml?><!-- <x> --><!DOCTYPE a> <smses count='1'>", b"smses"));
        assert!(has_root(b"<smses>", b"smses") && has_root(b"<smses", b"smses"));
        assert!(!has_root(b"<smsesx>", b"smses") && !has_root(b"<?xml", b"smses"));
    }
}
