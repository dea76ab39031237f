//! Takes names out of a text: those of users, computers, personas, and where their files are.

/// What is to be replaced, longest first.
#[derive(Debug, Default)]
pub struct Redaction {
    pairs: Vec<(String, &'static str)>,
}

impl Redaction {
    /// Replaces each of these secrets by the words beside it. One that is empty or a single
    /// character would tear every text apart, and tells nothing: it is left.
    pub fn new(secrets: impl IntoIterator<Item = (String, &'static str)>) -> Self {
        let mut pairs: Vec<_> =
            secrets.into_iter().filter(|(secret, _)| secret.chars().nth(1).is_some()).collect();
        // A path goes before the name that is a part of it.
        pairs.sort_by_key(|(secret, _)| std::cmp::Reverse(secret.len()));
        Self { pairs }
    }

    /// The text without the secrets. A secret inside a longer word is none.
    pub fn apply(&self, text: &str) -> String {
        let mut text = text.to_string();
        for (secret, words) in &self.pairs {
            text = replace_whole(&text, secret, words);
        }
        text
    }
}

fn replace_whole(text: &str, secret: &str, words: &str) -> String {
    let is_part = |character: Option<char>| character.is_some_and(char::is_alphanumeric);
    let mut result = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(secret) {
        let previous = before.chars().next_back().or(result.chars().next_back());
        let is_inside = (is_part(previous) && is_part(secret.chars().next()))
            || (is_part(after.chars().next()) && is_part(secret.chars().next_back()));
        result.push_str(before);
        result.push_str(if is_inside { secret } else { words });
        rest = after;
    }
    result.push_str(rest);
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redaction() -> Redaction {
        let pairs =
            [("ann", "<user>"), ("/home/ann", "~"), ("Ada L", "<persona>"), ("x", "y"), ("", "z")];
        Redaction::new(pairs.map(|(secret, words)| (secret.to_string(), words)))
    }

    #[test]
    fn paths_go_before_names_and_words_stay_whole() {
        for (text, expected) in [
            ("/home/ann/x and /media/ann/stick", "~/x and /media/<user>/stick"),
            ("ann, annotated, cannot, ann", "<user>, annotated, cannot, <user>"),
            ("/home/anna", "/home/anna"),
            ("annann ann", "annann <user>"),
            ("Ada L: 3 bytes", "<persona>: 3 bytes"),
            ("", ""),
        ] {
            assert_eq!(redaction().apply(text), expected);
        }
    }
}
