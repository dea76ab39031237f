//! Random and adversarial numbers for the kernels.

/// Xorshift (Marsaglia, 2003): reproducible and quick.
pub(crate) struct Random(u32);

impl Random {
    pub(crate) fn new(seed: u32) -> Self {
        Self(seed | 1)
    }

    pub(crate) fn next(&mut self) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        self.0
    }

    /// One of several, each as likely.
    pub(crate) fn pick<T: Copy>(&mut self, among: &[T]) -> T {
        among[self.next() as usize % among.len()]
    }
}

/// What the words of weights are: mostly random, else all the same byte, among them the smallest and
/// the largest number of either format, and halves that are the smallest 16-bit number.
pub(crate) fn fill_words(random: &mut Random, words: &mut [u32]) {
    let same = [0x8080_8080, 0x7f7f_7f7f, 0x8888_8888, 0x7777_7777, 0, u32::MAX, 0x8000_8000];
    match random.next() % 4 {
        0 => {
            let word = random.pick(&same);
            words.fill(word);
        }
        1 => words.iter_mut().for_each(|word| *word = random.pick(&same)),
        _ => words.iter_mut().for_each(|word| *word = random.next()),
    }
}

/// Inputs: mostly anything from −1023 to 1023, else the ends of that.
pub(crate) fn fill_inputs(random: &mut Random, inputs: &mut [i16]) {
    match random.next() % 4 {
        0 => {
            let input = random.pick(&[1023, -1023, 0, 1]);
            inputs.fill(input);
        }
        1 => inputs.iter_mut().for_each(|input| *input = random.pick(&[1023, -1023])),
        _ => inputs.iter_mut().for_each(|input| *input = (random.next() % 2047) as i16 - 1023),
    }
}

/// Scales and factors: mostly of the size they have in a model, else anything there is in an f32.
pub(crate) fn fill_scales(random: &mut Random, scales: &mut [f32]) {
    let odd = [
        0.0,
        -0.0,
        f32::MIN_POSITIVE,
        -f32::MIN_POSITIVE,
        f32::from_bits(1),
        f32::from_bits(0x8000_0001),
        1e-38,
        -1e-30,
        3e38,
        f32::MAX,
        f32::MIN,
        f32::INFINITY,
        f32::NEG_INFINITY,
        f32::NAN,
        f32::from_bits(0x7f80_0001),
    ];
    match random.next() % 4 {
        0 => scales.iter_mut().for_each(|scale| *scale = random.pick(&odd)),
        1 => scales.iter_mut().for_each(|scale| *scale = f32::from_bits(random.next())),
        _ => scales.iter_mut().for_each(|scale| *scale = model_scale(random)),
    }
}

/// Between 2⁻¹⁶ and 2⁻⁸, of either sign.
fn model_scale(random: &mut Random) -> f32 {
    let exponent = 127 - 16 + random.next() % 8;
    f32::from_bits((random.next() & 0x807f_ffff) | exponent << 23)
}
