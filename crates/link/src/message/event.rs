//! What happens in the conversation.

use serde::{Deserialize, Serialize};

/// Who wrote a chat message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Speaker {
    /// The friend at the keyboard.
    You,
    /// The persona.
    Wisp,
}

/// Why a reply ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum EndReason {
    /// The persona was done.
    Finished,
    /// The reply reached its longest length.
    Length,
    /// The friend pressed stop.
    Stopped,
}

/// What a reply cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Timing {
    /// Tokens read before the first token of the reply (the prompt that was not in the KV cache).
    pub prompt_tokens: u32,
    /// Tokens of the reply.
    pub reply_tokens: u32,
    /// Microseconds from when all was read to the first token: the decision to answer is in it.
    pub first_token_micros: u32,
    /// Microseconds from the first token to the last.
    pub decode_micros: u32,
}

/// Something that happened in the conversation. Kept by the board until the host has stored it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event<'a> {
    /// The message entered the model, or the `Regenerate` or `Forget` was carried out. Comes after
    /// the events that it caused directly (`Withdrawn`, `Forgotten`).
    Read {
        /// Id of the `Say`, `Regenerate` or `Forget`.
        id: u32,
    },
    /// The persona has decided to answer, within a minute.
    Thinking {
        /// Number of the reply, counting up.
        reply: u32,
    },
    /// A piece of a reply.
    Delta {
        /// Number of the reply.
        reply: u32,
        /// Byte offset of this piece in the reply.
        offset: u32,
        /// The piece.
        text: &'a str,
    },
    /// The reply is complete.
    End {
        /// Number of the reply.
        reply: u32,
        /// Why.
        reason: EndReason,
        /// What it cost.
        timing: Timing,
    },
    /// The reply was taken back before any of it was shown, or by `Regenerate`.
    Withdrawn {
        /// Number of the reply.
        reply: u32,
    },
    /// The persona read everything and says nothing, by its own choice or because the friend
    /// stopped it before it had.
    StayedSilent {
        /// Id of the last message it read.
        after: u32,
    },
    /// The conversation outgrew the context: the oldest part was dropped.
    Shifted {
        /// Tokens dropped.
        dropped: u32,
    },
    /// The conversation given by `RestoreBegin` is in the model again.
    Restored {
        /// How many messages were kept; fewer than given when the context is too small for all.
        messages: u32,
    },
    /// The conversation is empty.
    Forgotten,
    /// The persona has decided to write after a silence of more than a minute: a late answer, or it
    /// speaks first. Stands for `Thinking`.
    BreaksSilence {
        /// Number of the reply, counting up.
        reply: u32,
        /// How long the silence was, as the model was told.
        gap_seconds: u32,
    },
    /// The friend's last message was taken back. Stands for the `Read` of the `TakeBack`, so that
    /// no restart can come between the two.
    TakenBack {
        /// Id of the `TakeBack`.
        id: u32,
    },
}
