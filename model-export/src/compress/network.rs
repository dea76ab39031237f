//! A persona's weights as f32 while they are being changed.

use std::borrow::Cow;

use model_format::{Architecture, Model, TensorRole};

/// A tensor with its role and layer.
type Named<'m> = ((TensorRole, usize), Cow<'m, [f32]>);

/// All tensors of an f32 persona; those that were changed are its own.
#[derive(Clone, Debug)]
pub struct Network<'m> {
    /// Its shape in the file.
    pub architecture: Architecture<'m>,
    /// By place in the file's order.
    tensors: Vec<Named<'m>>,
}

impl<'m> Network<'m> {
    /// The weights of a model; `None` unless all are f32.
    pub fn new(model: &Model<'m>) -> Option<Self> {
        let tensors = model
            .tensors()
            .map(|(role, layer, tensor)| Some(((role, layer), Cow::Borrowed(tensor.as_f32()?))));
        Some(Self { architecture: *model.architecture(), tensors: tensors.collect::<Option<_>>()? })
    }

    /// The weights of a tensor, row after row; none of a tensor that the architecture lacks.
    pub fn weights(&self, role: TensorRole, layer: usize) -> &[f32] {
        let found = self.tensors.iter().find(|(name, _)| *name == (role, layer));
        found.map_or(&[], |(_, weights)| weights)
    }

    /// Puts others in their place, and returns those that were there.
    pub fn replace(
        &mut self,
        role: TensorRole,
        layer: usize,
        weights: Cow<'m, [f32]>,
    ) -> Cow<'m, [f32]> {
        let found = self.tensors.iter_mut().find(|(name, _)| *name == (role, layer));
        match found {
            Some((_, place)) => std::mem::replace(place, weights),
            None => weights,
        }
    }

    /// The role of the matrix that makes logits.
    pub fn classifier(&self) -> TensorRole {
        match self.architecture.tied {
            true => TensorRole::TokenEmbedding,
            false => TensorRole::Classifier,
        }
    }

    /// All tensors in the file's order.
    pub fn tensors(&self) -> impl Iterator<Item = (TensorRole, usize, &[f32])> {
        self.tensors.iter().map(|((role, layer), weights)| (*role, *layer, weights.as_ref()))
    }
}
