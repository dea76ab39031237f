//! Whole runs on a tiny dataset: stopped and resumed, early ends, damage, and what is written.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use common::{Follower, begin, dataset, fixture, options, train};
use training::checkpoint::{CHECKPOINT, Checkpoint};
use training::dataset::Dataset;
use training::learner::{Dicing, Learner, Learnt};
use training::lora::Lora;
use training::model::Batch;
use training::run::{Begin, Outcome};
use training::schedule::Options;
use training::{Error, folder};

fn model(folder: &Path) -> Vec<u8> {
    std::fs::read(folder.join("model.safetensors")).unwrap()
}

#[test]
fn a_run_that_is_stopped_and_resumed_ends_with_the_same_bits() {
    let data = dataset();
    let place = tempfile::tempdir().unwrap();
    let (whole, parts) = (place.path().join("whole"), place.path().join("parts"));
    let (outcome, state) =
        train(&data, &whole, begin(options()), &mut Follower::default()).unwrap();
    assert_eq!(outcome, Outcome::Finished);
    assert!(!whole.join(CHECKPOINT).exists());

    // In the middle of an epoch, on a measurement, and in fine-tuning.
    let mut next = begin(options());
    for stop in [3, 10, 17] {
        let mut follower = Follower { stop_after: Some(stop), ..Follower::default() };
        let (outcome, _) = train(&data, &parts, next, &mut follower).unwrap();
        assert_eq!(outcome, Outcome::Interrupted);
        assert_eq!(follower.saved, [stop]);
        next = Begin::Resume;
    }
    let (outcome, mut resumed) = train(&data, &parts, next, &mut Follower::default()).unwrap();
    assert_eq!(outcome, Outcome::Finished);
    assert!(model(&whole) == model(&parts), "the models differ");
    resumed.seconds = state.seconds;
    assert_eq!(resumed, state);
}

#[test]
fn a_run_that_is_killed_goes_on_from_its_last_checkpoint() {
    let data = dataset();
    let place = tempfile::tempdir().unwrap();
    let (whole, parts) = (place.path().join("whole"), place.path().join("parts"));
    train(&data, &whole, begin(options()), &mut Follower::default()).unwrap();

    let often = begin(Options { checkpoint_minutes: 0.0, ..options() });
    let mut follower = Follower { killed_in: Some(9), ..Follower::default() };
    let killed =
        catch_unwind(AssertUnwindSafe(|| train(&data, &parts, often, &mut follower).is_ok()));
    assert!(killed.is_err());
    assert_eq!(follower.saved.last(), Some(&8));
    let mut follower = Follower::default();
    let (outcome, _) = train(&data, &parts, Begin::Resume, &mut follower).unwrap();
    assert_eq!(outcome, Outcome::Finished);
    assert!(model(&whole) == model(&parts), "the models differ");
}

#[test]
fn the_number_of_threads_changes_no_bit_and_the_seed_does() {
    let data = dataset();
    let (shape, weights) = folder::read(&fixture()).unwrap();
    let rows: Vec<&[u16]> = (0..4).map(|row| data.train[0].row(row)).collect();
    let groups: Vec<Batch> = rows.chunks(1).map(Batch::new).collect();
    let gradients = |threads, seed| {
        let learnt = Learnt { weights: &weights, adapters: &[] };
        let dicing = Dicing { part: 0.2, seed, step: 7 };
        Learner::new(&shape, None).with_threads(threads).gradients(learnt, &groups, dicing)
    };
    let one = gradients(1, 1);
    assert!(one == gradients(3, 1) && one == gradients(4, 1));
    assert!(one.0 != gradients(1, 2).0, "another seed drops out others");
}

