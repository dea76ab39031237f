//! Which token is where: its place in the conversation, in the cache's memory, and in its rotation.
//!
//! - **position**: its place among the tokens that are remembered, from 0.
//! - **slot**: its place in the cache's memory. The same, until tokens are dropped: the rest then
//!   slides down by whole groups of slots, and up to a few *dead* slots stay in front of it.
//! - **rotation**: the position that its key was rotated for. Only differences matter to attention
//!   (Su et al., "RoFormer", 2021), so tokens keep theirs when others are dropped, and new ones go on
//!   counting from there.
//!
//! The token at position 0, the *opening*, may be kept while those behind it are dropped. It then gets
//! the rotation right before theirs.

use crate::EngineError;
use core::ops::Range;

/// Rotations are computed in f32: beyond this, an angle would be off by more than 1/256 radian.
const MOST_ROTATIONS: usize = 65_536;

/// What a cache's memory asks of slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SlotRules {
    /// Slots move by multiples of this.
    pub(crate) group: usize,
    /// Fewest dead slots between an opening that moved and the rest.
    pub(crate) apart: usize,
}

impl SlotRules {
    /// Most slots that are ever dead.
    pub(crate) const fn most_dead(self) -> usize {
        self.apart + self.group - 1
    }
}

/// How the content of slots moves when tokens are dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slide {
    /// By how many slots, towards slot 0.
    pub(crate) by: usize,
    /// Slots in use before.
    pub(crate) end: usize,
    /// Whether slot 0 keeps what it has.
    pub(crate) keep: bool,
}

impl Slide {
    /// Nothing moves.
    pub(crate) const NONE: Self = Self { by: 0, end: 0, keep: false };

    /// Slots that are moved at once: a multiple of any [`SlotRules::group`].
    pub(crate) const PIECE: usize = 16;

    /// In how many pieces a layer is moved. There is one even where nothing moves: then the opening's
    /// key gets its new rotation.
    pub(crate) fn pieces(&self) -> usize {
        self.end.saturating_sub(self.by).div_ceil(Self::PIECE).max(1)
    }

    /// The slots of a piece, before they move. Pieces are moved in ascending order, so that none is
    /// overwritten before it has moved.
    pub(crate) fn piece(&self, index: usize) -> Range<usize> {
        let start = self.by + index * Self::PIECE;
        start..self.end.min(start + Self::PIECE).max(start)
    }

    /// Of a piece, what moves: all but what takes the place of a kept slot.
    pub(crate) fn moving(&self, piece: Range<usize>) -> Range<usize> {
        let kept = self.by + usize::from(self.keep);
        piece.start.max(kept)..piece.end.max(kept)
    }
}

/// The tokens that are remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Positions {
    count: usize,
    /// Whether the token at position 0 is in slot 0 and was the first to be computed.
    opening: bool,
    /// Dead slots in front of the rest.
    dead: usize,
    /// Tokens dropped so far: how far rotations are ahead of positions.
    dropped: usize,
}

impl Positions {
    /// Nothing is remembered.
    pub(crate) const EMPTY: Self = Self { count: 0, opening: true, dead: 0, dropped: 0 };

    /// How many tokens are remembered.
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// Remembers some more.
    pub(crate) fn extend(&mut self, tokens: usize) {
        self.count += tokens;
    }

    /// Forgets those from `position` on.
    pub(crate) fn truncate(&mut self, position: usize) {
        self.count = self.count.min(position);
        if self.count == 0 {
            *self = Self::EMPTY;
        }
    }

    /// The slot of a position.
    pub(crate) fn slot(&self, position: usize) -> usize {
        if position == 0 && self.opening { 0 } else { position + self.dead }
    }

    /// The slots in use that hold nothing.
    pub(crate) fn dead_slots(&self) -> Range<usize> {
        let start = usize::from(self.opening);
        start..start + self.dead
    }

    /// The rotation of a position.
    pub(crate) fn rotation(&self, position: usize) -> usize {
        position + self.dropped
    }

    /// Whether the key of this position is the opening's, not rotated.
    pub(crate) fn is_first(&self, position: usize) -> bool {
        position == 0 && self.dropped == 0
    }

    /// Drops the tokens at positions `keep..keep + drop`; `keep` is 0 or 1. `context` is how many
    /// there may be. Says how slots move.
    pub(crate) fn shift(
        &mut self,
        keep: usize,
        drop: usize,
        context: usize,
        rules: SlotRules,
    ) -> Result<Slide, EngineError> {
        let keeps = keep == 1;
        let fits = keep.checked_add(drop).is_some_and(|end| end <= self.count);
        if keep > 1 || !fits || (keeps && !self.opening) {
            return Err(EngineError::BadShift);
        }
        let dropped = self.dropped + drop;
        if dropped.saturating_add(context) > MOST_ROTATIONS {
            return Err(EngineError::PositionsExhausted);
        }
        let end = self.slot(self.count.saturating_sub(1)) + 1;
        let nothing_moves = Slide { by: 0, end, keep: false };
        if drop == 0 {
            return Ok(nothing_moves);
        }
        if drop == self.count {
            *self = Self::EMPTY;
            return Ok(nothing_moves);
        }
        // The first slot of the rest, before it slides and at least wanted after.
        let first = self.slot(keep + drop);
        let least = keep * (1 + rules.apart);
        let by = first.saturating_sub(least) / rules.group * rules.group;
        *self = Self { count: self.count - drop, opening: keeps, dead: first - by - keep, dropped };
        Ok(Slide { by, end, keep: keeps })
    }
}
