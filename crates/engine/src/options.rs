//! What an engine is asked for: how much it remembers and how it goes about its work.

/// Most tokens of a prompt in one pass over the weights.
pub const MAX_BATCH: usize = 32;

/// How an engine is to work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Most tokens to remember; the model's own limit holds too.
    pub context: usize,
    /// Where the weights of E4M3 matrices are multiplied.
    pub placement: Placement,
    /// How keys and values are kept.
    pub cache: CacheFormat,
    /// Most tokens in one pass over the weights, from 1 to [`MAX_BATCH`]: a prompt is read faster,
    /// for a few kilobytes of working memory each.
    pub batch: usize,
}

impl Default for Options {
    /// The model's whole context, lane-shared bytes for speed, the cache that suits the model.
    fn default() -> Self {
        Self {
            context: usize::MAX,
            placement: Placement::Lanes,
            cache: CacheFormat::Auto,
            batch: 16,
        }
    }
}

/// Where the weights of E4M3 matrices are multiplied. The other formats are always used in place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placement {
    /// In the file, exactly, in f32.
    InPlace,
    /// In memory, packed as lane-shared bytes at start (`model_format::lanes`): a second copy and a
    /// little rounding, for about a third of the instructions.
    Lanes,
}

/// How keys and values are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CacheFormat {
    /// F32 for models with f32 matrices, which are for reference, and for heads that lanes cannot
    /// hold; else Int8.
    Auto,
    /// Exact, four bytes each.
    F32,
    /// Lane-shared bytes with a scale per head and token: for heads of a size that is a multiple of
    /// 4 and at most 64.
    Int8,
}
