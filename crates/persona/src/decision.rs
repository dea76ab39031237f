//! Whether to answer: drawn from what the model expects to come next.

use micromath::F32Ext;

/// What the persona does after it has read everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It writes a message.
    Speak,
    /// It waits for the friend.
    Wait,
}

/// Draws who speaks next.
///
/// `wisp` and `you` are the logits of the two speaker tokens, `draw` is uniform over all of `u32`.
/// No draw means: the likelier of the two, for settings that take the likeliest token always.
/// The temperature plays no part otherwise: how often the persona answers was learned from real
/// chats, and it should answer as often however bold its words are.
pub fn decide(wisp: f32, you: f32, draw: Option<u32>) -> Decision {
    let speak = match draw {
        None => wisp >= you,
        Some(draw) => {
            // 24 bits fit a float exactly.
            let uniform = (draw >> 8) as f32 / 16_777_216.0;
            uniform < probability(wisp, you)
        }
    };
    if speak { Decision::Speak } else { Decision::Wait }
}

/// The logistic function of the difference: softmax over the two logits.
///
/// Beyond 30 the answer is 0 or 1 to within a float's precision, and micromath's `exp` is only
/// asked where it is good. A model that yields no number gets an answer rather than silence.
fn probability(wisp: f32, you: f32) -> f32 {
    let difference = wisp - you;
    if difference.is_nan() || difference > 30.0 {
        1.0
    } else if difference < -30.0 {
        0.0
    } else {
        // Called by its full name: where `std` is linked, `f32::exp` would come first, and host and
        // board would draw differently.
        1.0 / (1.0 + F32Ext::exp(-difference))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Share of draws that speak, over evenly spread draws.
    fn share(wisp: f32, you: f32) -> f32 {
        let draws = (0..1000u32).map(|k| k * (u32::MAX / 1000));
        let speaks = draws.filter(|draw| decide(wisp, you, Some(*draw)) == Decision::Speak);
        speaks.count() as f32 / 1000.0
    }

    #[test]
    fn the_share_of_answers_is_the_model_s_probability() {
        assert!((share(0.0, 0.0) - 0.5).abs() < 0.01);
        // ln 3: three to one.
        assert!((share(1.0986, 0.0) - 0.75).abs() < 0.01);
        assert!((share(-2.0, 0.1972) - 0.1).abs() < 0.01);
    }

    #[test]
    fn far_apart_there_is_nothing_to_draw() {
        assert_eq!(share(500.0, -500.0), 1.0);
        assert_eq!(share(-500.0, 500.0), 0.0);
        assert_eq!(share(f32::NEG_INFINITY, 0.0), 0.0);
        assert_eq!(share(f32::NAN, 0.0), 1.0);
    }

    #[test]
    fn without_a_draw_the_likelier_wins() {
        assert_eq!(decide(0.1, 0.0, None), Decision::Speak);
        assert_eq!(decide(0.0, 0.1, None), Decision::Wait);
    }
}
