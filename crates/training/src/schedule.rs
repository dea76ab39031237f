//! The course of a run: two phases, each with its warm-up and its cosine.

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// Everything that decides the result, besides data and first weights. Goes into checkpoints: a
/// run that is resumed keeps them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Options {
    /// Decides first weights, the order of rows and dropout.
    pub seed: u64,
    /// Rows in a step.
    pub batch: usize,
    /// Rows at a time within a step.
    pub micro: usize,
    /// Tokens to see.
    pub tokens: f64,
    /// Fits the run into this time instead, all resumptions together.
    pub minutes: Option<f64>,
    /// Peak learning rate of pretraining.
    pub learning_rate: f64,
    /// Peak learning rate of fine-tuning.
    pub finetune_learning_rate: f64,
    /// Steps of warm-up in each phase; at most a quarter of the phase.
    pub warmup: u64,
    /// The last part of the run, which is fine-tuning on the chats.
    pub finetune_part: f64,
    /// The chats' part of a batch before that.
    pub chats_share: f64,
    /// The chats' part of a batch then.
    pub finetune_chats_share: f64,
    /// Part of the residual stream's additions that is dropped, before fine-tuning.
    pub dropout: f64,
    /// The same in fine-tuning.
    pub finetune_dropout: f64,
    /// Decoupled weight decay of matrices.
    pub weight_decay: f64,
    /// Longest gradient, over all weights together.
    pub clip: f64,
    /// Measurements without a better one before fine-tuning stops.
    pub patience: u32,
    /// Measurements in a run.
    pub evaluations: u64,
    /// Time between checkpoints.
    pub checkpoint_minutes: f64,
}

/// The part of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// On everything.
    Pretraining,
    /// On the chats, with some of the rest.
    FineTuning,
}

/// Pretraining ends at this part of its peak; fine-tuning at nothing.
const FLOOR: f64 = 0.1;

impl Options {
    /// Refuses what cannot be trained with.
    pub fn check(&self) -> Result<()> {
        let part = |value: f64| (0.0..=1.0).contains(&value);
        let rate = |value: f64| value > 0.0 && value <= 1.0;
        let checks = [
            (self.batch > 0 && self.batch <= 1 << 16, "a batch of no rows, or of too many"),
            (self.micro > 0, "no rows at a time"),
            (self.tokens > 0.0 && self.tokens < 1e15, "no tokens to see, or too many"),
            (self.minutes.is_none_or(|minutes| minutes > 0.0 && minutes < 1e7), "no time"),
            (rate(self.learning_rate), "a learning rate outside of 0 to 1"),
            (rate(self.finetune_learning_rate), "a learning rate outside of 0 to 1"),
            (part(self.finetune_part), "a part of fine-tuning outside of 0 to 1"),
            (
                part(self.chats_share) && part(self.finetune_chats_share),
                "a share outside of 0 to 1",
            ),
            ((0.0..0.9).contains(&self.dropout), "dropout outside of 0 to 0.9"),
            ((0.0..0.9).contains(&self.finetune_dropout), "dropout outside of 0 to 0.9"),
            ((0.0..=10.0).contains(&self.weight_decay), "a weight decay outside of 0 to 10"),
            (self.clip > 0.0, "gradients of no length"),
            (self.evaluations > 0, "no measurements"),
            (self.patience > 0, "no patience"),
            (self.checkpoint_minutes >= 0.0, "checkpoints before the start"),
        ];
        match checks.into_iter().find(|(good, _)| !good) {
            Some((_, what)) => Err(Error::Options { what: what.into() }),
            None => Ok(()),
        }
    }

    /// Phase and learning rate of a step, of `total` steps.
    pub fn at(&self, step: u64, total: u64) -> (Phase, f64) {
        let border = (total as f64 * (1.0 - self.finetune_part)).round() as u64;
        let (phase, at, length, peak, floor) = if step < border {
            (Phase::Pretraining, step, border, self.learning_rate, FLOOR)
        } else {
            let length = total.saturating_sub(border);
            (Phase::FineTuning, step - border, length, self.finetune_learning_rate, 0.0)
        };
        let warmup = self.warmup.min(length / 4).max(1);
        let warm = ((at + 1) as f64 / warmup as f64).min(1.0);
        let turn = std::f64::consts::PI * at as f64 / length.max(1) as f64;
        (phase, peak * warm * (floor + (1.0 - floor) * (1.0 + turn.cos()) / 2.0))
    }

    /// Steps between two measurements.
    pub fn evaluate_every(&self, total: u64) -> u64 {
        (total / self.evaluations / 10 * 10).max(10)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn options() -> Options {
        Options {
            seed: 1,
            batch: 4,
            micro: 2,
            tokens: 1e4,
            minutes: None,
            learning_rate: 1e-2,
            finetune_learning_rate: 3e-3,
            warmup: 10,
            finetune_part: 0.25,
            chats_share: 0.1,
            finetune_chats_share: 0.6,
            dropout: 0.1,
            finetune_dropout: 0.1,
            weight_decay: 0.1,
            clip: 1.0,
            patience: 12,
            evaluations: 60,
            checkpoint_minutes: 3.0,
        }
    }

    #[test]
    fn the_rate_warms_up_and_falls_in_each_phase() {
        let options = options();
        let rates: Vec<(Phase, f64)> = (0..1000).map(|step| options.at(step, 1000)).collect();
        assert!(rates[..750].iter().all(|(phase, _)| *phase == Phase::Pretraining));
        assert!(rates[750..].iter().all(|(phase, _)| *phase == Phase::FineTuning));
        assert!((rates[0].1 - 1e-3).abs() < 1e-9);
        for (start, end, peak, last) in [(0, 750, 1e-2, 1e-3), (750, 1000, 3e-3, 0.0)] {
            let phase: Vec<f64> = rates[start..end].iter().map(|(_, rate)| *rate).collect();
            assert!(phase[..10].is_sorted(), "warm-up");
            assert!(phase[9..].is_sorted_by(|a, b| a >= b), "cosine");
            assert!((phase[9] / peak - 1.0).abs() < 0.01);
            assert!((phase[phase.len() - 1] - last).abs() < 1e-5);
        }
    }

    #[test]
    fn a_run_may_be_fine_tuning_alone_or_none() {
        let mut options = options();
        options.finetune_part = 1.0;
        assert_eq!(options.at(0, 3).0, Phase::FineTuning);
        options.finetune_part = 0.0;
        assert_eq!(options.at(2, 3).0, Phase::Pretraining);
        assert!(options.at(2, 3).1 > 0.0);
    }

    #[test]
    fn options_that_train_nothing_are_refused() {
        assert!(options().check().is_ok());
        let wrong: [fn(&mut Options); 8] = [
            |it| it.batch = 0,
            |it| it.micro = 0,
            |it| it.learning_rate = f64::NAN,
            |it| it.tokens = -1.0,
            |it| it.dropout = 1.0,
            |it| it.chats_share = 1.5,
            |it| it.minutes = Some(0.0),
            |it| it.clip = 0.0,
        ];
        for change in wrong {
            let mut options = options();
            change(&mut options);
            assert!(matches!(options.check(), Err(Error::Options { .. })));
        }
    }
}
