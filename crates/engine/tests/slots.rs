//! Shifts against a transformer that remembers tokens in a list and not in words: bit for bit.
//!
//! The lane-shared cache keeps values in words of 4 slots and blocks of 64, and moves them when tokens
//! are dropped. Here a token has its lanes as numbers of its own, which never change; what the words
//! ought to hold follows from the list alone. Only the order of the float operations is the engine's.
#![allow(clippy::unwrap_used)]

mod common;

use common::{PATHS, bits};
use engine::float::{ROUNDING, SMALLEST, exp4, settle};
use engine::kernels::{LaneOrder, quantise_lanes};
use engine::{Engine, Kernels, Pcg32, Portable, Step};
use model_format::synthetic::tiny_architecture;
use model_format::{ArchitectureSpec, Model, TensorRole};

/// Slots in a word and in a block of values, as the module of the cache says.
const WORD: usize = 4;
const BLOCK: usize = 64;

/// One head of a key or a value: what each element counts, in units of the scale.
#[derive(Clone, Default)]
struct Lanes {
    lanes: Vec<i32>,
    scale: f32,
}

/// A token in one layer, all its heads.
#[derive(Clone, Default)]
struct Remembered {
    /// The key before rotation, which only the opening needs again.
    key: Vec<f32>,
    keys: Vec<Lanes>,
    values: Vec<Lanes>,
}

/// A place in the list: a token in all layers.
struct Slot {
    layers: Vec<Remembered>,
    is_dead: bool,
}

/// The transformer.
struct Twin<'m> {
    model: Model<'m>,
    slots: Vec<Slot>,
    /// The rotation of the next token.
    next: usize,
}

/// A number as a signed byte above a byte that counts 1/256: half a unit off at most.
fn byte_above(element: f32, factor: f32, below: i32) -> i32 {
    let whole = ((element * factor + (ROUNDING + 8192.0)) - ROUNDING) as i32 - below * 64;
    whole.div_euclid(1 << 14)
}

/// Head by head: each element as a byte above the one that `below` finds for its head and index,
/// given the bytes of the head so far.
fn lanes(
    vector: &[f32],
    head_size: usize,
    below: impl Fn(usize, usize, &[i32]) -> i32,
) -> Vec<Lanes> {
    let heads = vector.chunks_exact(head_size).enumerate();
    heads
        .map(|(head, elements)| {
            let largest = elements.iter().fold(0.0f32, |most, x| most.max(x.abs()));
            let (factor, scale) = if largest < SMALLEST {
                (0.0, 0.0)
            } else {
                (127.0 * 16384.0 / largest, largest * (1.0 / (127.0 * 256.0)))
            };
            let mut lanes = Vec::new();
            for (index, element) in elements.iter().enumerate() {
                let below = below(head, index, &lanes);
                lanes.push(256 * byte_above(*element, factor, below) + below);
            }
            Lanes { lanes, scale }
        })
        .collect()
}

/// The byte of a lane, as the one above sees it.
fn unsigned_byte(lane: i32) -> i32 {
    lane.div_euclid(256).rem_euclid(256)
}

/// Elements in the order of the vector, from lanes in that of a kernel.
fn in_order(lanes: &[i16]) -> Vec<i32> {
    lanes.chunks_exact(4).flat_map(|x| [x[2], x[0], x[3], x[1]]).map(i32::from).collect()
}

fn quantised(x: &[f32]) -> (Vec<i32>, f32) {
    let mut lanes = vec![0; x.len()];
    let scale = quantise_lanes(&Portable, x, LaneOrder::Bytes, &mut lanes);
    (in_order(&lanes), scale)
}

/// Sums in four interleaved parts.
fn sum(values: &[f32]) -> f32 {
    let part = |k| values.iter().skip(k).step_by(4).fold(0.0, |sum, x| sum + x);
    let [a, b, c, d]: [f32; 4] = std::array::from_fn(part);
    (a + b) + (c + d)
}

impl<'m> Twin<'m> {
    fn new(model: Model<'m>) -> Self {
        Self { model, slots: Vec::new(), next: 0 }
    }

