//! One-time codes, passwords, card and account numbers.

use super::numbers::{Run, all_equal, runs};

/// Words that announce a code of digits, whole.
const CODE_WORDS: [&str; 20] = [
    "code",
    "otp",
    "pin",
    "tan",
    "2fa",
    "passcode",
    "verification",
    "verify",
    "código",
    "codigo",
    "codice",
    "kod",
    "код",
    "einmalpasswort",
    "freischaltcode",
    "zugangscode",
    "login",
    "signin",
    "log",
    "sign",
];

/// Words that announce a password.
const PASSWORD_WORDS: [&str; 14] = [
    "password",
    "passwort",
    "kennwort",
    "passwd",
    "pwd",
    "contraseña",
    "clave",
    "senha",
    "wachtwoord",
    "hasło",
    "lösenord",
    "пароль",
    "passphrase",
    "motdepasse",
];

/// The same, only as whole words.
const SHORT_PASSWORD_WORDS: [&str; 3] = ["pw", "pass", "key"];

/// Whether there is a code, a password, or the number of a card or an account.
pub(super) fn has_code(text: &str) -> bool {
    is_bare_code(text)
        || has_announced_code(text)
        || has_announced_password(text)
        || text.split_whitespace().any(looks_like_password)
        || has_card(text)
        || has_account(text)
}

/// A message that is nothing but 4 to 8 digits, as one copies them from another phone.
fn is_bare_code(text: &str) -> bool {
    let digits: String = text.chars().filter(|it| !" -".contains(*it)).collect();
    let year = digits.len() == 4 && (digits.starts_with("19") || digits.starts_with("20"));
    (4..=8).contains(&digits.len())
        && digits.bytes().all(|it| it.is_ascii_digit())
        && text.split([' ', '-']).all(|group| group.len() >= 3)
        && !year
        && !all_equal(&digits)
        && !digits.ends_with("00")
}

/// The words of a text in small letters, without what surrounds them.
fn words(text: &str) -> Vec<String> {
    let trim = |word: &str| word.trim_matches(|it: char| !it.is_alphanumeric()).to_lowercase();
    text.split(|it: char| it.is_whitespace() || ":=".contains(it))
        .map(trim)
        .filter(|word| !word.is_empty())
        .collect()
}

/// `code` and somewhere 4 to 8 digits, perhaps as `123-456`, `4 8 2 9 1 3` or `G-123456`.
fn has_announced_code(text: &str) -> bool {
    let announced = words(text)
        .iter()
        .any(|word| CODE_WORDS.contains(&word.as_str()) || PASSWORD_WORDS.contains(&word.as_str()));
    // Apart, only six digits or more: "log in at 10.30".
    let is_code = |run: &Run| {
        let fewest = if run.groups.len() == 1 { 4 } else { 6 };
        (fewest..=8).contains(&run.digits().len())
    };
    announced && runs(text).iter().any(is_code)
}

/// `password: bluemoon`, `the password is blue7moon`.
fn has_announced_password(text: &str) -> bool {
    let lower = text.to_lowercase();
    let long = PASSWORD_WORDS.iter().flat_map(|word| lower.match_indices(word));
    let whole = |at: usize, word: &str| {
        let before = lower.get(..at).and_then(|it| it.chars().next_back());
        let after = lower.get(at + word.len()..).and_then(|it| it.chars().next());
        [before, after].iter().all(|it| it.is_none_or(|it| !it.is_alphanumeric()))
    };
    let short = SHORT_PASSWORD_WORDS
        .iter()
        .flat_map(|word| lower.match_indices(word))
        .filter(|(at, word)| whole(*at, word));
    long.chain(short).any(|(at, word)| lower.get(at + word.len()..).is_some_and(gives_password))
}

/// Whether a password follows the word for one.
fn gives_password(after: &str) -> bool {
    // `password123` is one.
    if after.starts_with(|it: char| it.is_ascii_digit()) {
        return true;
    }
    let after = after.trim_start();
    let given = after.strip_prefix([':', '=']);
    if given.is_some_and(|secret| secret.trim().chars().count() >= 3) {
        return true;
    }
    let is = ["is ", "ist ", "es ", "é ", "to "].iter().find_map(|is| after.strip_prefix(is));
    let secret = is.and_then(|secret| secret.split_whitespace().next()).unwrap_or_default();
    let secret = secret.trim_end_matches(['.', ',', '!', '?']);
    secret.chars().count() >= 4 && secret.contains(|it: char| !it.is_alphabetic() && it != '\'')
}

