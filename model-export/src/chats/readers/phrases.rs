//! What services write into chats themselves, in the languages of their users.
//!
//! The lists are of the wordings in use; a wording that is missing is seen in the report as a
//! message. Each is matched against a whole text, so that people may use the same words.

use crate::chats::clean::Reason;
use crate::chats::export::is_direction;

/// Deleted messages in WhatsApp, in small letters, without the full stop.
const DELETED: [&str; 32] = [
    "this message was deleted",
    "you deleted this message",
    "message deleted",
    "this message was deleted by admin",
    "diese nachricht wurde gelöscht",
    "du hast diese nachricht gelöscht",
    "se eliminó este mensaje",
    "este mensaje fue eliminado",
    "eliminaste este mensaje",
    "ce message a été supprimé",
    "vous avez supprimé ce message",
    "questo messaggio è stato eliminato",
    "hai eliminato questo messaggio",
    "mensagem apagada",
    "essa mensagem foi apagada",
    "você apagou esta mensagem",
    "você apagou essa mensagem",
    "esta mensagem foi apagada",
    "dit bericht is verwijderd",
    "je hebt dit bericht verwijderd",
    "u hebt dit bericht verwijderd",
    "ta wiadomość została usunięta",
    "usunięto tę wiadomość",
    "данное сообщение удалено",
    "вы удалили данное сообщение",
    "bu mesaj silindi",
    "bu mesajı sildiniz",
    "pesan ini telah dihapus",
    "anda menghapus pesan ini",
    "meddelandet togs bort",
    "det här meddelandet raderades",
    "تم حذف هذه الرسالة",
];

/// Media in an iPhone's WhatsApp: the kind in front of one of these words, or one of them alone.
const OMITTED: [&str; 15] = [
    "omitted",
    "weggelassen",
    "omitido",
    "omitida",
    "omis",
    "omise",
    "omesso",
    "omessa",
    "ocultado",
    "ocultada",
    "weggelaten",
    "pominięto",
    "utelämnad",
    "tidak disertakan",
    "dahil edilmedi",
];

/// Calls and notices in WhatsApp; the text is or begins with one of them.
const NOTICES: [&str; 33] = [
    "messages and calls are end-to-end encrypted",
    "messages to this chat and calls are now secured",
    "nachrichten und anrufe sind ende-zu-ende-verschlüsselt",
    "los mensajes y las llamadas están cifrados",
    "les messages et les appels sont chiffrés",
    "i messaggi e le chiamate sono crittografati",
    "as mensagens e as chamadas são protegidas",
    "as mensagens e ligações são protegidas",
    "berichten en gesprekken zijn end-to-end versleuteld",
    "missed voice call",
    "missed video call",
    "voice call, ",
    "video call, ",
    "verpasster sprachanruf",
    "verpasster videoanruf",
    "llamada perdida",
    "videollamada perdida",
    "appel vocal manqué",
    "appel vidéo manqué",
    "chiamata persa",
    "videochiamata persa",
    "chamada de voz perdida",
    "chamada de vídeo perdida",
    "ligação de voz perdida",
    "ligação de vídeo perdida",
    "gemiste spraakoproep",
    "gemiste video-oproep",
    "waiting for this message",
    "warte auf diese nachricht",
    "your security code with ",
    "deine sicherheitsnummer für ",
    "you turned on disappearing messages",
    "you turned off disappearing messages",
];

/// Lines that only groups have.
const GROUP_NOTICES: [&str; 12] = [
    " created group ",
    " created this group",
    " hat die gruppe ",
    " creó el grupo ",
    " a créé le groupe ",
    " ha creato il gruppo ",
    " criou o grupo ",
    " heeft de groep ",
    " joined using this group's invite link",
    " ist der gruppe über ",
    " se unió usando el enlace",
    " created the group ",
];

