//! Names of tensors in tables and messages.

use model_format::TensorRole;

use crate::inspect::role_name;

/// `query of layer 3`, `token_embedding`.
pub fn tensor_name(role: TensorRole, layer: usize) -> String {
    match role.is_per_layer() {
        true => format!("{} of layer {layer}", role_name(role)),
        false => role_name(role).to_owned(),
    }
}
