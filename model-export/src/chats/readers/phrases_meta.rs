//! What Messenger, Instagram and phones write into chats themselves, in the languages of their users.
//!
//! A wording that is missing here is taken for a message. Each is matched against a whole text, so
//! that people may use the same words.

use super::phrases_whatsapp::plain;
use crate::chats::clean::Reason;

/// Attachments and notices in Messenger and Instagram, after the sender's name or a word for "you".
const SENT: [&str; 40] = [
    "sent an attachment",
    "sent a photo",
    "sent a video",
    "sent a link",
    "sent a gif",
    "sent a sticker",
    "sent a voice message",
    "sent a location",
    "sent a live location",
    "shared a link",
    "shared a story",
    "shared a post",
    "shared a location",
    "unsent a message",
    "called you",
    "started a call",
    "started a video chat",
    "started an audio call",
    "missed your call",
    "missed a call",
    "missed your video call",
    "joined the call",
    "hat einen anhang gesendet",
    "hast einen anhang gesendet",
    "hat ein foto gesendet",
    "hast ein foto gesendet",
    "hat einen link gesendet",
    "hat dich angerufen",
    "hat eine nachricht zurückgerufen",
    "envió un archivo adjunto",
    "envió una foto",
    "te llamó",
    "a envoyé une pièce jointe",
    "a envoyé une photo",
    "vous a appelé",
    "ha inviato un allegato",
    "enviou um anexo",
    "heeft een bijlage verzonden",
    "wysłał(a) załącznik",
    "skickade en bilaga",
];

/// Whole lines of Messenger and Instagram, in small letters, without the full stop.
const NOTICES: [&str; 16] = [
    "you can now message and call each other and see info like active status and when you've read messages",
    "you are now connected on messenger",
    "you can now message each other",
    "the video chat ended",
    "the audio call ended",
    "the call ended",
    "video chat ended",
    "audio call ended",
    "voice call ended",
    "you missed a call",
    "you missed a video call",
    "messages and calls are secured with end-to-end encryption",
    "ihr seid jetzt auf messenger verbunden",
    "der videochat wurde beendet",
    "say hi to your new facebook friend",
    "you updated the theme",
];

/// Reactions in Messenger and Instagram: what stands before and after the emoji.
const REACTIONS: [(&str, &str); 13] = [
    ("reacted", "to your message"),
    ("reacted", "to a message"),
    ("hat mit", "auf deine nachricht reagiert"),
    ("hast mit", "auf eine nachricht reagiert"),
    ("reaccionó con", "a tu mensaje"),
    ("reaccionaste con", "a un mensaje"),
    ("a réagi avec", "à votre message"),
    ("a réagi", "à votre message"),
    ("ha reagito con", "al tuo messaggio"),
    ("reagiu com", "à sua mensagem"),
    ("heeft met", "op je bericht gereageerd"),
    ("zareagował(a)", "na twoją wiadomość"),
    ("reagerade med", "på ditt meddelande"),
];

/// Words with which a service speaks to the owner of the account.
const YOU: [&str; 8] = ["you ", "du ", "tú ", "vous avez ", "tu as ", "hai ", "você ", "je "];

