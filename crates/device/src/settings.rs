//! How words are chosen: the model's own way, until the host says otherwise.

use engine::SamplerSettings;
use link::message::{self, Settings};
use persona::{Manners, QuietHours};

/// Highest temperature and repetition penalty, in thousandths (as in the `.wisp` file).
const HIGHEST_MILLI: u16 = 10_000;

/// What the model's file says.
pub(crate) fn from_model(defaults: &model_format::SamplerDefaults) -> Settings {
    Settings {
        temperature_milli: defaults.temperature_milli,
        top_p_milli: defaults.top_p_milli,
        repetition_penalty_milli: defaults.repetition_penalty_milli,
        seed: None,
        max_reply_tokens: defaults.max_reply_tokens,
    }
}

/// Brings every number into the range in which it makes sense.
pub(crate) fn sane(settings: Settings) -> Settings {
    Settings {
        temperature_milli: settings.temperature_milli.min(HIGHEST_MILLI),
        top_p_milli: settings.top_p_milli.clamp(1, 1000),
        repetition_penalty_milli: settings.repetition_penalty_milli.clamp(1000, HIGHEST_MILLI),
        seed: settings.seed,
        max_reply_tokens: settings.max_reply_tokens.max(1),
    }
}

/// As the sampler takes them.
pub(crate) fn for_sampler(settings: &Settings) -> SamplerSettings {
    SamplerSettings::from_thousandths(
        settings.temperature_milli,
        settings.top_p_milli,
        settings.repetition_penalty_milli,
    )
}

/// The persona's own manners: it has learned how many messages in a row it may write, but four are
/// enough for a persona that nobody asked for more.
pub(crate) fn own_manners(rhythm: Option<&model_format::Rhythm>) -> Manners {
    let own = Manners::default();
    let Some(rhythm) = rhythm else { return own };
    let learned = u8::try_from(rhythm.longest_unanswered).unwrap_or(u8::MAX);
    Manners { most_unanswered: learned.min(own.most_unanswered), ..own }.sane()
}

/// What the friend wants of a persona with these manners, brought into the range in which it makes
/// sense.
pub(crate) fn manners(own: Manners, wanted: message::Manners) -> Manners {
    let hours = |hours: message::QuietHours| QuietHours { from: hours.from, to: hours.to };
    let message::Manners { talkativeness_milli, most_unanswered, quiet } = wanted;
    let most_unanswered = most_unanswered.unwrap_or(own.most_unanswered);
    Manners { talkativeness_milli, most_unanswered, quiet: quiet.map(hours) }.sane()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_learned_is_capped_and_the_friend_may_ask_for_more() {
        let learned = |longest_unanswered| {
            let rhythm = model_format::Rhythm {
                reply_rate_milli: 800,
                burst_length_milli: 1100,
                first_speech_milli: 300,
                longest_unanswered,
            };
            own_manners(Some(&rhythm))
        };
        let most = [1, 3, 7, 1000].map(|longest| learned(longest).most_unanswered);
        assert_eq!(most, [1, 3, 4, 4]);
        assert_eq!(own_manners(None), Manners::default());
        let wanted = |most_unanswered| message::Manners {
            talkativeness_milli: 1000,
            most_unanswered,
            quiet: None,
        };
        let most = [None, Some(2), Some(200)]
            .map(|most| manners(learned(3), wanted(most)).most_unanswered);
        assert_eq!(most, [3, 2, 8]);
    }
}