/// Marks of an edited message in WhatsApp, at its end.
const EDITED: [&str; 8] = [
    "<this message was edited>",
    "<diese nachricht wurde bearbeitet.>",
    "<diese nachricht wurde bearbeitet>",
    "<se editó este mensaje.>",
    "<se editó este mensaje>",
    "<ce message a été modifié>",
    "<questo messaggio è stato modificato>",
    "<mensagem editada>",
];

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
const META_NOTICES: [&str; 16] = [
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

/// In small letters, without marks of direction, spaces at the ends and a full stop.
fn plain(text: &str) -> String {
    let visible: String = text.chars().filter(|it| !is_direction(*it)).collect();
    visible.trim().trim_end_matches(['.', ' ']).to_lowercase()
}

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
    META_NOTICES.iter().any(|notice| line == *notice).then_some(Reason::System)
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

/// Whether only a group can have this line.
pub(super) fn whatsapp_group(rest: &str) -> bool {
    // A message has a sender, and may tell of groups after it.
    let line = rest.lines().next().unwrap_or_default();
    let before_text = line.split(": ").next().unwrap_or_default().to_lowercase();
    GROUP_NOTICES.iter().any(|notice| before_text.contains(notice))
}

/// A text of WhatsApp without WhatsApp's additions, and what it is, if no person wrote it.
pub(super) fn whatsapp(text: &str, iphone: bool) -> (String, Option<Reason>) {
    let trimmed = text.trim();
    // On an iPhone the mark stands before what WhatsApp writes.
    let own_words = !(iphone && trimmed.starts_with('\u{200e}'));
    let text = without_edited_mark(trimmed);
    let (first, caption) = text.split_once('\n').unwrap_or((text, ""));
    let line = plain(first);
    if is_file_name(&line) {
        let mark = caption.trim().is_empty().then_some(Reason::Media);
        return (caption.to_owned(), mark);
    }
    let mark = if DELETED.contains(&line.as_str()) && caption.is_empty() {
        Some(Reason::Unsent)
    } else if NOTICES.iter().any(|notice| line.starts_with(notice)) {
        Some(Reason::System)
    } else if is_media(&line, own_words) {
        Some(Reason::Media)
    } else {
        (!own_words).then_some(Reason::System)
    };
    (text.to_owned(), mark)
}

fn without_edited_mark(text: &str) -> &str {
    let Some(at) = text.rfind('<') else { return text };
    let (before, mark) = text.split_at(at);
    let known = EDITED.contains(&mark.to_lowercase().as_str());
    // On an iPhone an invisible mark stands before it, in every language.
    let marked = before.ends_with('\u{200e}') && !before.trim_matches('\u{200e}').trim().is_empty();
    if mark.ends_with('>') && (known || marked) {
        before.trim_end_matches(['\u{200e}', ' '])
    } else {
        text
    }
}

/// `<Media omitted>` in any language, `image omitted`, a place, a poll, a view-once photo.
fn is_media(line: &str, own_words: bool) -> bool {
    let inside = line.strip_prefix('<').and_then(|it| it.strip_suffix('>'));
    let bracketed =
        inside.is_some_and(|it| it.contains(' ') && it.len() < 80 && !it.contains(['<', '>']));
    // The end of "image omitted", "Bild weggelassen", "imagen omitida".
    let omitted = OMITTED.iter().any(|it| line.ends_with(it)) && line.chars().count() < 40;
    let place = [
        "location: https://",
        "standort: https://",
        "ubicación: https://",
        "localização: https://",
    ];
    bracketed
        || omitted && (!own_words || OMITTED_ALONE.contains(&line))
        || place.iter().any(|it| line.starts_with(it))
        || line == "null"
        || line == "poll:"
        || line == "umfrage:"
        || line == "live location shared"
}

/// What older iPhones write without the mark in front.
const OMITTED_ALONE: [&str; 9] = [
    "image omitted",
    "video omitted",
    "audio omitted",
    "sticker omitted",
    "gif omitted",
    "document omitted",
    "contact card omitted",
    "bild weggelassen",
    "imagen omitida",
];

/// `IMG-20230101-WA0001.jpg (file attached)`, in any language.
fn is_file_name(line: &str) -> bool {
    let Some((name, note)) = line.split_once(" (") else { return false };
    let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
    let is_ending =
        (2..=5).contains(&ending.len()) && ending.bytes().all(|it| it.is_ascii_alphanumeric());
    let one_word = !name.contains(' ') || note.contains("attached") || note.contains("angehängt");
    is_ending && one_word && note.ends_with(')') && note.len() < 60
}

#[cfg(test)]
mod tests {
    use super::{meta, sms_reaction, whatsapp};
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
    fn lines_of_whatsapp() {
        let cases: &[(&str, bool, &str, Option<Reason>)] = &[
            ("hello", false, "hello", None),
            ("<Media omitted>", false, "<Media omitted>", Some(Reason::Media)),
            ("<Medien ausgeschlossen>", false, "<Medien ausgeschlossen>", Some(Reason::Media)),
            ("<3", false, "<3", None),
            ("<sigh>", false, "<sigh>", None),
            ("\u{200e}image omitted", true, "\u{200e}image omitted", Some(Reason::Media)),
            ("image omitted", false, "image omitted", Some(Reason::Media)),
            ("the good parts were omitted", false, "the good parts were omitted", None),
            ("This message was deleted", false, "This message was deleted", Some(Reason::Unsent)),
            (
                "\u{200e}This message was deleted.",
                true,
                "\u{200e}This message was deleted.",
                Some(Reason::Unsent),
            ),
            ("see you <This message was edited>", false, "see you", None),
            ("bis gleich \u{200e}<Bearbeitet, neue Sprache>", true, "bis gleich", None),
            ("IMG-2023-WA0001.jpg (file attached)", false, "", Some(Reason::Media)),
            ("IMG-2023-WA0001.jpg (Datei angehängt)\nlook at her", false, "look at her", None),
            ("it ended (file attached)", false, "it ended (file attached)", None),
            (
                "\u{200e}<attached: 0001-PHOTO.jpg>",
                true,
                "\u{200e}<attached: 0001-PHOTO.jpg>",
                Some(Reason::Media),
            ),
            (
                "\u{200e}Neu in dieser Version",
                true,
                "\u{200e}Neu in dieser Version",
                Some(Reason::System),
            ),
            ("Missed voice call", false, "Missed voice call", Some(Reason::System)),
            (
                "location: https://maps.google.com/?q=1,2",
                false,
                "location: https://maps.google.com/?q=1,2",
                Some(Reason::Media),
            ),
            ("null", false, "null", Some(Reason::Media)),
        ];
        for (text, iphone, cleaned, reason) in cases {
            assert_eq!(whatsapp(text, *iphone), ((*cleaned).to_owned(), *reason), "{text}");
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