/// What a text of Messenger or Instagram is, if no person wrote it.
pub(super) fn meta(sender: &str, text: &str) -> Option<Reason> {
    // Such lines are short; a long text needs no look.
    if text.is_empty() || text.len() > 200 || text.contains('\n') {
        return None;
    }
    let line = plain(text);
    let sender = plain(sender);
    let first_name = sender.split(' ').next().unwrap_or_default();
    let subjects = [sender.as_str(), first_name].into_iter().filter(|name| !name.is_empty());
    let after_name = |name: &str| line.strip_prefix(name).and_then(|it| it.strip_prefix(' '));
    let predicates: Vec<&str> = subjects
        .filter_map(after_name)
        .chain(YOU.iter().filter_map(|you| line.strip_prefix(you)))
        .collect();
    if predicates.iter().any(|it| is_reaction(it)) || is_reaction(&line) || is_like(&line, &sender)
    {
        return Some(Reason::Reaction);
    }
    let calls = ["call", "angerufen", "llamó", "appelé", "video chat"];
    for predicate in &predicates {
        if let Some(sent) = SENT.iter().find(|sent| *predicate == **sent) {
            let call = calls.iter().any(|word| sent.contains(word));
            let unsent = sent.contains("unsent") || sent.contains("zurückgerufen");
            return Some(match (unsent, call) {
                (true, _) => Reason::Unsent,
                (_, true) => Reason::System,
                _ => Reason::Media,
            });
        }
        let settings = [
            "set the nickname for ",
            "set your nickname to ",
            "changed the theme to ",
            "changed the chat theme to ",
            "set the emoji to ",
            "named the group ",
            "cleared the nickname for ",
            "turned on disappearing messages",
            "turned off disappearing messages",
            "missed a call from ",
            "missed a video call from ",
            "set the quick reaction to ",
        ];
        if settings.iter().any(|it| predicate.starts_with(it)) {
            return Some(Reason::System);
        }
    }
    NOTICES.iter().any(|notice| line == *notice).then_some(Reason::System)
}

/// `reacted ❤ to your message`: something that is no word must stand between.
fn is_reaction(line: &str) -> bool {
    REACTIONS.iter().any(|(before, after)| {
        let between = line.strip_prefix(before).and_then(|it| it.strip_suffix(after));
        between.is_some_and(|emoji| {
            let emoji = emoji.trim();
            !emoji.is_empty()
                && emoji.chars().count() <= 12
                && !emoji.contains(char::is_alphanumeric)
        })
    })
}

fn is_like(line: &str, sender: &str) -> bool {
    let likes = ["liked a message", "hat eine nachricht mit „gefällt mir“ markiert"];
    likes
        .iter()
        .any(|like| line == *like || line.strip_prefix(sender).is_some_and(|it| it.trim() == *like))
}

/// Reactions that phones without a word for them send as text: `Liked “see you”`.
pub(super) fn sms_reaction(text: &str) -> bool {
    let verbs =
        ["Liked", "Loved", "Disliked", "Laughed at", "Emphasized", "Emphasised", "Questioned"];
    let after = verbs.iter().find_map(|verb| text.strip_prefix(verb));
    let quoted =
        |rest: &str| rest.strip_prefix(' ').is_some_and(|it| it.starts_with(['“', '"', '‘']));
    let removed = text.starts_with("Removed a") && text.contains(" from “");
    let google = text.starts_with("Reacted ") && text.contains(" to “");
    after.is_some_and(|rest| quoted(rest) && rest.trim_end().ends_with(['”', '"', '’']))
        || removed
        || google
}

#[cfg(test)]
mod tests {
    use super::{meta, sms_reaction};
    use crate::chats::clean::Reason;

    #[test]
    fn lines_of_meta() {
        for (text, reason) in [
            ("Anna Berg sent an attachment.", Some(Reason::Media)),
            ("Anna sent a photo.", Some(Reason::Media)),
            ("You sent an attachment.", Some(Reason::Media)),
            ("Anna called you.", Some(Reason::System)),
            ("Anna unsent a message", Some(Reason::Unsent)),
            ("Reacted ❤ to your message ", Some(Reason::Reaction)),
            ("Anna hat mit 😂 auf deine Nachricht reagiert.", Some(Reason::Reaction)),
            ("Liked a message", Some(Reason::Reaction)),
            ("You set the nickname for Ben to Benny.", Some(Reason::System)),
            ("The video chat ended.", Some(Reason::System)),
            ("Anna sent a photo of her cat", None),
            ("you sent a photo yesterday", None),
            ("reacted badly to your message", None),
            ("liked it", None),
            ("you called you.", Some(Reason::System)),
        ] {
            assert_eq!(meta("Anna Berg", text), reason, "{text}");
        }
    }

    #[test]
    fn reactions_in_sms() {
        for text in
            ["Liked “see you”", "Laughed at “no”", "Removed a heart from “x”", "Reacted 👍 to “x”"]
        {
            assert!(sms_reaction(text), "{text}");
        }
        for text in ["Liked it", "Loved the \"book\" you gave me", "liked “x”"] {
            assert!(!sms_reaction(text), "{text}");
        }
    }
}
