//! Losses and gradients of batches, spread over threads.
//!
//! Each group of rows is computed on one thread, and the sums over groups are made in their order:
//! the result does not depend on how many threads there are.

use std::num::NonZero;
use std::thread;

use burn_tensor::{Device, Tensor, TensorData};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

use crate::lora::{FIRST, Lora, SECOND};
use crate::model::{Batch, Dropout, Keep, Model, Tensors};
use crate::shape::Shape;
use crate::weights::Weight;

/// The dice of one group of rows in one step.
struct Diced {
    dice: ChaCha8Rng,
    /// Of 65,536.
    dropped: u16,
    buffer: Vec<u8>,
}

impl Diced {
    fn new(part: f64, seed: u64, step: u64, group: usize) -> Self {
        let mut dice = ChaCha8Rng::seed_from_u64(seed ^ 0x6472_6f70);
        dice.set_stream(step << 16 | group as u64);
        Self { dice, dropped: (part * 65_536.0).round() as u16, buffer: Vec::new() }
    }
}

impl Dropout for Diced {
    fn drop(&mut self, x: Tensor<3>) -> Tensor<3> {
        if self.dropped == 0 {
            return x;
        }
        let size = x.dims();
        self.buffer.resize(2 * size.iter().product::<usize>(), 0);
        self.dice.fill_bytes(&mut self.buffer);
        let kept = 1.0 / (1.0 - f32::from(self.dropped) / 65_536.0);
        let pairs = self.buffer.as_chunks().0.iter();
        let mask: Vec<f32> = pairs
            .map(|&pair| if u16::from_le_bytes(pair) < self.dropped { 0.0 } else { kept })
            .collect();
        let device = x.device();
        x * Tensor::from_data(TensorData::new(mask, size), &device)
    }
}

/// What decides dropout.
#[derive(Clone, Copy, Debug)]
pub struct Dicing {
    /// Part of the values dropped.
    pub part: f64,
    /// The run's seed.
    pub seed: u64,
    /// The step's number.
    pub step: u64,
}

/// Computes losses and gradients.
pub struct Learner {
    shape: Shape,
    lora: Option<Lora>,
    threads: usize,
}

/// What is learnt: all weights, or adapters beside frozen ones.
#[derive(Clone, Copy)]
pub struct Learnt<'a> {
    /// The weights.
    pub weights: &'a [Weight],
    /// LoRA's matrices; none without it.
    pub adapters: &'a [Weight],
}

impl<'a> Learnt<'a> {
    /// What gradients are for.
    pub fn trained(&self) -> &'a [Weight] {
        if self.adapters.is_empty() { self.weights } else { self.adapters }
    }
}

impl Learner {
    /// Uses as many threads as there are processors.
    pub fn new(shape: &Shape, lora: Option<Lora>) -> Self {
        let threads = thread::available_parallelism().map_or(1, NonZero::get);
        Self { shape: shape.clone(), lora, threads }
    }

    /// The same with a number of threads.
    pub fn with_threads(mut self, threads: usize) -> Self {
        self.threads = threads.max(1);
        self
    }

    /// The mean loss of all targets in the groups, in nats, and its gradients in the order of what
    /// is trained.
    pub fn gradients(
        &self,
        learnt: Learnt<'_>,
        groups: &[Batch],
        dicing: Dicing,
    ) -> (f64, Vec<Vec<f32>>) {
        let targets = groups.iter().map(Batch::targets).sum::<usize>().max(1) as f64;
        let trained = learnt.trained();
        let mut total = 0.0;
        let mut sums: Vec<Vec<f32>> =
            trained.iter().map(|weight| vec![0.0; weight.values.len()]).collect();
        let one = |group: usize, batch: &Batch| {
            let device = Device::flex().autodiff();
            let (tensors, leaves) = self.tensors(learnt, &device, true);
            let mut dropout = Diced::new(dicing.part, dicing.seed, dicing.step, group);
            let model = Model::new(&self.shape, &device);
            let loss = model.loss(&tensors, batch, &mut dropout);
            let mut found = (loss.clone() / targets).backward();
            let gradient = |leaf: &Tensor<2>| {
                leaf.grad_remove(&mut found).and_then(|gradient| values(gradient.into_data()))
            };
            let gradients: Vec<Option<Vec<f32>>> = leaves.iter().map(gradient).collect();
            (scalar(loss), gradients)
        };
        for (wave, batches) in groups.chunks(self.threads).enumerate() {
            let first = wave * self.threads;
            for (loss, gradients) in in_parallel(batches, |i, batch| one(first + i, batch)) {
                total += loss / targets;
                for (sum, gradient) in sums.iter_mut().zip(gradients) {
                    // A weight that nothing reads has no gradient.
                    for (sum, value) in sum.iter_mut().zip(gradient.unwrap_or_default()) {
                        *sum += value;
                    }
                }
            }
        }
        (total, sums)
    }

