//! Whether to speak now: drawn from what the model expects to come next.

use micromath::F32Ext;

use crate::GAPS;

/// What the persona does after it has read everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It writes a message.
    Speak,
    /// It waits: for the friend, or for its next moment to speak.
    Wait,
}

/// Draws whether to speak, which happens with this chance. `draw` is uniform over all of `u32`.
///
/// No draw means: whatever is likelier, for settings that take the likeliest token always.
/// The temperature plays no part otherwise: how often the persona answers was learned from real
/// chats, and it should answer as often however bold its words are.
pub fn decide(chance: f32, draw: Option<u32>) -> Decision {
    let speak = match draw {
        None => chance >= 0.5,
        // 24 bits fit a float exactly.
        Some(draw) => ((draw >> 8) as f32 / 16_777_216.0) < chance,
    };
    if speak { Decision::Speak } else { Decision::Wait }
}

/// How likely the silence that has come to this bucket ends in it, by the logits of the gap tokens
/// after the last message: what is known is that it was not shorter.
///
/// The last bucket has no end, so there it is certain.
pub fn chance_of_gap(gaps: &[f32; GAPS], bucket: usize) -> f32 {
    let open = gaps.get(bucket.min(GAPS - 1)..).unwrap_or_default();
    let [this, longer @ ..] = open else { return 1.0 };
    // Relative to this one: what is far likelier makes the sum infinite and the chance 0.
    let others: f32 = longer.iter().map(|longer| exp(longer - this)).sum();
    let chance = 1.0 / (1.0 + others);
    if chance.is_nan() { 1.0 } else { chance }
}

/// How likely the next message is the persona's, by the logits of the two speakers after the gap.
///
/// The logistic function of the difference: softmax over the two. A model that yields no number
/// gets an answer rather than silence.
pub fn chance_of_wisp(wisp: f32, you: f32) -> f32 {
    let chance = 1.0 / (1.0 + exp(you - wisp));
    if chance.is_nan() { 1.0 } else { chance }
}

/// Beyond 60 the answer is 0 or 1 to within a float's precision, and micromath is only asked where
/// it is good.
fn exp(x: f32) -> f32 {
    // Called by its full name: where `std` is linked, `f32::exp` would come first, and host and
    // board would draw differently.
    if x.is_nan() { x } else { F32Ext::exp(x.clamp(-60.0, 60.0)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Share of draws that speak, over evenly spread draws.
    fn share(chance: f32) -> f32 {
        let draws = (0..1000u32).map(|k| k * (u32::MAX / 1000));
        let speaks = draws.filter(|draw| decide(chance, Some(*draw)) == Decision::Speak);
        speaks.count() as f32 / 1000.0
    }

    fn close(chance: f32, expected: f32) -> bool {
        (chance - expected).abs() < 0.002
    }

    #[test]
    fn the_share_of_draws_that_speak_is_the_chance() {
        for chance in [0.0, 0.1, 0.5, 0.75, 1.0] {
            assert!((share(chance) - chance).abs() < 0.01, "{chance}");
        }
        assert_eq!((share(0.0), share(1.0)), (0.0, 1.0));
    }

    #[test]
    fn without_a_draw_the_likelier_wins() {
        assert_eq!(decide(0.51, None), Decision::Speak);
        assert_eq!(decide(0.49, None), Decision::Wait);
    }

    #[test]
    fn of_two_speakers_it_is_the_softmax() {
        assert!(close(chance_of_wisp(0.0, 0.0), 0.5));
        // ln 3: three to one.
        assert!(close(chance_of_wisp(1.0986, 0.0), 0.75));
        assert!(close(chance_of_wisp(-2.0, 0.1972), 0.1));
    }

    #[test]
    fn far_apart_there_is_nothing_to_draw() {
        assert_eq!(share(chance_of_wisp(500.0, -500.0)), 1.0);
        assert!(chance_of_wisp(-500.0, 500.0) < 1e-20);
        assert!(chance_of_wisp(f32::NEG_INFINITY, 0.0) < 1e-20);
        assert_eq!(chance_of_wisp(f32::NAN, 0.0), 1.0);
    }

    #[test]
    fn a_silence_ends_in_its_bucket_or_a_longer_one() {
        // Shares 0.5, 0.25, 0.125, 0.0625, 0.0625.
        let gaps = [8.0f32, 4.0, 2.0, 1.0, 1.0].map(f32::ln);
        for (bucket, expected) in [0.5, 0.5, 0.5, 0.5, 1.0, 1.0].into_iter().enumerate() {
            assert!(close(chance_of_gap(&gaps, bucket), expected), "{bucket}");
        }
        assert!(close(chance_of_gap(&[0.0; GAPS], 0), 0.2));
        assert!(close(chance_of_gap(&[0.0; GAPS], 2), 1.0 / 3.0));
        let mut certain = [-300.0; GAPS];
        certain[1] = 300.0;
        assert!(chance_of_gap(&certain, 0) < 1e-20);
        assert!(close(chance_of_gap(&certain, 1), 1.0));
        assert_eq!(chance_of_gap(&[f32::NAN; GAPS], 0), 1.0);
    }
}
