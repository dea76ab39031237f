//! The sampler: right shares, same dice same tokens, nothing to trip over.
#![allow(clippy::unwrap_used)]

use engine::{Sampler, SamplerSettings, argmax};
use proptest::prelude::*;
use std::collections::BTreeMap;

fn settings(temperature: f32, top_p: f32, repetition_penalty: f32) -> SamplerSettings {
    SamplerSettings { temperature, top_p, repetition_penalty }
}

fn sampler(settings: SamplerSettings, seed: u64) -> Sampler {
    Sampler::new(4096, settings, seed).unwrap()
}

/// How often each token comes.
fn histogram(settings: SamplerSettings, logits: &[f32], draws: u32) -> BTreeMap<u32, u32> {
    let mut sampler = sampler(settings, 1);
    let mut counts = BTreeMap::new();
    for _ in 0..draws {
        *counts.entry(sampler.sample(&mut logits.to_vec(), &[])).or_default() += 1;
    }
    counts
}

/// The shares that softmax with a temperature gives.
fn shares(logits: &[f32], temperature: f64) -> Vec<f64> {
    let weights: Vec<f64> = logits.iter().map(|l| (f64::from(*l) / temperature).exp()).collect();
    let sum: f64 = weights.iter().sum();
    weights.iter().map(|w| w / sum).collect()
}

/// Within five standard deviations: the seed is fixed, so this either always holds or never.
fn assert_share(count: u32, draws: u32, share: f64) {
    let (expected, draws) = (share * f64::from(draws), f64::from(draws));
    let deviation = (draws * share * (1.0 - share)).sqrt();
    assert!((f64::from(count) - expected).abs() <= 5.0 * deviation + 1.0, "{count} {expected}");
}

const LOGITS: [f32; 6] = [1.0, -2.0, 0.5, 3.0, 2.5, -30.0];

#[test]
fn draws_follow_the_softmax() {
    for temperature in [0.3, 1.0, 2.0] {
        let counts = histogram(settings(temperature, 1.0, 1.0), &LOGITS, 20_000);
        for (token, share) in shares(&LOGITS, f64::from(temperature)).into_iter().enumerate() {
            let count = counts.get(&(token as u32)).copied().unwrap_or(0);
            assert_share(count, 20_000, share);
        }
    }
}

#[test]
fn top_p_keeps_the_fewest_likeliest_and_their_proportions() {
    // Shares: 0.536, 0.325, 0.0725, 0.044 …
    let all = shares(&LOGITS, 1.0);
    for (top_p, kept) in [(0.3, vec![3]), (0.7, vec![3, 4]), (0.9, vec![3, 4, 0])] {
        let counts = histogram(settings(1.0, top_p, 1.0), &LOGITS, 10_000);
        let mut sorted = kept.clone();
        sorted.sort_unstable();
        assert_eq!(counts.keys().copied().collect::<Vec<u32>>(), sorted, "top_p {top_p}");
        let mass: f64 = kept.iter().map(|&token| all[token as usize]).sum();
        for token in kept {
            assert_share(counts[&token], 10_000, all[token as usize] / mass);
        }
    }
}

#[test]
fn top_p_breaks_ties_by_token() {
    // Eight equals: half of the mass needs five, since it must be exceeded. The lowest ids win.
    let counts = histogram(settings(1.0, 0.5, 1.0), &[2.0; 8], 2000);
    assert_eq!(counts.keys().copied().collect::<Vec<u32>>(), [0, 1, 2, 3, 4]);
}

