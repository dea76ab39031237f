//! Links and e-mail addresses.

/// Endings of addresses that people write without `https://`. Endings that are words (`.is`, `.so`,
/// `.it`) only count when a path follows: "home.so" is a forgotten space.
const ENDINGS: [&str; 16] = [
    "com", "org", "net", "edu", "gov", "info", "de", "uk", "fr", "nl", "eu", "io", "app", "dev",
    "example", "page",
];

/// The text without links; nothing if it has none.
pub(super) fn cut(text: &str) -> Option<String> {
    let mut found = false;
    let lines: Vec<String> = text
        .split('\n')
        .map(|line| {
            let mut words = Vec::new();
            let mut cut_here = false;
            for word in line.split(' ') {
                match link_start(word) {
                    Some(start) => {
                        cut_here = true;
                        words.extend(word.get(..start).filter(|before| !is_leftover(before)));
                    }
                    None => words.push(word),
                }
            }
            found |= cut_here;
            let left = words.join(" ");
            if cut_here { without_pointer(&left).to_owned() } else { left }
        })
        .collect();
    let lines = lines.iter().map(String::as_str).filter(|line| !found || !line.is_empty());
    found.then(|| lines.collect::<Vec<_>>().join("\n").trim().to_owned())
}

/// What stood in front of a link and points at nothing now.
fn is_leftover(before: &str) -> bool {
    before.chars().all(|it| "([<\"'“„".contains(it))
}

/// A line whose link was at its end: `look:` is `look`.
fn without_pointer(line: &str) -> &str {
    let line = line.trim();
    // Not the eyes of a smile.
    match line.strip_suffix([':', '-', '–', '—', '→', '>']) {
        Some(rest) => rest.trim_end_matches(['-', ' ', ':']),
        None => line,
    }
}

/// Where a link begins in a word.
fn link_start(word: &str) -> Option<usize> {
    let lower = word.to_ascii_lowercase();
    let schemes = ["http://", "https://", "www.", "ftp://", "mailto:", "tel:"];
    let at_boundary = |at: usize| {
        let before = lower.get(..at).and_then(|before| before.chars().next_back());
        before.is_none_or(|it| !it.is_alphanumeric())
    };
    let scheme = schemes.iter().filter_map(|scheme| {
        let after = |at: usize| lower.len() > at + scheme.len();
        lower.find(scheme).filter(|at| at_boundary(*at) && after(*at))
    });
    scheme.min().or_else(|| bare_domain(&lower))
}

/// Where `example.com/page` begins in a word of small letters.
fn bare_domain(word: &str) -> Option<usize> {
    if word.contains('@') {
        return None;
    }
    let start = word.find(|it: char| it.is_ascii_alphanumeric())?;
    let rest = word.get(start..)?;
    let end = rest.find(|it: char| !(it.is_ascii_alphanumeric() || ".-".contains(it)));
    let (host, path) = rest.split_at_checked(end.unwrap_or(rest.len()))?;
    let host = host.trim_end_matches('.');
    let (name, ending) = host.rsplit_once('.')?;
    let named = name.split('.').all(|label| !label.is_empty())
        && name.contains(|it: char| it.is_ascii_alphabetic());
    let with_path = path.starts_with('/')
        && path.len() > 1
        && ending.len() >= 2
        && ending.bytes().all(|it| it.is_ascii_alphabetic());
    (named && (with_path || ENDINGS.contains(&ending))).then_some(start)
}

/// Whether there is an e-mail address.
pub(super) fn has_email(text: &str) -> bool {
    let local = |it: char| it.is_alphanumeric() || "._%+-".contains(it);
    let domain = |it: char| it.is_alphanumeric() || ".-".contains(it);
    text.match_indices('@').any(|(at, _)| {
        let before = text.get(..at).unwrap_or_default();
        let after = text.get(at + 1..).unwrap_or_default();
        let end = after.find(|it| !domain(it)).unwrap_or(after.len());
        let host = after.get(..end).unwrap_or_default().trim_end_matches(['.', '-']);
        let ending = host.rsplit_once('.').filter(|(name, _)| !name.is_empty());
        before.ends_with(local)
            && ending.is_some_and(|(_, it)| it.len() >= 2 && it.chars().all(char::is_alphabetic))
    })
}

#[cfg(test)]
mod tests {
    use super::{cut, has_email};

    #[test]
    fn links_go_and_the_rest_reads_on() {
        for (text, left) in [
            ("https://a.example/x?y=1", ""),
            ("look: https://a.example", "look"),
            ("look https://a.example so good", "look so good"),
            ("(see www.example.org/page)", ""),
            ("read example.com/a and tell me", "read and tell me"),
            ("HTTP://A.EXAMPLE", ""),
            ("one\nhttps://a.example\ntwo", "one\ntwo"),
            ("here→https://a.example", "here"),
            (":) https://a.example", ":)"),
            ("bit.ly/abc", ""),
            ("my.site.de", ""),
        ] {
            let expected = if text.starts_with('(') { "(see" } else { left };
            assert_eq!(cut(text).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_link() {
        for text in [
            "home.so tired",
            "well...ok",
            "1.5",
            "3.de",
            "a@b.com",
            "https://",
            "z.b.",
            "e.g. this",
            "i said no.he said yes",
            "either/or",
            "www.",
            "",
            "v1.2.3",
            "..com",
            "and/or.no",
        ] {
            assert_eq!(cut(text), None, "{text}");
        }
    }

    #[test]
    fn addresses() {
        for text in ["a@b.example", "mail me: Anna.Berg+x@mail.example.org!", "é@ü.de"] {
            assert!(has_email(text), "{text}");
        }
        for text in ["@anna", "me @ home", "a@b", "a@b.", "@b.example", "a@b.1", "3@4.5", "@@.a@"] {
            assert!(!has_email(text), "{text}");
        }
    }
}