    fn weights(&self, role: TensorRole, layer: usize) -> &'m [f32] {
        self.model.tensor(role, layer).unwrap().as_f32().unwrap()
    }

    fn times(&self, role: TensorRole, layer: usize, x: &[f32]) -> Vec<f32> {
        let mut out = vec![0.0; self.model.tensor(role, layer).unwrap().rows];
        Portable.matvec_f32(self.weights(role, layer), x, &mut out);
        out
    }

    fn norm(&self, role: TensorRole, layer: usize, x: &[f32]) -> Vec<f32> {
        let squares: Vec<f32> = x.iter().map(|x| x * x).collect();
        let mean = sum(&squares) / x.len() as f32;
        let factor = 1.0 / (mean + self.model.architecture().norm_epsilon).sqrt();
        let gains = self.weights(role, layer);
        x.iter().zip(gains).map(|(x, gain)| settle(gain * (factor * x))).collect()
    }

    fn rotate(&self, vector: &mut [f32], rotation: usize) {
        let architecture = self.model.architecture();
        let head_size = architecture.head_size();
        for (i, pair) in vector.as_chunks_mut::<2>().0.iter_mut().enumerate() {
            let exponent = (2 * i % head_size) as f32 / head_size as f32;
            let angle = rotation as f32 * (1.0 / libm::powf(architecture.rope_theta, exponent));
            let (cos, sin) = (settle(libm::cosf(angle)), settle(libm::sinf(angle)));
            let [x, y] = *pair;
            *pair = [settle(x * cos - y * sin), settle(x * sin + y * cos)];
        }
    }

    /// The logits after one more token.
    fn run(&mut self, token: u32) -> Vec<f32> {
        let a = *self.model.architecture();
        let head_size = a.head_size();
        let embedding = self.weights(TensorRole::TokenEmbedding, 0);
        let mut stream: Vec<f32> =
            embedding[token as usize * a.dim..][..a.dim].iter().copied().map(settle).collect();
        self.slots.push(Slot { layers: Vec::new(), is_dead: false });
        let slot = self.slots.len() - 1;
        for layer in 0..a.layers {
            let x = self.norm(TensorRole::AttentionNorm, layer, &stream);
            let key = self.times(TensorRole::Key, layer, &x);
            let value = self.times(TensorRole::Value, layer, &x);
            let mut query = self.times(TensorRole::Query, layer, &x);
            self.rotate(&mut query, self.next);
            let keys = self.rotated_key(&key, self.next);
            // A byte of values lies above that of the token in the slot before, in the same word.
            let before = self.slots[..slot].last().filter(|_| !slot.is_multiple_of(WORD));
            let values = lanes(&value, head_size, |head, index, _| {
                let before = before.map(|slot| &slot.layers[layer].values[head]);
                before.map_or(0, |before| unsigned_byte(before.lanes[index]))
            });
            self.slots[slot].layers.push(Remembered { key, keys, values });
            let heads = query.chunks_exact(head_size).enumerate();
            let attended: Vec<f32> = heads
                .flat_map(|(head, query)| self.attend(layer, head * a.kv_heads / a.heads, query))
                .collect();
            add(&mut stream, &self.times(TensorRole::AttentionOutput, layer, &attended));
            let x = self.norm(TensorRole::FeedForwardNorm, layer, &stream);
            let gate = self.times(TensorRole::Gate, layer, &x);
            let up = self.times(TensorRole::Up, layer, &x);
            add(&mut stream, &self.times(TensorRole::Down, layer, &swiglu(&gate, &up)));
        }
        self.next += 1;
        let x = self.norm(TensorRole::FinalNorm, 0, &stream);
        let logits = self.times(TensorRole::TokenEmbedding, 0, &x);
        logits.into_iter().map(settle).collect()
    }

    /// The neighbours in a word are of the same key.
    fn rotated_key(&self, key: &[f32], rotation: usize) -> Vec<Lanes> {
        let mut key = key.to_vec();
        self.rotate(&mut key, rotation);
        lanes(&key, self.model.architecture().head_size(), |_, index, so_far| {
            let below = so_far.last().filter(|_| !index.is_multiple_of(4));
            below.map_or(0, |lane| unsigned_byte(*lane))
        })
    }

    fn attend(&self, layer: usize, kv_head: usize, query: &[f32]) -> Vec<f32> {
        let (query, scale) = quantised(query);
        let factor = scale * (1.0 / (query.len() as f32).sqrt());
        let score = |slot: &Slot| {
            let key = &slot.layers[layer].keys[kv_head];
            let products: i32 = key.lanes.iter().zip(&query).map(|(k, q)| k * q).sum();
            if slot.is_dead { f32::NEG_INFINITY } else { products as f32 * key.scale * factor }
        };
        let scores: Vec<f32> = self.slots.iter().map(score).collect();
        let largest = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let exponentials: Vec<f32> =
            scores.iter().map(|score| exp4([score - largest; 4])[0]).collect();
        let value = |slot: usize| &self.slots[slot].layers[layer].values[kv_head];
        let mut weights: Vec<f32> = exponentials.clone();
        for (slot, weight) in weights.iter_mut().enumerate() {
            *weight *= value(slot).scale;
        }
        weights.resize(weights.len().next_multiple_of(WORD), 0.0);
        let (weights, scale) = quantised(&weights);
        let factor = scale / sum(&exponentials);
        let element = |index: usize| {
            let blocks = (0..self.slots.len()).step_by(BLOCK);
            let products = |start: usize| {
                let slots = start..self.slots.len().min(start + BLOCK);
                slots.map(|slot| value(slot).lanes[index] * weights[slot]).sum::<i32>()
            };
            settle(blocks.fold(0.0, |sum, start| sum + products(start) as f32) * factor)
        };
        (0..query.len()).map(element).collect()
    }

    /// Drops tokens. Slots go in whole words, and an opening has a dead slot after it, at least.
    fn shift(&mut self, keep: usize, drop: usize) {
        let dead = self.slots.iter().filter(|slot| slot.is_dead).count();
        let end = keep + dead + drop;
        if end == self.slots.len() && keep == 0 {
            (self.slots, self.next) = (Vec::new(), 0);
            return;
        }
        for slot in &mut self.slots[keep..end] {
            slot.is_dead = true;
        }
        let mut dead = end - keep;
        while dead >= WORD + keep {
            self.slots.drain(keep..keep + WORD);
            dead -= WORD;
        }
        if keep == 1 {
            // The rotation right before that of the oldest token left.
            let left = self.slots.len() - 1 - dead;
            let opening = self.next - left - 1;
            let layers = self.slots[0].layers.iter();
            let keys: Vec<_> = layers.map(|layer| self.rotated_key(&layer.key, opening)).collect();
            for (layer, keys) in self.slots[0].layers.iter_mut().zip(keys) {
                layer.keys = keys;
            }
        }
    }
}