#[test]
fn top_p_at_its_ends() {
    for top_p in [0.0, -1.0, f32::NEG_INFINITY, 1e-30] {
        let counts = histogram(settings(1.0, top_p, 1.0), &LOGITS, 200);
        assert_eq!(counts.keys().copied().collect::<Vec<u32>>(), [3], "{top_p}");
    }
    for top_p in [1.0, 2.0, f32::INFINITY, f32::NAN, 0.999_999_94] {
        let counts = histogram(settings(1.0, top_p, 1.0), &LOGITS, 5000);
        assert_eq!(counts.len(), 5, "{top_p}: all but the one that is e^-33 as likely");
    }
    assert_eq!(histogram(settings(1.0, 0.9, 1.0), &[7.0], 10)[&0], 10);
}

#[test]
fn greedy_takes_the_first_of_the_largest() {
    for temperature in [0.0, -1.0, f32::NAN, 0.0005] {
        let mut sampler = sampler(settings(temperature, 0.9, 1.0), 5);
        assert_eq!(sampler.sample(&mut [1.0, 4.0, 4.0, 2.0], &[]), 1);
    }
    assert_eq!(argmax(&[]), 0);
    assert_eq!(argmax(&[f32::NAN, f32::NEG_INFINITY, f32::NAN]), 1);
    assert_eq!(argmax(&[f32::NAN, 1.0, f32::INFINITY, f32::NAN, f32::INFINITY]), 2);
}

#[test]
fn the_penalty_applies_once_per_recent_token_and_to_both_signs() {
    let mut sampler = sampler(settings(0.0, 1.0, 2.0), 0);
    let mut logits = [4.0, -1.0, 3.0, 0.5];
    assert_eq!(sampler.sample(&mut logits, &[0, 1, 0, 0, 99, 1]), 2);
    assert_eq!(logits, [2.0, -2.0, 3.0, 0.5]);
    for none in [1.0, 0.0, -3.0, f32::NAN] {
        sampler.set_settings(settings(0.0, 1.0, none));
        let mut logits = [4.0, -1.0, 3.0, 0.5];
        assert_eq!(sampler.sample(&mut logits, &[0, 1]), 0);
        assert_eq!(logits, [4.0, -1.0, 3.0, 0.5]);
    }
}

#[test]
fn the_seed_decides() {
    let draw = |seed: u64| -> Vec<u32> {
        let mut sampler = sampler(settings(1.5, 0.95, 1.1), seed);
        (0..64).map(|_| sampler.sample(&mut LOGITS.to_vec(), &[3])).collect()
    };
    assert_eq!(draw(9), draw(9));
    assert_ne!(draw(9), draw(10));
    let mut sampler = sampler(settings(1.5, 0.95, 1.1), 1);
    sampler.sample(&mut LOGITS.to_vec(), &[3]);
    sampler.seed(9);
    let again: Vec<u32> = (0..64).map(|_| sampler.sample(&mut LOGITS.to_vec(), &[3])).collect();
    assert_eq!(again, draw(9));
}

/// The same as a few lines of Python in double precision choose (PCG32 with seed 42, softmax, cut, and
/// drawn in the order of tokens): another generator or another rule would change it.
#[test]
fn a_pinned_sequence() {
    let logits: Vec<f32> = (0..100u8).map(|i| f32::from(i.wrapping_mul(37) % 64) / 9.0).collect();
    let mut sampler = sampler(settings(0.8, 0.9, 1.2), 42);
    let mut recent = Vec::new();
    for _ in 0..12 {
        recent.push(sampler.sample(&mut logits.clone(), &recent));
    }
    assert_eq!(recent, PINNED);
}

const PINNED: [u32; 12] = [62, 43, 76, 48, 76, 83, 69, 38, 88, 95, 17, 12];