    /// The sum of the losses of all targets in the groups, in nats, without dropout.
    pub fn loss(&self, learnt: Learnt<'_>, groups: &[Batch]) -> f64 {
        let device = Device::flex();
        let (tensors, _) = self.tensors(learnt, &device, false);
        let mut total = 0.0;
        for batches in groups.chunks(self.threads) {
            let losses = in_parallel(batches, |_, batch| {
                scalar(Model::new(&self.shape, &device).loss(&tensors, batch, &mut Keep))
            });
            total += losses.into_iter().sum::<f64>();
        }
        total
    }

    /// Logits `[rows, length, vocabulary]` of one batch, without dropout.
    pub fn logits(&self, learnt: Learnt<'_>, batch: &Batch) -> Vec<f32> {
        let device = Device::flex();
        let (tensors, _) = self.tensors(learnt, &device, false);
        let logits = Model::new(&self.shape, &device).logits(&tensors, batch, &mut Keep);
        values(logits.into_data()).unwrap_or_default()
    }

    /// The weights on the device, and those that gradients are for.
    fn tensors(
        &self,
        learnt: Learnt<'_>,
        device: &Device,
        gradients: bool,
    ) -> (Tensors, Vec<Tensor<2>>) {
        let load = |weight: &Weight, trained: bool| {
            let size = [weight.slot.rows, weight.slot.columns];
            let tensor =
                Tensor::<2>::from_data(TensorData::new(weight.values.clone(), size), device);
            if trained && gradients { tensor.require_grad() } else { tensor }
        };
        let adapted = !learnt.adapters.is_empty();
        let mut leaves: Vec<Tensor<2>> =
            learnt.adapters.iter().map(|weight| load(weight, true)).collect();
        let mut tensors = Tensors::new();
        for weight in learnt.weights {
            let tensor = load(weight, !adapted);
            if !adapted {
                leaves.push(tensor.clone());
            }
            tensors.insert(weight.slot.name.clone(), tensor);
        }
        if let Some(lora) = &self.lora {
            let named = |name: String| {
                let place = learnt.adapters.iter().position(|weight| weight.slot.name == name);
                place.and_then(|place| leaves.get(place)).cloned()
            };
            for (name, tensor) in &mut tensors {
                let (first, second) =
                    (named(format!("{name}.{FIRST}")), named(format!("{name}.{SECOND}")));
                if let (Some(first), Some(second)) = (first, second) {
                    *tensor = tensor.clone() + second.matmul(first) * lora.scale();
                }
            }
        }
        (tensors, leaves)
    }
}

/// Runs a function on each batch, each on a thread of its own; results in the order of batches.
fn in_parallel<T: Send>(batches: &[Batch], one: impl Fn(usize, &Batch) -> T + Sync) -> Vec<T> {
    if let [batch] = batches {
        return vec![one(0, batch)];
    }
    thread::scope(|scope| {
        let one = &one;
        let running: Vec<_> = batches
            .iter()
            .enumerate()
            .map(|(i, batch)| scope.spawn(move || one(i, batch)))
            .collect();
        let results = running.into_iter().map(|thread| match thread.join() {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        });
        results.collect()
    })
}

fn values(data: TensorData) -> Option<Vec<f32>> {
    data.try_into_vec::<f32>().ok()
}

fn scalar(tensor: Tensor<1>) -> f64 {
    f64::from(tensor.into_scalar::<f32>())
}
