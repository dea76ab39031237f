//! What WhatsApp writes into chats itself, in the languages of its users.
//!
//! A wording that is missing here is taken for a message, but for an iPhone's, which are marked.

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

/// In small letters, without marks of direction, spaces at the ends and a full stop.
pub(super) fn plain(text: &str) -> String {
    let visible: String = text.chars().filter(|it| !is_direction(*it)).collect();
    visible.trim().trim_end_matches(['.', ' ']).to_lowercase()
}

/// Whether only a group can have this line.
pub(super) fn only_in_groups(rest: &str) -> bool {
    // A message has a sender, and may tell of groups after it.
    let line = rest.lines().next().unwrap_or_default();
    let before_text = line.split(": ").next().unwrap_or_default().to_lowercase();
    GROUP_NOTICES.iter().any(|notice| before_text.contains(notice))
}

/// A text of WhatsApp without WhatsApp's additions, and what it is, if no person wrote it.
pub(super) fn without_additions(text: &str, iphone: bool) -> (String, Option<Reason>) {
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
    use super::without_additions;
    use crate::chats::clean::Reason;

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
            assert_eq!(
                without_additions(text, *iphone),
                ((*cleaned).to_owned(), *reason),
                "{text}"
            );
        }
    }
}
