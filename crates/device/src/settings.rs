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

/// As crate `persona` knows them, every number brought into the range in which it makes sense.
pub(crate) fn manners(wanted: message::Manners) -> Manners {
    let hours = |hours: message::QuietHours| QuietHours { from: hours.from, to: hours.to };
    let message::Manners { talkativeness_milli, most_unanswered, quiet } = wanted;
    Manners { talkativeness_milli, most_unanswered, quiet: quiet.map(hours) }.sane()
}