fn add(stream: &mut [f32], branch: &[f32]) {
    for (x, y) in stream.iter_mut().zip(branch) {
        *x = settle(*x + y);
    }
}

/// Four quotients share a division, in this order.
fn swiglu(gate: &[f32], up: &[f32]) -> Vec<f32> {
    let mut out = Vec::new();
    for (gate, up) in gate.as_chunks::<4>().0.iter().zip(up.as_chunks::<4>().0) {
        let e = exp4(gate.map(|x| -x.abs()));
        let [a, b, c, d] = e.map(|e| 1.0 + e);
        let inverse = 1.0 / ((a * b) * (c * d));
        let (low, high) = (inverse * (c * d), inverse * (a * b));
        let inverse = [low * b, low * a, high * d, high * c];
        for i in 0..4 {
            let above = if gate[i].is_sign_negative() { e[i] } else { 1.0 };
            out.push(settle(gate[i] * (above * inverse[i]) * up[i]));
        }
    }
    out
}

#[test]
fn shifts_across_blocks_of_slots_leave_what_a_list_of_tokens_would() {
    const CONTEXT: usize = 200;
    let path = &PATHS[1];
    assert_eq!(path.name, "f32_int8_cache");
    let spec = ArchitectureSpec { hidden: vec![24; 2], context: 256, ..tiny_architecture(true) };
    let file = common::random(&spec, path.format, 11);
    let model = Model::open(&file).unwrap();
    let mut engine: Engine<'_> = path.engine(&model, CONTEXT);
    let mut twin = Twin::new(Model::open(&file).unwrap());
    let mut random = Pcg32::new(64);
    let mut below = |limit: usize| random.next_u32() as usize % limit;
    // Boundaries: shifts after which the slots end in another block.
    let (mut shifts, mut boundaries, mut has_opening) = (0, 0, true);
    while shifts < 24 {
        let room = CONTEXT - engine.position();
        // Often nearly full, so that the last of several blocks is in use.
        for _ in 0..(room.min(8) + below(room)).min(room) {
            let token = below(spec.vocabulary as usize) as u32;
            assert_eq!(bits(engine.run(token).unwrap()), bits(&twin.run(token)), "{shifts}");
        }
        let count = engine.position();
        let keep = usize::from(has_opening && (count < 2 || below(8) > 0));
        let drop = 1 + below(count - keep);
        let end = twin.slots.len();
        twin.shift(keep, drop);
        boundaries += usize::from(end / BLOCK != twin.slots.len() / BLOCK);
        engine.begin_shift(keep, drop).unwrap();
        while engine.step(below(2) as u32 * 5000) == Step::Working {}
        assert_eq!(engine.position(), count - drop);
        has_opening = (has_opening && keep == 1) || engine.position() == 0;
        shifts += 1;
    }
    assert!(boundaries > 12, "{boundaries}");
}