#[test]
fn training_lowers_the_loss_and_writes_a_whole_model() {
    let data = dataset();
    let place = tempfile::tempdir().unwrap();
    let mut options = options();
    options.tokens *= 4.0;
    let mut follower = Follower::default();
    let (_, state) = train(&data, place.path(), begin(options), &mut follower).unwrap();
    let measured = |folder: &Path| {
        let (shape, weights) = folder::read(folder).unwrap();
        let learnt = Learnt { weights: &weights, adapters: &[] };
        let learner = Learner::new(&shape, None);
        training::run::measure(&learner, learnt, &data.valid[0], &data, 4, 100).nats_per_token()
    };
    let (first, best) = (measured(&fixture()), state.best.unwrap());
    assert!(best < 0.2 * first, "{first} to {best}");
    assert_eq!(follower.measured, state.records.iter().map(|it| it.step).collect::<Vec<_>>());

    assert!(
        (measured(place.path()) - best).abs() < 1e-6 * best,
        "the best model is what is written"
    );
    let wisp = std::fs::read(place.path().join("wisp.json")).unwrap();
    let wisp: serde_json::Value = serde_json::from_slice(&wisp).unwrap();
    assert_eq!(wisp["name"], "Golden");
    assert_eq!(wisp["special_tokens"]["gaps"][4], 8);
    assert_eq!(wisp["training_run"]["options"]["seed"], 1);
    assert_eq!(
        std::fs::read(place.path().join("tokenizer.json")).unwrap(),
        std::fs::read(fixture().join("tokenizer.json")).unwrap()
    );
    assert!(std::fs::read_to_string(place.path().join("loss.svg")).unwrap().contains("<polyline"));
    let left: Vec<String> = common::names(place.path());
    assert_eq!(
        left,
        ["config.json", "loss.svg", "model.safetensors", "tokenizer.json", "wisp.json"]
    );
}

#[test]
fn fine_tuning_stops_when_the_chats_get_no_better() {
    let place = tempfile::tempdir().unwrap();
    let other = tempfile::tempdir().unwrap();
    // What is held back counts down where the rows to train on count up.
    common::change_dataset(other.path(), |tensors| {
        let held_back = tensors.iter_mut().find(|tensor| tensor.0 == "valid.chats").unwrap();
        let low = held_back.3.iter_mut().step_by(2).filter(|byte| **byte >= 9);
        low.for_each(|byte| *byte = 57 - *byte);
    });
    let data = Dataset::read(other.path()).unwrap();
    let mut options = options();
    (options.tokens, options.evaluations) = (options.tokens * 20.0, 40);
    (options.finetune_part, options.patience) = (1.0, 2);
    let (outcome, state) =
        train(&data, place.path(), begin(options), &mut Follower::default()).unwrap();
    assert_eq!(outcome, Outcome::StoppedEarly);
    assert!(state.step < state.total / 2);
    let last = &state.records[state.records.len() - 2..];
    assert!(last.iter().all(|record| record.chats >= state.best.unwrap()));
    assert!(!place.path().join(CHECKPOINT).exists());
}

#[test]
fn lora_trains_adapters_alone_and_merges_them() {
    let data = dataset();
    let place = tempfile::tempdir().unwrap();
    let targets = ["q_proj", "v_proj"].map(str::to_owned).to_vec();
    let lora = Lora { rank: 4, alpha: 8.0, targets };
    let begin = || Begin::From(fixture(), Some(lora.clone()), options());
    let (whole, parts) = (place.path().join("whole"), place.path().join("parts"));
    let (_, state) = train(&data, &whole, begin(), &mut Follower::default()).unwrap();
    assert!(state.best.unwrap() < state.records[0].chats);
    let (_, before) = folder::read(&fixture()).unwrap();
    let (_, after) = folder::read(&whole).unwrap();
    for (before, after) in before.iter().zip(&after) {
        let name = &before.slot.name;
        let target = name.contains("q_proj") || name.contains("v_proj");
        assert_eq!(before.values != after.values, target, "{name}");
    }

    let mut follower = Follower { stop_after: Some(9), ..Follower::default() };
    train(&data, &parts, begin(), &mut follower).unwrap();
    let saved = Checkpoint::read(&parts.join(CHECKPOINT)).unwrap();
    assert_eq!(saved.adapters.len(), 8);
    train(&data, &parts, Begin::Resume, &mut Follower::default()).unwrap();
    assert!(model(&whole) == model(&parts), "resumed with LoRA");
}