#[test]
fn a_choice_among_few() {
    let mut sampler = sampler(settings(1.0, 0.1, 1.0), 3);
    let draws = 4000;
    let mut counts = [0u32; 2];
    for _ in 0..draws {
        match sampler.sample_among(&LOGITS, &[4, 0]) {
            Some(4) => counts[0] += 1,
            Some(0) => counts[1] += 1,
            other => panic!("{other:?}"),
        }
    }
    // e^(2.5 - 1) : 1, whatever top_p says.
    assert_share(counts[0], draws, 1.5f64.exp() / (1.0 + 1.5f64.exp()));
    assert_eq!(sampler.sample_among(&LOGITS, &[]), None);
    assert_eq!(sampler.sample_among(&LOGITS, &[6, u32::MAX]), None);
    assert_eq!(sampler.sample_among(&[f32::NAN, 1.0], &[0]), None);
    assert_eq!(sampler.sample_among(&[f32::NAN, 1.0], &[0, 1]), Some(1));
    sampler.set_settings(SamplerSettings::GREEDY);
    assert_eq!(sampler.sample_among(&LOGITS, &[0, 4, 2]), Some(4));
    assert_eq!(sampler.sample_among(&LOGITS, &[]), None);
    assert_eq!(sampler.sample_among(&[1.0, 1.0], &[1, 0]), Some(1), "the first of equals");
    assert_eq!(sampler.sample_among(&[f32::NAN], &[0]), None);
}

#[test]
fn settings_come_from_thousandths() {
    assert_eq!(SamplerSettings::from_thousandths(800, 950, 1100), settings(0.8, 0.95, 1.1));
    assert_eq!(SamplerSettings::from_thousandths(0, 1000, 1000), SamplerSettings::GREEDY);
}

#[test]
fn infinities_and_nan_are_survived() {
    let mut sampler = sampler(settings(1.0, 0.9, 1.3), 8);
    let (nan, inf) = (f32::NAN, f32::INFINITY);
    assert_eq!(sampler.sample(&mut [], &[0, 1]), 0);
    assert_eq!(sampler.sample(&mut [nan, nan], &[0]), 0);
    assert_eq!(sampler.sample(&mut [-inf, -inf], &[]), 0);
    assert_eq!(sampler.sample(&mut [nan, -inf, nan], &[]), 1);
    assert_eq!(sampler.sample(&mut [nan, 0.0, -inf], &[1]), 1);
    for _ in 0..50 {
        assert!(matches!(sampler.sample(&mut [3.0, inf, nan, inf], &[]), 1 | 3));
    }
}

fn any_logit() -> impl Strategy<Value = f32> {
    prop_oneof![8 => -20.0f32..20.0, 1 => any::<f32>()]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn every_choice_is_a_token_of_the_nucleus(
        logits in prop::collection::vec(any_logit(), 1..200),
        recent in prop::collection::vec(0..250u32, 0..20),
        temperature in prop_oneof![0.05f32..3.0, any::<f32>()],
        top_p in prop_oneof![0.0f32..1.0, any::<f32>()],
        penalty in prop_oneof![0.5f32..2.0, any::<f32>()],
        seed: u64,
    ) {
        let mut sampler = sampler(settings(temperature, top_p, penalty), seed);
        let mut changed = logits.clone();
        let token = sampler.sample(&mut changed, &recent) as usize;
        prop_assert!(token < logits.len());
        // Never a NaN while there is anything else.
        if changed.iter().any(|l| !l.is_nan()) {
            prop_assert!(!changed[token].is_nan());
        }
        // All clearly likelier tokens together leave room below top_p.
        if (0.05..100.0).contains(&temperature) && top_p < 1.0 && changed.iter().all(|l| l.is_finite()) {
            let largest = f64::from(changed[argmax(&changed) as usize]);
            let weight = |l: f32| ((f64::from(l) - largest) / f64::from(temperature)).exp();
            let total: f64 = changed.iter().map(|l| weight(*l)).sum();
            let chosen = weight(changed[token]) * (1.0 + 1e-4);
            let likelier = changed.iter().filter(|l| weight(**l) > chosen);
            let before: f64 = likelier.map(|l| weight(*l)).sum();
            prop_assert!(before <= f64::from(top_p.max(0.0)) * total * (1.0 + 1e-4) + 1e-9);
        }
    }
}