/// Letters and digits in turns, as in `hunter2!Xy` and `A1B2-C3D4`, or a long key.
fn looks_like_password(word: &str) -> bool {
    let word = word.trim_matches(|it: char| !it.is_alphanumeric());
    // Between the halves of "1990s-2000s" and "1/2" is no secret.
    let kind = |it: char| {
        if it.is_alphabetic() {
            0
        } else if it.is_numeric() {
            1
        } else {
            2
        }
    };
    let kinds: Vec<u8> = word.chars().filter(|it| !"-/.,:'’_".contains(*it)).map(kind).collect();
    let (letters, digits) =
        (kinds.iter().filter(|it| **it == 0).count(), kinds.iter().filter(|it| **it == 1).count());
    let turns = kinds.windows(2).filter(|pair| pair.first() != pair.last()).count();
    let key = kinds.len() >= 20 && digits >= 3 && letters >= 3;
    // Two turns are a name with a number in it, unless the number is long: "iPhone15ProMax".
    let mixed = turns >= 3 || turns == 2 && digits >= 3;
    letters > 0 && digits > 0 && (kinds.len() >= 8 && mixed || key)
}

/// The number of a card: 13 to 19 digits whose check digit is right (ISO/IEC 7812). More than 15
/// digits are no phone number, but the number of something.
fn has_card(text: &str) -> bool {
    runs(text).iter().any(|run| {
        let digits = run.digits();
        let counted = digits.len() < 2 * run.groups.len();
        let card = (13..=19).contains(&digits.len()) && is_luhn(&digits);
        !all_equal(&digits) && (card || digits.len() > 15 && !counted)
    })
}

fn is_luhn(digits: &str) -> bool {
    let sum: u32 = digits
        .bytes()
        .rev()
        .enumerate()
        .map(|(place, it)| {
            let value = u32::from(it.saturating_sub(b'0')) * (1 + place as u32 % 2);
            value / 10 + value % 10
        })
        .sum();
    sum.is_multiple_of(10)
}

/// The number of a bank account: an IBAN whose check digits are right (ISO 13616).
fn has_account(text: &str) -> bool {
    let bytes = text.as_bytes();
    (0..bytes.len()).any(|start| {
        let boundary = start == 0
            || bytes.get(start - 1).is_some_and(|before| !before.is_ascii_alphanumeric());
        let head = bytes.get(start..start + 4);
        let begins = head.is_some_and(|it| {
            it.iter().take(2).all(u8::is_ascii_alphabetic)
                && it.iter().skip(2).all(u8::is_ascii_digit)
        });
        boundary && begins && is_iban(bytes.get(start..).unwrap_or_default())
    })
}

/// Whether 15 to 34 letters and digits from here on are an IBAN. Spaces do not count.
fn is_iban(bytes: &[u8]) -> bool {
    let mut head = 0;
    let mut rest: u32 = 0;
    let letters_and_digits =
        bytes.iter().take_while(|it| it.is_ascii_alphanumeric() || **it == b' ');
    let values = letters_and_digits.filter_map(|it| char::from(*it).to_digit(36)).take(34);
    for (place, value) in values.enumerate() {
        let add = |rest: u32, value: u32| (rest * if value < 10 { 10 } else { 100 } + value) % 97;
        if place < 4 {
            head = head * if value < 10 { 10 } else { 100 } + value;
            continue;
        }
        rest = add(rest, value);
        // The first four come last: at most six digits.
        let moved = head.to_string().bytes().fold(rest, |rest, it| add(rest, u32::from(it - b'0')));
        if place + 1 >= 15 && moved == 1 {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::has_code;

    #[test]
    fn codes() {
        for text in [
            "482913",
            "123-456",
            "the code is 4 8 2 1 9 3",
            "use 482 913 to log in",
            "order 114-3941689-8772232",
            "pw: sunshine",
            "pass is hunter2",
            "password123",
            "GG1234xx!",
            "your code is 4821",
            "G-482913 is your verification code",
            "PIN: 4821",
            "wifi password: bluemoon",
            "the password is blue7moon",
            "hunter2!Xy",
            "try Tr0ub4dor&3",
            "key A1B2-C3D4-E5F6",
            "d41d8cd98f00b204e9800998ecf8427e",
            "4111 1111 1111 1111",
            "DE89 3704 0044 0532 0130 00",
            "to gb82west12345698765432 please",
        ] {
            assert!(has_code(text), "{text}");
        }
    }

    #[test]
    fn what_is_no_code() {
        for text in [
            "1988",
            "iPhone15ProMax",
            "log in at 10.30",
            "the key is under the mat",
            "pass is gone",
            "2000",
            "88888",
            "1500",
            "55555555",
            "okay",
            "code for me",
            "morse code",
            "i forgot my password",
            "my password is too long",
            "the tan lines",
            "PlayStation5",
            "Windows10!",
            "COVID-19,",
            "10:30-11:30",
            "1990s",
            "3rd",
            "B2B",
            "mp3",
            "0.0313",
            "1234 x 5678",
            "6451 divided by 13",
            "20 questions",
            "12 34",
            "room 4821",
            "de12 is short",
            "",
        ] {
            assert!(!has_code(text), "{text}");
        }
    }
}