#[test]
fn a_loss_that_is_no_number_stops_the_run_and_keeps_the_last_checkpoint() {
    let data = dataset();
    let place = tempfile::tempdir().unwrap();
    let mut follower = Follower { stop_after: Some(3), ..Follower::default() };
    train(&data, place.path(), begin(options()), &mut follower).unwrap();
    let path = place.path().join(CHECKPOINT);
    let mut spoilt = Checkpoint::read(&path).unwrap();
    // Finite, and so large that the squares in the norms are not.
    spoilt.weights[0].values.fill(3e38);
    spoilt.write(place.path()).unwrap();
    let kept = std::fs::read(&path).unwrap();
    let error = train(&data, place.path(), Begin::Resume, &mut Follower::default()).unwrap_err();
    assert!(matches!(error, Error::Diverged { step: 4 }), "{error}");
    assert!(std::fs::read(&path).unwrap() == kept);
}

#[test]
fn folders_in_use_and_runs_that_are_over_are_refused() {
    let data = dataset();
    let place = tempfile::tempdir().unwrap();
    let go = |begin| train(&data, place.path(), begin, &mut Follower::default());
    assert!(matches!(go(Begin::Resume), Err(Error::NothingToResume { .. })));
    go(begin(options())).unwrap();
    assert!(matches!(go(Begin::Resume), Err(Error::NothingToResume { .. })));
    assert!(matches!(go(begin(options())), Err(Error::Used { .. })));
    let other = tempfile::tempdir().unwrap();
    let missing = Begin::From(place.path().join("nothing"), None, options());
    let error = train(&data, other.path(), missing, &mut Follower::default()).unwrap_err();
    assert!(matches!(error, Error::Read { .. }));
    assert!(common::names(other.path()).is_empty(), "nothing was written");
}

#[test]
fn a_run_goes_on_with_nothing_but_its_own_data() {
    let place = tempfile::tempdir().unwrap();
    let other = tempfile::tempdir().unwrap();
    let mut follower = Follower { stop_after: Some(3), ..Follower::default() };
    train(&dataset(), place.path(), begin(options()), &mut follower).unwrap();
    // As many rows, as long; one word is another.
    common::change_dataset(other.path(), |tensors| {
        let chats = tensors.iter_mut().find(|tensor| tensor.0 == "train.chats").unwrap();
        chats.3[2] ^= 1;
    });
    let other = Dataset::read(other.path()).unwrap();
    let error = train(&other, place.path(), Begin::Resume, &mut Follower::default()).unwrap_err();
    assert!(matches!(error, Error::Checkpoint { .. }), "{error}");
    train(&dataset(), place.path(), Begin::Resume, &mut Follower::default()).unwrap();
}

#[test]
fn a_run_that_was_stopped_when_its_patience_ended_trains_no_step_more() {
    let place = tempfile::tempdir().unwrap();
    let mut follower = Follower { stop_after: Some(3), ..Follower::default() };
    train(&dataset(), place.path(), begin(options()), &mut follower).unwrap();
    let mut lost = Checkpoint::read(&place.path().join(CHECKPOINT)).unwrap();
    lost.state.worse = lost.state.options.patience;
    lost.write(place.path()).unwrap();
    let (outcome, state) =
        train(&dataset(), place.path(), Begin::Resume, &mut Follower::default()).unwrap();
    assert_eq!((outcome, state.step), (Outcome::StoppedEarly, 3));
}

#[test]
fn numbers_of_a_checkpoint_are_read_as_they_were() {
    let place = tempfile::tempdir().unwrap();
    let mut follower = Follower { stop_after: Some(1), ..Follower::default() };
    train(&dataset(), place.path(), begin(options()), &mut follower).unwrap();
    let path = place.path().join(CHECKPOINT);
    let mut checkpoint = Checkpoint::read(&path).unwrap();
    // One in ten doubles is read a little off by a hasty parser.
    for number in (1..200).map(|number| f64::from(number) * 0.1_f64.powi(3) / 7.0) {
        checkpoint.state.seconds = number;
        checkpoint.write(place.path()).unwrap();
        let read = Checkpoint::read(&path).unwrap().state.seconds;
        assert!(read == number, "{number:e} became {read:e}");
    }
}

