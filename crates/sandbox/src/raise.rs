//! Raising the layers, in a keeper or in a cell.

mod environment;
mod landlock;
mod limits;
mod namespaces;
mod privileges;
mod seccomp;
mod traps;

pub(crate) use self::landlock::abi;
pub(crate) use self::seccomp::SHELF;

use std::io;

use crate::layer::{Layer, Layers, Raised};
use crate::setup::Order;

/// What a keeper gives up once, for itself and for the cells that it forks.
pub(crate) fn in_keeper(order: &Order) -> Layers {
    let mut layers = Layers::new();
    raise(&mut layers, order, Layer::Environment, environment::check);
    raise(&mut layers, order, Layer::Namespaces, namespaces::leave);
    raise(&mut layers, order, Layer::Privileges, privileges::give_up);
    layers
}

/// What a cell gives up by itself, the ability to give up more last.
pub(crate) fn in_cell(order: &Order, layers: &mut Layers) {
    // Landlock needs a descriptor for a moment, and the limits leave none.
    raise(layers, order, Layer::Landlock, landlock::restrict);
    raise(layers, order, Layer::Limits, || limits::set(order));
    raise(layers, order, Layer::Seccomp, || seccomp::filter(order.purpose));
}

fn raise(
    layers: &mut Layers,
    order: &Order,
    layer: Layer,
    act: impl FnOnce() -> Result<String, String>,
) {
    if order.layers.contains(&layer) {
        let raised = act().map_or_else(Raised::Missing, Raised::Stands);
        layers.insert(layer, raised);
    }
}

/// A failed step, in words.
fn failed(step: &str) -> impl FnOnce(rustix::io::Errno) -> String {
    move |error| format!("{step}: {}", io::Error::from(error))
}