#[test]
fn a_model_with_other_tokens_is_not_gone_on_with() {
    let place = tempfile::tempdir().unwrap();
    let start = place.path().join("start");
    std::fs::create_dir(&start).unwrap();
    for name in ["config.json", "model.safetensors", "tokenizer.json"] {
        std::fs::copy(fixture().join(name), start.join(name)).unwrap();
    }
    let path = start.join("tokenizer.json");
    let words = std::fs::read_to_string(&path).unwrap();
    let go = |output: &str| {
        let begin = Begin::From(start.clone(), None, options());
        train(&dataset(), &place.path().join(output), begin, &mut Follower::default())
    };
    // Laid out otherwise, it is the same tokenizer.
    std::fs::write(&path, words.replace('\n', " ")).unwrap();
    go("same").unwrap();
    let mut other: serde_json::Value = serde_json::from_str(&words).unwrap();
    let vocabulary = other.pointer_mut("/model/vocab").unwrap().as_object_mut().unwrap();
    let two: Vec<String> = vocabulary.keys().take(2).cloned().collect();
    let (one, another) = (vocabulary[&two[0]].clone(), vocabulary[&two[1]].clone());
    vocabulary.insert(two[0].clone(), another);
    vocabulary.insert(two[1].clone(), one);
    std::fs::write(&path, other.to_string()).unwrap();
    assert!(matches!(go("other"), Err(Error::OtherTokenizer { .. })));
    std::fs::write(&path, "{").unwrap();
    assert!(matches!(go("damaged"), Err(Error::OtherTokenizer { .. })));
}

#[test]
fn every_cut_of_a_checkpoint_is_refused() {
    let data = dataset();
    let place = tempfile::tempdir().unwrap();
    let mut follower = Follower { stop_after: Some(1), ..Follower::default() };
    let mut small = options();
    small.batch = 1;
    train(&data, place.path(), Begin::From(fixture(), None, small), &mut follower).unwrap();
    let path = place.path().join(CHECKPOINT);
    let whole = std::fs::read(&path).unwrap();
    for cut in [0, 7, 8, 100, whole.len() / 2, whole.len() - 1] {
        std::fs::write(&path, &whole[..cut]).unwrap();
        assert!(matches!(Checkpoint::read(&path), Err(Error::Checkpoint { .. })), "{cut}");
    }
    // Another vocabulary or other rows under the same run.
    std::fs::write(&path, &whole).unwrap();
    let other = tempfile::tempdir().unwrap();
    common::change_dataset(other.path(), |tensors| {
        tensors.retain(|(name, ..)| !name.contains("stories"));
    });
    let other = Dataset::read(other.path()).unwrap();
    let error = train(&other, place.path(), Begin::Resume, &mut Follower::default()).unwrap_err();
    assert!(matches!(error, Error::Checkpoint { .. }), "{error}");
}

#[test]
fn a_time_given_decides_the_number_of_steps() {
    let data = dataset();
    let place = tempfile::tempdir().unwrap();
    let mut options = options();
    options.minutes = Some(0.02);
    options.tokens = 1e12;
    let follower = &mut Follower::default();
    let (outcome, state) = train(&data, place.path(), begin(options), follower).unwrap();
    assert_eq!(outcome, Outcome::Finished);
    assert_eq!(state.step, state.total);
    assert!(state.best.is_some(), "the last step is measured");
    // What is told first is of 1.2 seconds too, not of all those tokens.
    assert!(follower.most_left.as_secs() < 60, "{:?}", follower.most_left);
    assert!(!follower.most_left.is_zero());
}

#[test]
fn what_cannot_be_written_is_a_clear_error_and_nothing_half_written() {
    let data = dataset();
    let place = tempfile::tempdir().unwrap();
    let mut follower = Follower { stop_after: Some(3), ..Follower::default() };
    train(&data, place.path(), begin(options()), &mut follower).unwrap();
    let kept = std::fs::read(place.path().join(CHECKPOINT)).unwrap();
    // A folder in the way of the last file of a measurement fails as late as a full disk may.
    std::fs::create_dir(place.path().join("model.safetensors")).unwrap();
    let error = train(&data, place.path(), Begin::Resume, &mut Follower::default()).unwrap_err();
    assert!(matches!(&error, Error::Write { path, .. } if path.ends_with("model.safetensors")));
    assert!(std::fs::read(place.path().join(CHECKPOINT)).unwrap() == kept);
    let there = [CHECKPOINT, "model.safetensors"];
    assert_eq!(common::names(place.path()), there, "all files of a model or none");
    std::fs::remove_dir(place.path().join("model.safetensors")).unwrap();
    train(&data, place.path(), Begin::Resume, &mut Follower::default()).unwrap();
}
